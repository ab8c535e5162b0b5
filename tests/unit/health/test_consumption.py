"""Consumers at literal times."""

from hypothesis import given
from hypothesis import strategies as st

from orchestration.health.alerts import Figure
from orchestration.health.consumption import Consumption, ConsumptionWatch, consumption_figures


def test_a_consumer_with_work_and_no_progress_has_stopped() -> None:
    watch = ConsumptionWatch(100)
    assert watch.look([Consumption("s1", 3, 7)], 0) == ()
    assert watch.look([Consumption("s1", 4, 7)], 99) == ()
    assert watch.look([Consumption("s1", 5, 7)], 100) == ("s1",)
    assert watch.look([Consumption("s1", 5, 8)], 110) == ()


def test_a_consumer_without_work_has_not_stopped() -> None:
    watch = ConsumptionWatch(100)
    for now_ms in (0, 100, 200):
        assert watch.look([Consumption("s1", 0, 7)], now_ms) == ()
    assert watch.look([Consumption("s1", 1, 7)], 299) == ()
    assert watch.look([Consumption("s1", 1, 7)], 300) == ("s1",)


def test_a_consumer_that_restarted_has_its_time() -> None:
    watch = ConsumptionWatch(100)
    watch.look([Consumption("s1", 3, 7)], 0)
    assert watch.look([Consumption("s1", 3, 0)], 100) == ()
    assert watch.look([], 150) == ()
    assert watch.look([Consumption("s1", 3, 0)], 200) == ()


def test_alert_rules_hear_of_every_consumer() -> None:
    consumers = [Consumption("s1", 1, 1), Consumption("s2", 1, 1)]
    assert consumption_figures(consumers, ["s2"]) == (
        Figure("stopped_consuming", "s1", 0),
        Figure("stopped_consuming", "s2", 1),
    )


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 2)), max_size=50))
def test_whoever_does_anything_in_time_never_stops(looks: list[tuple[int, int]]) -> None:
    watch, now_ms, done = ConsumptionWatch(100), 0, 0
    for waited_ms, waiting in looks:
        now_ms, done = now_ms + waited_ms, done + 1
        assert watch.look([Consumption("it", waiting, done)], now_ms) == ()
