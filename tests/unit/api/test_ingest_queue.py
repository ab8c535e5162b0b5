"""The queue between a connection's reader and its session, and the rate of facts."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from orchestration.api.ingest_queue import FactRate, IngestQueue, ingest_backlog
from orchestration.session.exchange import IngestBatch
from orchestration.session.inputs import AudioFrame, EndOfStreams

A_LONG_TIME_S = 3600.0


def frame(seq: int) -> AudioFrame:
    return AudioFrame(0, seq, seq * 10, b"")


def queue_of(max_bytes: int, plenty_bytes: int = 1000, plenty_items: int = 10) -> IngestQueue:
    return IngestQueue(max_bytes, plenty_bytes, plenty_items)


def take_lingering(queue: IngestQueue) -> "asyncio.Task[IngestBatch]":
    until_s = asyncio.get_running_loop().time() + A_LONG_TIME_S
    return asyncio.create_task(queue.take(1000, until_s))


async def let_others_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_batch_holds_what_waits_up_to_its_bytes_in_order() -> None:
    queue = queue_of(max_bytes=1000)
    for seq in range(5):
        await queue.put(frame(seq), 100, received_ns=seq)

    batch = await queue.take(max_bytes=300)

    assert [item.seq for item in batch.items if isinstance(item, AudioFrame)] == [0, 1, 2]
    assert batch.received_ns == (0, 1, 2)


async def test_an_item_larger_than_a_batch_goes_alone() -> None:
    queue = queue_of(max_bytes=1000)
    await queue.put(frame(0), 500, 0)
    await queue.put(frame(1), 500, 0)

    assert len((await queue.take(max_bytes=100)).items) == 1


async def test_a_full_queue_holds_the_reader_until_something_is_taken() -> None:
    queue = queue_of(max_bytes=100)
    await queue.put(frame(0), 100, 0)
    held = asyncio.create_task(queue.put(frame(1), 100, 0))
    await asyncio.sleep(0)
    assert not held.done()

    await queue.take(1000)
    await held

    assert (await queue.take(1000)).items == (frame(1),)


async def test_taking_waits_for_the_first_item() -> None:
    queue = queue_of(max_bytes=100)
    taking = asyncio.create_task(queue.take(1000))
    await asyncio.sleep(0)

    await queue.put(frame(0), 1, 0)

    assert (await taking).items == (frame(0),)


async def test_frames_that_come_while_a_batch_lingers_share_it() -> None:
    queue = queue_of(max_bytes=1000, plenty_bytes=300)
    await queue.put(frame(0), 100, 0)
    taking = take_lingering(queue)
    await queue.put(frame(1), 100, 0)
    await let_others_run()
    assert not taking.done()

    await queue.put(frame(2), 100, 0)

    assert (await taking).items == (frame(0), frame(1), frame(2))


async def test_a_batch_lingers_no_longer_than_it_may() -> None:
    queue = queue_of(max_bytes=1000)
    await queue.put(frame(0), 100, 0)

    soon_s = asyncio.get_running_loop().time() + 0.01
    assert (await queue.take(1000, soon_s)).items == (frame(0),)


async def test_many_small_frames_do_not_linger() -> None:
    queue = queue_of(max_bytes=1000, plenty_items=2)
    taking = take_lingering(queue)
    await queue.put(frame(0), 1, 0)
    await queue.put(frame(1), 1, 0)

    assert (await taking).items == (frame(0), frame(1))


async def test_the_end_does_not_linger() -> None:
    queue = queue_of(max_bytes=1000)
    end = EndOfStreams(((0, 0),), -1)
    await queue.put(frame(0), 1, 0)
    taking = take_lingering(queue)
    await queue.put(end, 1, 0)

    assert (await taking).items == (frame(0), end)


async def test_what_a_full_batch_leaves_behind_does_not_linger() -> None:
    queue = queue_of(max_bytes=5000, plenty_bytes=1000)
    for seq in range(3):
        await queue.put(frame(seq), 700, 0)

    assert (await take_lingering(queue)).items == (frame(0),)
    assert (await take_lingering(queue)).items == (frame(1),)


def test_a_burst_within_the_rate_passes_at_once_and_the_next_waits() -> None:
    rate = FactRate(50, now_s=10.0)

    assert [rate.delay_s(10.0) for _ in range(50)] == [0.0] * 50
    assert rate.delay_s(10.0) == 1 / 50


@given(st.integers(1, 100), st.lists(st.floats(0, 2), max_size=200))
def test_no_more_than_a_burst_and_the_rate_pass(per_s: int, pauses_s: list[float]) -> None:
    rate = FactRate(per_s, now_s=0.0)
    now_s = 0.0
    for number, pause_s in enumerate(pauses_s, start=1):
        now_s += pause_s
        now_s += rate.delay_s(now_s)
        assert number <= per_s + now_s * per_s + 1e-6


async def test_what_waits_in_all_queues_is_told_and_forgotten_with_its_queue() -> None:
    before = ingest_backlog()
    queue = queue_of(max_bytes=1000)
    await queue.put(frame(0), 300, 0)
    await queue.put(frame(1), 200, 0)
    during = ingest_backlog()
    del queue

    assert during["ingest_items_waiting"] == before["ingest_items_waiting"] + 2
    assert during["ingest_bytes_waiting"] == before["ingest_bytes_waiting"] + 500
    assert ingest_backlog() == before
