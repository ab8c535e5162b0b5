"""Every alert has a test that makes it happen, from what really raises it to its being cleared."""

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from actors.dispatcher_figures import DispatcherFigures
from actors.work_watch import EXPIRED_GRACE_MS, WorkWatch
from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.health.alerts import RULES, Alert, AlertBook, AlertRule, Figure
from orchestration.health.consumption import Consumption, ConsumptionWatch, consumption_figures
from orchestration.health.figures import part_figures, settings_figures
from orchestration.health.loop_lag import LoopLag
from orchestration.health.recovery import RecoveryBook, recovery_figures
from orchestration.health.system import MACHINE, system_figures
from orchestration.services.health import HealthBook, Probe
from orchestration.services.settings_desk import SettingsDesk
from tests.doubles.in_memory_settings import InMemorySettings

Look = tuple[int, Iterable[Figure]]
Scenario = Callable[[Path, pytest.MonkeyPatch], list[Look]]

SECOND = 1000


def probes(*looks: tuple[int, bool, int]) -> list[Look]:
    """What looks at one part give: when, whether it answered, and in how many milliseconds."""
    book = HealthBook()
    found: list[Look] = []
    for at_ms, healthy, latency_ms in looks:
        book.record(Probe("whisper", healthy, latency_ms), at_ms)
        found.append((at_ms, part_figures(book.services)))
    return found


def a_part_fails_twice(_: Path, __: pytest.MonkeyPatch) -> list[Look]:
    return probes((0, False, 9), (10 * SECOND, False, 9), (20 * SECOND, True, 9))


def a_part_fails_three_times(_: Path, __: pytest.MonkeyPatch) -> list[Look]:
    failures = [(at * SECOND, False, 9) for at in (0, 10, 20)]
    return probes(*failures, (30 * SECOND, True, 9))


def a_part_answers_late(_: Path, __: pytest.MonkeyPatch) -> list[Look]:
    return probes((0, True, 1500), (30 * SECOND, True, 1500), (40 * SECOND, True, 20))


def machine(name: str, high: float, lasting_ms: int) -> Scenario:
    """One figure of the machine is high for so long, then low."""

    def looks(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> list[Look]:
        found: list[Look] = []
        for at_ms, percent in ((0, high), (lasting_ms, high), (lasting_ms + SECOND, 1.0)):
            there = SimpleNamespace(percent=percent)
            reads = {
                "virtual_memory": lambda there=there: there,
                "cpu_percent": lambda percent=percent: percent,
                "disk_usage": lambda _, there=there: there,
            }
            monkeypatch.setattr(psutil, name, reads[name])
            found.append((at_ms, system_figures(data_dir)))
        return found

    return looks


def somebody_blocks_the_loop(_: Path, __: pytest.MonkeyPatch) -> list[Look]:
    async def lag_ms(blocked_s: float) -> int:
        lag = LoopLag()
        sleeping = asyncio.create_task(lag.sleep(0.01))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, blocked_s)
        await sleeping
        return lag.take_ms()

    blocked, free = (asyncio.run(lag_ms(seconds)) for seconds in (0.6, 0.0))
    return [
        (0, [Figure("loop_lag_ms", MACHINE, blocked)]),
        (20 * SECOND, [Figure("loop_lag_ms", MACHINE, blocked)]),
        (30 * SECOND, [Figure("loop_lag_ms", MACHINE, min(free, 199))]),
    ]


def a_session_stops_consuming(_: Path, __: pytest.MonkeyPatch) -> list[Look]:
    watch = ConsumptionWatch(180 * SECOND)
    found: list[Look] = []
    for at_ms, waiting, done in ((0, 1, 5), (180 * SECOND, 3, 5), (190 * SECOND, 3, 6)):
        consumers = [Consumption("session weekly", waiting, done)]
        found.append((at_ms, consumption_figures(consumers, watch.look(consumers, at_ms))))
    return found


def a_dispatcher_is_restarted_again_and_again(_: Path, __: pytest.MonkeyPatch) -> list[Look]:
    book, now_ms = RecoveryBook(), 0
    found: list[Look] = []
    for _time in range(3):
        book.act("restart_dispatcher", "dispatcher-1", now_ms)
        found.append((now_ms, recovery_figures(book.report(now_ms))))
        now_ms = book.due_ms("restart_dispatcher", "dispatcher-1")
    # Calm, the subject is no longer told of; that clears it after a minute.
    return [*found, (now_ms + 60 * SECOND, [])]


def the_settings_file_is_bad(folder: Path, _: pytest.MonkeyPatch) -> list[Look]:
    file = folder / "orchestration.yaml"
    file.write_text("sessions: {max_open: 5}")
    environ = {"ORCHESTRATION_CONFIG": str(file), "ORCHESTRATION_DATA_DIR": str(folder)}
    desk = SettingsDesk(Layers.read(environ), InMemorySettings(), lambda *_: None)
    found: list[Look] = []
    for at_ms, text in ((0, "max_open: 0"), (10 * SECOND, "["), (20 * SECOND, "log_level: INFO")):
        file.write_text(text)
        for _look in range(2):  # As a file is read that has come to rest.
            asyncio.run(desk.look_at_file())
        found.append((at_ms, settings_figures(desk.refused)))
    return found


def a_session_is_past_its_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """With `auto_recovery` off, so that nobody ends it."""

    class Watched(WorkWatch):
        async def _dispatchers(self) -> dict[str, DispatcherFigures]:
            return {}

    watch = Watched(Settings(data_dir=folder))
    most_ms = 300 * SECOND + EXPIRED_GRACE_MS
    found: list[Look] = []
    for at_ms, senderless_ms in ((0, most_ms), (60 * SECOND, most_ms + 60 * SECOND), (61_000, 0)):
        counts = ("answers", "chunks_waiting", "translations_waiting", "database_waiters")
        figures = {**dict.fromkeys(counts, 0), "epoch": 1, "senderless_ms": senderless_ms}
        watch.session_told("weekly", "session-1", figures)
        asyncio.run(watch.look(at_ms, can_work=True, acts=False))
        found.append((at_ms, watch.figures))
    return found


SCENARIOS: dict[str, Scenario] = {
    "part_degraded": a_part_fails_twice,
    "part_unhealthy": a_part_fails_three_times,
    "part_slow": a_part_answers_late,
    "memory_high": machine("virtual_memory", 86.0, 30 * SECOND),
    "memory_full": machine("virtual_memory", 96.0, 10 * SECOND),
    "cpu_high": machine("cpu_percent", 95.0, 300 * SECOND),
    "disk_high": machine("disk_usage", 86.0, 0),
    "disk_full": machine("disk_usage", 96.0, 0),
    "loop_blocked": somebody_blocks_the_loop,
    "stopped_consuming": a_session_stops_consuming,
    "session_overdue": a_session_is_past_its_time,
    "settings_refused": the_settings_file_is_bad,
    "recovery_in_vain": a_dispatcher_is_restarted_again_and_again,
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_alert_happens_and_ends(
    rule: AlertRule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = AlertBook()
    changes: list[Alert] = []
    for at_ms, figures in SCENARIOS[rule.code](tmp_path, monkeypatch):
        changes += [one for one in book.observe(figures, at_ms) if one.code == rule.code]

    raised, cleared = changes
    assert (raised.level, raised.cleared_unix_ms) == (rule.level, None)
    assert raised.subject
    assert raised.subject in raised.message or raised.subject == MACHINE
    assert cleared.cleared_unix_ms is not None


def test_no_scenario_is_of_an_alert_that_is_gone() -> None:
    assert SCENARIOS.keys() == {rule.code for rule in RULES}
