"""The sender's side of a running session: who it is, what it brings, and what it is told."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from orchestration.errors import Fenced, SessionEnded, TakenOver, Unavailable, UnknownSession
from orchestration.process_clock import monotonic_ms
from orchestration.session.exchange import (
    IngestBatch,
    IngestReply,
    Notice,
    StreamAck,
    StreamPosition,
    Welcome,
)
from orchestration.session.fact_codec import fact_json
from orchestration.session.incarnation import Incarnation
from orchestration.session.inputs import StreamSpec
from orchestration.session.session import Session
from orchestration.session.session_meter import SessionMeter
from orchestration.session.status import TERMINAL
from orchestration.storage.journal_ports import SessionJournal
from orchestration.storage.values import JournalFact

LONG_POLL_S = 10.0
"""A waiting call answers after this, with nothing if there is nothing."""


class SenderChannel:
    """One sender at a time; what it brings is stored before it is heard and acknowledged."""

    def __init__(
        self,
        incarnation: Incarnation,
        session: Session,
        journal: SessionJournal,
        meter: SessionMeter,
    ) -> None:
        self._incarnation = incarnation
        self._session = session
        self._journal = journal
        self._meter = meter
        self._intake = asyncio.Lock()
        self._connection: str | None = None
        self._newest_connection = ""
        self._goaway: Notice | None = None

    async def connect(self, connection_id: str, streams: Sequence[StreamSpec]) -> Welcome | Notice:
        """Become the session's sender; the former one is told that it was taken over.

        Connection ids rise: one that is lower than the sender's is the former one, come too late.
        """
        async with self._intake:
            self._incarnation.check_running()
            if connection_id < self._newest_connection:
                raise self._taken_over()
            if self._session.status in TERMINAL:
                return self._ended()
            await self._open(streams)
            self._connection = self._newest_connection = connection_id
            self._session.connected(monotonic_ms())
            self._incarnation.signal()
            self._incarnation.wake()
            return Welcome(
                session_id=self._session.session_id,
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
            session = self._session
            session_id, epoch = session.session_id, session.epoch
            if session.status in TERMINAL:
                raise SessionEnded(
                    f"Session {session_id} is {session.status}.", {"session_id": session_id}
                )
            judgement = session.judge(batch.items, batch.received_ns)
            frames = judgement.frames
            facts = [JournalFact(fact.fact, fact_json(fact)) for fact in judgement.facts]
            began_s = time.monotonic()
            if frames or facts:
                await self._stored(self._journal.append(session_id, epoch, frames, facts))
            if judgement.last_fact is not None:
                await self._stored(
                    self._journal.end_streams(
                        session_id, epoch, judgement.last_seqs, judgement.last_fact
                    )
                )
            stored_s = time.monotonic() - began_s
            session.sender_called(monotonic_ms())
            session.accept(judgement, monotonic_ms())
            self._incarnation.wake()
            reply = IngestReply(
                acks=tuple(
                    StreamAck(stream, session.ledgers[stream].next_seq - 1, session.window)
                    for stream in judgement.batches
                ),
                facts=session.next_fact - 1,
                nacks=judgement.nacks,
                error=judgement.error,
            )
            self._meter.batch_stored(frames, reply, stored_s)
            return reply

    async def notice(self, connection_id: str) -> Notice:
        """Wait for something to tell this connection."""
        if connection_id == self._connection:
            self._session.sender_called(monotonic_ms())
        changed = self._incarnation.changed
        notice = self._notice_for(connection_id)
        if notice.kind != "idle":
            return notice
        try:
            async with asyncio.timeout(LONG_POLL_S):
                await changed.wait()
        except TimeoutError:
            pass
        return self._notice_for(connection_id)

    def disconnect(self, connection_id: str) -> None:
        """The connection is gone; the session waits for another."""
        if connection_id == self._connection:
            self._connection = None
            self._session.disconnected(monotonic_ms())

    def go_away(self, reason: str, retry_ms: int) -> None:
        """Tell the sender to come back later: this process is about to stop."""
        self._goaway = Notice("goaway", reason=reason, retry_ms=retry_ms)
        self._incarnation.signal()

    async def end(self) -> None:
        """End the session as if its sender had said so."""
        async with self._intake:
            self._incarnation.check_running()
            await self._end(self._session.end_now)

    async def abandon_if_due(self) -> None:
        """End the session when it has waited for its sender as long as it may. It waits as long
        once more where that cannot be stored.

        Raises:
            Fenced, UnknownSession: the session is another incarnation's, or gone.
        """
        if self._session.must_abandon(monotonic_ms()):
            async with self._intake:
                # While a batch was being stored its sender may have come back, or ended.
                if self._session.must_abandon(monotonic_ms()):
                    await self._abandon()

    async def _abandon(self) -> None:
        try:
            await self._end(self._session.abandon)
        except Unavailable as error:
            # No sender could have come back either: it is waited for anew.
            self._session.disconnected(monotonic_ms())
            self._incarnation.log.warning("abandoning_waits", reason=error.message)

    async def _end(self, end: Callable[[int], None]) -> None:
        session = self._session
        here = session.durable_end
        await self._stored(
            self._journal.end_streams(
                session.session_id, session.epoch, dict(here.last_seq_by_stream), here.last_fact
            )
        )
        end(monotonic_ms())
        self._incarnation.wake()

    async def _open(self, streams: Sequence[StreamSpec]) -> None:
        session = self._session
        new = [spec for spec in streams if session.check_stream(spec)]
        if new:
            await self._stored(self._journal.open_streams(session.session_id, session.epoch, new))
            for spec in new:
                session.open_stream(spec)
            self._incarnation.wake()

    async def _stored(self, write: Coroutine[Any, Any, None]) -> None:
        try:
            await write
        except (Fenced, UnknownSession) as error:
            self._incarnation.give_up(error)
            raise

    def _check_sender(self, connection_id: str) -> None:
        self._incarnation.check_running()
        if self._connection is None:
            raise Unavailable("No sender is connected; connect again.")
        if connection_id != self._connection:
            raise self._taken_over()
        self._session.sender_called(monotonic_ms())

    def _taken_over(self) -> TakenOver:
        return TakenOver(
            "A newer connection serves this session.", {"session_id": self._session.session_id}
        )

    def _notice_for(self, connection_id: str) -> Notice:
        if self._incarnation.is_finished:
            return self._ended()
        self._incarnation.check_running()
        if self._connection is not None and connection_id != self._connection:
            return Notice("taken_over", reason="a newer connection serves this session")
        return self._goaway or Notice("idle")

    def _ended(self) -> Notice:
        return Notice("ended", coverage=self._session.figures.coverage_json())

    def _position(self, stream: int) -> StreamPosition:
        ledger = self._session.ledgers[stream]
        return StreamPosition(stream, ledger.next_seq, ledger.next_sample, self._session.window)
