"""Who of several sound upstreams is next."""

import random
from collections.abc import Callable, Sequence

from orchestration.services.balancing.upstream import Upstream

Policy = Callable[[Sequence[Upstream], int], Upstream]
"""One of at least one upstream, at a time in milliseconds."""


def next_in_turn(upstreams: Sequence[Upstream], now_ms: int = 0) -> Upstream:
    """Nginx's smooth weighted round robin: shares by weight, without bursts to the heaviest.

    Everyone gains its weight, the richest serves and pays what all gained together; of equally
    rich ones, who has the least under way.
    """
    for one in upstreams:
        one.current_weight += one.weight
    chosen = max(upstreams, key=lambda one: (one.current_weight, -one.outstanding))
    chosen.current_weight -= sum(one.weight for one in upstreams)
    return chosen


def least_latency(rng: random.Random) -> Policy:
    """Of two taken at random, who will answer first (Mitzenmacher, The Power of Two Choices in
    Randomized Load Balancing, 1996); of equals, who has the least under way."""

    def choose(upstreams: Sequence[Upstream], now_ms: int) -> Upstream:
        pair = upstreams if len(upstreams) < 3 else rng.sample(upstreams, 2)
        return min(
            pair,
            key=lambda one: (
                one.latency.cost(one.outstanding, one.weight, now_ms),
                one.outstanding,
            ),
        )

    return choose
