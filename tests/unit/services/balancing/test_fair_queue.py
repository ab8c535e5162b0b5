from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestration.services.balancing.fair_queue import FairQueue


def everybody(item: object) -> bool:
    return True


def drained(queue: FairQueue[str]) -> list[str]:
    taken = []
    while (item := queue.take(everybody)) is not None:
        taken.append(item)
    return taken


def test_a_session_that_waits_with_one_request_passes_the_backlog_of_another() -> None:
    queue = FairQueue[str](100)
    for index in range(50):
        queue.put(f"flood {index}", "flood", 1000)
    queue.put("quiet", "quiet", 9000)
    assert "quiet" in [queue.take(everybody) for _ in range(2)]


def test_within_a_session_the_oldest_deadline_goes_first() -> None:
    queue = FairQueue[str](10)
    for name, deadline_ms in (("late", 300), ("early", 100), ("middle", 200)):
        queue.put(name, "s", deadline_ms)
    assert drained(queue) == ["early", "middle", "late"]


def test_between_equal_sessions_the_oldest_deadline_goes_first() -> None:
    queue = FairQueue[str](10)
    queue.put("late", "a", 300)
    queue.put("early", "b", 100)
    assert drained(queue) == ["early", "late"]


def test_of_one_too_many_the_longest_line_loses_its_latest() -> None:
    queue = FairQueue[str](3)
    for index in range(3):
        queue.put(f"flood {index}", "flood", 100 + index)
    assert queue.put("flood 3", "flood", 103) == "flood 3"
    assert queue.put("quiet", "quiet", 900) == "flood 2"
    assert len(queue) == 3


def test_a_request_that_nobody_can_take_yet_lets_others_pass_and_keeps_its_turn() -> None:
    queue = FairQueue[str](10)
    queue.put("stuck", "a", 1)
    queue.put("free", "b", 2)
    assert queue.take(lambda item: item == "free") == "free"
    queue.put("later", "b", 0)
    assert queue.take(everybody) == "stuck"


def test_who_withdraws_is_not_charged() -> None:
    queue = FairQueue[str](10)
    queue.put("first", "a", 1)
    queue.remove("first", "a")
    queue.remove("never there", "a")
    queue.put("again", "a", 1)
    queue.put("other", "b", 2)
    assert drained(queue) == ["again", "other"]


def test_sessions_share_by_cost() -> None:
    queue = FairQueue[str](100)
    for index in range(30):
        queue.put("long", "long", index, cost=10)
        queue.put("short", "short", index, cost=1)
    taken = Counter(queue.take(everybody) for _ in range(22))
    assert (taken["long"], taken["short"]) == (2, 20)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(1, 5), st.integers(0, 99)), max_size=120
    ),
    st.integers(1, 60),
)
def test_no_two_backlogged_sessions_are_ever_apart_by_more_than_two_requests_cost(
    puts: list[tuple[str, int, int]], most: int
) -> None:
    queue, lost, waiting = FairQueue[tuple[str, int, int]](most), 0, Counter[str]()
    for number, (session, cost, deadline_ms) in enumerate(puts):
        waiting[session] += 1
        loser = queue.put((session, cost, number), session, deadline_ms, cost)
        if loser is not None:
            lost += 1
            waiting[loser[0]] -= 1
        assert len(queue) <= most
    served = Counter[str]()
    while (item := queue.take(everybody)) is not None:
        served[item[0]] += item[1]
        waiting[item[0]] -= 1
        backlogged = [served[session] for session in "abcd" if waiting[session]]
        assert max(backlogged, default=0) - min(backlogged, default=0) <= 2 * 5
    assert served.total() <= sum(cost for _, cost, _ in puts)
    assert not waiting.total()


def test_who_waits_keeps_waiting_when_fewer_may() -> None:
    queue = FairQueue[str](3)
    for index in range(3):
        assert queue.put(f"a{index}", "a", index) is None
    queue.limit(1)
    assert len(queue) == 3
    assert queue.put("b0", "b", 0) is not None
    assert len(queue) == 3
