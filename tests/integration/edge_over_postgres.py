"""The edge over real sessions and a real database, and what a bot and a viewer do with it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import soundfile

from orchestration.client.wire import frame_bytes
from orchestration.json_types import JsonObject, JsonValue
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect_pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from tests.doubles.api_server import served
from tests.doubles.running_sessions import RunningSessions

READING = Path(__file__).parents[1] / "data" / "reading.flac"
FRAME_SAMPLES = 1600


class Service:
    """A running edge: its address, its client, and the sessions and database behind it."""

    def __init__(
        self, url: str, client: aiohttp.ClientSession, sessions: RunningSessions, pool: Pool
    ) -> None:
        self.url = url
        self.client = client
        self.sessions = sessions
        self.pool = pool

    async def get(self, path: str) -> Any:
        async with self.client.get(self.url + path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def post(self, path: str, body: Mapping[str, JsonValue]) -> int:
        """How many lines a correction repaints."""
        async with self.client.post(self.url + path, json=body) as response:
            assert response.status == 200, await response.text()
            repainted: int = (await response.json())["repainted"]
            return repainted


def read_audio(seconds: int) -> np.ndarray:
    samples, rate = soundfile.read(READING, dtype="int16", stop=seconds * 16_000)
    assert rate == 16_000
    return np.asarray(samples)


def frames_of(samples: np.ndarray) -> list[bytes]:
    return [
        frame_bytes(0, seq, start, samples[start : start + FRAME_SAMPLES].tobytes())
        for seq, start in enumerate(range(0, len(samples), FRAME_SAMPLES))
    ]


HELLO: JsonObject = {
    "type": "hello",
    "protocol": 1,
    "streams": [
        {
            "id": 0,
            "encoding": "s16le",
            "sample_rate": 16000,
            "channels": 1,
            "participant": {"id": "p1", "name": "Ana"},
        }
    ],
}
MIXED: JsonObject = {"id": 0, "encoding": "s16le", "sample_rate": 16000, "channels": 1}


async def until_named(viewer: Any, name: str) -> dict[str, Any]:
    """The first final line that is somebody's by now."""
    lines: dict[str, dict[str, Any]] = {}
    while True:
        message = await viewer.receive_json()
        if message["type"] == "segment" and message["segment"]["state"] == "final":
            lines[message["segment"]["segment_id"]] = message["segment"]
        for one in message.get("segments", []) if message["type"] == "speaker" else []:
            lines[one["segment_id"]] |= {"speaker": message["speaker"], **one}
        for line in lines.values():
            if line["speaker"] and line["speaker"]["name"] == name:
                return line


async def until(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = await socket.receive_json()
        if message["type"] == kind:
            return message


@asynccontextmanager
async def edge_over_postgres(dsn: str, data_dir: Path) -> AsyncIterator[Service]:
    await migrate(dsn, connect_timeout_s=10)
    pool = await connect_pool(dsn, min_size=1, max_size=4, connect_timeout_s=10)
    archive = PostgresArchive(pool)
    sessions = RunningSessions(archive, PostgresJournal(pool), data_dir / "recordings")
    async with served(data_dir, sessions, archive) as host, aiohttp.ClientSession() as client:
        yield Service(f"http://{host}", client, sessions, pool)
    await sessions.stop()
    await pool.close()
