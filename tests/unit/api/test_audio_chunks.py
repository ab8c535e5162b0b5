import asyncio

import pytest

from orchestration.api.audio_chunks import ChunkSender
from orchestration.api.connection import Detached
from orchestration.audio.pcm import PcmFormat
from orchestration.errors import SessionEnded
from orchestration.session.exchange import IngestBatch, IngestReply, Notice
from orchestration.session.inputs import SampleMoment, SpeakerFact, StreamSpec
from orchestration.storage.values import SessionSpec
from tests.doubles.in_memory_archive import InMemoryArchive
from tests.doubles.in_memory_sessions import InMemorySession, InMemorySessions

SPEC = StreamSpec(0, PcmFormat("s16le", 16_000, 1))
CHUNK = bytes(3200)
FACT = SpeakerFact(0, "start", "p-1", "Ana", SampleMoment(0, 0))


@pytest.fixture
async def sessions() -> InMemorySessions:
    created = InMemorySessions(InMemoryArchive())
    await created.create(SessionSpec("s1"))
    return created


@pytest.fixture
def session(sessions: InMemorySessions) -> InMemorySession:
    return sessions.running["s1"]


@pytest.fixture
def sender(sessions: InMemorySessions) -> ChunkSender:
    return ChunkSender("s1", sessions, sessions.archive, Detached())


async def test_a_chunk_whose_caller_left_before_the_answer_is_followed_and_not_contradicted(
    session: InMemorySession, sender: ChunkSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    push, stored = session.push, asyncio.Event()

    async def without_an_answer(connection_id: str, batch: IngestBatch) -> IngestReply:
        await push(connection_id, batch)
        stored.set()
        return await asyncio.Future[IngestReply]()

    await sender.store(SPEC, None, None, CHUNK, read_ns=0)
    with monkeypatch.context() as patched:
        patched.setattr(session, "push", without_an_answer)
        for work in (
            sender.store(SPEC, None, None, b"a" * 3200, read_ns=0),
            sender.tell(FACT, False),
        ):
            caller = asyncio.ensure_future(work)
            await stored.wait()
            stored.clear()
            caller.cancel()
            await asyncio.wait([caller])
    after = await sender.store(SPEC, None, None, b"b" * 3200, read_ns=0)
    told = await sender.tell(FACT, numbered=False)

    assert (after.sequence, after.first_sample) == (2, 3200)
    assert (told.fact, told.repeated) == (1, False)


async def test_a_session_that_another_sender_ended_takes_no_chunk(
    session: InMemorySession, sender: ChunkSender
) -> None:
    await sender.store(SPEC, 0, None, CHUNK, read_ns=0)
    await session.connect("a newer one", [])
    session.complete()
    with pytest.raises(SessionEnded):
        await sender.store(SPEC, 1, None, CHUNK, read_ns=0)


async def test_between_chunks_the_session_knows_its_sender_there_until_it_is_let_go(
    session: InMemorySession, sender: ChunkSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice, asked = session.notice, asyncio.Semaphore(0)
    under_way = 0

    async def counted(connection_id: str) -> Notice:
        nonlocal under_way
        under_way += 1
        asked.release()
        try:
            return await notice(connection_id)
        finally:
            under_way -= 1

    monkeypatch.setattr(session, "notice", counted)
    await sender.store(SPEC, None, None, CHUNK, read_ns=0)
    async with asyncio.timeout(60):
        for _ in range(3):
            await asked.acquire()
    sender.close()
    async with asyncio.timeout(60):
        while under_way:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0)
    await sender.store(SPEC, None, None, CHUNK, read_ns=0)
    async with asyncio.timeout(60):
        await asked.acquire()
    sender.close()
