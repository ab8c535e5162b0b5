"""What probes add up to."""

import pytest

from orchestration.health.report import RecentError
from orchestration.services.health import (
    ERRORS_KEPT,
    FAILURES_UNTIL_UNHEALTHY,
    TRANSITIONS,
    TREND_PROBES,
    HealthBook,
    Probe,
    latency_trend,
)
from orchestration.services.ports import EngineStatus


def book_after(*probes: tuple[str, bool]) -> HealthBook:
    book = HealthBook()
    for at_ms, (name, healthy) in enumerate(probes):
        book.record(Probe(name, healthy, 3), at_ms)
    return book


def status_of(book: HealthBook, name: str) -> str:
    return next(one.status for one in book.services if one.name == name)


@pytest.mark.parametrize("was_well", [True, False])
def test_a_part_degrades_before_it_is_unhealthy_and_stays_so(was_well: bool) -> None:
    book = book_after(*([("database", True)] if was_well else []))
    seen = []
    for at_ms in range(FAILURES_UNTIL_UNHEALTHY + 2):
        seen.append(book.record(Probe("database", False, 3), at_ms).status)
    assert seen == ["degraded"] * (FAILURES_UNTIL_UNHEALTHY - 1) + ["unhealthy"] * 3


def test_a_part_that_was_degraded_is_well_at_its_next_good_probe() -> None:
    book = book_after(("database", False), ("database", True))
    assert status_of(book, "database") == "healthy"
    assert book.overall == "healthy"


def test_a_part_that_was_unhealthy_recovers_before_it_is_trusted_again() -> None:
    book = book_after(*[("whisper", False)] * 9)
    seen = [
        book.record(Probe("whisper", healthy, 3), 9).status
        for healthy in (True, False, True, True, True)
    ]
    assert seen == ["recovering", "unhealthy", "recovering", "healthy", "healthy"]


def test_every_state_leads_to_healthy_and_to_unhealthy() -> None:
    for status, follows in TRANSITIONS.items():
        assert follows["good_enough"] == "healthy", status
        assert follows["bad_enough"] == "unhealthy", status


def test_a_part_s_history_is_counted_and_bounded() -> None:
    book = HealthBook()
    for at_ms in range(4 * ERRORS_KEPT):
        book.record(Probe("whisper", at_ms % 2 == 0, 10 + at_ms % 2, detail=f"at {at_ms}"), at_ms)
    [health] = book.services
    assert (health.total_checks, health.successful_checks) == (4 * ERRORS_KEPT, 2 * ERRORS_KEPT)
    assert health.last_success_unix_ms == 4 * ERRORS_KEPT - 2
    assert health.last_failure_unix_ms == 4 * ERRORS_KEPT - 1
    assert health.average_latency_ms == 10
    assert len(health.recent_errors) == ERRORS_KEPT
    assert health.recent_errors[-1] == RecentError(4 * ERRORS_KEPT - 1, f"at {4 * ERRORS_KEPT - 1}")


@pytest.mark.parametrize(
    ("latencies_ms", "trend"),
    [
        ([10] * (TREND_PROBES - 1), "unknown"),
        ([10] * TREND_PROBES, "stable"),
        ([1] * 10 + [3] * 10, "stable"),
        ([20] * 10 + [40] * 10, "degrading"),
        ([40] * 10 + [20] * 10, "improving"),
        ([20] * 19 + [2000], "stable"),
    ],
)
def test_response_times_have_a_trend(latencies_ms: list[int], trend: str) -> None:
    assert latency_trend(latencies_ms) == trend


def test_only_an_essential_part_makes_the_service_unhealthy() -> None:
    assert book_after(("database", True), *[("whisper", False)] * 9).overall == "degraded"
    assert book_after(("whisper", True), *[("database", False)] * 9).overall == "unhealthy"


def test_a_service_that_nobody_has_looked_at_yet_is_not_called_ill() -> None:
    assert HealthBook().overall == "healthy"


def test_a_part_that_stopped_working_is_unhealthy_at_once() -> None:
    book = book_after(("consumers", True), ("consumers", True))
    stopped = Probe("consumers", False, 0, detail="stopped: session weekly", is_certain=True)
    assert book.record(stopped, 9).status == "unhealthy"


def upstream(name: str, pool: str, healthy: bool = True) -> EngineStatus:
    return EngineStatus(name, "livetranslate", healthy, 4, "" if healthy else "refused", pool)


def test_every_upstream_of_a_pool_is_a_part_of_its_own() -> None:
    book = HealthBook()
    pool = [upstream("http://a", "transcription"), upstream("http://b", "transcription", False)]
    book.record_engines(pool, 1000)

    assert {one.name: (one.status, one.pool, one.url) for one in book.services} == {
        "http://a": ("healthy", "transcription", "http://a"),
        "http://b": ("degraded", "transcription", "http://b"),
    }


def test_a_url_that_stands_in_both_pools_is_two_parts() -> None:
    book = HealthBook()
    book.record_engines(
        [upstream("http://a", "transcription"), upstream("http://a", "translation", False)], 0
    )
    assert [(one.name, one.status) for one in book.services] == [
        ("http://a (transcription)", "healthy"),
        ("http://a (translation)", "degraded"),
    ]


def test_an_upstream_that_left_its_pool_is_forgotten_and_other_parts_are_not() -> None:
    book = book_after(("database", True))
    book.record_engines([upstream("http://a", "translation", False)], 0)
    book.record_engines([upstream("http://b", "translation")], 10)
    assert [one.name for one in book.services] == ["database", "http://b"]
    assert book.overall == "healthy"
