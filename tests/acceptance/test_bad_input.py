"""Whatever a bot sends, it is told what was wrong, the log says so once, nobody else notices."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import soundfile

from tests.acceptance.raw_client import (
    Json,
    Service,
    end,
    frame,
    hello,
    stream,
)
from tests.service import RunningService, files_below

READING = Path(__file__).parents[1] / "data" / "reading.flac"
FRAME = 1600
"""Samples in 100 ms at 16 kHz."""
FRAME_S = 0.1
SILENCE = bytes(2 * FRAME)
MAX_FRAME_BYTES = 65_536
MAX_TEXT_BYTES = 65_536
MAX_STREAMS = 64
MAX_FACTS_PER_S = 50
BAD_REQUEST = ("bad_request", 4000)
BAD_AUDIO = ("bad_audio", 4008)
TOO_LARGE = ("too_large", 1009)


class GoodBot:
    """Reads aloud in real time until it is told to stop."""

    def __init__(self) -> None:
        self._audio = soundfile.read(READING, dtype="int16")[0].astype("<i2")
        self._stop = asyncio.Event()
        self.frames = 0
        self.coverage: list[Json] = []
        self.heard: list[Json] = []

    async def read_aloud(self, service: Service) -> None:
        async with service.ingest("bi-good") as bot:
            self.heard = bot.heard
            await bot.greeted()
            listening = asyncio.create_task(bot.ended())
            while not self._stop.is_set():
                first = self.frames * FRAME
                at = first % (len(self._audio) - FRAME)
                await bot.send(frame(self.frames, first, self._audio[at : at + FRAME].tobytes()))
                self.frames += 1
                await asyncio.sleep(FRAME_S)
            await bot.say(end({0: self.frames - 1}))
            self.coverage = await listening

    def stop(self) -> None:
        self._stop.set()


@pytest_asyncio.fixture(scope="module")
async def service(running: RunningService) -> AsyncIterator[Service]:
    async with Service.at(running.url) as connected:
        await connected.create("bi-bad")
        yield connected


@pytest_asyncio.fixture(scope="module", autouse=True)
async def good_bot(service: Service) -> AsyncIterator[GoodBot]:
    """Somebody else's meeting, all the while."""
    await service.create("bi-good", language="en")
    bot = GoodBot()
    async with asyncio.TaskGroup() as group:
        group.create_task(bot.read_aloud(service))
        yield bot
        bot.stop()


PATIENCE_S = 60.0
POLL_S = 0.05


def log_lines(running: RunningService, session_id: str) -> list[Json]:
    """What the service logged about connections to a session."""
    return [
        json.loads(line.partition(" -- ")[2])
        for log in files_below(running.data_dir / "run")
        if "Ingress" in log.name and log.suffix == ".log"
        for line in log.read_text().splitlines()
        if " -- {" in line and f'"session_id": "{session_id}' in line
    ]


def await_log_line(running: RunningService, session_id: str) -> None:
    """Until a connection to the session has ended; a session may complete a moment before."""
    gives_up_at = time.monotonic() + PATIENCE_S
    while not log_lines(running, session_id):
        assert time.monotonic() < gives_up_at, session_id
        time.sleep(POLL_S)


def assert_logged_once(running: RunningService, session_id: str, before: int, error: str) -> None:
    # The line is written before the close is sent.
    lines = log_lines(running, session_id)[before:]
    assert [one["error"] for one in lines] == [error]
    assert [one["level"] for one in lines] == ["info"]


def nested(depth: int) -> str:
    return '{"type": "ping", "t": ' + "[" * depth + "]" * depth + "}"


# Before anything is open


