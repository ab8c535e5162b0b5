"""A running session: the asyncio shell around the sans-I/O `Session`.

It supplies time, stores before it tells, and carries requests to the engines. An actor is a
mailbox around one of these.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog

from orchestration.errors import (
    Fenced,
    JsonObject,
    OrchestrationError,
    SessionEnded,
    TakenOver,
    Unavailable,
    UnknownSession,
)
from orchestration.metrics.meter import Meter
from orchestration.session.engine_calls import EngineCalls, Engines
from orchestration.session.exchange import (
    IngestBatch,
    IngestReply,
    LiveBatch,
    LiveCursor,
    Notice,
    StreamAck,
    StreamPosition,
    Welcome,
)
from orchestration.session.fact_codec import fact_json, parse_fact
from orchestration.session.ingest_ledger import REMEMBERED_HASHES
from orchestration.session.inputs import ParticipantSighting, StreamSpec
from orchestration.session.live_log import LiveLog
from orchestration.session.recorder import Recorder
from orchestration.session.recording_reader import RecordingReader
from orchestration.session.repairs import Repair
from orchestration.session.session import Session, SessionStep
from orchestration.session.session_meter import SessionMeter
from orchestration.session.status import TERMINAL
from orchestration.session.values import SessionValues
from orchestration.speakers.corrections import CORRECTED_BY, Correction
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.ports import Claim, JournalFact, SessionChanges, SessionJournal

log = structlog.get_logger(__name__)

TICK_S = 0.25
"""How often time is let pass."""

LONG_POLL_S = 10.0
"""A waiting call answers after this, with nothing if there is nothing."""

STORE_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Waits between tries to store while the database is away; the last repeats."""


