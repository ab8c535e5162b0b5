"""How late a meeting platform says who speaks, found from when anybody is heard. Session time.

A platform's indicator follows the voice by up to some seconds, by the same for everybody in a
meeting. Time is cut into frames of 100 ms; in each somebody is heard or not, and somebody is said
to speak or not. The lag is the shift by which the two differ in the fewest frames. Both are bit
sets in whole numbers, so that ten minutes take 750 bytes and a scan some microseconds.

Whisper lets words begin early after a silence, by up to 0.3 s; their ends, and words inside a turn,
are where they were said. So of the two, starts behind voices that begin and stops behind voices
that end, the lag is that of those which are less late.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from orchestration.speakers.bit_frames import FRAME_NS, bits, end_frame, first_frame

LAGS = range(-10, 36)
"""Lags that are tried, in frames: -1 to +3.5 s, what platforms were measured at and some more."""

WINDOW_FRAMES = 6_000
"""Ten minutes: what was heard before that counts no more."""

SCAN_EVERY_FRAMES = 50
"""Five seconds of new speech between scans."""

MIN_FRAMES = 200
"""Below 20 s there are too few turns to tell a lag from chance; the lag is 0 until then."""

MIN_TURNS = 4
"""Speaking intervals at least, for the same reason."""

EDGE_FRAMES = 6
"""A start or a stop belongs to a voice that begins or ends at most so many frames from it."""

MIN_EDGES = 6
"""Starts, or stops, by whose median the lag is corrected, at least."""

NEAR_FRAMES = 2
"""A start belongs to a voice that begins to be heard at most so many frames from it."""

MIN_GAIN = 0.85
"""A new lag must leave at most this share of the differences that the present one leaves:
estimates that waver would repaint names at random."""


class EventLag:
    """The meeting-wide lag of speaking events behind the voices."""

    def __init__(self) -> None:
        self.lag_ns = 0
        self._lag = 0
        self._first_frame: int | None = None
        self._heard = 0
        self._end_frame = 0
        self._next_scan = 0

    def heard(self, start_ns: int, end_ns: int) -> None:
        """Somebody was heard here; silence is what lies between."""
        start, end = first_frame(start_ns), end_frame(end_ns)
        if self._first_frame is None:
            self._first_frame = start
        start = max(start, self._first_frame)
        if end <= start:
            return
        self._heard |= bits(start - self._first_frame, end - self._first_frame)
        self._end_frame = max(self._end_frame, end)
        too_old = self._end_frame - self._first_frame - WINDOW_FRAMES
        if too_old > 0:
            self._heard >>= too_old
            self._first_frame += too_old

    @property
    def is_scan_due(self) -> bool:
        """Whether enough is heard since the last scan."""
        return self._end_frame >= self._next_scan

    def scan(self, said: Iterable[tuple[int, int | None]]) -> None:
        """Find the lag anew from the speaking intervals: start and end, None while open."""
        frames = self._comparable_frames()
        said = self._near(said)
        said_bits, turns = self._said_bits(said)
        if frames < MIN_FRAMES or turns < MIN_TURNS:
            return
        mask = (1 << frames) - 1

        def differences(lag: int) -> int:
            return (((said_bits >> (lag - LAGS[0])) ^ self._heard) & mask).bit_count()

        counts = {lag: differences(lag) for lag in LAGS}
        fewest = min(counts.values())
        # A jittering platform has a flat valley.
        least = [lag for lag, count in counts.items() if count <= fewest + frames // 200]
        self._move(least[len(least) // 2], counts)
        self.lag_ns = (self._lag + self._correction(self._lag, said, mask)) * FRAME_NS

    def _correction(self, lag: int, said: Sequence[tuple[int, int | None]], mask: int) -> int:
        """How much less late the starts are behind the begins of voices, or the stops behind their
        ends; in the median."""
        heard = self._heard
        begins = heard & ~(heard << 1 | heard << 2) & mask
        ends = heard & ~(heard >> 1 | heard >> 2) & mask
        starts, _ = self._said_bits((start_ns, start_ns + 1) for start_ns, _ in said)
        stops, _ = self._said_bits((end_ns - 1, end_ns) for _, end_ns in said if end_ns is not None)
        return min(_median_off(starts, begins, lag), _median_off(stops, ends, lag))

    def scan_starts(self, starts_ns: Iterable[int]) -> None:
        """Find the lag anew where stops are never said: by the starts that come with a voice that
        is heard after a silence."""
        frames = self._comparable_frames()
        said_bits, turns = self._said_bits((at_ns, at_ns + 1) for at_ns in starts_ns)
        if frames < MIN_FRAMES or turns < MIN_TURNS:
            return
        begins = self._heard & ~(self._heard << 1) & ((1 << frames) - 1)
        near = begins
        for off in range(1, NEAR_FRAMES + 1):
            near |= begins << off | begins >> off

        def misses(lag: int) -> int:
            return turns - ((said_bits >> (lag - LAGS[0])) & near).bit_count()

        counts = {lag: misses(lag) for lag in LAGS}
        fewest = min(counts.values())
        best = [lag for lag, count in counts.items() if count == fewest]
        self._move(best[len(best) // 2], counts)
        self.lag_ns = self._lag * FRAME_NS

    def _comparable_frames(self) -> int:
        """How many frames of what was heard can be compared; the next scan is due later."""
        self._next_scan = self._end_frame + SCAN_EVERY_FRAMES
        # Of the newest frames the events may still be to come.
        return 0 if self._first_frame is None else self._end_frame - LAGS[-1] - self._first_frame

    def _move(self, lag: int, counts: Mapping[int, int]) -> None:
        """Take a lag if it is much better than the present one."""
        if counts[lag] <= MIN_GAIN * counts[self._lag]:
            self._lag = lag

    def _near(self, said: Iterable[tuple[int, int | None]]) -> list[tuple[int, int | None]]:
        """The intervals that reach into the window: half an hour's and more are known."""
        from_ns = ((self._first_frame or 0) + LAGS[0]) * FRAME_NS
        return [one for one in said if one[1] is None or one[1] > from_ns]

    def _said_bits(self, said: Iterable[tuple[int, int | None]]) -> tuple[int, int]:
        """Bit 0 is the window's first frame at the least lag; how many intervals lie inside."""
        if self._first_frame is None:
            return 0, 0
        zero = self._first_frame + LAGS[0]
        last = self._end_frame + LAGS[-1] - zero
        said_bits = turns = 0
        for start_ns, end_ns in said:
            start = max(0, start_ns // FRAME_NS - zero)
            end = last if end_ns is None else min(last, -(-end_ns // FRAME_NS) - zero)
            if end > start:
                said_bits |= bits(start, end)
                turns += 1
        return said_bits, turns


def _median_off(said: int, heard: int, lag: int) -> int:
    """By how many frames more than the lag what is said is behind what is heard, in the median;
    0 where that is seldom."""
    offs = range(max(-EDGE_FRAMES, LAGS[0] - lag), min(EDGE_FRAMES, LAGS[-1] - lag) + 1)
    counts = [((said >> (lag + off - LAGS[0])) & heard).bit_count() for off in offs]
    total = sum(counts)
    if total < MIN_EDGES:
        return 0
    below = zip(offs, accumulate(counts), strict=True)
    return next(off for off, count in below if 2 * count >= total)
