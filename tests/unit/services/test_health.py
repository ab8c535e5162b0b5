"""What probes add up to."""

import pytest

from orchestration.services.health import FAILURES_UNTIL_UNHEALTHY, HealthBook, Probe


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


def test_one_good_probe_makes_a_part_well_again() -> None:
    book = book_after(*[("database", False)] * 9, ("database", True))
    assert status_of(book, "database") == "healthy"
    assert book.overall == "healthy"


def test_only_an_essential_part_makes_the_service_unhealthy() -> None:
    assert book_after(("database", True), *[("whisper", False)] * 9).overall == "degraded"
    assert book_after(("whisper", True), *[("database", False)] * 9).overall == "unhealthy"


def test_a_service_that_nobody_has_looked_at_yet_is_not_called_ill() -> None:
    assert HealthBook().overall == "healthy"
