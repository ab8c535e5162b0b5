import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message

from orchestration.api import places
from orchestration.api.places import HeldResponse, Places
from orchestration.errors import LimitReached

SCOPE: dict[str, Any] = {"type": "http", "path": "/x", "asgi": {"spec_version": "2.3"}}


async def pieces() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"piece"


async def no_message() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def taken() -> Places:
    one = Places(1, "max_things", "A thing is under way.")
    one.take()
    return one


def test_one_place_too_many_is_refused_by_its_limits_name() -> None:
    with pytest.raises(LimitReached) as refused:
        taken().take()
    assert refused.value.facts == {"limit": "max_things", "max": 1}


async def test_a_place_is_given_back_when_all_is_sent() -> None:
    held = taken()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        assert held.taken == 1
        sent.append(message)

    response = HeldResponse(held, pieces(), media_type="text/plain", headers={})
    await response(SCOPE, no_message, send)
    assert b"".join(one.get("body", b"") for one in sent) == 3 * b"piece"
    assert held.taken == 0


async def test_a_caller_that_is_gone_before_the_first_piece_keeps_no_place() -> None:
    held = taken()

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await asyncio.Event().wait()

    response = HeldResponse(held, pieces(), media_type="text/plain", headers={})
    await response(SCOPE, gone, send)
    assert held.taken == 0


async def test_a_caller_that_does_not_read_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SEND_TIMEOUT_S", 0.01)
    held = taken()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    response = HeldResponse(held, pieces(), media_type="text/plain", headers={})
    await response(SCOPE, no_message, send)
    assert held.taken == 0
