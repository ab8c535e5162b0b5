"""Audio that comes by HTTP, on its way to a session: the edge is the session's sender.

The same path as a bot's frames: journaled before it is answered, stored once, heard in order.
"""

import asyncio
import time
from collections.abc import Sequence

from orchestration.api.connection import Detached
from orchestration.api.ports import Sessions
from orchestration.api.session_line import SessionIsOver, SessionLine
from orchestration.errors import BadAudio, Fenced, TakenOver, Unavailable
from orchestration.session.exchange import IngestBatch, IngestReply, Notice, StreamPosition
from orchestration.session.inputs import AudioFrame, EndOfStreams, Fact, StreamSpec
from orchestration.storage.archive_ports import Archive
from orchestration.timing.service_clock import ServiceClock

FRAME_MS = 1000
"""Audio of a file in one frame: a file is not live, so that fewer are better."""
FRAMES_AT_ONCE = 20
"""Frames of a file in one call to its session, and in one transaction."""
AWAY_POLL_S = 0.5
"""How often a session is asked again that is away, or says that its process is about to stop."""


class SessionSender:
    """The edge as a session's sender, until `close` or until a newer connection comes."""

    def __init__(
        self, session_id: str, connection_id: str, sessions: Sessions, archive: Archive
    ) -> None:
        """`connection_id` is the archive's newest for the session."""
        self._connection_id = connection_id
        self._clock = ServiceClock.anchored(time.time_ns(), time.monotonic_ns())
        self._line = SessionLine(session_id, self._connection_id, sessions, archive)
        self.next_fact = 0
        """The first fact that the session did not have as this became its sender."""

    async def connect(self, streams: Sequence[StreamSpec] = ()) -> dict[int, StreamPosition]:
        """Become the sender; every stream of the session and where it is.

        Raises:
            SessionIsOver, SessionEnded: the session takes no more audio.
        """
        welcome = await self._line.connect(tuple(streams))
        self.next_fact = welcome.next_fact
        return {one.stream: one for one in welcome.streams}

    async def open_stream(self, spec: StreamSpec) -> StreamPosition:
        """Open a stream, or find it where it is.

        Raises:
            BadAudio: it is known with another format, or too many are open.
        """
        position = await self._line.call(lambda link: link.open_stream(self._connection_id, spec))
        self._line.add_stream(spec)
        return position

    async def push(
        self, *items: AudioFrame | Fact | EndOfStreams, read_ns: int | None = None
    ) -> IngestReply:
        """Returns once the items are durable.

        `read_ns` is when they were read, by the monotonic clock; None for just now.

        Raises:
            OrchestrationError: the session refuses one of them, or has a newer sender.
        """
        received_ns = self._clock.unix_ns(time.monotonic_ns() if read_ns is None else read_ns)
        batch = IngestBatch(items, (received_ns,) * len(items))
        reply = await self._line.call(lambda link: link.push(self._connection_id, batch))
        if reply.error is not None:
            raise reply.error
        return reply

    async def notice(self) -> Notice:
        """Wait some seconds for what the session has to tell its sender."""
        return await self._line.call(lambda link: link.notice(self._connection_id))

    async def listen(self) -> None:
        """Hear what the session has to tell until it has ended. By this it knows its sender there,
        which may have nothing to send for long.

        Raises:
            TakenOver: another sends to the session.
            UnknownSession: it was deleted.
        """
        while True:
            try:
                notice = await self.notice()
            except SessionIsOver:
                return
            except (Unavailable, Fenced):
                await asyncio.sleep(AWAY_POLL_S)
                continue
            if notice.kind == "taken_over":
                raise TakenOver("A newer connection serves this session.")
            if notice.kind == "ended":
                return
            if notice.kind == "goaway":
                await asyncio.sleep(AWAY_POLL_S)

    def close(self, detached: Detached) -> None:
        """The session goes on waiting for another sender."""
        self._line.disconnect(detached)


class FileStream:
    """One file's audio as a stream of a session: any pieces in, frames of `FRAME_MS` out."""

    def __init__(self, sender: SessionSender, spec: StreamSpec) -> None:
        self._sender = sender
        self._spec = spec
        self._frame_bytes = spec.format.sample_rate * FRAME_MS // 1000 * spec.format.sample_bytes
        self._waiting = bytearray()
        self._next_seq = 0
        self.samples = 0
        """Samples per channel that are durable."""

    @property
    def sample_rate(self) -> int:
        return self._spec.format.sample_rate

    @property
    def last_seq(self) -> int:
        """The last durable frame's, -1 for none."""
        return self._next_seq - 1

    async def write(self, pcm: bytes) -> None:
        """Add audio; what fills `FRAMES_AT_ONCE` frames is pushed."""
        self._waiting += pcm
        if len(self._waiting) >= FRAMES_AT_ONCE * self._frame_bytes:
            await self._push(len(self._waiting) // self._frame_bytes * self._frame_bytes)

    async def end_within_a_frame(self) -> None:
        """Make the last frame a short one, by a sample if need be: stored audio then shows by
        itself that nothing is missing at its end."""
        if len(self._waiting) % self._frame_bytes == 0:
            await self.write(bytes(self._spec.format.sample_bytes))

    async def flush(self) -> None:
        """Push what waits."""
        while self._waiting:
            await self._push(min(len(self._waiting), FRAMES_AT_ONCE * self._frame_bytes))

    async def _push(self, size: int) -> None:
        frames = []
        seq, sample = self._next_seq, self.samples
        for at in range(0, size, self._frame_bytes):
            payload = bytes(self._waiting[at : min(at + self._frame_bytes, size)])
            frames.append(AudioFrame(self._spec.stream, seq, sample, payload))
            seq += 1
            sample += len(payload) // self._spec.format.sample_bytes
        reply = await self._sender.push(*frames)
        if reply.nacks:
            raise BadAudio("Another sender wrote to the file's stream.")
        del self._waiting[:size]
        self._next_seq, self.samples = seq, sample
