"""Which session has which actor, when actors leak and sessions cannot be placed; without Ray."""

import asyncio
from pathlib import Path

import pytest

from actors import placement
from actors.placement import ENDED_GRACE_MS, LEAKED_AFTER_MS, Placement
from orchestration.config.current import CurrentSettings
from orchestration.config.models import Settings
from orchestration.errors import DatabaseUnavailable, LimitReached, Unavailable, UnknownSession
from orchestration.health.recovery import POLICIES, RecoveryBook
from orchestration.metrics.meter import Tally


class Bench:
    """A placement whose clock and actors are the test's."""

    def __init__(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = 1_000_000
        self.ended: list[str] = []
        self.tried: list[str] = []
        self.failure: Exception | None = None
        self.starts = asyncio.Event()
        self.starts.set()
        self.recovery = RecoveryBook()
        bench = self

        class Placed(Placement):
            async def _activated(self, session_id: str) -> str:
                bench.tried.append(session_id)
                await bench.starts.wait()
                if bench.failure is not None:
                    raise bench.failure
                return f"session-of-{session_id}"

        monkeypatch.setattr(placement, "monotonic_ms", lambda: self.now_ms)
        monkeypatch.setattr(placement, "end_session_actor", self.ended.append)
        self.current = CurrentSettings(Settings(data_dir=data_dir))
        self.placement = Placed(self.current, "", Tally(), self.recovery)

    def done(self, action: str) -> int:
        return dict(self.recovery.report(self.now_ms).done)[action]  # type: ignore[index]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_an_actor_that_nobody_knows_for_long_is_ended_and_no_other(bench: Bench) -> None:
    bench.placement.adopt({"weekly": "session-1"}, ["session-1"])
    alive = ["session-1", "session-leaked"]
    bench.placement.end_leaked(alive)
    bench.now_ms += LEAKED_AFTER_MS - 1
    bench.placement.end_leaked(alive)
    assert bench.ended == []

    bench.now_ms += 1
    bench.placement.end_leaked(alive)

    assert bench.ended == ["session-leaked"]
    assert bench.done("end_leaked_actor") == 1


def test_without_automatic_recovery_a_leaked_actor_is_left_until_it_is_on_again(
    bench: Bench,
) -> None:
    on = bench.current.now
    off = on.model_copy(
        update={"services": on.services.model_copy(update={"auto_recovery": False})}
    )
    bench.current.take(1, off)
    for _ in range(2):
        bench.placement.end_leaked(["session-leaked"])
        bench.now_ms += LEAKED_AFTER_MS
    assert bench.ended == []

    bench.current.take(2, on)
    for _ in range(2):
        bench.placement.end_leaked(["session-leaked"])
        bench.now_ms += LEAKED_AFTER_MS
    assert bench.ended == ["session-leaked"]


async def test_without_automatic_recovery_a_session_whose_actor_died_still_gets_another(
    bench: Bench,
) -> None:
    services = bench.current.now.services.model_copy(update={"auto_recovery": False})
    bench.current.take(1, bench.current.now.model_copy(update={"services": services}))
    bench.placement.adopt({"weekly": "session-0"}, ["session-0"])
    await bench.placement.replace("weekly", "session-0")
    assert bench.placement.open["weekly"] == "session-of-weekly"


def test_an_actor_that_does_not_end_is_ended_again_with_pauses_and_then_escalated(
    bench: Bench,
) -> None:
    bench.placement.end_leaked(["session-leaked"])
    for _ in range(120):
        bench.now_ms += 1000
        bench.placement.end_leaked(["session-leaked"])
    # At 30 s twice, then after 5, 10, 20 and 40 s.
    assert len(bench.ended) == 6
    report = bench.recovery.report(bench.now_ms)
    assert report.escalated == (("end_leaked_actor", "session-leaked"),)


def test_the_actor_of_a_session_whose_rows_are_gone_is_ended(bench: Bench) -> None:
    bench.placement.adopt({"weekly": "session-1"}, ["session-1"])
    bench.placement.end_unknown("weekly")
    assert bench.ended == ["session-1"]
    assert "weekly" not in bench.placement.open
    assert bench.done("end_leaked_actor") == 1


async def test_a_session_that_nobody_can_take_is_tried_with_pauses(bench: Bench) -> None:
    bench.placement.adopt({"weekly": None}, [])
    bench.failure = Unavailable("The session's actor does not take it; ask again.")
    for _ in range(30):
        await bench.placement.place_homeless()
        bench.now_ms += 1000
    policy = POLICIES["replace_session"]
    assert policy.at_once < len(bench.tried) < 12
    report = bench.recovery.report(bench.now_ms)
    assert report.escalated == (("replace_session", "weekly"),)

    bench.failure = None
    bench.now_ms += policy.most_pause_ms
    await bench.placement.place_homeless()
    assert bench.placement.open["weekly"] == "session-of-weekly"


async def test_a_database_that_is_away_costs_no_session_a_pause(bench: Bench) -> None:
    bench.placement.adopt({"weekly": None}, [])
    bench.failure = DatabaseUnavailable("PostgreSQL cannot be used right now.")
    for _ in range(20):
        await bench.placement.place_homeless()
    assert len(bench.tried) == 20
    assert bench.recovery.due_ms("replace_session", "weekly") == 0


async def test_a_session_that_is_gone_is_not_tried_again(bench: Bench) -> None:
    bench.placement.adopt({"weekly": None}, [])
    bench.failure = UnknownSession("There is no session 'weekly'.")
    await bench.placement.place_homeless()
    await bench.placement.place_homeless()
    assert bench.tried == ["weekly"]


async def test_replacements_in_a_row_are_counted_and_forgotten_with_the_session(
    bench: Bench,
) -> None:
    bench.placement.adopt({"weekly": "session-0"}, ["session-0"])
    for _ in range(4):
        await bench.placement.replace("weekly", bench.placement.open["weekly"])
    assert bench.done("replace_session") == 4
    assert bench.recovery.due_ms("replace_session", "weekly") == bench.now_ms + 500
    bench.placement.dismiss("weekly")
    assert bench.recovery.due_ms("replace_session", "weekly") == 0


async def test_who_asked_first_may_go_away_and_the_others_still_get_the_actor(
    bench: Bench,
) -> None:
    bench.starts.clear()
    first, second = (asyncio.create_task(bench.placement.place("weekly")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    bench.starts.set()
    async with asyncio.timeout(60):
        assert await second == "session-of-weekly"
    assert bench.tried == ["weekly"]
    assert bench.placement.open == {"weekly": "session-of-weekly"}


async def test_a_session_that_nobody_waits_for_any_more_is_placed_all_the_same(
    bench: Bench,
) -> None:
    bench.starts.clear()
    asking = asyncio.create_task(bench.placement.place("weekly"))
    await asyncio.sleep(0)
    asking.cancel()
    bench.starts.set()
    assert await bench.placement.place("weekly") == "session-of-weekly"
    assert bench.tried == ["weekly"]


def most_open(bench: Bench, limit: int) -> None:
    sessions = bench.current.now.sessions.model_copy(update={"max_open": limit})
    bench.current.take(1, bench.current.now.model_copy(update={"sessions": sessions}))


def test_sessions_that_are_created_at_once_keep_the_limit_together(bench: Bench) -> None:
    most_open(bench, 2)
    bench.placement.adopt({"homeless": None}, [])
    with bench.placement.room_for("weekly"):
        with pytest.raises(LimitReached), bench.placement.room_for("daily"):
            pass
        # The same one again takes no other place.
        with bench.placement.room_for("weekly"):
            pass
        with pytest.raises(LimitReached), bench.placement.room_for("daily"):
            pass
    with bench.placement.room_for("daily"):
        pass


def test_a_session_that_has_ended_makes_room_before_its_actor_goes(bench: Bench) -> None:
    most_open(bench, 1)
    bench.placement.adopt({"weekly": "session-1"}, ["session-1"])
    bench.placement.session_ended("weekly")
    with bench.placement.room_for("daily"):
        pass
    bench.now_ms += ENDED_GRACE_MS - 1
    bench.placement.dismiss_ended()
    assert bench.ended == []
    bench.now_ms += 1
    bench.placement.dismiss_ended()
    assert bench.ended == ["session-1"]


async def test_a_session_that_no_actor_could_take_when_it_was_made_is_tried_again(
    bench: Bench,
) -> None:
    bench.failure = Unavailable("The session's actor does not take it; ask again.")
    with pytest.raises(Unavailable):
        await bench.placement.place("weekly")
    bench.failure = None
    await bench.placement.place_homeless()
    assert bench.placement.open == {"weekly": "session-of-weekly"}


async def test_a_session_that_has_ended_is_opened_for_its_caller_or_not_at_all(
    bench: Bench,
) -> None:
    bench.failure = Unavailable("The session's actor does not take it; ask again.")
    with pytest.raises(Unavailable):
        await bench.placement.place("ended", keeps_trying=False)
    bench.failure = None
    await bench.placement.place_homeless()
    assert bench.placement.open == {}


async def test_nobody_waits_behind_a_session_that_is_being_placed(bench: Bench) -> None:
    bench.starts.clear()
    placing = asyncio.create_task(bench.placement.place("weekly"))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await bench.placement.place_homeless()
    bench.starts.set()
    assert await placing == "session-of-weekly"
