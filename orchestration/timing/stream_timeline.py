"""Where a stream's samples lie on the session's timeline.

The timeline is in pieces. Each begins at the sample up to which words were final when it was made,
so that what is final does not move; what follows is placed by the stream's clock as known then.
"""

from bisect import bisect_right
from dataclasses import dataclass

from orchestration.timing.stream_clock import ClockEstimate
from orchestration.timing.units import NS_PER_SECOND

TOLERANCE_NS = 1_000_000
"""The wire tells milliseconds: less than one is not corrected."""
MAX_PLACEMENT_ERROR_NS = NS_PER_SECOND
"""A first placement is corrected by at most this. Beyond it the first frames came from a sender's
backlog, and pulling a whole second of words together would do more harm."""
MAX_PIECES = 512
"""Pieces held. The oldest but the first go: only a late repair of that audio would need them."""
PPB = 1_000_000_000
"""Rates inside are integers: parts in a billion."""


@dataclass(frozen=True, slots=True)
class TimelinePiece:
    """From `from_sample` on, session time is `at_ns` and the samples' time at the piece's rate.

    It is never below `floor_ns`, which the piece before had reached.
    """

    from_sample: int
    at_ns: int
    floor_ns: int
    rate_ppb: int

    def session_ns(self, sample: int, sample_rate: int) -> int:
        """Session time of a sample of this piece."""
        nominal_ns = (sample - self.from_sample) * NS_PER_SECOND // sample_rate
        session_ns = self.at_ns + nominal_ns + nominal_ns * self.rate_ppb // PPB
        return session_ns if sample < self.from_sample else max(self.floor_ns, session_ns)


class StreamTimeline:
    """Samples of one stream to session time and back. Session times never decrease."""

    def __init__(self, sample_rate: int, offset_ns: int) -> None:
        """A stream whose sample 0 is at `offset_ns`."""
        self._sample_rate = sample_rate
        self._pieces = [TimelinePiece(0, offset_ns, offset_ns, 0)]
        self._behind_ns: int | None = None
        self._is_first = False

    def __len__(self) -> int:
        """Pieces held: never more than `MAX_PIECES`."""
        return len(self._pieces)

    @property
    def offset_ns(self) -> int:
        """Where sample 0 was placed."""
        return self._pieces[0].at_ns

    def restore(self, piece: TimelinePiece) -> None:
        """Take up the next piece of an earlier incarnation."""
        self._add(piece)

    def session_ns(self, sample: int) -> int:
        """Session time of a sample."""
        index = max(0, bisect_right(self._pieces, sample, key=_from_sample) - 1)
        session_ns = self._pieces[index].session_ns(sample, self._sample_rate)
        if index + 1 < len(self._pieces):
            return min(session_ns, self._pieces[index + 1].floor_ns)
        return session_ns

    def sample_at(self, session_ns: int) -> int:
        """The sample at a session time that `session_ns` gave."""
        index = max(0, bisect_right(self._pieces, session_ns, key=_floor_ns) - 1)
        piece = self._pieces[index]
        nominal_ns = (session_ns - piece.at_ns) * PPB // (PPB + piece.rate_ppb)
        # Rounded up, because the way there rounded down.
        sample = piece.from_sample - (-nominal_ns * self._sample_rate // NS_PER_SECOND)
        if index + 1 < len(self._pieces):
            sample = min(sample, self._pieces[index + 1].from_sample)
        return max(piece.from_sample, sample) if index else sample

    def placed_by_arrival(self, zero_received_ns: int) -> None:
        """The stream is where it is because session zero was received at this time."""
        self._behind_ns = zero_received_ns
        self._is_first = True

    def delay_changed(self) -> None:
        """Arrivals stand elsewhere from now on, and the samples' times do not."""
        self._behind_ns = None

    def follow(
        self, estimate: ClockEstimate, at_sample: int, from_sample: int
    ) -> TimelinePiece | None:
        """Bring samples from `from_sample` on to where the estimate has them.

        `at_sample` is where the stream is now. Returns the piece that begins, if one does.
        """
        received_ns = estimate.received_ns(at_sample, self._sample_rate)
        here_ns = self.session_ns(at_sample)
        if self._behind_ns is not None and self._is_first:
            off_ns = abs(received_ns - self._behind_ns - here_ns)
            if off_ns > MAX_PLACEMENT_ERROR_NS:
                self._behind_ns = None
        self._is_first = False
        if self._behind_ns is None:
            self._behind_ns = received_ns - here_ns
            return None
        if abs(received_ns - self._behind_ns - here_ns) <= TOLERANCE_NS:
            return None
        return self._begin(estimate, from_sample)

    def _begin(self, estimate: ClockEstimate, from_sample: int) -> TimelinePiece:
        assert self._behind_ns is not None, "a piece begins where arrivals are known to stand"
        last = self._pieces[-1]
        from_sample = max(from_sample, last.from_sample)
        is_replaced = len(self._pieces) > 1 and from_sample == last.from_sample
        floor_ns = last.floor_ns if is_replaced else self.session_ns(from_sample)
        piece = TimelinePiece(
            from_sample,
            estimate.received_ns(from_sample, self._sample_rate) - self._behind_ns,
            floor_ns,
            round(estimate.rate_ppm * 1000),
        )
        self._add(piece)
        return piece

    def _add(self, piece: TimelinePiece) -> None:
        if len(self._pieces) > 1 and piece.from_sample == self._pieces[-1].from_sample:
            # No word became final since: nothing was placed by the piece that goes.
            self._pieces.pop()
        self._pieces.append(piece)
        if len(self._pieces) > MAX_PIECES:
            del self._pieces[1]


def _from_sample(piece: TimelinePiece) -> int:
    return piece.from_sample


def _floor_ns(piece: TimelinePiece) -> int:
    return piece.floor_ns
