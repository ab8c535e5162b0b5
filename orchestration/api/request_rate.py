"""How many requests a client may make: one token bucket for each address.

A bucket holds up to `burst` requests and fills by `per_s` a second; a request takes one out (RFC
2697 meters packets by the same bucket). Pure: times are arguments.
"""

from collections import OrderedDict
from dataclasses import dataclass

from orchestration.api.connections import is_loopback, limited_as

BUCKETS_KEPT = 10_000
"""Addresses that are remembered at once. The one that asked least lately goes first, and has a
full bucket when it comes back."""

COST = 1000
"""Thousandths of a request in one: what a bucket gains in a millisecond is then `per_s` of them."""


@dataclass(slots=True)
class _Bucket:
    """`level` in thousandths of a request, as it was at `at_ms`."""

    level: int
    at_ms: int


class RequestBuckets:
    """The buckets of all clients of one process. `now_ms` never goes back."""

    def __init__(self, per_s: int, burst: int) -> None:
        """Requests a second, 0 for no limit, and at once. Loopback addresses have no limit: behind
        one there may be a proxy."""
        self.limit(per_s, burst)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self.refused = 0

    def limit(self, per_s: int, burst: int) -> None:
        """From now on; a bucket keeps what it has, as far as it fits."""
        self.per_s = per_s
        self._most = burst * COST

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str, now_ms: int) -> int:
        """A request of this address: 0 if it may go on, else in how many milliseconds one may."""
        if not self.per_s or is_loopback(address):
            return 0
        address = limited_as(address)
        bucket = self._buckets.pop(address, None) or _Bucket(self._most, now_ms)
        self._buckets[address] = bucket
        if len(self._buckets) > BUCKETS_KEPT:
            self._buckets.popitem(last=False)
        gained = (now_ms - bucket.at_ms) * self.per_s
        bucket.level = min(self._most, bucket.level + gained)
        bucket.at_ms = now_ms
        if bucket.level >= COST:
            bucket.level -= COST
            return 0
        self.refused += 1
        return -((bucket.level - COST) // self.per_s)
