"""How many requests a client may make, and when the next is let through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.api import request_rate
from orchestration.api.request_rate import RequestBuckets

CLIENT = "192.0.2.1"
PER_S = st.integers(1, 5000)
BURST = st.integers(1, 50)
GAPS_MS = st.lists(st.one_of(st.just(0), st.integers(0, 3000)), max_size=200)


@given(PER_S, BURST, GAPS_MS)
def test_no_span_of_time_lets_more_through_than_the_burst_and_the_rate(
    per_s: int, burst: int, gaps_ms: list[int]
) -> None:
    buckets = RequestBuckets(per_s, burst)
    now_ms, let_through_ms = 0, []
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        if not buckets.take(CLIENT, now_ms):
            let_through_ms.append(now_ms)
    for first, since_ms in enumerate(let_through_ms):
        for count, until_ms in enumerate(let_through_ms[first:], 1):
            assert count * 1000 <= burst * 1000 + (until_ms - since_ms) * per_s
    assert buckets.refused == len(gaps_ms) - len(let_through_ms)


@given(PER_S, BURST, GAPS_MS)
def test_whoever_waits_as_told_is_let_through_and_not_a_millisecond_sooner(
    per_s: int, burst: int, gaps_ms: list[int]
) -> None:
    buckets = RequestBuckets(per_s, burst)
    now_ms = 0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        wait_ms = buckets.take(CLIENT, now_ms)
        if wait_ms:
            assert wait_ms == 1 or buckets.take(CLIENT, now_ms + wait_ms - 1)
            now_ms += wait_ms
            assert buckets.take(CLIENT, now_ms) == 0


@given(PER_S, BURST)
def test_a_client_that_keeps_to_the_rate_is_never_refused(per_s: int, burst: int) -> None:
    buckets = RequestBuckets(per_s, burst)
    gap_ms = -(-1000 // per_s)
    assert not any(buckets.take(CLIENT, number * gap_ms) for number in range(200))


def test_clients_have_a_bucket_each_and_loopback_and_a_limit_of_0_have_none() -> None:
    buckets = RequestBuckets(1, 1)
    assert [buckets.take(one, 0) for one in (CLIENT, CLIENT, "192.0.2.2")] == [0, 1000, 0]
    assert not any(buckets.take(one, 0) for one in ("127.0.0.1", "::1") for _ in range(3))
    unlimited = RequestBuckets(0, 1)
    assert not any(unlimited.take(CLIENT, 0) for _ in range(3))
    assert (len(buckets), len(unlimited)) == (2, 0)


def test_another_limit_holds_from_the_next_request_on() -> None:
    buckets = RequestBuckets(1, 1)
    assert buckets.take(CLIENT, 0) == 0
    buckets.limit(10, 3)
    assert buckets.take(CLIENT, 0) == 100
    assert [buckets.take(CLIENT, 1000) for _ in range(4)] == [0, 0, 0, 100]
    buckets.limit(0, 3)
    assert buckets.take(CLIENT, 1000) == 0


def test_the_address_that_asked_least_lately_is_forgotten_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_rate, "BUCKETS_KEPT", 2)
    buckets = RequestBuckets(1, 1)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        buckets.take(address, 0)
    assert len(buckets) == 2
    assert buckets.take("192.0.2.1", 0) == 1000
    assert buckets.take("192.0.2.2", 0) == 0


@pytest.mark.parametrize(
    ("address", "known_as"),
    [
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.7"),
        ("testclient", "testclient"),
    ],
)
def test_a_network_of_one_household_has_one_bucket(address: str, known_as: str) -> None:
    buckets = RequestBuckets(per_s=1, burst=1)
    assert buckets.take(known_as, 0) == 0
    assert buckets.take(address, 0) == 1000
