"""One timeline for all streams of a session.

Session zero is sample 0 of the first stream with audio. A stream is placed against it by the wall
clock at its own sample 0, as its `clock` facts say, else as the arrival of its first frame does.
A placement is settled when the first words are published by it: what is final does not move.
"""

from dataclasses import dataclass

from orchestration.session.inputs import Moment, SampleMoment

NS_PER_SECOND = 1_000_000_000
NS_PER_MS = 1_000_000


@dataclass(slots=True)
class _StreamClock:
    sample_rate: int
    wall_ns_at_zero: int | None = None
    from_sender: bool = False
    offset_ns: int | None = None


class SessionClock:
    """Turns samples of streams, and wall-clock moments, into session time in nanoseconds."""

    def __init__(self) -> None:
        self._streams: dict[int, _StreamClock] = {}
        self._first_stream: int | None = None
        self._zero_unix_ns: int | None = None

    @property
    def zero_unix_ms(self) -> int | None:
        """The wall clock at session zero; None before any audio."""
        if self._zero_unix_ns is None and self._first_stream is not None:
            wall_ns = self._streams[self._first_stream].wall_ns_at_zero
            return None if wall_ns is None else wall_ns // NS_PER_MS
        return None if self._zero_unix_ns is None else self._zero_unix_ns // NS_PER_MS

    def add_stream(self, stream: int, sample_rate: int) -> None:
        """Know a stream; it has no place before its first audio."""
        self._streams[stream] = _StreamClock(sample_rate)

    def restore(self, zero_unix_ms: int | None, offsets_ns: dict[int, int]) -> None:
        """Take up the settled placements of an earlier incarnation."""
        if zero_unix_ms is not None:
            self._zero_unix_ns = zero_unix_ms * NS_PER_MS
        for stream, offset_ns in offsets_ns.items():
            self._streams[stream].offset_ns = offset_ns

    def audio_arrived(self, stream: int, end_sample: int, received_unix_ms: int) -> None:
        """A frame that ends at `end_sample` reached the service at this wall-clock time."""
        clock = self._streams[stream]
        if self._first_stream is None:
            self._first_stream = stream
        if clock.wall_ns_at_zero is None:
            elapsed_ns = end_sample * NS_PER_SECOND // clock.sample_rate
            clock.wall_ns_at_zero = received_unix_ms * NS_PER_MS - elapsed_ns

    def sender_stamped(self, stream: int, sample: int, unix_ms: int) -> None:
        """The sender says that it captured `sample` at `unix_ms`. The first stamp places."""
        clock = self._streams.get(stream)
        if clock is None or clock.from_sender:
            return
        elapsed_ns = sample * NS_PER_SECOND // clock.sample_rate
        clock.wall_ns_at_zero = unix_ms * NS_PER_MS - elapsed_ns
        clock.from_sender = True

    def settle(self, stream: int) -> int:
        """The stream's offset on the session's timeline, from now on fixed.

        A stream that began before session zero is placed at zero: session times are not negative.
        """
        clock = self._streams[stream]
        if clock.offset_ns is None:
            clock.offset_ns = self._offset_ns(clock)
            if self._zero_unix_ns is None and self._first_stream is not None:
                self._zero_unix_ns = self._streams[self._first_stream].wall_ns_at_zero
        return clock.offset_ns

    def settled_offset_ns(self, stream: int) -> int | None:
        """The offset if it is fixed already."""
        return self._streams[stream].offset_ns

    def session_ns(self, stream: int, sample: int) -> int:
        """Session time of a sample of a stream, by what is known now."""
        clock = self._streams[stream]
        offset_ns = clock.offset_ns if clock.offset_ns is not None else self._offset_ns(clock)
        return offset_ns + sample * NS_PER_SECOND // clock.sample_rate

    def moment_ns(self, moment: Moment) -> int | None:
        """Session time of a moment; None while its clock is unknown. Never negative."""
        if isinstance(moment, SampleMoment):
            if moment.stream not in self._streams:
                return None
            return max(0, self.session_ns(moment.stream, moment.sample))
        zero_unix_ms = self.zero_unix_ms
        if zero_unix_ms is None:
            return None
        return max(0, (moment.unix_ms - zero_unix_ms) * NS_PER_MS)

    def _offset_ns(self, clock: _StreamClock) -> int:
        zero_ns = self._zero_unix_ns
        if zero_ns is None and self._first_stream is not None:
            zero_ns = self._streams[self._first_stream].wall_ns_at_zero
        if zero_ns is None or clock.wall_ns_at_zero is None:
            return 0
        return max(0, clock.wall_ns_at_zero - zero_ns)