class SessionRunner:
    """One session's life in this process, from `start` to `stop`."""

    def __init__(
        self,
        claim: Claim,
        journal: SessionJournal,
        engines: Engines,
        values: SessionValues,
        recording: RecordingReader,
        on_finished: Callable[[], Awaitable[None]],
        meter: Meter,
    ) -> None:
        self._journal = journal
        self._given = values
        self._overrides = claim.session.spec.settings
        own = values.with_overrides(self._overrides)
        # Settings may have changed since the session's own were checked against them.
        self._values = values = values if own.chunking.fault else own
        self._on_finished = on_finished
        self._session = Session(claim, values, _now_ms())
        self._claim = claim
        self._live = LiveLog(claim.epoch, claim.last_event_seq, values.live_events)
        self._intake = asyncio.Lock()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._changed = asyncio.Event()
        self._connection: str | None = None
        self._newest_connection = ""
        self._completed = False
        self._goaway: Notice | None = None
        self._repairing = False
        self._correcting = asyncio.Lock()
        self._stopped: OrchestrationError | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = log.bind(session_id=self._session.session_id, epoch=claim.epoch)
        self._answers = 0
        self._meter = SessionMeter(meter, self._session)
        self._calls = EngineCalls(
            self._session, engines, journal, recording, self._on_answer, self._meter, self._log
        )

    @property
    def session_id(self) -> str:
        return self._session.session_id

    @property
    def epoch(self) -> int:
        """This incarnation's number."""
        return self._session.epoch

    @property
    def _status(self) -> str:
        """The session's; `repairing` for one that had ended and is open for that alone."""
        if self._session.status in TERMINAL and not self._completed:
            return "repairing"
        return self._session.status

    @property
    def is_replaced(self) -> bool:
        """Whether this incarnation is over while the session is not."""
        return self._stopped is not None

    async def start(self) -> None:
        """Hear what the journal holds beyond the frontier, then go on."""
        if self._claim.streams:
            await self._recover()
        self._spawn(self._pump())
        self._spawn(self._recorder().run(lambda: self._completed, lambda: self.is_replaced))

    async def stop(self) -> None:
        """End all tasks of this process; the session itself goes on elsewhere."""
        self._stopped = self._stopped or Unavailable("The session's actor is stopping.")
        self._live.close()
        self._signal()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # The sender's side

    async def connect(self, connection_id: str, streams: Sequence[StreamSpec]) -> Welcome | Notice:
        """Become the session's sender; the former one is told that it was taken over.

        Connection ids rise: one that is lower than the sender's is the former one, come too late.
        """
        async with self._intake:
            self._check_running()
            if connection_id < self._newest_connection:
                raise self._taken_over()
            if self._session.status in TERMINAL:
                return self._ended()
            await self._open(streams)
            self._connection = self._newest_connection = connection_id
            self._session.connected(_now_ms())
            self._signal()
            self._wake.set()
            return Welcome(
                session_id=self.session_id,
                epoch=self._session.epoch,
                streams=tuple(self._position(stream) for stream in sorted(self._session.ledgers)),
                next_fact=self._session.next_fact,
            )

    async def open_stream(self, connection_id: str, stream: StreamSpec) -> StreamPosition:
        """Open one more stream."""
        async with self._intake:
            self._check_sender(connection_id)
            await self._open([stream])
            return self._position(stream.stream)

    async def push(self, connection_id: str, batch: IngestBatch) -> IngestReply:
        """Store a batch, hear it, and say what is durable."""
        async with self._intake:
            self._check_sender(connection_id)
            if self._session.status in TERMINAL:
                raise SessionEnded(
                    f"Session {self.session_id} is {self._session.status}.",
                    {"session_id": self.session_id},
                )
            judgement = self._session.judge(batch.items, batch.received_ns)
            frames = judgement.frames
            facts = [JournalFact(fact.fact, fact_json(fact)) for fact in judgement.facts]
            epoch = self._session.epoch
            began_s = time.monotonic()
            if frames or facts:
                await self._stored(self._journal.append(self.session_id, epoch, frames, facts))
            if judgement.last_seqs:
                await self._stored(
                    self._journal.end_streams(self.session_id, epoch, judgement.last_seqs)
                )
            stored_s = time.monotonic() - began_s
            self._session.accept(judgement, _now_ms())
            self._wake.set()
            reply = IngestReply(
                acks=tuple(
                    StreamAck(stream, self._session.ledgers[stream].next_seq - 1, self._window)
                    for stream in judgement.batches
                ),
                facts=self._session.next_fact - 1,
                nacks=judgement.nacks,
                error=judgement.error,
            )
            self._meter.batch_stored(frames, reply, stored_s)
            return reply

    async def notice(self, connection_id: str) -> Notice:
        """Wait for something to tell this connection."""
        changed = self._changed
        notice = self._notice_for(connection_id)
        if notice.kind != "idle":
            return notice
        try:
            async with asyncio.timeout(LONG_POLL_S):
                await changed.wait()
        except TimeoutError:
            pass
        return self._notice_for(connection_id)

    async def disconnect(self, connection_id: str) -> None:
        """The connection is gone; the session waits for another."""
        if connection_id == self._connection:
            self._connection = None
            self._session.disconnected(_now_ms())

    def go_away(self, reason: str, retry_ms: int) -> None:
        """Tell the sender to come back later: this process is about to stop."""
        self._goaway = Notice("goaway", reason=reason, retry_ms=retry_ms)
        self._signal()

    def apply(self, values: SessionValues) -> None:
        """Be governed by these values from the next step on, under what the session has of its own.

        Where the two do not fit each other the session stays as it is, and says so.
        """
        self._given = values
        own = values.with_overrides(self._overrides)
        if own == self._values:
            return
        if own.chunking.fault:
            self._log.warning("settings_do_not_fit_session", reason=own.chunking.fault)
            message = f"Changed settings do not fit this session's own: {own.chunking.fault}."
            self._session.alert("warning", "settings_not_applied", message)
        else:
            self._values = own
            self._session.apply(own)
        self._wake.set()

    def configure(self, overrides: JsonObject) -> None:
        """Have these settings of the session's own, in place of those it has."""
        self._overrides = overrides
        self.apply(self._given)

    async def end(self) -> None:
        """End the session as if its sender had said so."""
        async with self._intake:
            self._check_running()
            await self._end(self._session.end_now)

    # The viewers' side

    async def repair(self) -> int:
        """Hear again what was lost though its audio is held; returns how many ranges that is.

        The work goes on after the answer. A session that was only opened for it ends again.
        """
        self._check_running()
        repairs = [] if self._repairing else self._session.plan_repairs()
        if repairs or self._session.status in TERMINAL:
            self._begin_repairs(repairs)
        return len(repairs)

    def sighted(self, sightings: Sequence[ParticipantSighting]) -> None:
        """The platform's own records tell who is there; stored and told with the next step."""
        self._check_running()
        self._session.sighted(sightings)
        self._wake.set()

    async def correct(self, correction: Correction | None, corrected_by: str = CORRECTED_BY) -> int:
        """Somebody says who spoke: repaints the whole session; answers when that is stored.

        Without a correction the evidence there is names all lines anew.

        Returns how many segments have another name. A session that was only opened for it ends
        again.

        Raises:
            UnknownSpeaker: the correction is about nobody in the session.
            SpeakerConflict: it would make a circle.
            LimitReached: the session has as many corrections as it may.
        """
        async with self._correcting:
            self._check_running()
            if self._completed:
                raise Unavailable("The session has just ended; ask again.")
            stored = await self._journal.final_segments(self.session_id)
            repainted = self._session.correct(correction, stored, corrected_by)
            await self._settled()
            self._check_running()
            if self._session.status in TERMINAL and not self._repairing and not self._completed:
                await self._finish()
        return repainted

    async def events(self, cursor: LiveCursor) -> LiveBatch:
        """Wait for events after the cursor."""
        return await self._live.wait_after(cursor, LONG_POLL_S)

    def figures(self) -> dict[str, int | str]:
        """How the session is, for its supervisors."""
        return {
            "session_id": self.session_id,
            "status": self._status,
            "epoch": self._session.epoch,
            "lag_ms": self._session.lag_ms,
            "streams": len(self._session.ledgers),
            "answers": self._answers,
            "senderless_ms": self._session.senderless_ms(_now_ms()),
            **self._session.queues,
            **self._session.oddities,
        }

    def sample(self) -> None:
        """Bring the session's figures up to date, for a report that is about to go."""
        self._meter.sample()

    def _on_answer(self) -> None:
        """An engine answered, or a call to it failed: either way it was carried out."""
        self._answers += 1
        self._wake.set()

    # The pump: drain, store, tell, send

    async def _pump(self) -> None:
        next_tick_ms = _now_ms()
        try:
            while self._stopped is None and not self._completed:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await self._wake.wait()
                self._wake.clear()
                if _now_ms() >= next_tick_ms:
                    next_tick_ms = _now_ms() + round(TICK_S * 1000)
                    self._session.tick(_now_ms())
                    await self._abandon_if_due()
                await self._carry_out(self._session.drain(_now_ms()))
                if not self._wake.is_set():
                    self._idle.set()
        except OrchestrationError as error:
            self._give_up(error)
        except Exception:
            self._log.exception("session_failed")
            self._give_up(Unavailable("The session's actor failed; it restarts."))

    async def _carry_out(self, step: SessionStep) -> None:
        for order in step.transcribe:
            self._spawn(self._calls.transcribe(order))
        for request in step.translate:
            self._spawn(self._calls.translate(request))
        if not self._repairing and (repairs := self._session.due_repairs()):
            self._begin_repairs(repairs)
        if not step.changes.is_empty():
            await self._commit(step.changes)
        self._live.tell(tuple(step.changes.events), step.passing)
        if step.changes.status in TERMINAL:
            self._log.info("session_completed")
            await self._finish()

    async def _finish(self) -> None:
        self._completed = True
        self._meter.sample()
        self._meter.ended(self._session.status)
        self._live.close()
        self._signal()
        await self._on_finished()

    async def _commit(self, changes: SessionChanges) -> None:
        """Store until it is stored: nothing is told that is not durable."""
        tries = 0
        began_s = time.monotonic()
        while True:
            try:
                await self._journal.commit(self.session_id, self._session.epoch, changes)
                self._meter.committed(changes, time.monotonic() - began_s, _unix_ms())
                return
            except Unavailable as error:
                wait_s = STORE_RETRY_S[min(tries, len(STORE_RETRY_S) - 1)]
                if tries == 0:
                    self._log.warning("store_waits", reason=error.message)
                tries += 1
                self._meter.commit_repeated()
                await asyncio.sleep(wait_s)

    async def _abandon_if_due(self) -> None:
        if self._session.must_abandon(_now_ms()):
            async with self._intake:
                await self._end(self._session.abandon)

    async def _end(self, end: Callable[[int], dict[int, int]]) -> None:
        last_seqs = end(_now_ms())
        if last_seqs:
            await self._stored(
                self._journal.end_streams(self.session_id, self._session.epoch, last_seqs)
            )
        self._wake.set()

    def _begin_repairs(self, repairs: Sequence[Repair]) -> None:
        self._repairing = True
        self._session.repairs_begin()
        self._spawn(self._repair(repairs))

    async def _repair(self, repairs: Sequence[Repair]) -> None:
        await self._calls.repair(repairs)
        self._repairing = False
        self._session.repairs_end(_now_ms())
        self._wake.set()
        if self._session.status in TERMINAL:
            await self._settled()
            await self._finish()

    async def _settled(self) -> None:
        """Until the pump has stored and told everything so far."""
        self._idle.clear()
        self._wake.set()
        await self._idle.wait()

    # Helpers

    async def _recover(self) -> None:
        now_unix_ns = time.time_ns()
        for fact in await self._journal.facts(self.session_id):
            self._session.replay_fact(parse_fact(fact.body))
        hashes = await self._journal.recent_hashes(self.session_id, REMEMBERED_HASHES)
        for (stream, seq), digest in sorted(hashes.items()):
            self._session.ledgers[stream].hashes[seq] = digest
        for stream, pipeline in self._session.pipelines.items():
            heard_from = pipeline.needed_from
            async for frame in self._journal.frames_from(self.session_id, stream, heard_from):
                self._session.replay_frame(frame, now_unix_ns)
        self._session.replayed(_now_ms())
        self._log.info("session_recovered", streams=len(self._session.pipelines))

    def _recorder(self) -> Recorder:
        values = self._values
        folder = values.recordings_dir
        return Recorder(
            self.session_id,
            self.epoch,
            self._session.ledgers,
            self._journal,
            ChunkFileStore(Path(folder)) if folder else None,
            file_ms=values.recording_file_ms,
            lead_ms=values.chunking.max_chunk_ms,
            alert=self._session.alert,
        )

    async def _open(self, streams: Sequence[StreamSpec]) -> None:
        new = [spec for spec in streams if self._session.check_stream(spec)]
        if new:
            epoch = self._session.epoch
            await self._stored(self._journal.open_streams(self.session_id, epoch, new))
            for spec in new:
                self._session.open_stream(spec)
            self._wake.set()

    async def _stored(self, write: Coroutine[Any, Any, None]) -> None:
        try:
            await write
        except (Fenced, UnknownSession) as error:
            self._give_up(error)
            raise

    def _check_running(self) -> None:
        if self._stopped is not None:
            raise Unavailable("The session moves to another actor; ask again.") from self._stopped

    def _check_sender(self, connection_id: str) -> None:
        self._check_running()
        if self._connection is None:
            raise Unavailable("No sender is connected; connect again.")
        if connection_id != self._connection:
            raise self._taken_over()

    def _taken_over(self) -> TakenOver:
        return TakenOver("A newer connection serves this session.", {"session_id": self.session_id})

    def _notice_for(self, connection_id: str) -> Notice:
        if self._completed:
            return self._ended()
        if self._stopped is not None:
            raise Unavailable("The session moves to another actor; ask again.")
        if self._connection is not None and connection_id != self._connection:
            return Notice("taken_over", reason="a newer connection serves this session")
        return self._goaway or Notice("idle")

    def _ended(self) -> Notice:
        return Notice("ended", coverage=self._session.coverage_json())

    def _position(self, stream: int) -> StreamPosition:
        ledger = self._session.ledgers[stream]
        return StreamPosition(stream, ledger.next_seq, ledger.next_sample, self._window)

    @property
    def _window(self) -> int:
        return self._session.window

    def _give_up(self, error: OrchestrationError) -> None:
        self._log.warning("session_stops_here", reason=error.message)
        self._stopped = error
        self._live.close()
        self._signal()
        self._idle.set()

    def _signal(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        # A step that failed unexpectedly may have left a chunk without an answer: the session
        # begins anew from what is stored, which is what it would do after a crash.
        self._log.error("task_failed", exc_info=task.exception())
        self._give_up(Unavailable("A task of the session failed; the session begins anew."))


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000
