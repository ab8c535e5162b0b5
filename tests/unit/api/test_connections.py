"""What the registry of WebSockets counts, and whom it lets in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.api.connections import Connection, ConnectionRegistry, Traffic
from orchestration.errors import LimitReached


def connection(
    number: int, address: str = "192.0.2.1", session_id: str | None = None
) -> Connection:
    return Connection(f"c{number}", "live", address, "agent", session_id, number)


def test_a_rate_is_of_the_last_whole_window_and_ends_with_a_silence() -> None:
    traffic = Traffic()
    for now_ms in range(0, 10_000, 100):
        traffic.count(10, now_ms)

    assert traffic.per_s(9_999) == 0
    assert traffic.per_s(10_000) == 10
    assert traffic.per_s(19_999) == 10
    assert traffic.per_s(20_000) == 0
    assert (traffic.messages, traffic.bytes) == (100, 1000)


def test_a_window_without_messages_is_not_skipped() -> None:
    traffic = Traffic()
    traffic.count(1, 0)
    traffic.count(1, 25_000)

    assert traffic.per_s(25_000) == 0
    assert traffic.per_s(30_000) == 0.1


def test_one_more_than_allowed_is_refused_and_room_is_made_by_leaving() -> None:
    registry = ConnectionRegistry(2, 10)
    first, second = connection(1), connection(2)
    registry.open(first)
    registry.open(second)
    with pytest.raises(LimitReached) as refused:
        registry.open(connection(3))
    registry.close(first)
    registry.open(connection(4))

    assert refused.value.facts["limit"] == "websocket_max_connections"
    assert [one.connection_id for one in registry] == ["c2", "c4"]
    assert (registry.opened, registry.refused, registry.peak, registry.peak_unix_ms) == (3, 1, 2, 2)


def test_one_address_cannot_take_the_others_places() -> None:
    registry = ConnectionRegistry(10, 1)
    registry.open(connection(1, "192.0.2.1"))
    with pytest.raises(LimitReached) as refused:
        registry.open(connection(2, "192.0.2.1"))
    registry.open(connection(3, "192.0.2.2"))

    assert refused.value.facts == {"limit": "websocket_max_per_address", "max": 1}


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_behind_a_loopback_address_there_may_be_many(address: str) -> None:
    registry = ConnectionRegistry(10, 1)
    for number in range(3):
        registry.open(connection(number, address))

    assert (len(registry), len(set(registry.addresses))) == (3, 1)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60))
def test_what_is_counted_is_what_is_open(moves: list[tuple[bool, int]]) -> None:
    registry = ConnectionRegistry(4, 2)
    opened: list[Connection] = []
    most = 0
    for number, (comes, which) in enumerate(moves):
        if comes:
            one = connection(number, f"192.0.2.{which % 3}", f"s{which}")
            try:
                registry.open(one)
            except LimitReached:
                continue
            opened.append(one)
            most = max(most, len(opened))
        elif opened:
            registry.close(opened.pop(which % len(opened)))

        assert list(registry) == opened
        assert len(set(registry.addresses)) == len({one.address for one in opened})
        assert len(set(registry.sessions)) == len({one.session_id for one in opened})
        assert sum(registry.by_kind().values()) == len(opened) <= 4
    assert registry.peak == most


def test_addresses_of_one_ipv6_network_are_limited_together() -> None:
    registry = ConnectionRegistry(10, 2)
    one = [connection(number, f"2001:db8::{number}") for number in range(1, 4)]
    registry.open(one[0])
    registry.open(one[1])
    with pytest.raises(LimitReached):
        registry.open(one[2])
    registry.open(connection(4, "2001:db8:0:1::1"))
    registry.close(one[0])
    registry.open(one[2])
    assert len(list(registry.addresses)) == 2
