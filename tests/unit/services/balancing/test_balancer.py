from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestration.services.balancing.balancer import Balancer
from orchestration.services.balancing.breaker import OPEN_BASE_MS, OPEN_MAX_MS, State
from orchestration.services.balancing.limits import LimitBounds
from orchestration.services.balancing.outliers import FEWEST_ANSWERS, SLOW_FACTOR, STREAK
from orchestration.services.balancing.policies import next_in_turn
from orchestration.services.balancing.retry_budget import (
    RESERVE_RETRIES,
    RETRY_COST,
    RetryBudget,
)
from orchestration.services.balancing.upstream import Lease


def lend(balancer: Balancer, now_ms: int, *tried: str) -> Lease:
    lease = balancer.choose(now_ms, set(tried))
    assert lease is not None
    return lease


def states(balancer: Balancer) -> dict[str, State]:
    return {one.name: one.state for one in balancer.snapshot()}


def fail_until_ejected(balancer: Balancer, name: str, now_ms: int) -> None:
    others = {one.name for one in balancer.snapshot()} - {name}
    for _ in range(STREAK):
        balancer.failed(lend(balancer, now_ms, *others), now_ms)
    assert states(balancer)[name] is State.OPEN


def test_weights_are_obeyed_within_two_percent_over_a_thousand_calls() -> None:
    balancer = Balancer({"a": 3, "b": 1, "c": 1})
    served = Counter[str]()
    for now_ms in range(1000):
        lease = lend(balancer, now_ms)
        served[lease.name] += 1
        balancer.answered(lease, now_ms)
    for name, share in {"a": 600, "b": 200, "c": 200}.items():
        assert abs(served[name] - share) <= 0.02 * share


def test_of_equals_the_one_with_the_least_under_way_is_next() -> None:
    balancer = Balancer({"a": 1, "b": 1})
    busy = lend(balancer, 0)
    balancer.answered(lend(balancer, 0), 0)
    assert lend(balancer, 0).name != busy.name


def test_an_upstream_that_fails_five_times_in_a_row_gets_nothing_for_thirty_seconds() -> None:
    balancer = Balancer({"bad": 1, "good": 1})
    fail_until_ejected(balancer, "bad", 0)
    for now_ms in range(0, OPEN_BASE_MS, 1000):
        lease = lend(balancer, now_ms)
        assert lease.name == "good"
        balancer.answered(lease, now_ms)
    assert lend(balancer, OPEN_BASE_MS).name == "bad"


def test_how_many_failures_in_a_row_eject_may_be_said() -> None:
    balancer = Balancer({"bad": 1, "good": 1}, eject_after=2)
    for state in (State.CLOSED, State.OPEN):
        balancer.failed(lend(balancer, 0, "good"), 0)
        assert states(balancer)["bad"] is state


def test_a_success_between_failures_keeps_an_upstream_in() -> None:
    balancer = Balancer({"a": 1, "b": 1})
    for _ in range(3 * STREAK):
        for _ in range(STREAK - 1):
            balancer.failed(lend(balancer, 0, "b"), 0)
        balancer.answered(lend(balancer, 0, "b"), 0)
    assert states(balancer)["a"] is State.CLOSED


def test_a_single_probe_is_under_way_at_a_time_and_its_answer_takes_the_upstream_back() -> None:
    balancer = Balancer({"bad": 1, "good": 1})
    fail_until_ejected(balancer, "bad", 0)
    probe = lend(balancer, OPEN_BASE_MS)
    assert [lend(balancer, OPEN_BASE_MS).name for _ in range(9)] == ["good"] * 9
    balancer.answered(probe, OPEN_BASE_MS)
    assert states(balancer)["bad"] is State.CLOSED


def test_time_out_doubles_with_each_failed_probe_up_to_its_limit() -> None:
    balancer = Balancer({"bad": 1, "good": 1})
    fail_until_ejected(balancer, "bad", 0)
    now_ms, waits_ms = 0, list[int]()
    for _ in range(6):
        due_ms = next(ms for ms in range(now_ms, now_ms + 400_000, 1000) if is_bad(balancer, ms))
        waits_ms.append(due_ms - now_ms)
        now_ms = due_ms
        balancer.failed(lend(balancer, now_ms), now_ms)
    doubled = [OPEN_BASE_MS << times for times in range(6)]
    assert waits_ms == [min(OPEN_MAX_MS, wait_ms) for wait_ms in doubled]


def is_bad(balancer: Balancer, now_ms: int) -> bool:
    """Whether the next request would go to the upstream that is out; leaves no trace of asking."""
    lease = lend(balancer, now_ms)
    balancer.abandoned(lease, now_ms)
    return lease.name == "bad"