@pytest.mark.parametrize("path", ["/ws/ingest/bi-none", "/ws/live/bi-none", "/ws/ingest/bi%20bad"])
async def test_an_unknown_session_is_refused_before_the_upgrade(
    service: Service, path: str
) -> None:
    assert (await service.knock(path)).problem() == (404, "unknown_session")


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        pytest.param("hello", BAD_REQUEST, id="no JSON"),
        pytest.param("[]", BAD_REQUEST, id="no object"),
        pytest.param("{}", BAD_REQUEST, id="no type"),
        pytest.param({"type": "hello"}, BAD_REQUEST, id="nothing in it"),
        pytest.param({"type": "hello", "protocol": 1}, BAD_REQUEST, id="no streams"),
        pytest.param({**hello(), "streams": {}}, BAD_REQUEST, id="streams no list"),
        pytest.param(hello(protocol=2), BAD_REQUEST, id="protocol 2"),
        pytest.param(hello(protocol="1"), BAD_REQUEST, id="protocol as text"),
        pytest.param({"type": "stream", **stream()}, BAD_REQUEST, id="another message first"),
        pytest.param(end({0: 0}), BAD_REQUEST, id="end first"),
        pytest.param(frame(0, 0, SILENCE), BAD_REQUEST, id="audio first"),
        pytest.param(hello(stream(-1)), BAD_REQUEST, id="stream -1"),
        pytest.param(hello(stream(65_536)), BAD_REQUEST, id="stream 65536"),
        pytest.param(hello(stream(), stream()), BAD_REQUEST, id="a stream twice"),
        pytest.param(hello(stream(encoding="opus")), BAD_AUDIO, id="encoding"),
        pytest.param(hello(stream(rate=7_999)), BAD_AUDIO, id="rate too low"),
        pytest.param(hello(stream(rate=96_000)), BAD_AUDIO, id="rate too high"),
        pytest.param(hello(stream(channels=0)), BAD_AUDIO, id="no channels"),
        pytest.param(hello(stream(channels=3)), BAD_AUDIO, id="three channels"),
        pytest.param(
            hello(*(stream(number) for number in range(MAX_STREAMS + 1))),
            BAD_AUDIO,
            id="65 streams",
        ),
        pytest.param(
            hello(stream(participant={"id": "p", "name": "x" * 201})),
            BAD_REQUEST,
            id="a name of 201 characters",
        ),
    ],
)
async def test_a_wrong_hello_is_told_and_logged_once(
    service: Service,
    running: RunningService,
    first: Json | str | bytes,
    expected: tuple[str, int],
) -> None:
    before = len(log_lines(running, "bi-bad"))
    async with service.ingest("bi-bad") as bot:
        await (bot.send(first) if isinstance(first, bytes) else bot.say(first))
        assert await bot.failed() == expected
    assert_logged_once(running, "bi-bad", before, expected[0])


# In the middle of a meeting


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(frame(0, 0, SILENCE[:-1]), BAD_AUDIO, id="half a sample"),
        pytest.param(frame(0, 0, b""), BAD_AUDIO, id="no samples"),
        pytest.param(frame(0, 0, b"")[:-1], BAD_AUDIO, id="shorter than its header"),
        pytest.param(b"", BAD_AUDIO, id="empty"),
        pytest.param(frame(0, 0, SILENCE, version=2), BAD_AUDIO, id="version 2"),
        pytest.param(frame(0, 0, SILENCE, flags=1), BAD_AUDIO, id="flags"),
        pytest.param(frame(0, 0, SILENCE, stream=5), BAD_AUDIO, id="unknown stream"),
        pytest.param(frame(2**64 - 1, 0, SILENCE), BAD_AUDIO, id="seq beyond 2**63"),
        pytest.param(frame(0, 2**64 - 1, SILENCE), BAD_AUDIO, id="sample beyond 2**63"),
        pytest.param(frame(0, 0, bytes(MAX_FRAME_BYTES - 18)), TOO_LARGE, id="oversize"),
        pytest.param(frame(0, 0, bytes(1 << 22)), TOO_LARGE, id="4 MiB"),
    ],
)
async def test_a_wrong_frame_is_told_and_logged_once(
    service: Service, running: RunningService, data: bytes, expected: tuple[str, int]
) -> None:
    before = len(log_lines(running, "bi-bad"))
    async with service.ingest("bi-bad") as bot:
        await bot.greeted()
        await bot.send(data)
        assert await bot.failed() == expected
    assert_logged_once(running, "bi-bad", before, expected[0])


