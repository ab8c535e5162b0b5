import random
from collections import Counter

from orchestration.services.balancing.balancer import Balancer
from orchestration.services.balancing.hedging import Hedging
from orchestration.services.balancing.latency import DECAY_MS, PeakEwma
from orchestration.services.balancing.limits import LimitBounds
from orchestration.services.balancing.outliers import FEWEST_ANSWERS
from orchestration.services.balancing.policies import least_latency


def test_a_worse_latency_counts_at_once_and_a_better_one_by_and_by() -> None:
    latency = PeakEwma()
    latency.answered(100, 0)
    latency.answered(900, 10)
    assert latency.at(10) == 900
    latency.answered(100, 10 + DECAY_MS // 10)
    assert 700 < latency.at(10 + DECAY_MS // 10) < 900
    assert latency.at(10 + 20 * DECAY_MS) < 1


def test_by_latency_the_faster_serves_more_and_the_slower_is_not_forgotten() -> None:
    balancer = Balancer({"slow": 1, "fast": 1}, policy=least_latency(random.Random(1)))
    served, now_ms = Counter[str](), 0
    for _ in range(500):
        lease = balancer.choose(now_ms)
        assert lease is not None
        served[lease.name] += 1
        now_ms += 900 if lease.name == "slow" else 300
        balancer.answered(lease, now_ms)
    assert served["fast"] > 2 * served["slow"]
    assert served["slow"] > 5


def test_by_latency_of_equals_the_one_with_the_least_under_way_is_next() -> None:
    balancer = Balancer({"a": 1, "b": 1, "c": 1}, policy=least_latency(random.Random(1)))
    busy = [balancer.choose(0) for _ in range(9)]
    names = Counter(lease.name for lease in busy if lease)
    assert max(names.values()) <= 5


def test_an_upstream_at_its_limit_is_passed_over_and_a_full_pool_lends_nobody() -> None:
    balancer = Balancer({"a": 3, "b": 1}, limits=LimitBounds(1, 1, 1))
    first, second = balancer.choose(0), balancer.choose(0)
    assert first
    assert second
    assert {first.name, second.name} == {"a", "b"}
    assert balancer.choose(0) is None
    balancer.answered(second, 1)
    third = balancer.choose(1)
    assert third
    assert third.name == second.name


def test_a_pool_that_may_be_out_as_a_whole_serves_nothing_until_a_probe_is_due() -> None:
    balancer = Balancer({"a": 1}, all_may_be_out=True)
    for _ in range(5):
        lease = balancer.choose(0)
        assert lease
        balancer.failed(lease, 0)
    assert balancer.choose(29_999) is None
    assert balancer.choose(30_000) is not None


def test_where_requests_are_not_alike_nobody_is_ejected_for_being_slow() -> None:
    balancer = Balancer({"transcribes": 1, "tells": 1}, ejects_slow=False)
    for now_ms in range(0, 1_000_000, 10_000):
        lease = balancer.choose(now_ms)
        assert lease
        balancer.answered(lease, now_ms + (9_000 if lease.name == "transcribes" else 1))
    assert [one.ejections for one in balancer.snapshot()] == [0, 0]


def test_requests_are_hedged_after_the_ninetieth_percentile_once_it_is_known() -> None:
    hedging = Hedging()
    for latency_ms in range(FEWEST_ANSWERS - 1):
        hedging.answered(latency_ms)
    assert hedging.delay_ms is None
    hedging.answered(FEWEST_ANSWERS - 1)
    assert hedging.delay_ms == FEWEST_ANSWERS * 9 // 10 - 1
