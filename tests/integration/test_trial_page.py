"""What the page to try audio sends, run by Node, is what the ingest protocol takes."""

import asyncio
import shutil
from pathlib import Path

import numpy as np

import orchestration
from orchestration.session.inputs import ClockFact
from tests.doubles.api_server import api_server

ROOT = Path(__file__).parents[2]
WEB = Path(orchestration.__file__).parent / "web"
SCRIPT = ROOT / "tests" / "javascript" / "speak.mjs"


async def test_what_is_spoken_arrives_whole_and_the_session_ends(tmp_path: Path) -> None:
    node = shutil.which("node") or shutil.which("node", path=str(ROOT / ".venv" / "bin"))
    assert node is not None, "there is no node: make javascript"
    page = tmp_path / "page"
    shutil.copytree(WEB, page)
    (page / "package.json").write_text('{"type": "module"}')

    async with api_server(tmp_path) as server:
        session = await server.session()
        process = await asyncio.create_subprocess_exec(
            node, "--experimental-websocket", str(SCRIPT), str(page), server.url, "s1"
        )
        assert await asyncio.wait_for(process.wait(), 60) == 0

    frames = session.stored.frames[0]
    assert [(one.seq, one.first_sample) for one in frames] == [(n, 1600 * n) for n in range(12)]
    # From silence up, and bounded beyond full scale.
    levels = [int(np.frombuffer(one.payload, "<i2")[0]) for one in frames]
    assert levels == [round(min(n / 10, 1) * 32767) for n in range(12)]
    (clock,) = session.facts
    assert isinstance(clock, ClockFact)
    assert session.end is not None
