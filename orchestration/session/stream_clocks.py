"""The clocks of a session's streams: fed with arrivals and stamps, followed by the timeline, and
what of them is to be stored and told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestration.json_types import JsonObject
from orchestration.session.inputs import ClockFact, Fact
from orchestration.storage.values import ClockChangeRow, StreamClockRow, TimelineRow
from orchestration.timing.clock import SessionClock
from orchestration.timing.stream_clock import ChangeKind, ClockChange, ClockEstimate, StreamClock
from orchestration.timing.stream_clock_fit import BIN_NS
from orchestration.timing.units import NS_PER_SECOND

MOVES_SAMPLES = frozenset({ChangeKind.CAPTURE_GAP, ChangeKind.DUPLICATED_CAPTURE})
"""Changes after which the samples to come lie elsewhere on the session's timeline."""


@dataclass(slots=True)
class ClockRows:
    """What changed since the last drain: at most an estimate and a piece in 5 s of a stream."""

    estimates: dict[int, StreamClockRow] = field(default_factory=dict)
    changes: list[ClockChangeRow] = field(default_factory=list)
    timeline: list[TimelineRow] = field(default_factory=list)


@dataclass(slots=True)
class _Stream:
    clock: StreamClock
    sample_rate: int
    bin: int = -1


class StreamClocks:
    """One `StreamClock` for each stream of a session."""

    def __init__(
        self,
        clock: SessionClock,
        tell: Callable[[str, JsonObject], None],
        known: Mapping[int, ClockEstimate],
    ) -> None:
        """`tell` takes a durable event's type and body; `known` is what an earlier incarnation
        last knew, by stream."""
        self._clock = clock
        self._tell = tell
        self._known = known
        self._streams: dict[int, _Stream] = {}
        self._rows = ClockRows()

    def add_stream(self, stream: int, sample_rate: int) -> None:
        """A stream, new or taken up again."""
        clock = StreamClock(sample_rate, self._known.get(stream))
        self._streams[stream] = _Stream(clock, sample_rate)

    def reconnected(self) -> None:
        """The sender is there over another connection: another delay, the same clocks."""
        for stream, one in self._streams.items():
            one.clock.reconnected()
            self._clock.delay_changed(stream)

    def take(self, fact: Fact) -> None:
        """The stamps of the sender, among its facts."""
        if isinstance(fact, ClockFact) and fact.stream in self._streams:
            change = self._streams[fact.stream].clock.stamped(fact.sample, fact.unix_ms)
            self._note(fact.stream, change)

    def arrived(
        self, stream: int, end_sample: int, received_ns: int, final_before: Callable[[], int]
    ) -> None:
        """A frame came. Once in 5 s of audio the timeline follows; `final_before` is the stream's
        first sample whose words may still move."""
        one = self._streams[stream]
        self._note(stream, one.clock.arrived(end_sample, received_ns))
        now_in = end_sample * NS_PER_SECOND // one.sample_rate // BIN_NS
        if now_in <= one.bin:
            return
        one.bin = now_in
        estimate = one.clock.estimate
        if estimate is None:
            return
        self._rows.estimates[stream] = StreamClockRow(stream, end_sample, estimate)
        piece = self._clock.follow(stream, estimate, end_sample, final_before())
        if piece is not None:
            self._rows.timeline.append(TimelineRow(stream, piece))

    def drain(self) -> ClockRows:
        """What is to be stored since the last call."""
        rows, self._rows = self._rows, ClockRows()
        return rows

    def _note(self, stream: int, change: ClockChange | None) -> None:
        if change is None:
            return
        if change.kind not in MOVES_SAMPLES and change.kind is not ChangeKind.CLOCK_JUMP:
            self._clock.delay_changed(stream)
        self._rows.changes.append(ClockChangeRow(stream, change))
        body: JsonObject = {
            "stream": stream,
            "kind": str(change.kind),
            "at_sample": change.at_sample,
            "seconds": change.step_ns / NS_PER_SECOND,
        }
        self._tell("clock", body)
