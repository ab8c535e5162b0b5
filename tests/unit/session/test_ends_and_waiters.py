"""What is asked of a session while it ends, over a journal that the test holds up."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
import structlog

from orchestration.errors import DatabaseUnavailable, Unavailable
from orchestration.metrics.meter import Tally
from orchestration.process_clock import monotonic_ms
from orchestration.session.exchange import IngestBatch
from orchestration.session.incarnation import Incarnation
from orchestration.session.inputs import EndOfStreams, StreamSpec
from orchestration.session.live_log import LiveLog
from orchestration.session.runner import SessionRunner
from orchestration.session.sender_channel import SenderChannel
from orchestration.session.session import Session
from orchestration.session.session_meter import SessionMeter
from orchestration.session.status import SessionStatus
from orchestration.session.values import SessionValues
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.values import JournalFact, SampleRange, StreamProgress, StreamRow
from orchestration.transcript.segments import Segment
from tests.doubles.scripted_engines import ScriptedEngines
from tests.unit.metrics.session_under_measure import (
    MemoryJournal,
    NoRecording,
    connect,
    frames,
    said,
    send,
)
from tests.unit.session.meeting import FORMAT, RATE, claim, silence

PATIENCE_S = 60
"""For what would otherwise never come."""


class Gate:
    """Holds up whoever comes once it is closed, and tells that somebody is there."""

    def __init__(self) -> None:
        self.come = asyncio.Event()
        self.opened = asyncio.Event()
        self.opened.set()

    async def passed(self) -> None:
        self.come.set()
        await self.opened.wait()

    def close(self) -> None:
        self.come.clear()
        self.opened.clear()


@dataclass
class HeldJournal(MemoryJournal):
    """Its calls may be held up."""

    reading: Gate = field(default_factory=Gate)
    opening: Gate = field(default_factory=Gate)
    ending: Gate = field(default_factory=Gate)

    async def open_streams(self, session: str, epoch: int, specs: Sequence[StreamSpec]) -> None:
        await self.opening.passed()

    async def final_segments(self, session: str) -> Sequence[Segment]:
        await self.reading.passed()
        return ()

    async def commit(self, session: str, epoch: int, changes: SessionChanges) -> None:
        if changes.status == "completed":
            await self.ending.passed()
        await super().commit(session, epoch, changes)

    async def facts(self, session: str) -> AsyncIterator[JournalFact]:
        for fact in list[JournalFact]():
            yield fact

    async def recent_hashes(self, session: str, limit: int) -> dict[tuple[int, int], bytes]:
        return {}


class Silence(NoRecording):
    """All audio is held, and silent."""

    async def engine_audio(self, stream: StreamSpec, start: int, end: int) -> bytes:
        return bytes(2 * (end - start))


class Running:
    """A session's runner, and what it is made of."""

    def __init__(
        self,
        made_of: Any = None,
        journal: HeldJournal | None = None,
        values: SessionValues | None = None,
    ) -> None:
        self.journal = journal or HeldJournal()
        self.engines = ScriptedEngines()
        self.finished = asyncio.Event()
        self.times_finished = 0
        self.runner = SessionRunner(
            made_of or claim(),
            cast(Any, self.journal),
            self.engines,
            values or SessionValues(),
            Silence(),
            self._finish,
            Tally(),
        )

    async def _finish(self) -> None:
        self.finished.set()
        self.times_finished += 1


ALL = EndOfStreams(((0, 4),), -1)


async def test_a_correction_that_the_end_overtakes_is_refused_and_holds_nobody_up() -> None:
    one = Running()
    await connect(one.runner)
    one.journal.reading.close()
    correcting = asyncio.create_task(one.runner.correct(None))
    async with asyncio.timeout(PATIENCE_S):
        await one.journal.reading.come.wait()
        await send(one.runner, *frames(silence(5)), ALL)
        await one.finished.wait()
        one.journal.reading.opened.set()
        with pytest.raises(Unavailable, match="just ended"):
            await correcting
        with pytest.raises(Unavailable, match="just ended"):
            await one.runner.correct(None)
    await one.runner.stop()


async def test_a_correction_that_comes_while_the_end_is_stored_is_refused() -> None:
    one = Running()
    await connect(one.runner)
    one.journal.ending.close()
    await send(one.runner, *frames(silence(5)), ALL)
    async with asyncio.timeout(PATIENCE_S):
        await one.journal.ending.come.wait()
        one.journal.reading.close()
        correcting = asyncio.create_task(one.runner.correct(None))
        await one.journal.reading.come.wait()
        one.journal.reading.opened.set()
        await asyncio.sleep(0)
        one.journal.ending.opened.set()
        with pytest.raises(Unavailable, match="just ended"):
            await correcting
    await one.runner.stop()


async def test_a_correction_is_not_kept_waiting_by_an_incarnation_that_stops() -> None:
    one = Running()
    await connect(one.runner)
    one.journal.reading.close()
    correcting = asyncio.create_task(one.runner.correct(None))
    async with asyncio.timeout(PATIENCE_S):
        await one.journal.reading.come.wait()
        one.journal.reading.opened.set()
        await asyncio.sleep(0)
        await one.runner.stop()
        with pytest.raises(Unavailable, match="moves to another actor"):
            await correcting


