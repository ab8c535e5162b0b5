"""How well what is told of one session agrees in time, and what is to be corrected.

A source is a table with times. What the service heard itself is on the session's clock and never
moves: audio, final words, their translations. What others tell has clocks of its own: speaking
events, captions, correlations. Pure; session time in nanoseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

from orchestration.timing.units import NS_PER_MS

DEFAULT_TOLERANCE_NS = 100 * NS_PER_MS
"""Times that differ by no more are the same; an offset below it is not corrected."""

MAX_OFFSET_NS = 5_000 * NS_PER_MS
"""Rows that are further apart are not taken for the same thing."""

AGREEMENT_NS = 100 * NS_PER_MS
"""Pairs whose offsets are this near to the source's own agree with it."""

GOOD_QUALITY = 0.9
"""Above this nothing is realigned."""

MIN_MATCHED = 4
"""From fewer pairs no offset is told."""

MIN_SHARE = 0.2
"""Of the shorter list, at least this share must agree on an offset."""

CHANCE_DEVIATIONS = 4
"""So many standard deviations above the pairs that would agree by chance."""


class Source(StrEnum):
    """Where a row with a time is stored."""

    AUDIO = "audio"
    TRANSCRIPTS = "transcripts"
    TRANSLATIONS = "translations"
    SPEAKER_INTERVALS = "speaker_intervals"
    CAPTIONS = "captions"
    CORRELATIONS = "correlations"
    PARTICIPANTS = "participants"


MOVABLE = (Source.SPEAKER_INTERVALS, Source.CAPTIONS, Source.CORRELATIONS)
"""What has a clock of its own, and may be corrected. Final words never move."""


class Accuracy(StrEnum):
    """How near an offset is to none."""

    EXACT = "exact"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    POOR = "poor"


@dataclass(frozen=True, slots=True)
class AccuracyBand:
    """Offsets up to `most_ns` (None: any) count `weight`, 0 to 1."""

    accuracy: Accuracy
    most_ns: int | None
    weight: float


ACCURACY_BANDS = (
    AccuracyBand(Accuracy.EXACT, 10 * NS_PER_MS, 1.0),
    AccuracyBand(Accuracy.HIGH, 50 * NS_PER_MS, 0.9),
    AccuracyBand(Accuracy.MEDIUM, 200 * NS_PER_MS, 0.7),
    AccuracyBand(Accuracy.LOW, 500 * NS_PER_MS, 0.5),
    AccuracyBand(Accuracy.POOR, None, 0.2),
)
BAND_LIMITS_NS = tuple(band.most_ns for band in ACCURACY_BANDS if band.most_ns is not None)


