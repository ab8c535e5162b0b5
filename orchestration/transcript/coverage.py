"""Coverage: the fate of every sample of a stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.audio.sample_ranges import SampleRanges
from orchestration.json_types import JsonObject
from orchestration.session.events import stream_coverage_json
from orchestration.storage.values import SampleRange, StreamProgress, StreamRow


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

    def to_json(self, stream: int, sample_rate: int) -> JsonObject:
        """The wire form under the stream's id."""
        return stream_coverage_json(
            stream=stream,
            sample_rate=sample_rate,
            duration=self.duration,
            transcribed=self.transcribed,
            silent=self.silent,
            pending=self.pending,
            lost_by_reason=self.lost_by_reason,
        )


def stored_totals(row: StreamRow) -> CoverageTotals:
    """Coverage as stored. Frames journaled since the last stored progress are pending."""
    progress = row.progress
    if progress is None:
        return CoverageTotals(row.next_sample, 0, 0, row.next_sample, {})
    lost = dict[str, int]()
    for one in row.lost:
        lost[one.reason] = lost.get(one.reason, 0) + one.end - one.start
    duration = max(progress.duration, row.next_sample)
    judged = progress.transcribed + progress.silent + sum(lost.values())
    return CoverageTotals(duration, progress.transcribed, progress.silent, duration - judged, lost)


class StreamCoverage:
    """Every sample of one stream is in exactly one of transcribed, silent, pending, lost.

    Samples begin as pending and the first verdict on one stands: a chunk overlaps its neighbours,
    and what it says about samples already judged changes nothing. A verdict on samples beyond the
    duration says nothing about them.

    Where samples are is known of those that are pending or lost, and of those transcribed that no
    earlier incarnation has transcribed; the silent ones are counted.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._duration = 0
        self._pending = SampleRanges()
        self._transcribed_earlier = 0
        self._transcribed = SampleRanges()
        self._silent = 0
        self._lost: dict[str, SampleRanges] = {}
        self._losses_changed = SampleRanges()

    @classmethod
    def resumed(
        cls, sample_rate: int, progress: StreamProgress, lost: Sequence[SampleRange]
    ) -> "StreamCoverage":
        """The coverage as stored, up to the frontier: what lies beyond is heard and judged anew."""
        coverage, frontier = cls(sample_rate), progress.frontier
        for one in lost:
            if one.start < frontier:
                ranges = coverage._lost.setdefault(one.reason, SampleRanges())
                ranges.add(one.start, min(one.end, frontier))
            if one.end > frontier:
                coverage._losses_changed.add(max(one.start, frontier), one.end)
        coverage._duration = frontier
        coverage._transcribed_earlier = progress.transcribed_to_frontier
        judged = progress.transcribed_to_frontier + coverage.totals().lost
        coverage._silent = frontier - judged
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
        for open_start, open_end in self._take_pending(start, end):
            self._transcribed.add(open_start, open_end)

    def silent(self, start: int, end: int) -> None:
        """Nobody speaks in these samples, so they are not sent to whisper."""
        for open_start, open_end in self._take_pending(start, end):
            self._silent += open_end - open_start

    def lost(self, start: int, end: int, reason: str) -> None:
        """These samples will never be words, for `reason`."""
        for open_start, open_end in self._take_pending(start, end):
            self._lost.setdefault(reason, SampleRanges()).add(open_start, open_end)
            self._losses_changed.add(open_start, open_end)

    def repaired(self, start: int, end: int) -> None:
        """What was lost of these samples is transcribed after all."""
        for lost in self._lost.values():
            for lost_start, lost_end in lost.within(start, end):
                lost.remove(lost_start, lost_end)
                self._losses_changed.add(lost_start, lost_end)
                self._transcribed.add(lost_start, lost_end)

    def totals(self) -> CoverageTotals:
        return CoverageTotals(
            duration=self._duration,
            transcribed=self._transcribed_earlier + self._transcribed.total,
            silent=self._silent,
            pending=self._pending.total,
            lost_by_reason={
                reason: ranges.total for reason, ranges in self._lost.items() if ranges.total
            },
        )

    def to_json(self, stream: int) -> JsonObject:
        """The wire form under the stream's id."""
        return self.totals().to_json(stream, self._sample_rate)

    @property
    def first_pending(self) -> int:
        """The first sample without a verdict; the duration where all have one."""
        return next((start for start, _ in self._pending), self._duration)

    @property
    def pending_ranges(self) -> tuple[SampleRange, ...]:
        return _stored(self._pending)

    def progress(self, stream: int, offset_ns: int | None, frontier: int) -> StreamProgress:
        """What to store, with what is lost, so that the stream can be resumed at `frontier`; that
        is neither after the first pending sample nor before where it was resumed last."""
        totals = self.totals()
        beyond = self._transcribed.within(frontier, self._duration)
        return StreamProgress(
            stream=stream,
            offset_ns=offset_ns,
            duration=totals.duration,
            frontier=frontier,
            transcribed=totals.transcribed,
            silent=totals.silent,
            transcribed_to_frontier=totals.transcribed - sum(end - start for start, end in beyond),
        )

    @property
    def lost_ranges(self) -> tuple[SampleRange, ...]:
        """Lost samples with their reasons, in order of start."""
        ranges = (kept for reason, lost in self._lost.items() for kept in _stored(lost, reason))
        return tuple(sorted(ranges, key=lambda kept: kept.start))

    def take_loss_changes(self) -> list[tuple[int, int, tuple[SampleRange, ...]]]:
        """Stretches of which other samples are lost than at the last call, as their start, their
        end, and what is lost in them: all of the stream's lost ranges that they touch."""
        changed, self._losses_changed = self._losses_changed, SampleRanges()
        stretches = SampleRanges()
        for start, end in changed:
            stretches.add(start, end)
            for lost in self._lost.values():
                for touched in lost.touching(start, end):
                    stretches.add(*touched)
        return [(start, end, self._lost_within(start, end)) for start, end in stretches]

    def _lost_within(self, start: int, end: int) -> tuple[SampleRange, ...]:
        found = (
            SampleRange(lost_start, lost_end, reason)
            for reason, lost in self._lost.items()
            for lost_start, lost_end in lost.within(start, end)
        )
        return tuple(sorted(found, key=lambda one: one.start))

    def _take_pending(self, start: int, end: int) -> list[tuple[int, int]]:
        """What is pending of these samples, and is not any more."""
        pending = self._pending.within(start, end)
        self._pending.remove(start, end)
        return pending


def _stored(ranges: SampleRanges, reason: str = "") -> tuple[SampleRange, ...]:
    return tuple(SampleRange(start, end, reason) for start, end in ranges)
