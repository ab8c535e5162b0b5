"""docs/protocols.md, kept word for word by the service: spoken to through HAProxy by a client that
knows nothing else.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soundfile

from tests.acceptance.raw_client import (
    PATIENCE_S,
    Json,
    Samples,
    Service,
    Socket,
    end,
    frame,
    hello,
    stream,
)
from tests.service import RunningService

READING = Path(__file__).parents[1] / "data" / "reading.flac"
RATE = 16_000
FRAME = 1600
"""Samples in 100 ms."""
SILENCE = bytes(2 * FRAME)
FORMATS = {"json": "application/json", "txt": "text/plain", "srt": "application/x-subrip"} | {
    "vtt": "text/vtt"
}


@pytest_asyncio.fixture
async def service(running: RunningService) -> AsyncIterator[Service]:
    async with Service.at(running.url) as connected:
        yield connected


def noise(samples: int, channels: int = 1, seed: int = 1) -> Samples:
    """Faint noise, shape [samples, channels]: nobody takes it for speech."""
    drawn = np.random.default_rng(seed).integers(-200, 200, (samples, channels))
    return drawn.astype("<i2")


async def send_silence(socket: Socket, first_seq: int, last_seq: int) -> None:
    for seq in range(first_seq, last_seq + 1):
        await socket.send(frame(seq, seq * FRAME, SILENCE))


async def end_session(service: Service, session_id: str, last_seq: int, *streams: Json) -> Json:
    """End a session of one stream; its coverage."""
    async with service.ingest(session_id) as bot:
        await bot.greeted(*streams)
        await bot.say(end({0: last_seq}))
        return (await bot.ended())[0]


def fates(coverage: Json) -> int:
    return sum(int(coverage[fate]) for fate in ("transcribed", "silent", "pending", "lost"))


# Creating


async def test_a_session_is_created_once(service: Service) -> None:
    body = {"session_id": "pc-create", "title": "Weekly", "language": "en", "unknown": 1}
    first = await service.ask("POST", "/api/sessions", body)
    again = await service.ask("POST", "/api/sessions", body)
    other = await service.ask("POST", "/api/sessions", {**body, "title": "Other"})

    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert first.json["status"] == "created"
    host = service.url.removeprefix("http://")
    assert first.json["ingest_url"] == f"ws://{host}/ws/ingest/pc-create"
    assert first.json["live_url"] == f"ws://{host}/ws/live/pc-create"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.json["created_at"])
    assert other.problem() == (409, "session_conflict")


async def test_a_session_without_an_id_gets_one(service: Service) -> None:
    made = [(await service.ask("POST", "/api/sessions", {})).json["session_id"] for _ in range(2)]
    assert made[0] != made[1]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in made)


# Sending


async def test_frames_and_facts_are_acked_until_all_is_ended(service: Service) -> None:
    await service.create("pc-acks")
    async with service.ingest("pc-acks") as bot:
        welcome = await bot.greeted({**stream(), "unknown": {"deep": [1]}})
        assert welcome == {
            "type": "welcome",
            "session_id": "pc-acks",
            "epoch": welcome["epoch"],
            "streams": [{"id": 0, "next_seq": 0, "next_sample": 0, "window": 600}],
            "next_fact": 0,
            "max_frame_bytes": 65_536,
            "ack_ms": 250,
        }
        await bot.say({"type": "ping", "t": 7})
        assert await bot.until("pong") == {"type": "pong", "t": 7}
        await bot.say({"type": "ping", "t": "x" * 100})
        await bot.until("pong", t="x" * 100)

        await bot.say({"type": "dance", "how": "well"})
        assert (await bot.until("error"))["fatal"] is False

        moment = {"stream": 0, "sample": 0, "unknown": None}
        ana = {"participant_id": "p-1", "name": "Ana"}
        facts: list[Json] = [
            {"type": "clock", "stream": 0, "sample": 0, "unix_ms": 1_790_000_000_000},
            {"type": "participant", "event": "join", "participant": {"id": "p-1", "name": "Ana"}},
            {"type": "speaker", "event": "start", **ana, **moment},
            {"type": "speaker", "event": "stop", **ana, "unix_ms": 1_790_000_000_500},
            {
                "type": "caption",
                **ana,
                "text": "Hi",
                "stream": 0,
                "start_sample": 0,
                "end_sample": 9,
            },
            {"type": "caption", **ana, "text": "Hi", "start_unix_ms": 1, "end_unix_ms": 2},
            {"type": "chat", **ana, "text": "Hello"},
            {"type": "participant", "event": "leave", "participant": {"id": "p-1", "name": "Ana"}},
        ]
        for number, fact in enumerate(facts):
            await bot.say({**fact, "fact": number})
        await bot.facts_acked(len(facts) - 1)
        await bot.say({**facts[2], "fact": 2})  # A repeat is acked again.
        assert (await bot.until("ack"))["facts"] == len(facts) - 1

        await send_silence(bot, 0, 4)
        await bot.acked(4)
        await bot.send(frame(1, FRAME, SILENCE))
        assert (await bot.until("ack"))["streams"] == [{"id": 0, "upto": 4, "window": 600}]

        await bot.send(frame(6, 6 * FRAME, SILENCE))
        assert await bot.until("nack") == {"type": "nack", "stream": 0, "expected": 5}
        await send_silence(bot, 5, 6)
        await bot.acked(6)

        await bot.say({"type": "stream", **stream(9, 8_000)})
        opened = await bot.until("stream_open")
        assert opened == {
            "type": "stream_open",
            "id": 9,
            "next_seq": 0,
            "next_sample": 0,
            "window": 600,
        }
        await bot.send(frame(0, 0, bytes(1600), stream=9))
        await bot.acked(0, number=9)

        await bot.say(end({0: 6, 9: 0}, last_fact=len(facts) - 1))
        coverage = await bot.ended()

    assert [(one["id"], one["sample_rate"], one["duration"]) for one in coverage] == [
        (0, RATE, 7 * FRAME),
        (9, 8_000, 800),
    ]
    assert all(fates(one) == one["duration"] and one["pending"] == 0 for one in coverage)
    assert (await service.get("/api/sessions/pc-acks/coverage"))["streams"] == coverage
    people = (await service.get("/api/sessions/pc-acks/participants"))["items"]
    assert [(one["id"], one["name"], one["is_bot"]) for one in people] == [("p-1", "Ana", False)]
    events = await service.events("pc-acks")
    assert [one["event"] for one in events if one["type"] == "participant"] == ["join", "leave"]


async def test_a_quiet_service_answers_each_message_as_it_comes(service: Service) -> None:
    await service.create("pc-quiet")
    async with service.live("pc-quiet") as viewer:
        await viewer.until("snapshot")
        # A wake-up that is lost between threads shows only where nothing else wakes the service.
        async with asyncio.timeout(PATIENCE_S):
            for turn in range(50):
                await viewer.say({"type": "ping", "t": turn})
                await viewer.until("pong", t=turn)


async def test_a_completed_session_ends_a_hello_at_once(service: Service) -> None:
    coverage = (await service.get("/api/sessions/pc-acks/coverage"))["streams"]
    async with service.ingest("pc-acks") as bot:
        await bot.say(hello())
        assert await bot.ended() == coverage
    assert [one["type"] for one in bot.heard] == ["ended"]


async def test_a_sender_that_lost_its_connection_goes_on_where_welcome_says(
    service: Service,
) -> None:
    await service.create("pc-resume")
    async with service.ingest("pc-resume") as bot:
        await bot.greeted()
        await send_silence(bot, 0, 2)
        await bot.say({"type": "clock", "fact": 0, "stream": 0, "sample": 0, "unix_ms": 1})
        await bot.acked(2)
        await bot.facts_acked(0)
        await bot.say(end({0: 4}, last_fact=0))
        await bot.until("ack")
        bot.cut()
        await bot.closed()
    async with service.ingest("pc-resume") as bot:
        welcome = await bot.greeted()
        assert (welcome["next_fact"], welcome["streams"][0]["next_seq"]) == (1, 3)
        assert welcome["streams"][0]["next_sample"] == 3 * FRAME
        await send_silence(bot, 3, 4)
        await bot.acked(4)
        await bot.say(end({0: 4}, last_fact=0))
        coverage = await bot.ended()
    assert (coverage[0]["duration"], coverage[0]["lost"]) == (5 * FRAME, 0)


async def test_the_first_content_of_a_frame_stands(service: Service) -> None:
    await service.create("pc-conflict")
    first, second = noise(FRAME, seed=1), noise(FRAME, seed=2)
    async with service.ingest("pc-conflict") as bot:
        await bot.greeted()
        await bot.send(frame(0, 0, first.tobytes()))
        await bot.acked(0)
        await bot.send(frame(0, 0, second.tobytes()))
        assert await bot.failed() == ("frame_conflict", 4009)

    await end_session(service, "pc-conflict", 0)
    recorded = await service.ask("GET", "/api/sessions/pc-conflict/recording?stream=0")
    assert np.array_equal(recorded.recording()[0], first[:, 0])


async def test_a_second_connection_takes_over(service: Service) -> None:
    await service.create("pc-takeover")
    async with service.ingest("pc-takeover") as first:
        await first.greeted()
        await send_silence(first, 0, 0)
        await first.acked(0)
        async with service.ingest("pc-takeover") as second:
            welcome = await second.greeted()
            assert welcome["streams"][0]["next_seq"] == 1
            await send_silence(second, 1, 1)
            await second.acked(1)
            assert await first.failed() == ("taken_over", 4103)
            await second.say(end({0: 1}))
            assert (await second.ended())[0]["duration"] == 2 * FRAME


# Audio of every kind


async def test_every_format_is_heard_and_recorded_as_it_was(service: Service) -> None:
    await service.create("pc-formats")
    described = [
        stream(0, 8_000),
        stream(1, 44_100, channels=2),
        stream(2, 48_000, "f32le"),
        stream(3, 16_000, "f32le", channels=2),
    ]
    sent: dict[int, Samples] = {}
    async with service.ingest("pc-formats") as bot:
        await bot.greeted(*described)
        for one in described:
            number, channels, size = one["id"], one["channels"], one["sample_rate"] // 10
            sent[number] = noise(3 * size, channels, seed=number)
            for seq in range(3):
                values = sent[number][seq * size : (seq + 1) * size]
                if one["encoding"] == "f32le":
                    values = (values / 32_768).astype("<f4")
                await bot.send(frame(seq, seq * size, values.tobytes(), stream=number))
            await bot.acked(2, number)
        await bot.say(end(dict.fromkeys(sent, 2)))
        coverage = await bot.ended()

    assert {one["id"]: one["duration"] for one in coverage} == {
        number: len(samples) for number, samples in sent.items()
    }
    assert all(fates(one) == one["duration"] and one["lost"] == 0 for one in coverage)
    for one in described:
        url = f"/api/sessions/pc-formats/recording?stream={one['id']}"
        samples, rate = (await service.ask("GET", url)).recording()
        assert rate == one["sample_rate"]
        assert np.array_equal(samples.reshape(-1, one["channels"]), sent[one["id"]])


async def test_floats_that_are_no_sound_become_silence(service: Service) -> None:
    await service.create("pc-floats")
    values = np.zeros(FRAME, "<f4")
    values[:7] = [np.nan, np.inf, -np.inf, 2, -2, 0.5, np.float32(1e-40)]
    async with service.ingest("pc-floats") as bot:
        await bot.greeted(stream(encoding="f32le"))
        await bot.send(frame(0, 0, values.tobytes()))
        await bot.acked(0)
        await bot.send(frame(1, FRAME, bytes(4 * FRAME)))
        await bot.acked(1)
        await bot.say(end({0: 1}))
        assert (await bot.ended())[0]["duration"] == 2 * FRAME
    recorded = await service.ask("GET", "/api/sessions/pc-floats/recording?stream=0")
    assert recorded.recording()[0][:7].tolist() == [0, 0, 0, 32_767, -32_768, 16_384, 0]


async def test_skipped_capture_is_a_gap_and_a_broken_clock_an_error(service: Service) -> None:
    await service.create("pc-gap")
    sound = noise(2 * FRAME)
    async with service.ingest("pc-gap") as bot:
        await bot.greeted()
        await bot.send(frame(0, 0, sound[:FRAME].tobytes()))
        await bot.send(frame(1, 5 * FRAME, sound[FRAME:].tobytes()))
        await bot.acked(1)
        leap = 6 * FRAME + 3600 * RATE + 1
        await bot.send(frame(2, leap, SILENCE))
        assert await bot.failed() == ("bad_audio", 4008)
    async with service.ingest("pc-gap") as bot:
        assert (await bot.greeted())["streams"][0]["next_sample"] == 6 * FRAME
        await bot.send(frame(2, 6 * FRAME - 1, SILENCE))
        assert await bot.failed() == ("bad_audio", 4008)

    coverage = await end_session(service, "pc-gap", 1)
    assert (coverage["duration"], fates(coverage)) == (6 * FRAME, 6 * FRAME)
    assert coverage["lost_by_reason"] == {"capture_skipped": 4 * FRAME}
    gaps = [one for one in await service.events("pc-gap") if one["type"] == "gap"]
    assert [(one["stream"], one["start"], one["end"], one["reason"]) for one in gaps] == [
        (0, 0.1, 0.5, "capture_skipped")
    ]
    recorded = await service.ask("GET", "/api/sessions/pc-gap/recording?stream=0")
    silence = np.zeros(4 * FRAME, np.int16)
    assert np.array_equal(
        recorded.recording()[0], np.concatenate([sound[:FRAME, 0], silence, sound[FRAME:, 0]])
    )


# Watching


@pytest_asyncio.fixture(scope="module")
async def watched(running: RunningService) -> list[Json]:
    """What a viewer of `pc-live` heard from before its first word to its close with 1000."""
    speech = soundfile.read(READING, frames=10 * RATE, dtype="int16")[0].astype("<i2")
    async with Service.at(running.url) as service:
        await service.create("pc-live", language="en", title="Reading")
        async with service.live("pc-live") as viewer, service.ingest("pc-live") as bot:
            await viewer.until("snapshot")
            await bot.greeted(stream(participant={"id": "p-1", "name": "Ana"}))
            for seq in range(len(speech) // FRAME):
                first = seq * FRAME
                await bot.send(frame(seq, first, speech[first : first + FRAME].tobytes()))
            await viewer.until("segment")
            await bot.say(end({0: len(speech) // FRAME - 1}))
            await bot.ended()
            await viewer.say({"type": "ping", "t": 1})
            assert await viewer.closed() == 1000
        return viewer.heard


def durable(messages: list[Json]) -> list[Json]:
    return [one for one in messages if "seq" in one and one["type"] not in ("snapshot", "resumed")]


def check_segment(segment: Json) -> None:
    assert set(segment) == {
        *("segment_id", "revision", "state", "stream", "start", "end"),
        *("absolute_start", "absolute_end", "speaker", "language", "text", "words"),
        "translations",
    }
    assert set(segment["speaker"]) == {"id", "name", "confidence", "method"}
    assert (segment["speaker"]["name"], segment["speaker"]["method"]) == ("Ana", "own_stream")
    assert segment["text"] == " ".join(word["text"] for word in segment["words"])
    for word in segment["words"]:
        assert set(word) == {"text", "start", "end", "probability"}
        assert segment["start"] <= word["start"] <= word["end"] <= segment["end"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", segment["absolute_start"])


async def test_a_viewer_gets_a_snapshot_then_every_event(
    service: Service, watched: list[Json]
) -> None:
    snapshot = watched[0]
    assert set(snapshot) == {"type", "seq", "session", "segments", "truncated"}
    assert (snapshot["session"]["session_id"], snapshot["session"]["title"]) == (
        "pc-live",
        "Reading",
    )
    assert (snapshot["segments"], snapshot["truncated"]) == ([], False)

    events = durable(watched)
    assert [one["seq"] for one in events] == list(
        range(snapshot["seq"] + 1, len(events) + snapshot["seq"] + 1)
    )
    assert (await service.events("pc-live"))[snapshot["seq"] :] == events
    assert (events[-1]["type"], events[-1]["status"]) == ("status", "completed")
    assert watched[-1] == events[-1]

    finals = [one["segment"] for one in events if one["type"] == "segment"]
    assert finals
    assert all(one["state"] == "final" for one in finals)
    assert [one["start"] for one in finals] == sorted(one["start"] for one in finals)
    for one in finals:
        check_segment(one)


async def test_pending_text_passes_before_it_is_final(watched: list[Json]) -> None:
    passing = [one for one in watched if "seq" not in one]
    pending = [one["segment"] for one in passing if one["type"] == "segment"]
    assert pending
    assert {one["state"] for one in pending} == {"pending"}
    for one in pending:
        check_segment(one)
    final = {one["segment"]["segment_id"] for one in durable(watched) if one["type"] == "segment"}
    retracted = {one["segment_id"] for one in passing if one["type"] == "retract"}
    assert {one["segment_id"] for one in pending} <= final | retracted
    assert {one["type"] for one in passing} <= {
        *("segment", "retract", "coverage", "level", "lag", "pong")
    }


@pytest.mark.usefixtures("watched")
async def test_a_viewer_that_comes_back_gets_exactly_what_it_missed(service: Service) -> None:
    stored = await service.events("pc-live")
    last: int = stored[-1]["seq"]
    for after in (0, 1, last - 1, last):
        async with service.live("pc-live", after=after) as viewer:
            assert await viewer.closed() == 1000
        assert viewer.heard[0] == {"type": "resumed", "after": after, "seq": last}
        assert viewer.heard[1:] == stored[after:]
    for unknown in (None, last + 1):
        async with service.live("pc-live", after=unknown) as viewer:
            assert await viewer.closed() == 1000
        assert [one["type"] for one in viewer.heard] == ["snapshot"]
        assert viewer.heard[0]["seq"] == last
    assert (await service.knock("/ws/live/pc-live?after=soon")).problem() == (400, "bad_request")


@pytest.mark.usefixtures("watched")
async def test_events_page_in_order(service: Service) -> None:
    stored = await service.events("pc-live")
    paged: list[Json] = []
    query = "?limit=2"
    while True:
        page = await service.get(f"/api/sessions/pc-live/events{query}")
        assert page["session_id"] == "pc-live"
        assert len(page["items"]) <= 2
        paged += page["items"]
        if page["next_cursor"] is None:
            break
        query = f"?limit=2&cursor={page['next_cursor']}"
    assert paged == stored
    after = (await service.get("/api/sessions/pc-live/events?after=3"))["items"]
    assert after == stored[3:]


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("form", FORMATS)
async def test_the_transcript_comes_in_every_format(service: Service, form: str) -> None:
    answer = await service.ask("GET", f"/api/sessions/pc-live/transcript?format={form}")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(FORMATS[form])
    transcript = await service.get("/api/sessions/pc-live/transcript")
    assert {"session_id", "status", "language", "segments", "coverage"} <= transcript.keys()
    assert (transcript["status"], transcript["language"]) == ("completed", "en")
    text = answer.body.decode()
    assert all(
        word["text"] in text for segment in transcript["segments"] for word in segment["words"]
    )
    if form == "json":
        stored = await service.events("pc-live")
        finals = [one["segment"] for one in stored if one["type"] == "segment"]
        assert transcript["segments"] == finals
    if form == "vtt":
        assert text.startswith("WEBVTT")


# HTTP


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/api/sessions/pc-none", None, (404, "unknown_session")),
        ("GET", "/api/sessions/pc-none/transcript", None, (404, "unknown_session")),
        ("GET", "/api/sessions/pc-none/coverage", None, (404, "unknown_session")),
        ("GET", "/api/sessions/pc-none/events", None, (404, "unknown_session")),
        ("GET", "/api/sessions/pc-none/participants", None, (404, "unknown_session")),
        ("GET", "/api/sessions/pc-none/recording?stream=0", None, (404, "unknown_session")),
        ("POST", "/api/sessions/pc-none/end", None, (404, "unknown_session")),
        ("DELETE", "/api/sessions/pc-none", None, (404, "unknown_session")),
        ("GET", "/api/nothing", None, (404, "not_found")),
        ("PUT", "/api/sessions", None, (405, "method_not_allowed")),
        ("GET", "/api/tickets", None, (405, "method_not_allowed")),
        ("POST", "/api/sessions", {"session_id": "no spaces"}, (422, "invalid_request")),
        ("POST", "/api/sessions", {"session_id": "x" * 65}, (422, "invalid_request")),
        ("POST", "/api/sessions", {"language": "English"}, (422, "invalid_request")),
        ("POST", "/api/sessions", {"target_languages": ["pt"] * 17}, (422, "invalid_request")),
        ("POST", "/api/sessions", {"settings": {"chunk_ms": 1}}, (400, "bad_request")),
        ("POST", "/api/sessions", [], (422, "invalid_request")),
        ("POST", "/api/sessions", {"title": "x" * 65_536}, (413, "too_large")),
        ("GET", "/api/sessions?limit=201", None, (422, "invalid_request")),
        ("GET", "/api/sessions?status=asleep", None, (422, "invalid_request")),
        ("GET", "/api/sessions?cursor=nonsense", None, (400, "bad_request")),
    ],
)
async def test_a_wrong_request_is_a_problem(
    service: Service, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    assert (await service.ask(method, path, body)).problem() == expected


async def test_a_body_that_is_not_json_is_a_problem(service: Service) -> None:
    answer = await service.ask(
        "POST", "/api/sessions", data=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.problem() == (422, "invalid_request")


async def test_sessions_page_newest_first(service: Service) -> None:
    made = [f"pc-page-{number}" for number in range(5)]
    for session_id in made:
        await service.create(session_id)
    listed: list[Json] = []
    query = "?status=created&status=failed&limit=2"
    while True:
        page = await service.get(f"/api/sessions{query}")
        listed += page["items"]
        if page["next_cursor"] is None:
            break
        query = f"?status=created&status=failed&limit=2&cursor={page['next_cursor']}"
    ids = [one["session_id"] for one in listed]
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if one in made] == made[::-1]
    times = [one["created_at"] for one in listed]
    assert times == sorted(times, reverse=True)
    assert {one["status"] for one in listed} <= {"created", "failed"}


async def test_a_session_is_ended_where_it_is(service: Service) -> None:
    await service.create("pc-end")
    async with service.ingest("pc-end") as bot:
        await bot.greeted()
        await send_silence(bot, 0, 2)
        await bot.acked(2)
        answer = await service.ask("POST", "/api/sessions/pc-end/end")
        assert (answer.status, answer.json["session_id"]) == (200, "pc-end")
        assert (await bot.ended())[0]["duration"] == 3 * FRAME
    statuses = [one["status"] for one in await service.events("pc-end") if "status" in one]
    assert statuses == ["active", "ending", "completed"]


async def test_nothing_lost_is_nothing_to_repair(service: Service) -> None:
    answer = await service.ask("POST", "/api/sessions/pc-end/repair")
    assert (answer.status, answer.json) == (202, {"session_id": "pc-end", "ranges": 0})
    assert await service.status_is("pc-end", "completed")


async def test_deleting_removes_rows_and_files(service: Service, running: RunningService) -> None:
    recordings = running.data_dir / "recordings"
    assert list(recordings.rglob("*pc-end*")) != []
    assert (await service.ask("DELETE", "/api/sessions/pc-end")).status == 200

    for part in ("", "/transcript", "/coverage", "/events", "/participants"):
        answer = await service.ask("GET", f"/api/sessions/pc-end{part}")
        assert answer.problem() == (404, "unknown_session")
    assert (await service.knock("/ws/ingest/pc-end")).problem() == (404, "unknown_session")
    assert (await service.knock("/ws/live/pc-end")).problem() == (404, "unknown_session")
    assert list(recordings.rglob("*pc-end*")) == []
    assert (await service.ask("DELETE", "/api/sessions/pc-end")).problem()[0] == 404
    recreated = await service.create("pc-end")
    assert recreated["status"] == "created"
    assert await service.events("pc-end") == []