def accuracy_of(offset_ns: int) -> Accuracy:
    """The band of an offset in either direction."""
    for band in ACCURACY_BANDS:
        if band.most_ns is None or abs(offset_ns) <= band.most_ns:
            return band.accuracy
    raise AssertionError("the last band has no limit")


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Session time from `start_ns` up to `end_ns`, half open; never backwards."""

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.end_ns < self.start_ns:
            raise ValueError(
                f"a window that ends {self.start_ns - self.end_ns} ns before it starts"
            )

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    def overlap_ns(self, other: "TimeWindow") -> int:
        """What both cover; 0 for windows that only touch."""
        return max(0, min(self.end_ns, other.end_ns) - max(self.start_ns, other.start_ns))

    def overlaps(self, other: "TimeWindow", tolerance_ns: int = 0) -> bool:
        """Whether they share time, or are less than the tolerance apart."""
        latest_start_ns = max(self.start_ns, other.start_ns)
        return latest_start_ns < min(self.end_ns, other.end_ns) + tolerance_ns

    def intersection(self, other: "TimeWindow") -> "TimeWindow | None":
        """What both cover; None when that is nothing."""
        if not self.overlap_ns(other):
            return None
        return TimeWindow(max(self.start_ns, other.start_ns), min(self.end_ns, other.end_ns))


def match_confidence(one: TimeWindow, other: TimeWindow, confidence: float = 1.0) -> float:
    """How surely two rows tell of the same thing, 0 to 1: 1 for the same window.

    The share of the longer one that both cover, less for starts that differ, none at 2 s; times
    the lower `confidence` of the two rows.
    """
    longer_ns = max(one.duration_ns, other.duration_ns)
    share = one.overlap_ns(other) / longer_ns if longer_ns else float(one == other)
    apart_s = abs(one.start_ns - other.start_ns) / 1e9
    return share * max(0.0, 1 - apart_s / 2) * confidence


@dataclass(frozen=True, slots=True)
class SourceMeasure:
    """How a source's rows stand to the session's clock, by those that have a counterpart.

    `offset_ns` is the median of the pairs on which most agree, positive for a source that is
    late, before any correction; `correction_ns` is what is taken off now. `pairs` is how many were
    looked at, `shorter` how many rows the shorter of the two lists has among them.
    `matched_by_band` counts the agreeing pairs in the order of `ACCURACY_BANDS`, corrected.
    """

    source: Source
    pairs: int
    shorter: int
    matched: int
    offset_ns: int
    spread_ns: int
    correction_ns: int
    matched_by_band: tuple[int, ...]

    @property
    def remaining_ns(self) -> int:
        """The offset that no correction has taken away."""
        return self.offset_ns - self.correction_ns

    @property
    def is_told(self) -> bool:
        """Whether so many agree that the offset is no chance.

        Lists that differ in length or in rows have pairs at all distances: they agree on nothing.
        """
        by_chance = self.pairs * AGREEMENT_NS / MAX_OFFSET_NS
        return (
            self.matched >= MIN_MATCHED
            and self.matched >= MIN_SHARE * self.shorter
            and self.matched >= by_chance + CHANCE_DEVIATIONS * sqrt(by_chance)
        )

    @property
    def quality(self) -> float:
        """The mean weight of the agreeing pairs, 0 to 1."""
        weights = [band.weight for band in ACCURACY_BANDS]
        total = sum(w * n for w, n in zip(weights, self.matched_by_band, strict=True))
        return total / self.matched if self.matched else 0.0


def synchronization_quality(measures: Sequence[SourceMeasure]) -> float | None:
    """The mean quality of the sources whose offset is told, 0 to 1; None when none is."""
    told = [one.quality for one in measures if one.is_told]
    return sum(told) / len(told) if told else None


@dataclass(frozen=True, slots=True)
class Correction:
    """Take `offset_ns` off a source's times, in all."""

    source: Source
    offset_ns: int
    matched: int
    reason: str


def corrections_for(
    measures: Sequence[SourceMeasure], threshold_ns: int, chosen: Sequence[Source] = MOVABLE
) -> list[Correction]:
    """What to correct: chosen sources that may move and are further off than the threshold."""
    return [
        Correction(one.source, one.offset_ns, one.matched, _reason(one))
        for one in measures
        if one.source in MOVABLE
        and one.source in chosen
        and one.is_told
        and abs(one.remaining_ns) > threshold_ns
    ]


def reasons_to_leave(
    measures: Sequence[SourceMeasure],
    corrections: Sequence[Correction],
    chosen: Sequence[Source] = MOVABLE,
) -> Mapping[Source, str]:
    """Why each source that may move is not corrected."""
    corrected = {one.source for one in corrections}
    by_source = {one.source: one for one in measures}
    return {
        source: _reason_to_leave(by_source.get(source), source in chosen)
        for source in MOVABLE
        if source not in corrected
    }


def _reason_to_leave(measure: SourceMeasure | None, chosen: bool) -> str:
    if not chosen:
        return "not asked for"
    if measure is None:
        return "no row has a counterpart"
    return "good enough" if measure.is_told else "its rows agree on no offset"


def _reason(measure: SourceMeasure) -> str:
    direction = "late" if measure.remaining_ns > 0 else "early"
    apart_s = abs(measure.remaining_ns) / 1e9
    return f"{measure.matched} rows are {apart_s:.3f} s {direction} in the median"
