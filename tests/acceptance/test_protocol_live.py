"""docs/protocols.md, kept word for word by the service: what a viewer is told."""

import asyncio
import re
from pathlib import Path

import pytest
import pytest_asyncio
import soundfile

from tests.acceptance.protocol_values import (
    FRAME,
    MOMENT,
    RATE,
)
from tests.acceptance.raw_client import (
    PATIENCE_S,
    Json,
    Service,
    end,
    frame,
    stream,
)
from tests.service import RunningService

READING = Path(__file__).parents[1] / "data" / "reading.flac"
FORMATS = {"json": "application/json", "txt": "text/plain", "srt": "application/x-subrip"} | {
    "vtt": "text/vtt"
}


async def test_a_quiet_service_answers_each_message_as_it_comes(service: Service) -> None:
    await service.create("pc-quiet")
    async with service.live("pc-quiet") as viewer:
        await viewer.until("snapshot")
        # A wake-up that is lost between threads shows only where nothing else wakes the service.
        async with asyncio.timeout(PATIENCE_S):
            for turn in range(50):
                await viewer.say({"type": "ping", "t": turn})
                await viewer.until("pong", t=turn)


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
    assert re.fullmatch(MOMENT, segment["absolute_start"])


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