CHAT = {"type": "chat", "fact": 0, "participant_id": "p", "name": "Ana", "text": "Hi"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("no JSON", BAD_REQUEST, id="no JSON"),
        pytest.param('{"type": "ping", "t": NaN}', BAD_REQUEST, id="NaN"),
        pytest.param(nested(16), BAD_REQUEST, id="17 deep"),
        pytest.param(nested(30_000), BAD_REQUEST, id="depth bomb"),
        pytest.param('{"type": "x", "y": "' + "é" * 32_768 + '"}', TOO_LARGE, id="oversize"),
        pytest.param('"' + "x" * (1 << 22) + '"', TOO_LARGE, id="4 MiB"),
        pytest.param({"type": 1}, BAD_REQUEST, id="type no text"),
        pytest.param(hello(), BAD_REQUEST, id="hello again"),
        pytest.param({"type": "stream", "id": 1}, BAD_REQUEST, id="stream without format"),
        pytest.param({"type": "stream", **stream(rate=8_000)}, BAD_AUDIO, id="another format"),
        pytest.param({**CHAT, "fact": 1}, BAD_REQUEST, id="a fact skipped"),
        pytest.param({**CHAT, "fact": -1}, BAD_REQUEST, id="fact -1"),
        pytest.param({**CHAT, "fact": 2**63}, BAD_REQUEST, id="fact beyond 2**63"),
        pytest.param({**CHAT, "name": "x" * 201}, BAD_REQUEST, id="a name of 201 characters"),
        pytest.param({**CHAT, "name": 7}, BAD_REQUEST, id="name no text"),
        pytest.param({**CHAT, "participant_id": "\n"}, BAD_REQUEST, id="id of a line end"),
        pytest.param({**CHAT, "type": "speaker"}, BAD_REQUEST, id="no event"),
        pytest.param(end({7: 0}), BAD_AUDIO, id="end of an unknown stream"),
        pytest.param(end({0: -2}), BAD_REQUEST, id="end at -2"),
    ],
)
async def test_a_wrong_message_is_told_and_logged_once(
    service: Service, running: RunningService, message: Json | str, expected: tuple[str, int]
) -> None:
    before = len(log_lines(running, "bi-bad"))
    async with service.ingest("bi-bad") as bot:
        await bot.greeted()
        await bot.say(message)
        assert await bot.failed() == expected
    assert_logged_once(running, "bi-bad", before, expected[0])


async def test_text_that_is_no_utf_8_ends_the_connection(service: Service) -> None:
    async with service.ingest("bi-bad") as bot:
        await bot.greeted()
        await bot.send_invalid_utf8()
        assert await bot.closed() == 1007


async def test_errors_name_the_limit_and_its_value(service: Service) -> None:
    cases: list[tuple[Json | str | bytes, str, int]] = [
        (frame(0, 0, bytes(MAX_FRAME_BYTES)), "max_frame_bytes", MAX_FRAME_BYTES),
        ("x" * (MAX_TEXT_BYTES + 1), "max_text_bytes", MAX_TEXT_BYTES),
        (nested(16), "max_json_depth", 16),
        ({**CHAT, "name": "x" * 201}, "max_name_characters", 200),
    ]
    for sent, limit, most in cases:
        async with service.ingest("bi-bad") as bot:
            await bot.greeted()
            await (bot.send(sent) if isinstance(sent, bytes) else bot.say(sent))
            await bot.failed()
        assert (bot.heard[-1]["limit"], bot.heard[-1]["max"]) == (limit, most)


async def test_what_lies_at_the_limits_is_taken(service: Service) -> None:
    await service.create("bi-limits")
    async with service.ingest("bi-limits") as bot:
        await bot.greeted()
        await bot.send(frame(0, 0, bytes(MAX_FRAME_BYTES - 20)))
        await bot.acked(0)
        await bot.say(nested(15))
        await bot.until("pong")
        ping = '{"type": "ping", "t": 1, "unknown": ""}'
        await bot.say(ping.replace('""', f'"{"x" * (MAX_TEXT_BYTES - len(ping))}"'))
        await bot.until("pong", t=1)
        for number in range(1, MAX_STREAMS):
            await bot.say({"type": "stream", **stream(number)})
            await bot.until("stream_open", id=number)
        await bot.say({"type": "stream", **stream(MAX_STREAMS)})
        assert await bot.failed() == BAD_AUDIO