def test_an_abandoned_probe_leaves_the_next_request_to_find_out() -> None:
    balancer = Balancer({"bad": 1, "good": 1})
    fail_until_ejected(balancer, "bad", 0)
    balancer.abandoned(lend(balancer, OPEN_BASE_MS), OPEN_BASE_MS)
    assert lend(balancer, OPEN_BASE_MS).name == "bad"


def test_when_nobody_else_is_left_an_ejected_upstream_is_asked_before_its_time() -> None:
    balancer = Balancer({"bad": 1, "good": 1})
    fail_until_ejected(balancer, "bad", 0)
    probe = lend(balancer, 1, "good")
    assert probe.name == "bad"
    assert balancer.choose(1, {"good"}) is None


def test_an_upstream_that_is_slow_beyond_its_peers_is_ejected() -> None:
    balancer = Balancer({"slow": 1, "good": 1})
    now_ms = 0
    for _ in range(FEWEST_ANSWERS):
        lease = lend(balancer, now_ms, "slow")
        balancer.answered(lease, now_ms + 100)
    for _ in range(STREAK):
        assert states(balancer)["slow"] is State.CLOSED
        lease = lend(balancer, now_ms, "good")
        balancer.answered(lease, now_ms + 100 * SLOW_FACTOR + 1)
    assert states(balancer)["slow"] is State.OPEN


def test_a_pool_in_which_everybody_is_equally_slow_ejects_nobody() -> None:
    balancer = Balancer({"a": 1, "b": 1})
    for _ in range(500):
        balancer.answered(lend(balancer, 0), 9000)
    assert set(states(balancer).values()) == {State.CLOSED}


def test_a_removed_upstream_gets_no_more_requests_and_its_last_answer_is_welcome() -> None:
    balancer = Balancer({"a": 1, "b": 1})
    last = lend(balancer, 0, "b")
    balancer.apply({"b": 1}, 0)
    assert {lend(balancer, 0).name for _ in range(9)} == {"b"}
    balancer.answered(last, 10)
    assert [one.name for one in balancer.snapshot()] == ["b"]


def test_a_drained_upstream_gets_no_requests_until_it_has_a_weight_again() -> None:
    balancer = Balancer({"a": 1, "b": 1})
    balancer.apply({"a": 0, "b": 1}, 0)
    assert {lend(balancer, 0).name for _ in range(9)} == {"b"}
    balancer.apply({"a": 1, "b": 1}, 0)
    assert {lend(balancer, 0).name for _ in range(9)} == {"a", "b"}


def test_when_the_sound_half_is_removed_the_ejected_half_serves_again() -> None:
    balancer = Balancer({"bad": 1, "good": 1})
    fail_until_ejected(balancer, "bad", 0)
    balancer.apply({"bad": 1}, 1)
    assert states(balancer) == {"bad": State.CLOSED}


@given(st.lists(st.sampled_from(["answered", "failed", "abandoned", "wait"]), max_size=400))
def test_whatever_happens_at_most_half_are_out_and_every_request_finds_somebody(
    happenings: list[str],
) -> None:
    balancer, now_ms = Balancer({"a": 5, "b": 2, "c": 1, "d": 1, "e": 1}), 0
    for happening in happenings:
        if happening == "wait":
            now_ms += OPEN_BASE_MS
        else:
            getattr(balancer, happening)(lend(balancer, now_ms), now_ms)
        assert sum(state is not State.CLOSED for state in states(balancer).values()) <= 2
        assert all(one.outstanding == 0 for one in balancer.snapshot())


@given(st.lists(st.booleans(), max_size=500))
def test_retries_are_at_most_a_fifth_of_the_requests_and_the_reserve(wishes: list[bool]) -> None:
    budget = RetryBudget()
    for wants_retry in wishes:
        budget.request()
        if wants_retry:
            budget.take()
    assert budget.retries <= len(wishes) // RETRY_COST + RESERVE_RETRIES
    assert budget.retries + budget.refused == sum(wishes)


def test_a_tuned_pool_ejects_limits_and_lends_by_the_new_rules_and_keeps_its_records() -> None:
    balancer = Balancer({"bad": 1, "good": 1})
    for _ in range(3):
        balancer.failed(lend(balancer, 0, "good"), 0)
    balancer.tune(LimitBounds(1, 2, 1), next_in_turn, 4)
    assert [one.limit for one in balancer.snapshot()] == [1, 1]
    balancer.failed(lend(balancer, 0, "good"), 0)
    assert states(balancer)["bad"] is State.OPEN
    balancer.tune(LimitBounds(5, 9, 5), next_in_turn, 4)
    assert [one.limit for one in balancer.snapshot()] == [5, 5]
    balancer.tune(None, next_in_turn, 4)
    assert [one.limit for one in balancer.snapshot()] == [None, None]
    assert sum(one.failures for one in balancer.snapshot()) == 4
