"""A running session: the asyncio shell around the sans-I/O `Session`.

It supplies time, stores before it tells, and carries requests to the engines. An actor is a
mailbox around one of these.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog

from orchestration.metrics.meter import Meter
from orchestration.process_clock import monotonic_ms
from orchestration.session.engine_calls import EngineCalls, Engines
from orchestration.session.exchange import (
    IngestBatch,
    IngestReply,
    LiveBatch,
    LiveCursor,
    Notice,
    StreamPosition,
    Welcome,
)
from orchestration.session.incarnation import Incarnation
from orchestration.session.inputs import ParticipantSighting, StreamSpec
from orchestration.session.live_log import LiveLog
from orchestration.session.pump import Pump
from orchestration.session.recorder import Recorder
from orchestration.session.recording_reader import RecordingReader
from orchestration.session.recovery import recover
from orchestration.session.repairing import Repairing
from orchestration.session.sender_channel import LONG_POLL_S, SenderChannel
from orchestration.session.session import Session
from orchestration.session.session_meter import SessionMeter
from orchestration.session.status import TERMINAL
from orchestration.session.values import SessionValues
from orchestration.speakers.corrections import CORRECTED_BY, Correction
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.journal_ports import Claim, SessionJournal

log = structlog.get_logger(__name__)


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
        self._session = session = Session(claim, values, monotonic_ms())
        self._claim = claim
        self._log = log.bind(session_id=session.session_id, epoch=claim.epoch)
        live = LiveLog(claim.epoch, claim.last_event_seq, values.live_events)
        self._incarnation = Incarnation(live, self._log)
        self._correcting = asyncio.Lock()
        self._configuring = asyncio.Lock()
        self._answers = 0
        self._meter = SessionMeter(meter, session)
        self._sender = SenderChannel(self._incarnation, session, journal, self._meter)
        calls = EngineCalls(
            session, engines, journal, recording, self._on_answer, self._meter, self._log
        )
        self._repairing = Repairing(self._incarnation, session, calls, self._finish)
        self._pump = Pump(
            self._incarnation,
            session,
            journal,
            calls,
            self._repairing,
            self._meter,
            self._sender.abandon_if_due,
            self._finish,
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
        if self._session.status in TERMINAL and not self._incarnation.is_finished:
            return "repairing"
        return self._session.status

    @property
    def is_replaced(self) -> bool:
        """Whether this incarnation is over while the session is not."""
        return self._incarnation.is_replaced

    async def start(self) -> None:
        """Hear what the journal holds beyond the frontier, then go on."""
        if self._claim.streams:
            await recover(self._session, self._journal)
            self._log.info("session_recovered", streams=len(self._session.pipelines))
        incarnation = self._incarnation
        incarnation.spawn(self._pump.run())
        incarnation.spawn(
            self._recorder().run(lambda: incarnation.is_finished, lambda: incarnation.is_replaced)
        )

    async def stop(self) -> None:
        """End all tasks of this process; the session itself goes on elsewhere."""
        await self._incarnation.stop()

    # The sender's side: see SenderChannel

    async def connect(self, connection_id: str, streams: Sequence[StreamSpec]) -> Welcome | Notice:
        """Become the session's sender."""
        return await self._sender.connect(connection_id, streams)

    async def open_stream(self, connection_id: str, stream: StreamSpec) -> StreamPosition:
        """Open one more stream."""
        return await self._sender.open_stream(connection_id, stream)

    async def push(self, connection_id: str, batch: IngestBatch) -> IngestReply:
        """Store a batch, hear it, and say what is durable."""
        return await self._sender.push(connection_id, batch)

    async def notice(self, connection_id: str) -> Notice:
        """Wait for something to tell this connection."""
        return await self._sender.notice(connection_id)

    async def disconnect(self, connection_id: str) -> None:
        """The connection is gone; the session waits for another."""
        self._sender.disconnect(connection_id)

    def go_away(self, reason: str, retry_ms: int) -> None:
        """Tell the sender to come back later: this process is about to stop."""
        self._sender.go_away(reason, retry_ms)

    async def end(self) -> None:
        """End the session as if its sender had said so."""
        await self._sender.end()

    # Settings

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
        self._incarnation.wake()

    async def configure(self) -> None:
        """Have the settings and languages that are stored now, in place of those that held.

        Whoever changes them stores them first: the last to read has the last change.

        Raises:
            Unavailable: the database is away; ask again.
        """
        async with self._configuring:
            spec = await self._journal.description(self.session_id)
            self._overrides = spec.settings
            self._session.speak(spec.language, spec.target_languages)
            self.apply(self._given)
            self._incarnation.wake()

    # The viewers' side

    async def repair(self) -> int:
        """Hear again what was lost though its audio is held; returns how many ranges that is.

        The work goes on after the answer. A session that was only opened for it ends again.

        Raises:
            Unavailable: the session moves, or has just ended; ask again.
        """
        self._incarnation.check_stores()
        return self._repairing.begin()

    def sighted(self, sightings: Sequence[ParticipantSighting]) -> None:
        """The platform's own records tell who is there; stored and told with the next step.

        Raises:
            Unavailable: the session moves, or has just ended; ask again.
        """
        self._incarnation.check_stores()
        self._session.sighted(sightings)
        self._incarnation.wake()

    async def correct(self, correction: Correction | None, corrected_by: str = CORRECTED_BY) -> int:
        """Somebody says who spoke: repaints the whole session; answers when that is stored.

        Without a correction the evidence there is names all lines anew.

        Returns how many segments have another name. A session that was only opened for it ends
        again.

        Raises:
            UnknownSpeaker: the correction is about nobody in the session.
            SpeakerConflict: it would make a circle.
            LimitReached: the session has as many corrections as it may.
            Unavailable: the session moves, or has just ended; ask again.
        """
        incarnation = self._incarnation
        async with self._correcting:
            incarnation.check_stores()
            stored = await self._journal.final_segments(self.session_id)
            incarnation.check_stores()
            repainted = self._session.correct(correction, stored, corrected_by)
            await incarnation.settled()
            is_over = self._session.status in TERMINAL and not incarnation.is_finished
            if is_over and not self._repairing.is_under_way:
                await self._finish()
        return repainted

    async def events(self, cursor: LiveCursor) -> LiveBatch:
        """Wait for events after the cursor."""
        return await self._incarnation.live.wait_after(cursor, LONG_POLL_S)

    def figures(self) -> dict[str, int | str]:
        """How the session is, for its supervisors."""
        return {
            "session_id": self.session_id,
            "status": self._status,
            "epoch": self._session.epoch,
            "lag_ms": self._session.figures.lag_ms,
            "streams": len(self._session.ledgers),
            "answers": self._answers,
            "senderless_ms": self._session.senderless_ms(monotonic_ms()),
            **self._session.figures.queues,
            **self._session.figures.oddities,
        }

    def sample(self) -> None:
        """Bring the session's figures up to date, for a report that is about to go."""
        incarnation = self._incarnation
        self._meter.sample(is_over=incarnation.is_finished or incarnation.is_replaced)

    def _on_answer(self) -> None:
        """An engine answered, or a call to it failed: either way it was carried out."""
        self._answers += 1
        self._incarnation.wake()

    async def _finish(self) -> None:
        self._meter.sample(is_over=True)
        self._meter.ended(self._session.status)
        self._incarnation.finish()
        await self._on_finished()

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
