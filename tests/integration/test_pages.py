"""The pages' modules, run by Node against the service's own WebSockets."""

import asyncio
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import orchestration
from orchestration.api.sign_in_page import SIGN_IN_PAGE
from orchestration.session.inputs import ClockFact
from tests.doubles.api_server import api_server

ROOT = Path(__file__).parents[2]
WEB = Path(orchestration.__file__).parent / "web"
SCRIPTS = ROOT / "tests" / "javascript"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The pages' modules where Node takes them for modules."""
    page = tmp_path / "page"
    shutil.copytree(WEB, page)
    (page / "package.json").write_text('{"type": "module"}')
    return page


async def run_script(script: str, page: Path, url: str, session_id: str) -> list[str]:
    """The lines that one of our scripts prints until it ends well."""
    node = shutil.which("node") or shutil.which("node", path=str(ROOT / ".venv" / "bin"))
    assert node is not None, "there is no node: make javascript"
    process = await asyncio.create_subprocess_exec(
        node, "--experimental-websocket", str(SCRIPTS / script), str(page), url, session_id,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return printed.decode().splitlines()


async def test_what_is_spoken_arrives_whole_and_the_session_ends(
    page: Path, tmp_path: Path
) -> None:
    async with api_server(tmp_path) as server:
        session = await server.session()
        await run_script("speak.mjs", page, server.url, "s1")

    frames = session.stored.frames[0]
    assert [(one.seq, one.first_sample) for one in frames] == [(n, 1600 * n) for n in range(12)]
    # From silence up, and bounded beyond full scale.
    levels = [int(np.frombuffer(one.payload, "<i2")[0]) for one in frames]
    assert levels == [round(min(n / 10, 1) * 32767) for n in range(12)]
    (clock,) = session.facts
    assert isinstance(clock, ClockFact)
    assert session.end is not None


async def test_a_service_of_small_frames_gets_all_that_is_spoken(
    page: Path, tmp_path: Path
) -> None:
    async with api_server(tmp_path, ingest={"max_frame_bytes": 1024}) as server:
        session = await server.session()
        await run_script("speak.mjs", page, server.url, "s1")

    frames = session.stored.frames[0]
    assert max(len(one.payload) for one in frames) == 1024 - 20
    ends = [one.first_sample + len(one.payload) // 2 for one in frames]
    assert [one.first_sample for one in frames] == [0, *ends[:-1]]
    assert ends[-1] == 12 * 1600
    clock, *_ = session.facts
    assert isinstance(clock, ClockFact)
    assert clock.sample == 1600


async def test_the_live_page_gives_up_a_session_that_is_not_there(
    page: Path, tmp_path: Path
) -> None:
    async with api_server(tmp_path) as server:
        assert await run_script("follow.mjs", page, server.url, "nobody") == ["over 4004"]


async def test_each_line_is_told_once_whatever_comes_to_it_later(page: Path) -> None:
    told = await run_script("announce.mjs", page, "", "")
    assert told[0] == "Ana: Shall we begin?"
    assert told[1:-1] == [f"Line {number}." for number in range(30)]
    assert told[-1] == "kept 20"


async def test_the_live_page_follows_a_session_to_its_end(page: Path, tmp_path: Path) -> None:
    async with api_server(tmp_path) as server:
        (await server.session()).complete()
        printed = await run_script("follow.mjs", page, server.url, "s1")
    assert printed == ["open", "snapshot", "over 1000"]


async def test_the_live_page_takes_up_languages_that_change(page: Path, tmp_path: Path) -> None:
    async with api_server(tmp_path) as server:
        session = await server.session(target_languages=("pt",))
        following = asyncio.create_task(run_script("follow.mjs", page, server.url, "s1"))
        async with asyncio.timeout(60):
            while not (await server.json("GET", "/api/websocket/stats"))[1]["messages_out"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        session.emit("session", {"language": "en", "target_languages": ["es", "pt"]})
        session.complete()
        printed = await following
    assert printed == ["open", "snapshot", "session s1 en es,pt", "status", "over 1000"]


async def test_names_that_come_before_their_lines_are_on_them(page: Path) -> None:
    printed = await run_script("earlier.mjs", page, "", "")
    assert printed == [
        "3",
        "Ana B. Line 0.",
        "Ana C. Line 1.",
        "Unknown Line 2. Línea. Linha.",
        "Ana B. Line 3.",
        "the disk is full",
    ]


async def test_nothing_is_shown_as_pending_that_is_not(page: Path) -> None:
    printed = await run_script("pending.mjs", page, "", "")
    assert printed == [
        "Shall we",
        "-",
        "- Shall we begin?",
        "I think",
        "- Shall we begin?",
        "I thought",
        "- Shall we begin?",
    ]


async def test_the_live_page_tells_what_was_lost_until_it_is_heard_after_all(page: Path) -> None:
    printed = await run_script("lost.mjs", page, "", "")
    assert printed == ["10-20", "10-30 60-62", "10-30 60-62", "14-30", "-", "100-130", "-"]


async def test_a_page_in_the_background_keeps_a_connection_that_answers(page: Path) -> None:
    printed = await run_script("background.mjs", page, "", "")
    assert printed == ["0 open", "5 reconnecting"]


async def test_the_last_samples_before_a_stop_are_given_on(page: Path) -> None:
    printed = await run_script("tenths.mjs", page, "", "")
    assert printed == ["1600", "1600", "800", "over", "false"]


async def test_who_signs_in_is_told_what_is_wrong(page: Path) -> None:
    (script,) = re.findall(r"<script>(.*)</script>", SIGN_IN_PAGE, re.DOTALL)
    (page / "sign_in.js").write_text(script)
    assert await run_script("sign_in.mjs", page, "", "") == [
        "(signed in)",
        "That is not the key of this service.",
        "That is not the key of this service.",
        "A client may make 5 requests a second; wait before the next.",
        "The service does not answer.",
        "You are signed out here: reload the page to sign in.",
        "The service does not answer. Trying again …",
        "The service does not answer. Trying again …",
    ]
