"""The score's tables, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tests.score.costs import Costs
from tests.score.known_meetings import KnownMeeting
from tests.score.scoring import KNOWN_AFTER_S, MAX_WRONG, MIN_RIGHT, Score
from tests.scoring import NamedWords

HEAD = (
    f"{'':<36}{'cpWER':>7}{'tcpWER':>7}  {'all words':^20}  {'once known':^20}  "
    f"{'known and alone':^20}  {'named':>6}  {'lag, ms':>15}\n"
    f"{'platform':<36}{'%':>7}{'%':>7}{'  right wrong  none':<22}{'  right wrong  none':<22}"
    f"{'  right wrong  none':<22}{'after':>8}  {'true':>6}{'found':>9}"
)
LEGEND = (
    "Per cent of words with their speaker's name, another's, or none. A person is known once they"
    f" have spoken\nfor {KNOWN_AFTER_S:.0f} s; alone are words over which nobody else speaks. Named"
    " after: seconds that a person has spoken\nwhen their name is first seen (p50). Lag found: the"
    " least and the most of the seeds, at the end. A line with !\nmisses a bar: once known, right"
    f" at least {MIN_RIGHT:.0%} and wrong at most {MAX_WRONG:.0%} of words."
)


def meeting_head(meeting: KnownMeeting) -> str:
    """What is scored next."""
    return (
        f"\n{meeting.name}: {meeting.duration_s:.0f} s, {len(meeting.people)} people,"
        f" {len(meeting.turns)} turns, {len(meeting.words)} words\n{HEAD}"
    )


def line(score: Score) -> str:
    """One line of a meeting's table."""
    found = sorted({min(score.lags_ms), max(score.lags_ms)})
    return (
        f"{score.condition.name:<35}{'!' if score.misses else ' '}"
        f"{100 * score.rates.cp:>7.1f}{100 * score.rates.tcp:>7.1f}"
        f"{_shares(score.words)}{_shares(score.known)}{_shares(score.known_alone)}"
        f"{score.until_named_s:>8.1f}  {1000 * score.condition.delay_s:>6.0f}"
        f"{' to '.join(str(ms) for ms in found):>14}"
    )


def best_line(scores: Sequence[Score]) -> str:
    """What no naming can mend."""
    best = scores[0].best_rates
    name = "with all names true"
    return f"{name:<36}{100 * best.cp:>7.1f}{100 * best.tcp:>7.1f}"


def costs_lines(costs: Costs) -> str:
    """What a session pays for the names and the timeline."""
    return (
        f"\nCPU for each second of audio: speakers {costs.speakers_cpu_us:.0f} us,"
        f" timing {costs.timing_cpu_us:.0f} us (as a profiler sees it)\n"
        f"memory for each further hour: session {costs.session_bytes / 1000:.0f} kB,"
        f" of it speakers {costs.speakers_bytes / 1000:.0f} kB,"
        f" timing {costs.timing_bytes / 1000:.1f} kB"
    )


def _shares(words: NamedWords) -> str:
    if not words.aligned:
        return f"{'-':>20}  "
    shares = (words.right_share, words.wrong_share, words.unnamed_share)
    return "".join(f"{100 * share:>6.1f}" for share in shares) + " " * 4
