"""A meeting by python-socketio, step by step as tests/javascript/meeting.cjs has it."""

import asyncio
from collections.abc import Callable
from typing import Any

import socketio

CHUNK_BYTES = 32_000
PATIENCE_S = 120


class _Client:
    """Keeps events until somebody asks for them."""

    def __init__(self) -> None:
        self.io = socketio.AsyncClient(reconnection_delay=0.1)
        self._told: list[tuple[str, Any]] = []
        self._changed = asyncio.Condition()
        self.io.on("*", self._on_event)

    async def _on_event(self, event: str, body: Any = None) -> None:
        async with self._changed:
            self._told.append((event, body))
            self._changed.notify_all()

    async def next(self, event: str, suits: Callable[[Any], bool] = lambda _: True) -> Any:
        def found() -> list[tuple[str, Any]]:
            return [one for one in self._told if one[0] == event and suits(one[1])]

        async with self._changed:
            await self._changed.wait_for(found)
            one = found()[0]
            self._told.remove(one)
        return one[1]

    async def ask(self, event: str, /, **body: Any) -> Any:
        return await self.io.call(event, body, timeout=PATIENCE_S)

    async def send(self, session_id: str, chunks: list[bytes], first: int) -> list[str]:
        return [
            (
                await self.ask(
                    "transcription_stream",
                    session_id=session_id,
                    sequence=first + index,
                    audio_data=chunk,
                )
            )["status"]
            for index, chunk in enumerate(chunks)
        ]


def _is_final(body: Any) -> bool:
    return bool(body["segment"]["state"] == "final")


async def meeting(url: str, session_id: str, pcm: bytes) -> dict[str, Any]:
    """Join, send, hear, leave, lose the connection, and resume; what came of each.

    `pcm` is 16 kHz, mono, s16le.
    """
    client = _Client()
    await client.io.connect(url, transports=["websocket"], wait_timeout=10)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await _meeting(client, session_id, pcm)
    finally:
        await client.io.disconnect()


async def _meeting(client: _Client, session_id: str, pcm: bytes) -> dict[str, Any]:
    chunks = [pcm[at : at + CHUNK_BYTES] for at in range(0, len(pcm), CHUNK_BYTES)]
    half = -(-len(chunks) // 2)
    greeting = await client.next("connected")
    subscribed = await client.ask("subscribe", service="database")
    heartbeat = await client.ask("service_message", type="heartbeat")
    joined = await client.ask("service_message", type="join_session", session_id=session_id)
    await client.next("snapshot")
    answers = await client.send(session_id, chunks[:1], 0)
    started = await client.ask(
        "speaker_stream",
        event="start",
        participant_id="ana",
        name="Ana",
        stream=0,
        sample=0,
        fact=0,
    )
    answers += await client.send(session_id, chunks[1:half], 1)
    line = await client.next("segment", _is_final)
    translation = await client.next("translation")
    left = await client.ask("service_message", type="leave_session")
    answers += await client.send(session_id, chunks[half:], half)

    await client.io.eio.ws.close()
    await client.next("connected")
    repeated = await client.send(session_id, chunks[-1:], len(chunks) - 1)
    after = translation["seq"]
    await client.ask("service_message", type="join_session", session_id=session_id, after=after)
    resumed = await client.next("resumed")
    later = await client.next("segment", lambda body: _is_final(body) and body["seq"] > after)
    told = (greeting, subscribed, heartbeat, joined, started, left)
    return {
        "statuses": [one["status"] for one in told],
        "stored": answers.count("stored"),
        "repeated": repeated,
        "heard": line["segment"]["text"],
        "translated": translation["text"],
        "after": resumed["after"] - after,
        "later": later["segment"]["text"],
    }
