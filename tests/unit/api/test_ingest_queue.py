"""The queue between a connection's reader and its session, and the rate of facts."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from orchestration.api.ingest_queue import FactRate, IngestQueue
from orchestration.session.inputs import AudioFrame


def frame(seq: int) -> AudioFrame:
    return AudioFrame(0, seq, seq * 10, b"")


async def test_a_batch_holds_what_waits_up_to_its_bytes_in_order() -> None:
    queue = IngestQueue(max_bytes=1000)
    for seq in range(5):
        await queue.put(frame(seq), 100, received_unix_ms=seq)

    batch = await queue.take(max_bytes=300)

    assert [item.seq for item in batch.items if isinstance(item, AudioFrame)] == [0, 1, 2]
    assert batch.received_unix_ms == 2


async def test_an_item_larger_than_a_batch_goes_alone() -> None:
    queue = IngestQueue(max_bytes=1000)
    await queue.put(frame(0), 500, 0)
    await queue.put(frame(1), 500, 0)

    assert len((await queue.take(max_bytes=100)).items) == 1


async def test_a_full_queue_holds_the_reader_until_something_is_taken() -> None:
    queue = IngestQueue(max_bytes=100)
    await queue.put(frame(0), 100, 0)
    held = asyncio.create_task(queue.put(frame(1), 100, 0))
    await asyncio.sleep(0)
    assert not held.done()

    await queue.take(1000)
    await held

    assert (await queue.take(1000)).items == (frame(1),)


async def test_taking_waits_for_the_first_item() -> None:
    queue = IngestQueue(max_bytes=100)
    taking = asyncio.create_task(queue.take(1000))
    await asyncio.sleep(0)

    await queue.put(frame(0), 1, 0)

    assert (await taking).items == (frame(0),)


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