def with_a_loss(status: SessionStatus) -> Any:
    """A session of which all is heard but its second second, which was captured."""
    lost = SampleRange(RATE, 2 * RATE, "engine_timeout")
    progress = StreamProgress(0, 0, 3 * RATE, 3 * RATE, 2 * RATE, 0, 2 * RATE)
    row = StreamRow(StreamSpec(0, FORMAT), 30, 3 * RATE, 29, progress, (lost,))
    made_of = claim(streams=(row,))
    session = replace(made_of.session, status=status, zero_unix_ms=1)
    return replace(made_of, session=session, last_fact=-1)


async def test_a_second_request_does_not_end_the_repairs_that_are_under_way() -> None:
    one = Running(with_a_loss("completed"))
    one.engines.hear = lambda request: said("Recovered.")
    one.engines.gate.clear()
    await one.runner.start()
    async with asyncio.timeout(PATIENCE_S):
        assert await one.runner.repair() == 1
        while not one.engines.asked:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
        assert await one.runner.repair() == 0
        # It is answered again once all that came before is stored.
        await one.runner.correct(None)
        assert not one.finished.is_set()
        one.engines.gate.set()
        await one.finished.wait()
    texts = [segment.text for changes in one.journal.changes for segment in changes.segments]
    assert texts == ["Recovered."]
    with pytest.raises(Unavailable, match="just ended"):
        await one.runner.repair()
    await one.runner.stop()


async def test_a_session_that_ends_with_its_repairs_ends_once() -> None:
    one = Running(with_a_loss("ending"))
    one.engines.gate.clear()
    assert await one.runner.repair() == 1
    await one.runner.start()
    async with asyncio.timeout(PATIENCE_S):
        while not one.engines.asked:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
        assert not one.finished.is_set()
        one.engines.gate.set()
        await one.finished.wait()
        for _ in range(10):
            await asyncio.sleep(0)  # Whoever else waits for its last step hears of it.
    assert one.times_finished == 1
    await one.runner.stop()


def channel_of(journal: HeldJournal, abandoned_after_ms: int) -> tuple[Session, SenderChannel]:
    """A session whose sender is not there, and the sender's side of it."""
    session = Session(claim(), SessionValues(abandoned_after_ms=abandoned_after_ms), 0)
    incarnation = Incarnation(LiveLog(1, 0, 10), structlog.get_logger())
    meter = SessionMeter(Tally(), session)
    return session, SenderChannel(incarnation, session, cast(Any, journal), meter)


async def test_a_sender_that_comes_back_at_the_last_moment_is_not_given_up() -> None:
    journal = HeldJournal()
    session, channel = channel_of(journal, 0)
    journal.opening.close()
    connecting = asyncio.create_task(channel.connect("bot", [StreamSpec(0, FORMAT)]))
    async with asyncio.timeout(PATIENCE_S):
        await journal.opening.come.wait()
        giving_up = asyncio.create_task(channel.abandon_if_due())
        await asyncio.sleep(0)
        journal.opening.opened.set()
        await connecting
        await giving_up
    assert session.status == "active"


@dataclass
class AwayJournal(HeldJournal):
    """Its database is away so often when an end is to be stored."""

    away: int = 0

    async def end_streams(
        self, session: str, epoch: int, last: Mapping[int, int], last_fact: int
    ) -> None:
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable("The database is away.")
        await super().end_streams(session, epoch, last, last_fact)


async def test_a_sender_is_waited_for_anew_where_its_absence_cannot_be_stored() -> None:
    session, channel = channel_of(AwayJournal(away=1), abandoned_after_ms=3_600_000)
    now_ms = monotonic_ms()
    session.disconnected(now_ms - 3_600_000)
    await channel.abandon_if_due()
    assert (session.status, session.must_abandon(now_ms + 3_599_999)) == ("created", False)
    session.disconnected(now_ms - 3_600_000)
    await channel.abandon_if_due()
    assert session.status == "completed"


async def test_an_end_that_cannot_be_stored_changes_nothing() -> None:
    session, channel = channel_of(AwayJournal(away=1), 0)
    with pytest.raises(DatabaseUnavailable):
        await channel.end()
    assert session.status == "created"


async def test_an_incarnation_goes_on_when_its_sender_is_given_up_while_the_database_is_away() -> (
    None
):
    one = Running(journal=AwayJournal(away=1), values=SessionValues(abandoned_after_ms=0))
    await one.runner.start()
    async with asyncio.timeout(PATIENCE_S):
        await one.finished.wait()
    assert not one.runner.is_replaced
    await one.runner.stop()


async def test_the_end_of_a_session_without_streams_is_stored_with_its_last_fact() -> None:
    journal = HeldJournal()
    session, channel = channel_of(journal, 0)
    await channel.connect("bot", [])
    await channel.push("bot", IngestBatch((EndOfStreams((), 3),), (0,)))
    assert (session.status, journal.ends) == ("ending", [3])
