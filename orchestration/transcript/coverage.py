"""Coverage: the fate of every sample of a stream."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.audio.sample_ranges import SampleRanges
from orchestration.json_types import JsonObject
from orchestration.session.events import stream_coverage_json
from orchestration.storage.values import SampleRange, StreamProgress


@dataclass(frozen=True, slots=True)
class CoverageTotals:
    """Samples by fate: transcribed, silent, pending and lost add up to `duration`."""

    duration: int
    transcribed: int
    silent: int
    pending: int
    lost_by_reason: Mapping[str, int]

    @property
    def lost(self) -> int:
        return sum(self.lost_by_reason.values())


class StreamCoverage:
    """Every sample of one stream is in exactly one of transcribed, silent, pending, lost.

    Samples begin as pending and the first verdict on one stands: a chunk overlaps its neighbours,
    and what it says about samples already judged changes nothing. A verdict on samples beyond the
    duration says nothing about them.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._duration = 0
        self._pending = SampleRanges()
        self._transcribed = SampleRanges()
        self._silent = SampleRanges()
        self._lost: dict[str, SampleRanges] = {}

    @classmethod
    def from_progress(cls, sample_rate: int, progress: StreamProgress) -> "StreamCoverage":
        """The coverage as stored; what has no stored fate is pending again."""
        coverage = cls(sample_rate)
        coverage.extend(progress.duration)
        for kept in progress.transcribed:
            coverage.transcribed(kept.start, kept.end)
        for kept in progress.silent:
            coverage.silent(kept.start, kept.end)
        for kept in progress.lost:
            coverage.lost(kept.start, kept.end, kept.reason)
        return coverage

    @property
    def duration(self) -> int:
        return self._duration

    @property
    def pending(self) -> int:
        """Samples without a verdict."""
        return self._pending.total

    def extend(self, to_sample: int) -> None:
        """The stream now lasts up to `to_sample`; it never shrinks."""
        if to_sample > self._duration:
            self._pending.add(self._duration, to_sample)
            self._duration = to_sample

    def transcribed(self, start: int, end: int) -> None:
        """Whisper answered for these samples, and the words are final."""
        self._judge(start, end, self._transcribed)

    def silent(self, start: int, end: int) -> None:
        """Nobody speaks in these samples, so they are not sent to whisper."""
        self._judge(start, end, self._silent)

    def lost(self, start: int, end: int, reason: str) -> None:
        """These samples will never be words, for `reason`."""
        self._judge(start, end, self._lost.setdefault(reason, SampleRanges()))

    def repaired(self, start: int, end: int) -> None:
        """What was lost of these samples is transcribed after all."""
        for lost in self._lost.values():
            for lost_start, lost_end in list(lost.within(start, end)):
                lost.remove(lost_start, lost_end)
                self._transcribed.add(lost_start, lost_end)

    def totals(self) -> CoverageTotals:
        return CoverageTotals(
            duration=self._duration,
            transcribed=self._transcribed.total,
            silent=self._silent.total,
            pending=self._pending.total,
            lost_by_reason={
                reason: ranges.total for reason, ranges in self._lost.items() if ranges.total
            },
        )

    def to_json(self, stream: int) -> JsonObject:
        """The wire form under the stream's id."""
        totals = self.totals()
        return stream_coverage_json(
            stream=stream,
            sample_rate=self._sample_rate,
            duration=totals.duration,
            transcribed=totals.transcribed,
            silent=totals.silent,
            pending=totals.pending,
            lost_by_reason=totals.lost_by_reason,
        )

    @property
    def pending_ranges(self) -> tuple[SampleRange, ...]:
        return _stored(self._pending)

    @property
    def transcribed_ranges(self) -> tuple[SampleRange, ...]:
        return _stored(self._transcribed)

    @property
    def silent_ranges(self) -> tuple[SampleRange, ...]:
        return _stored(self._silent)

    @property
    def lost_ranges(self) -> tuple[SampleRange, ...]:
        """Lost samples with their reasons, in order of start."""
        ranges = (kept for reason, lost in self._lost.items() for kept in _stored(lost, reason))
        return tuple(sorted(ranges, key=lambda kept: kept.start))

    def _judge(self, start: int, end: int, fate: SampleRanges) -> None:
        for open_start, open_end in self._pending.within(start, end):
            self._pending.remove(open_start, open_end)
            fate.add(open_start, open_end)


def _stored(ranges: SampleRanges, reason: str = "") -> tuple[SampleRange, ...]:
    return tuple(SampleRange(start, end, reason) for start, end in ranges)
