"""The service's clock."""

from orchestration.timing.service_clock import ServiceClock


def test_the_service_s_clock_goes_with_the_monotonic_one_from_the_anchor_on() -> None:
    clock = ServiceClock.anchored(unix_ns=1_700_000_000_000_000_000, monotonic_ns=500)
    assert clock.unix_ns(500) == 1_700_000_000_000_000_000
    assert clock.unix_ns(750) == 1_700_000_000_000_000_250
