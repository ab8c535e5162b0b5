"""Every state that a small pool can get into, and what must hold in each."""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field

import pytest

from orchestration.services.balancing.balancer import Balancer
from orchestration.services.balancing.breaker import State
from orchestration.services.balancing.limits import LimitBounds
from orchestration.services.balancing.upstream import Lease

EJECT_AFTER = 2
"""Instead of five: the same states, and far fewer ways to count."""


@dataclass
class Pool:
    """A balancer, the requests under way, and the time."""

    balancer: Balancer
    all_may_be_out: bool = False
    leases: list[Lease] = field(default_factory=list)
    now_ms: int = 0

    @property
    def states(self) -> list[State]:
        return [one.state for one in self.balancer.snapshot()]

    def key(self) -> object:
        """Two pools with the same key behave alike from here on."""
        upstreams = self.balancer._upstreams
        waits = sorted({one.breaker.due_ms for one in upstreams if one.is_out})
        return (
            tuple(
                (
                    one.breaker.state,
                    min(one.record.streak, EJECT_AFTER),
                    one.current_weight,
                    waits.index(one.breaker.due_ms) if one.is_out else -1,
                    one.breaker.is_due(self.now_ms),
                )
                for one in upstreams
            ),
            tuple(sorted((one.name, one.upstream.probe is one) for one in self.leases)),
        )

    def ask(self) -> None:
        """One more request, if anybody may take it."""
        lease = self.balancer.choose(self.now_ms)
        if lease is not None:
            self.leases.append(lease)
            return
        for one in self.balancer._upstreams:
            may_wait = one.probe is not None or (not one.is_out and not one.has_room)
            may_wait |= one.is_out and not one.breaker.is_due(self.now_ms)
            assert may_wait, f"a request was kept from {one.name}, which could take it"
        assert self.leases or self.all_may_be_out, "a request waits, and no end would let it start"

    def end(self, index: int, how: str) -> None:
        getattr(self.balancer, how)(self.leases.pop(index), self.now_ms)

    def wait(self) -> None:
        """Until the next probe is due."""
        dues = [one.breaker.due_ms for one in self.balancer._upstreams if one.is_out]
        self.now_ms = max(self.now_ms, min(dues, default=0))


def successors(pool: Pool, most_under_way: int) -> Iterator[Pool]:
    if len(pool.leases) < most_under_way:
        asked = deepcopy(pool)
        asked.ask()
        yield asked
    for index in range(len(pool.leases)):
        for how in ("answered", "failed", "abandoned"):
            ended = deepcopy(pool)
            ended.end(index, how)
            yield ended
    waited = deepcopy(pool)
    waited.wait()
    yield waited


def check_limits(pool: Pool) -> None:
    out = sum(state is not State.CLOSED for state in pool.states)
    most = len(pool.states) // (1 if pool.all_may_be_out else 2)
    assert out <= most, "more are out than may be"
    for one in pool.balancer._upstreams:
        limit = one.limit.value if one.limit else len(pool.leases)
        assert one.outstanding <= max(limit, 1), "more are under way than the limit says"
    probed = {one.name for one in pool.leases if one.upstream.probe is one}
    half_open = {one.name for one in pool.balancer.snapshot() if one.state is State.HALF_OPEN}
    assert probed == half_open, "an upstream is half open without exactly one probe under way"
    assert len(probed) == len([one for one in pool.leases if one.upstream.probe is one])


def check_way_out(pool: Pool) -> None:
    """Once all is well, everybody serves again and gets its share. Moves the pool on."""
    while pool.leases:
        pool.end(0, "answered")
    for _ in pool.states:
        pool.wait()
        pool.ask()
        pool.end(0, "answered")
    assert set(pool.states) == {State.CLOSED}
    served = Counter[str]()
    weights = {one.name: one.weight for one in pool.balancer.snapshot()}
    for _ in range(2 * sum(weights.values())):
        pool.ask()
        served[pool.leases[0].name] += 1
        pool.end(0, "answered")
    assert all(served[name] >= 1 for name in weights), "an upstream starves"


@pytest.mark.parametrize(
    ("weights", "most_under_way", "limit", "all_may_be_out"),
    [
        ([1], 2, None, False),
        ([1, 1], 2, None, False),
        ([2, 1], 2, None, False),
        ([1, 1, 1], 1, None, False),
        ([1], 2, 1, False),
        ([1, 1], 3, 1, False),
        ([2, 1], 2, 1, False),
        ([1], 2, None, True),
        ([1, 1], 2, None, True),
    ],
)
def test_no_state_is_without_a_way_out_nor_has_more_ejected_or_under_way_than_may_be(
    weights: list[int],
    most_under_way: int,
    limit: int | None,
    all_may_be_out: bool,
) -> None:
    balancer = Balancer(
        {name: weight for name, weight in zip("abc", weights, strict=False)},
        limits=LimitBounds(limit, limit, limit) if limit else None,
        all_may_be_out=all_may_be_out,
        eject_after=EJECT_AFTER,
    )
    start = Pool(balancer, all_may_be_out)
    seen, waiting = {start.key()}, [start]
    while waiting:
        pool = waiting.pop()
        check_limits(pool)
        for successor in successors(pool, most_under_way):
            key = successor.key()
            if key not in seen:
                seen.add(key)
                waiting.append(successor)
        check_way_out(pool)
