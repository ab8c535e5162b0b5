"""A meeting by each of the standard clients of Socket.IO."""

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration.json_types import JsonObject
from orchestration.session.exchange import IngestBatch, IngestReply
from orchestration.session.inputs import AudioFrame, SampleMoment, SpeakerFact
from tests.doubles.api_server import api_server
from tests.doubles.in_memory_sessions import InMemorySession
from tests.socket_io_meeting import meeting

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "javascript" / "meeting.cjs"
PACKAGES = ROOT / ".venv" / "javascript" / "node_modules"
CHUNKS = 6


async def by_python(url: str, session_id: str, pcm: Path) -> dict[str, Any]:
    return await meeting(url, session_id, await asyncio.to_thread(pcm.read_bytes))


async def by_javascript(url: str, session_id: str, pcm: Path) -> dict[str, Any]:
    node = shutil.which("node") or shutil.which("node", path=str(ROOT / ".venv" / "bin"))
    assert node is not None, "there is no node: make javascript"
    assert PACKAGES.exists(), "there is no socket.io-client: make javascript"
    process = await asyncio.create_subprocess_exec(
        node,
        str(SCRIPT),
        url,
        session_id,
        str(pcm),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NODE_PATH": str(PACKAGES)},
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    result: dict[str, Any] = json.loads(said)
    return result


def hears(session: InMemorySession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stored chunk becomes a line and its translation."""
    push = session.push

    async def heard(connection_id: str, batch: IngestBatch) -> IngestReply:
        known = len(session.stored.frames.get(0, ()))
        reply = await push(connection_id, batch)
        for item in batch.items:
            if isinstance(item, AudioFrame) and item.seq >= known:
                line = f"s1:0:{item.seq}"
                said: JsonObject = {
                    "segment_id": line,
                    "state": "final",
                    "text": f"line {item.seq}",
                }
                session.emit("segment", {"segment": said})
                session.emit(
                    "translation",
                    {"segment_id": line, "language": "pt", "text": f"linha {item.seq}"},
                )
        return reply

    monkeypatch.setattr(session, "push", heard)


@pytest.mark.parametrize("client", [by_python, by_javascript])
async def test_a_meeting_is_sent_heard_left_lost_and_resumed(
    client: Callable[[str, str, Path], Awaitable[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pcm = tmp_path / "meeting.pcm"
    pcm.write_bytes(bytes(range(250)) * 128 * CHUNKS)
    async with api_server(tmp_path) as server:
        session = await server.session("s1")
        hears(session, monkeypatch)
        result = await client(server.url, "s1", pcm)
        _, stats = await server.json("GET", "/api/websocket/stats")
        frames = server.archive.of("s1").frames[0]

    assert result == {
        "statuses": ["connected", "healthy", "ok", "joined", "stored", "left"],
        "stored": CHUNKS,
        "repeated": ["repeated"],
        "heard": "line 0",
        "translated": "linha 0",
        "after": 0,
        "later": "line 1",
    }
    assert b"".join(frame.payload for frame in frames) == pcm.read_bytes()
    assert session.facts == [SpeakerFact(0, "start", "ana", "Ana", SampleMoment(0, 0))]
    assert stats["total_connections"] == 2
