"""A viewer's queue: durable events in order, passing ones merged and dropped first."""

import pytest

from orchestration.api.live_hub import (
    Outgoing,
    ViewerQueue,
    durable_outgoing,
    passing_outgoing,
)
from orchestration.errors import LimitReached
from orchestration.session.events import DurableEvent, PassingEvent, pending_key


def durable(seq: int) -> Outgoing:
    return durable_outgoing(DurableEvent(seq, "segment", {"segment": {}}))


def passing(key: str, value: int = 0) -> Outgoing:
    return passing_outgoing(PassingEvent(key, "level", {"value": value}))


async def drain(queue: ViewerQueue) -> list[Outgoing]:
    queue.close()
    drained = []
    while (event := await queue.take()) is not None:
        drained.append(event)
    return drained


async def test_events_come_in_order() -> None:
    queue = ViewerQueue(10)
    events = [durable(1), passing("a"), durable(2)]
    for event in events:
        queue.offer(event)

    assert await drain(queue) == events


async def test_a_passing_event_replaces_the_one_with_its_key_at_the_end() -> None:
    queue = ViewerQueue(10)
    for event in [passing("pending 0", 1), durable(1), passing("pending 0", 2)]:
        queue.offer(event)

    assert await drain(queue) == [durable(1), passing("pending 0", 2)]


async def test_what_is_final_is_no_more_waiting_as_pending() -> None:
    queue = ViewerQueue(10)
    final = durable_outgoing(DurableEvent(1, "segment", {"segment": {"stream": 0}}))
    other = passing(pending_key(1))
    for event in [passing(pending_key(0)), other, final]:
        queue.offer(event)

    assert await drain(queue) == [other, final]


async def test_a_full_queue_drops_passing_events_before_durable_ones() -> None:
    queue = ViewerQueue(3)
    for event in [passing("a"), passing("b"), durable(1), durable(2), passing("c"), durable(3)]:
        queue.offer(event)

    assert await drain(queue) == [durable(1), durable(2), durable(3)]


async def test_a_queue_full_of_durable_events_says_that_its_viewer_is_too_slow() -> None:
    queue = ViewerQueue(2)
    for seq in (1, 2, 3):
        queue.offer(durable(seq))

    with pytest.raises(LimitReached) as slow:
        await queue.overflow()

    assert slow.value.close_code == 1013
    assert slow.value.facts["limit"] == "viewer_queue_events"


async def test_a_final_status_is_the_last_event() -> None:
    for status, is_last in [("completed", True), ("failed", True), ("ending", False)]:
        event = DurableEvent(1, "status", {"status": status, "detail": None})
        assert durable_outgoing(event).is_last is is_last
