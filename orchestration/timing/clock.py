"""One timeline for all streams of a session.

Session zero is sample 0 of the first stream with audio. A stream is placed against it by the wall
clock at its own sample 0, as its `clock` facts say, else by the least delayed of its first frames.
A placement is settled when the first words are published by it. From then on the stream's clock
moves what follows (`follow`): what is final does not move.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestration.session.inputs import Moment, SampleMoment
from orchestration.timing.stream_clock import ClockEstimate
from orchestration.timing.stream_timeline import StreamTimeline, TimelinePiece
from orchestration.timing.units import NS_PER_MS, NS_PER_SECOND

MAX_SESSION_NS = 100 * 86_400 * NS_PER_SECOND
"""Clocks further apart were never set, and moments further away are said to be so far: no session
lasts a hundred days, and beyond 292 years no database could hold them."""


@dataclass(slots=True)
class _Placement:
    sample_rate: int
    received_ns_at_zero: int | None = None
    """By the least delayed frame so far; it moves no more once the stream is settled."""
    first_stamp_ns_at_zero: int | None = None
    timeline: StreamTimeline | None = None

    @property
    def stamped_ns_at_zero(self) -> int | None:
        """By the sender's clock; None where it has told none, or was never set."""
        stamped_ns, received_ns = self.first_stamp_ns_at_zero, self.received_ns_at_zero
        if stamped_ns is None or received_ns is None:
            return stamped_ns
        return stamped_ns if abs(stamped_ns - received_ns) <= MAX_SESSION_NS else None

    @property
    def wall_ns_at_zero(self) -> int | None:
        stamped_ns = self.stamped_ns_at_zero
        return self.received_ns_at_zero if stamped_ns is None else stamped_ns


