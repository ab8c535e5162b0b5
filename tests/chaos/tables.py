"""The figures as text, one table for each part."""

from collections.abc import Sequence
from statistics import median

from tests.chaos.checker import SessionFigures
from tests.chaos.flapping import FlappingFigures
from tests.chaos.kill_matrix import WHOLE_SERVICE, MatrixFigures
from tests.chaos.network import NetworkFigures
from tests.chaos.outages import OutagesFigures
from tests.chaos.seams import SeamFigures
from tests.chaos.service_under_test import SESSION_ACTOR
from tests.chaos.settings_changes import SettingsFigures

ACTOR_BAR_S, OTHERS_BAR_S = 3, 15
MB = 1_000_000
FAULTS = ("missing", "doubled", "foreign", "misplaced")
"""Of words, as WordFigures has them."""


def kills_table(figures: MatrixFigures) -> str:
    rows = []
    for victim in dict.fromkeys(kill.victim for kill in figures.kills):
        kills = [kill for kill in figures.kills if kill.victim == victim]
        waits_s = [kill.to_ack_s for kill in kills if kill.to_ack_s is not None]
        bar_s = ACTOR_BAR_S if victim == SESSION_ACTOR.name else OTHERS_BAR_S
        rows.append(
            (
                victim,
                len(kills),
                f"{median(waits_s):.1f}" if waits_s else "-",
                f"{max(waits_s):.1f}" if waits_s else "-",
                "-" if victim == WHOLE_SERVICE else bar_s,
                len(kills) - len(waits_s),
            )
        )
    head = ("killed", "runs", "to ack p50 s", "max s", "bar s", "never")
    return _table(head, rows)


def sessions_table(sessions: Sequence[SessionFigures]) -> str:
    """What all sessions together lost; sessions with a fault have a line of their own."""
    head = (
        *("sessions", "words", *FAULTS, "live faults"),
        *("frames missing", "doubled", "event holes", "unlike", "samples astray"),
    )
    wrong = [session for session in sessions if not session.is_right]
    rows = [_session_row(str(len(sessions)), sessions)]
    rows += [_session_row(one.session_id, [one]) for one in wrong]
    return "\n".join([_table(head, rows), *map(str, wrong)])


def _session_row(name: str, sessions: Sequence[SessionFigures]) -> tuple[object, ...]:
    def live_faults(one: SessionFigures) -> int:
        words = one.live_words
        faults = (words.missing, words.doubled, words.foreign)
        return sum(len(fault) for fault in faults) + words.misplaced

    return (
        name,
        sum(one.words_said for one in sessions),
        sum(len(one.words.missing) for one in sessions),
        sum(len(one.words.doubled) for one in sessions),
        sum(len(one.words.foreign) for one in sessions),
        sum(one.words.misplaced for one in sessions),
        sum(live_faults(one) for one in sessions),
        sum(one.frames_missing for one in sessions),
        sum(one.frames_doubled for one in sessions),
        sum(one.event_holes for one in sessions),
        sum(one.events_unlike for one in sessions),
        sum(one.samples_astray for one in sessions),
    )


def settings_table(figures: SettingsFigures) -> str:
    head = (
        *("accepted", "refused", "to sessions p50 s", "max s", "to everybody p50 s", "max s"),
        *("never", "half changed"),
    )
    reach_s, everybody_s = figures.reach_s or (0.0,), figures.everybody_s or (0.0,)
    row = (
        figures.accepted,
        figures.refused,
        f"{median(reach_s):.2f}",
        f"{max(reach_s):.2f}",
        f"{median(everybody_s):.2f}",
        f"{max(everybody_s):.2f}",
        figures.never_reached,
        figures.unlike,
    )
    return _table(head, [row])


def network_table(figures: Sequence[NetworkFigures]) -> str:
    rows = [
        (one.name, ", ".join(f"{count} {name}" for name, count in one.faults.items()))
        for one in figures
    ]
    return _table(("network", "faults"), rows)


def outages_table(figures: OutagesFigures) -> str:
    rows: list[tuple[object, ...]] = [
        ("before", "-", "-", figures.memory_before_bytes // MB),
        *(
            (one.name, f"{one.outage_s:g}", f"{one.catch_up_s:.1f}", one.peak_memory_bytes // MB)
            for one in figures.outages
        ),
    ]
    return _table(("outage", "s", "caught up after s", "peak memory MB"), rows)


def flapping_table(figures: FlappingFigures) -> str:
    row = (figures.visits, figures.events, figures.snapshots, figures.unlike)
    return _table(("visits", "durable events", "snapshots", "unlike the one that stayed"), [row])


def seams_table(names: Sequence[str], figures: Sequence[SeamFigures]) -> str:
    head = ("cut words, disturbed by", "seams", "words", *FAULTS)
    rows = [
        (name, one.seams, one.words, one.missing, one.doubled, one.foreign, one.misplaced)
        for name, one in zip(names, figures, strict=True)
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    texts = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]
    return "\n".join(["", lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
