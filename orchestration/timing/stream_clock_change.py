"""Whether a stream's samples run at another rate than they did.

Where a sender changes its device, or begins to resample, the points of before say nothing about
the rate any more. They would outvote those of after for half of the pool, 5 minutes.
"""

from dataclasses import dataclass

from orchestration.timing.stream_clock_fit import BIN_NS, Points, Rate, median_rate


@dataclass(frozen=True, slots=True)
class Look:
    """How much of the newest points is compared, and of that, how much is of the new rate alone
    when the two are seen to differ."""

    span_ns: int
    kept_ns: int


LOOKS = (Look(60_000_000_000, 40_000_000_000), Look(120_000_000_000, 60_000_000_000))
"""The first tells 50 ppm, the second 30 ppm."""
ERRORS_APART = 2.0
"""Rates of arrivals that differ by more than so many times the sum of their error bounds are two.
The bounds come from the scatter, so that a noisy path asks for a greater difference; in recordings
of one rate it was 1.2 times at most."""
LEAST_CHANGE = 5e-6
"""Crystals wander by as much with their temperature. The pool follows that by forgetting."""


def new_rate_since(arrivals: Points, rate: Rate, stamps: Points) -> int | None:
    """From which nominal time on the samples run at a rate other than this one; None when not.

    A queue on the path that grows for a minute looks the same by the arrivals alone. So the
    sender's stamps, which the path does not touch, have to say the same.
    """
    newest_ns = int(arrivals.at_ns[-1])
    for look in LOOKS:
        since_ns = newest_ns - look.span_ns
        if since_ns + BIN_NS < arrivals.at_ns[0]:
            return None
        found = median_rate(arrivals.since(since_ns))
        change = Rate(found.rate - rate.rate, found.error + rate.error)
        is_one = abs(change.rate) <= max(LEAST_CHANGE, ERRORS_APART * change.error)
        if not is_one and _is_stamped(stamps, since_ns, change):
            return newest_ns - look.kept_ns
    return None


def _is_stamped(stamps: Points, since_ns: int, change: Rate) -> bool:
    before, after = stamps.before(since_ns), stamps.since(since_ns)
    if not len(before.at_ns) or not len(after.at_ns):
        return False
    was, became = median_rate(before), median_rate(after)
    error = was.error + became.error
    stamped = became.rate - was.rate
    return abs(stamped) > error and abs(stamped - change.rate) <= error + change.error
