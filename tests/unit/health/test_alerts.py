"""Alerts raised and cleared by literal figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.health.alerts import (
    RULES,
    UNMEASURED_MS,
    Alert,
    AlertBook,
    AlertRule,
    Figure,
)

HOT = AlertRule("hot", "warning", "degrees", 80, 70, 20_000, "{subject} has {value} degrees.")


def degrees(value: int, subject: str = "oven") -> list[Figure]:
    return [Figure("degrees", subject, value)]


def test_an_alert_is_raised_once_its_figure_lasted() -> None:
    book = AlertBook([HOT])
    assert book.observe(degrees(80), 0) == ()
    assert book.observe(degrees(85), 19_999) == ()

    (raised,) = book.observe(degrees(90), 20_000)

    assert (raised.code, raised.message) == ("hot", "oven has 90 degrees.")
    assert (raised.raised_unix_ms, raised.cleared_unix_ms) == (20_000, None)
    assert book.active == (raised,)
    assert book.observe(degrees(95), 30_000) == ()


def test_a_figure_that_fell_in_between_starts_anew() -> None:
    book = AlertBook([HOT])
    for at_ms, value in ((0, 80), (10_000, 79), (20_000, 80), (39_999, 80)):
        assert book.observe(degrees(value), at_ms) == ()
    assert len(book.observe(degrees(80), 40_000)) == 1


def test_an_alert_holds_until_its_figure_is_well_below() -> None:
    book = AlertBook([HOT])
    book.observe(degrees(80), 0)
    book.observe(degrees(80), 20_000)
    assert book.observe(degrees(70), 30_000) == ()

    (cleared,) = book.observe(degrees(69), 40_000)

    assert cleared.cleared_unix_ms == 40_000
    assert book.active == ()


def test_subjects_have_alerts_of_their_own_and_one_that_is_gone_keeps_none() -> None:
    book = AlertBook([HOT])
    book.observe(degrees(80) + degrees(10, "fridge"), 0)
    book.observe(degrees(80) + degrees(10, "fridge"), 20_000)
    assert [one.subject for one in book.active] == ["oven"]

    assert book.observe(degrees(10, "fridge"), 20_000 + UNMEASURED_MS - 1) == ()
    (cleared,) = book.observe(degrees(10, "fridge"), 20_000 + UNMEASURED_MS)

    assert cleared.subject == "oven"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_can_be_raised_and_cleared(rule: AlertRule) -> None:
    book = AlertBook()
    book.observe([Figure(rule.figure, "it", rule.raise_at)], 0)
    book.observe([Figure(rule.figure, "it", rule.raise_at)], rule.for_ms)
    assert rule.code in [one.code for one in book.active]

    book.observe([Figure(rule.figure, "it", rule.clear_below - 1)], rule.for_ms + 1)

    assert rule.code not in [one.code for one in book.active]


@given(st.lists(st.tuples(st.integers(1, 30_000), st.integers(60, 90)), max_size=60))
def test_an_alert_is_never_raised_twice_nor_cleared_while_its_figure_is_high(
    looks: list[tuple[int, int]],
) -> None:
    book, now_ms, is_active = AlertBook([HOT]), 0, False
    for waited_ms, value in looks:
        now_ms += waited_ms
        for change in book.observe(degrees(value), now_ms):
            assert (change.cleared_unix_ms is None) is not is_active
            assert value >= HOT.raise_at if not is_active else value < HOT.clear_below
            is_active = not is_active
    assert bool(book.active) is is_active


def test_what_held_before_a_restart_is_not_raised_again_and_clears_as_ever() -> None:
    before = AlertBook([HOT])
    before.observe(degrees(80), 0)
    (raised,) = before.observe(degrees(80), 20_000)
    book = AlertBook([HOT])
    book.restore([raised], 100_000)

    assert book.observe(degrees(90), 100_000) == ()
    assert book.active == (raised,)
    (cleared,) = book.observe(degrees(60), 110_000)
    assert (cleared.raised_unix_ms, cleared.cleared_unix_ms) == (20_000, 110_000)


def test_an_alert_of_before_that_nobody_measures_any_more_is_cleared() -> None:
    book = AlertBook([HOT])
    book.restore([Alert("forgotten", "warning", "it", "Once there was a rule.", 1, 0)], 1000)
    assert book.observe(degrees(10), UNMEASURED_MS) == ()
    (cleared,) = book.observe(degrees(10), 1000 + UNMEASURED_MS)
    assert cleared.code == "forgotten"


def test_a_clock_that_is_set_back_delays_no_alert_and_ends_none() -> None:
    book = AlertBook([HOT])
    for at_ms in (10_000_000, 10_019_000):
        assert book.observe(degrees(80), at_ms) == ()
    assert book.observe(degrees(80), 5_000) == ()
    (raised,) = book.observe(degrees(80), 25_000)
    assert raised.raised_unix_ms == 25_000
    (cleared,) = book.observe([], 25_000 + UNMEASURED_MS)
    assert cleared.code == "hot"
