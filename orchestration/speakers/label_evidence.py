"""For how long each diarization label and each name were heard alone together.

In a frame of 100 ms that exactly one label and exactly one name have, the two are probably one
person (after Vexa's rule; see docs/design.md). Frames count less the older they are, since a
diarizer's labels drift. All is counted anew at every scan, from what was heard and what is said
now: a better lag or a late event corrects the past as well.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestration.speakers.bit_frames import FRAME_NS, bits, end_frame, first_frame, runs_of
from orchestration.speakers.labels import group_of

WINDOW_FRAMES = 18_000
"""Half an hour; what was heard before that counts no more."""

BLOCK_FRAMES = 3_000
"""Five minutes, in which all frames weigh the same."""

HALF_LIFE_BLOCKS = 2
"""Evidence of ten minutes ago weighs half."""

MAX_LABELS = 64
"""Labels remembered; the one heard longest ago goes first."""

SHORT_EPISODE_FRAMES = 6
LONG_EPISODE_FRAMES = 25


@dataclass(frozen=True, slots=True)
class Together:
    """How long a label and a name were alone together: weighed seconds, and unbroken episodes."""

    seconds: float
    short_episodes: int
    long_episodes: int
    share_of_label: float = 1.0
    """Of all the time that the label is heard alone."""


Cooccurrence = Mapping[str, Mapping[str, Together]]
"""By label, then by participant id."""


class LabelEvidence:
    """Remembers when each label was heard."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._end = 0
        self._heard: dict[str, int] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in memory, the one heard last at the end."""
        return tuple(self._heard)

    def remembers(self, label: str) -> bool:
        """Whether a label is in memory."""
        return label in self._heard

    def heard(self, label: str, start_ns: int, end_ns: int) -> None:
        """A word of this voice lies here."""
        start, end = first_frame(start_ns), end_frame(end_ns)
        if self._first is None:
            self._first = start
        start = max(start, self._first)
        if end <= start:
            return
        known = self._heard.pop(label, 0)
        self._heard[label] = known | bits(start - self._first, end - self._first)
        self._end = max(self._end, end)
        self._forget()

    def scan(self, said: Iterable[tuple[str, int, int | None]], lag_ns: int) -> Cooccurrence:
        """Count anew, from speaking intervals (participant id, start, end or None while open).

        `lag_ns` is how far the intervals are behind the voices.
        """
        names = self._alone_by_name(said, lag_ns)
        found: dict[str, dict[str, Together]] = {}
        for label, alone in self._alone_by_label().items():
            heard_s = self._weighed_s(alone)
            row = {who: self._together(alone & frames, heard_s) for who, frames in names.items()}
            found[label] = {who: one for who, one in row.items() if one.seconds > 0}
        return found

    def _together(self, frames: int, heard_s: float) -> Together:
        if not frames:
            return Together(0.0, 0, 0, 0.0)
        seconds = self._weighed_s(frames)
        return Together(
            seconds,
            runs_of(frames, SHORT_EPISODE_FRAMES),
            runs_of(frames, LONG_EPISODE_FRAMES),
            seconds / heard_s,
        )

    def _weighed_s(self, frames: int) -> float:
        newest = self._end - (self._first or 0)
        weighed = 0.0
        for block in range(-(-newest // BLOCK_FRAMES)):
            end = newest - block * BLOCK_FRAMES
            start = max(0, end - BLOCK_FRAMES)
            count = ((frames >> start) & ((1 << (end - start)) - 1)).bit_count()
            weighed += count * 0.5 ** (block / HALF_LIFE_BLOCKS)
        return weighed * FRAME_NS / 1e9

    def _alone_by_label(self) -> dict[str, int]:
        """The frames that a label has without another one of its group."""
        by_group: dict[str, list[str]] = {}
        for label in self._heard:
            by_group.setdefault(group_of(label), []).append(label)
        alone: dict[str, int] = {}
        for labels in by_group.values():
            shared = _shared(self._heard[label] for label in labels)
            alone.update((label, self._heard[label] & ~shared) for label in labels)
        return alone

    def _alone_by_name(
        self, said: Iterable[tuple[str, int, int | None]], lag_ns: int
    ) -> dict[str, int]:
        zero = self._first or 0
        by_name: dict[str, int] = {}
        for who, start_ns, end_ns in said:
            start = max(0, first_frame(start_ns - lag_ns) - zero)
            end = self._end - zero
            if end_ns is not None:
                end = min(end, end_frame(end_ns - lag_ns) - zero)
            if end > start:
                by_name[who] = by_name.get(who, 0) | bits(start, end)
        shared = _shared(by_name.values())
        return {who: frames & ~shared for who, frames in by_name.items()}

    def _forget(self) -> None:
        assert self._first is not None
        too_old = self._end - self._first - WINDOW_FRAMES
        if too_old > BLOCK_FRAMES:
            self._first += too_old
            shifted = {label: frames >> too_old for label, frames in self._heard.items()}
            self._heard = {label: frames for label, frames in shifted.items() if frames}
        while len(self._heard) > MAX_LABELS:
            del self._heard[next(iter(self._heard))]


def _shared(sets: Iterable[int]) -> int:
    """The frames that are in more than one set."""
    once = twice = 0
    for frames in sets:
        twice |= once & frames
        once |= frames
    return twice