async def test_frames_after_the_end_are_refused(service: Service) -> None:
    await service.create("bi-end")
    async with service.ingest("bi-end") as bot:
        await bot.greeted(stream(0), stream(1))
        await bot.send(frame(0, 0, SILENCE))
        await bot.acked(0)
        await bot.say(end({0: 0, 1: 5}))
        await bot.until("ack")
        await bot.send(frame(1, FRAME, SILENCE))
        assert await bot.failed() == ("frames_after_end", 4010)
    async with service.ingest("bi-end") as bot:
        await bot.greeted(stream(0), stream(1))
        await bot.say(end({0: 3}))
        assert await bot.failed() == BAD_REQUEST


async def test_a_flood_of_facts_is_slowed_down_and_told_once(service: Service) -> None:
    await service.create("bi-flood")
    flood = 3 * MAX_FACTS_PER_S
    async with service.ingest("bi-flood") as bot:
        await bot.greeted()
        for number in range(flood):
            await bot.say({**CHAT, "fact": number})
        await bot.facts_acked(flood - 1)
        await bot.say({"type": "ping", "t": 1})
        await bot.until("pong")
    errors = [one for one in bot.heard if one["type"] == "error"]
    assert [(one["code"], one["fatal"], one["limit"], one["max"]) for one in errors] == [
        ("limit_reached", False, "max_facts_per_s", MAX_FACTS_PER_S)
    ]


async def test_names_cannot_forge_what_is_shown_beside_them(service: Service) -> None:
    await service.create("bi-names")
    names = {
        "script": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        "override": ("Ana \u202eneB\u202c", "Ana neB"),
        "controls": ("Ana\x00\x1b[31m\r\nBen\u2028", "Ana [31m Ben"),
        "blank": (" \t\n", "blank"),
        "longest": ("x" * 200, "x" * 200),
        "emoji": ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        "surrogate": ("Ana\ud800", "Ana"),
    }
    async with service.ingest("bi-names") as bot:
        await bot.greeted()
        await bot.send(frame(0, 0, SILENCE))
        for number, (identifier, (name, _)) in enumerate(names.items()):
            person: Any = {"id": identifier, "name": name}
            await bot.say(
                {"type": "participant", "fact": number, "event": "join", "participant": person}
            )
        await bot.acked(0)
        await bot.facts_acked(len(names) - 1)
        await bot.say(end({0: 0}, last_fact=len(names) - 1))
        await bot.ended()
    answer = await service.ask("GET", "/api/sessions/bi-names/participants")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert {one["id"]: one["name"] for one in answer.json["items"]} == {
        identifier: shown for identifier, (_, shown) in names.items()
    }


# Afterwards


async def test_a_session_outlives_the_mistakes_of_its_bot(service: Service) -> None:
    async with service.ingest("bi-bad") as bot:
        welcome = await bot.greeted()
        assert (welcome["next_fact"], welcome["streams"][0]["next_seq"]) == (0, 0)
        await bot.send(frame(0, 0, SILENCE))
        await bot.acked(0)
        await bot.say(end({0: 0}))
        assert (await bot.ended())[0]["duration"] == FRAME


async def test_the_good_meeting_was_not_disturbed(
    service: Service, running: RunningService, good_bot: GoodBot
) -> None:
    good_bot.stop()
    assert await service.status_is("bi-good", "completed") == "completed"
    coverage = (await service.get("/api/sessions/bi-good/coverage"))["streams"][0]
    assert coverage["duration"] == good_bot.frames * FRAME
    assert (coverage["lost"], coverage["pending"]) == (0, 0)
    assert coverage["transcribed"] > coverage["silent"]
    assert {one["type"] for one in good_bot.heard} <= {"welcome", "ack", "ended"}
    await asyncio.to_thread(await_log_line, running, "bi-good")
    assert len(log_lines(running, "bi-good")) == 1


def test_nothing_of_all_that_was_unforeseen(running: RunningService) -> None:
    lines = log_lines(running, "bi-")
    assert lines
    assert {one["event"] for one in lines} == {"ingest_connection_ended"}
    assert "internal_error" not in {one["error"] for one in lines}
