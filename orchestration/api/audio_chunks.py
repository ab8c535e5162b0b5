"""Audio in chunks of some seconds, and who speaks when, for bots that do not stream.

A chunk is one frame of its stream, numbered by the bot: it is journaled before it is answered, a
repeat is stored once, and one that skips a number is refused with the number that is expected. So
it is with facts. What has no number follows what is stored, however often it comes.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from orchestration.api.audio_sender import SessionSender
from orchestration.api.connection import Detached
from orchestration.api.ports import Sessions
from orchestration.api.session_line import SessionIsOver
from orchestration.config.current import CurrentSettings
from orchestration.errors import (
    BadRequest,
    ChunkOutOfOrder,
    OrchestrationError,
    SessionEnded,
    TakenOver,
)
from orchestration.session.inputs import AudioFrame, SpeakerFact, StreamSpec
from orchestration.storage.archive_ports import Archive

MAX_SENDERS = 1000
"""Sessions with such a sender in one process; the one unused for longest gives way."""
SWEEP_MOST_S = 5
"""How often those that fell silent are looked for, at the rarest."""
REMEMBERED_CHUNKS = 1000
"""Chunks of a stream whose first samples are remembered, as the session remembers their hashes."""

Stored = TypeVar("Stored")


@dataclass(frozen=True, slots=True)
class StoredFact:
    """What became of a fact. `repeated`: it was durable before."""

    fact: int
    next_fact: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """What became of a chunk. `repeated`: it was durable before."""

    sequence: int
    first_sample: int | None
    next_sequence: int
    next_sample: int
    repeated: bool


class ChunkSender:
    """One session's sender by HTTP and Socket.IO. Its chunks and facts go one after the other."""

    def __init__(
        self, session_id: str, sessions: Sessions, archive: Archive, detached: Detached
    ) -> None:
        self._session_id = session_id
        self._sessions = sessions
        self._archive = archive
        self._detached = detached
        self._sender: SessionSender | None = None
        self._listening: asyncio.Task[None] | None = None
        self._positions: dict[int, tuple[int, int]] = {}
        self._specs: dict[int, StreamSpec] = {}
        self._first_samples: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._next_fact = 0
        self._turn = asyncio.Lock()
        self.used_at_s = 0.0

    async def store(
        self,
        spec: StreamSpec,
        sequence: int | None,
        first_sample: int | None,
        pcm: bytes,
        read_ns: int,
    ) -> StoredChunk:
        """Store one chunk; returns when it is durable.

        Args:
            spec: its stream, which is opened if the session does not know it.
            sequence: its number in the stream, from 0; None for the next one.
            first_sample: where it begins; None for the end of the chunk before.
            pcm: whole samples in the stream's format.
            read_ns: when the chunk was read, before it was decoded, by the monotonic clock.

        Raises:
            ChunkOutOfOrder: chunks before it are missing.
            FrameConflict: another content came under its number.
            BadAudio: its stream has another format, or it lies before what is stored.
            SessionEnded: the session takes no more audio.
        """
        return await self._in_turn(lambda: self._store(spec, sequence, first_sample, pcm, read_ns))

    async def tell(self, fact: SpeakerFact, numbered: bool) -> StoredFact:
        """Store one fact; returns when it is durable.

        Args:
            fact: its number counts where it is `numbered`; else it becomes the next one.

        Raises:
            BadRequest: facts before it are missing.
            SessionEnded: the session takes no more.
        """
        return await self._in_turn(lambda: self._tell(fact, numbered))

    async def _in_turn(self, attempt: Callable[[], Awaitable[Stored]]) -> Stored:
        async with self._turn:
            self.used_at_s = asyncio.get_running_loop().time()
            try:
                return await self._as_sender(attempt)
            except SessionIsOver:
                self._forget()
                raise SessionEnded(
                    f"Session {self._session_id} has ended.", {"session_id": self._session_id}
                ) from None
            except BaseException as error:
                if not isinstance(error, OrchestrationError) or error.http_status >= 500:
                    # It may be stored all the same: the next request asks where the session is.
                    self.close()
                raise

    async def _as_sender(self, attempt: Callable[[], Awaitable[Stored]]) -> Stored:
        try:
            return await attempt()
        except TakenOver:
            # Another replica, or another bot, spoke since. This request is the newest word.
            self._forget()
            return await attempt()

    def close(self) -> None:
        """The session waits for another sender."""
        if self._sender is not None:
            self._sender.close(self._detached)
        self._forget()

    @property
    def is_busy(self) -> bool:
        return self._turn.locked()

    async def _tell(self, fact: SpeakerFact, numbered: bool) -> StoredFact:
        sender = await self._connected()
        expected = self._next_fact
        number = fact.fact if numbered else expected
        if number > expected:
            raise BadRequest(
                f"Fact {number} came before fact {expected}; send again from there.",
                {"fact": number, "expected": expected},
            )
        await sender.push(replace(fact, fact=number))
        self._next_fact = max(expected, number + 1)
        return StoredFact(number, self._next_fact, repeated=number < expected)

    async def _store(
        self,
        spec: StreamSpec,
        sequence: int | None,
        first_sample: int | None,
        pcm: bytes,
        read_ns: int,
    ) -> StoredChunk:
        sender = await self._connected()
        if self._specs.get(spec.stream) != spec:
            position = await sender.open_stream(spec)
            self._specs[spec.stream] = spec
            self._positions[spec.stream] = (position.next_seq, position.next_sample)
        next_seq, next_sample = self._positions[spec.stream]
        if sequence is None:
            sequence = next_seq
        key = (spec.stream, sequence)
        first = first_sample
        if first is None:
            first = next_sample if sequence >= next_seq else self._first_samples.get(key)
        if first is None:
            # Durable for certain; only whether its content is the same cannot be told.
            return StoredChunk(sequence, None, next_seq, next_sample, repeated=True)
        reply = await sender.push(AudioFrame(spec.stream, sequence, first, pcm), read_ns=read_ns)
        if reply.nacks:
            expected = dict(reply.nacks)[spec.stream]
            raise ChunkOutOfOrder(
                f"Chunk {sequence} of stream {spec.stream} came before chunk {expected}; "
                "send again from there.",
                {"stream": spec.stream, "sequence": sequence, "expected": expected},
            )
        repeated = sequence < next_seq
        if not repeated:
            samples = len(pcm) // spec.format.sample_bytes
            next_seq, next_sample = sequence + 1, first + samples
            self._positions[spec.stream] = (next_seq, next_sample)
            self._first_samples[key] = first
            if len(self._first_samples) > REMEMBERED_CHUNKS:
                self._first_samples.popitem(last=False)
        return StoredChunk(sequence, first, next_seq, next_sample, repeated)

    async def _connected(self) -> SessionSender:
        if self._sender is None:
            connection_id = await self._archive.new_connection_id(self._session_id)
            sender = SessionSender(self._session_id, connection_id, self._sessions, self._archive)
            await sender.connect()
            self._sender, self._next_fact = sender, sender.next_fact
            self._listening = asyncio.create_task(_heard_to_its_end(sender))
        return self._sender

    def _forget(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        self._sender = self._listening = None
        self._specs.clear()
        self._positions.clear()


async def _heard_to_its_end(sender: SessionSender) -> None:
    with contextlib.suppress(OrchestrationError):  # The next chunk finds it out.
        await sender.listen()


class ChunkSenders:
    """The senders by HTTP and Socket.IO of one process; those that fall silent are let go."""

    def __init__(
        self, current: CurrentSettings, sessions: Sessions, archive: Archive, detached: Detached
    ) -> None:
        self._sessions = sessions
        self._archive = archive
        self._detached = detached
        self._current = current
        self._senders: OrderedDict[str, ChunkSender] = OrderedDict()
        self._sweeping: asyncio.Task[None] | None = None
        self.chunks = 0

    async def of(self, session_id: str) -> ChunkSender:
        """The session's sender.

        Raises:
            UnknownSession: there is no such session.
        """
        sender = self._senders.get(session_id)
        if sender is None:
            await self._archive.session(session_id)
            sender = self._senders.setdefault(
                session_id,
                ChunkSender(session_id, self._sessions, self._archive, self._detached),
            )
            if self._sweeping is None:
                self._sweeping = asyncio.create_task(self._sweep())
        self._senders.move_to_end(session_id)
        if len(self._senders) > MAX_SENDERS:
            self._senders.popitem(last=False)[1].close()
        self.chunks += 1
        return sender

    async def close(self) -> None:
        """Let all go."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        for sender in self._senders.values():
            sender.close()

    @property
    def _idle_s(self) -> int:
        return self._current.now.audio.chunk_sender_idle_s

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(self._idle_s, SWEEP_MOST_S))
            for session_id, sender in list(self._senders.items()):
                if loop.time() - sender.used_at_s > self._idle_s and not sender.is_busy:
                    del self._senders[session_id]
                    sender.close()