class SessionClock:
    """Turns samples of streams, and wall-clock moments, into session time in nanoseconds."""

    def __init__(self) -> None:
        self._streams: dict[int, _Placement] = {}
        self._first_stream: int | None = None
        self._zero_unix_ns: int | None = None
        self._zero_received_ns: int | None = None

    @property
    def zero_unix_ms(self) -> int | None:
        """The wall clock at session zero; None before any audio."""
        zero_ns = self._zero_unix_ns
        if zero_ns is None and self._first_stream is not None:
            zero_ns = self._streams[self._first_stream].wall_ns_at_zero
        return None if zero_ns is None else zero_ns // NS_PER_MS

    def add_stream(self, stream: int, sample_rate: int) -> None:
        """Know a stream; it has no place before its first audio."""
        self._streams[stream] = _Placement(sample_rate)

    def restore(
        self,
        zero_unix_ms: int | None,
        offsets_ns: Mapping[int, int],
        pieces: Iterable[tuple[int, TimelinePiece]] = (),
    ) -> None:
        """Take up the settled placements of an earlier incarnation, and the streams' pieces in
        order of their samples."""
        if zero_unix_ms is not None:
            self._zero_unix_ns = zero_unix_ms * NS_PER_MS
        for stream, offset_ns in offsets_ns.items():
            placement = self._streams[stream]
            placement.timeline = StreamTimeline(placement.sample_rate, offset_ns)
        for stream, piece in pieces:
            timeline = self._streams[stream].timeline
            if timeline is not None:
                timeline.restore(piece)

    def audio_arrived(self, stream: int, end_sample: int, received_ns: int) -> None:
        """A frame that ends at `end_sample` reached the service at this Unix time."""
        placement = self._streams[stream]
        if self._first_stream is None:
            self._first_stream = stream
        if placement.timeline is not None:
            return
        at_zero_ns = received_ns - end_sample * NS_PER_SECOND // placement.sample_rate
        known_ns = placement.received_ns_at_zero
        placement.received_ns_at_zero = (
            at_zero_ns if known_ns is None else min(known_ns, at_zero_ns)
        )

    def sender_stamped(self, stream: int, sample: int, unix_ms: int) -> None:
        """The sender says that it captured `sample` at `unix_ms`. The first stamp places."""
        placement = self._streams.get(stream)
        if placement is None or placement.first_stamp_ns_at_zero is not None:
            return
        elapsed_ns = sample * NS_PER_SECOND // placement.sample_rate
        placement.first_stamp_ns_at_zero = unix_ms * NS_PER_MS - elapsed_ns

    def settle(self, stream: int) -> int:
        """The stream's offset on the session's timeline, from now on fixed.

        A stream that began before session zero is placed at zero: session times are not negative.
        """
        placement = self._streams[stream]
        if placement.timeline is None:
            placement.timeline = StreamTimeline(placement.sample_rate, self._offset_ns(placement))
            self._settle_zero()
            is_stamped = placement.stamped_ns_at_zero is not None
            if not is_stamped and self._zero_received_ns is not None:
                placement.timeline.placed_by_arrival(self._zero_received_ns)
        return placement.timeline.offset_ns

    def settled_offset_ns(self, stream: int) -> int | None:
        """The offset if it is fixed already."""
        timeline = self._streams[stream].timeline
        return None if timeline is None else timeline.offset_ns

    def delay_changed(self, stream: int) -> None:
        """The stream comes another way from now on: the timeline goes on as it was."""
        timeline = self._streams[stream].timeline
        if timeline is not None:
            timeline.delay_changed()

    def follow(
        self, stream: int, estimate: ClockEstimate, at_sample: int, final_before: int
    ) -> TimelinePiece | None:
        """Place what is not yet final by the stream's clock; the piece that begins, if one does.

        `at_sample` is where the stream is now; words that start before `final_before` are final.
        A stream that is not settled stays where its first frames place it.
        """
        timeline = self._streams[stream].timeline
        return None if timeline is None else timeline.follow(estimate, at_sample, final_before)

    def session_ns(self, stream: int, sample: int) -> int:
        """Session time of a sample of a stream, by what is known now."""
        placement = self._streams[stream]
        if placement.timeline is not None:
            return placement.timeline.session_ns(sample)
        return self._offset_ns(placement) + sample * NS_PER_SECOND // placement.sample_rate

    def sample_at(self, stream: int, session_ns: int) -> int:
        """The sample of a settled stream at a session time that `session_ns` gave."""
        timeline = self._streams[stream].timeline
        assert timeline is not None, "only settled streams have given session times"
        return timeline.sample_at(session_ns)

    def moment_ns(self, moment: Moment) -> int | None:
        """Session time of a moment; None while its clock is unknown.

        Never negative, and never above `MAX_SESSION_NS`.
        """
        if isinstance(moment, SampleMoment):
            if moment.stream not in self._streams:
                return None
            return _bounded_ns(self.session_ns(moment.stream, moment.sample))
        zero_unix_ms = self.zero_unix_ms
        if zero_unix_ms is None:
            return None
        return _bounded_ns((moment.unix_ms - zero_unix_ms) * NS_PER_MS)

    def _settle_zero(self) -> None:
        if self._zero_unix_ns is None and self._first_stream is not None:
            first = self._streams[self._first_stream]
            self._zero_unix_ns = first.wall_ns_at_zero
            self._zero_received_ns = first.received_ns_at_zero

    def _offset_ns(self, placement: _Placement) -> int:
        """Like is compared with like: two stamps, or two arrivals."""
        first = None if self._first_stream is None else self._streams[self._first_stream]
        zero_received_ns = self._zero_received_ns
        if zero_received_ns is None and self._zero_unix_ns is None and first is not None:
            zero_received_ns = first.received_ns_at_zero
        if (
            placement.stamped_ns_at_zero is None
            and placement.received_ns_at_zero is not None
            and zero_received_ns is not None
        ):
            return max(0, placement.received_ns_at_zero - zero_received_ns)
        zero_ns = self._zero_unix_ns
        if zero_ns is None and first is not None:
            zero_ns = first.wall_ns_at_zero
        if zero_ns is None or placement.wall_ns_at_zero is None:
            return 0
        return max(0, placement.wall_ns_at_zero - zero_ns)


def _bounded_ns(session_ns: int) -> int:
    return min(max(0, session_ns), MAX_SESSION_NS)
