"""Asking all replicas at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from orchestration.api import roll_call as roll_call_module
from orchestration.api.roll_call import RollCall
from orchestration.errors import LimitReached


@asynccontextmanager
async def answering(place: RollCall, *members: str) -> AsyncIterator[None]:
    """Members that answer each question with it and their names."""

    async def answer(member: str) -> None:
        seen = 0
        while True:
            for number, question in await place.wait(member, seen):
                seen = max(seen, number)
                await place.answer(member, number, f"{question} {member}")

    tasks = [asyncio.create_task(answer(member)) for member in members]
    await asyncio.sleep(0)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_every_member_answers_every_question() -> None:
    place = RollCall()
    async with answering(place, "a", "b"):
        answers = await asyncio.gather(*(place.ask(number) for number in range(20)))

    assert answers == [{"a": f"{number} a", "b": f"{number} b"} for number in range(20)]


async def test_a_silent_member_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call_module, "ANSWER_S", 0.05)
    monkeypatch.setattr(roll_call_module, "WAIT_S", 0.01)
    place = RollCall()
    assert await place.wait("dead", 0) == ()
    async with answering(place, "a"):
        first = await place.ask("who")
        monkeypatch.setattr(roll_call_module, "ANSWER_S", 3600)
        second = await place.ask("who")

    assert first == second == {"a": "who a"}


async def test_an_answer_that_comes_too_late_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call_module, "ANSWER_S", 0.02)
    place = RollCall()
    waiting = asyncio.create_task(place.wait("slow", 0))
    await asyncio.sleep(0)
    assert await place.ask("who") == {}
    ((number, _),) = await waiting or ((0, None),)
    await place.answer("slow", number, "me")

    assert await place.ask("again") == {}


async def test_who_asks_where_nobody_waits_is_answered_at_once() -> None:
    assert await RollCall().ask("who") == {}


async def test_questions_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call_module, "MAX_QUESTIONS", 1)
    place = RollCall()
    waiting = asyncio.create_task(place.wait("a", 0))
    await asyncio.sleep(0)
    asking = asyncio.create_task(place.ask("first"))
    await asyncio.sleep(0)
    with pytest.raises(LimitReached):
        await place.ask("second")
    ((number, _),) = await waiting
    await place.answer("a", number, "here")

    assert await asking == {"a": "here"}
