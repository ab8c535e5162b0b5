"""The edge over real sessions and a real database in one process; the engines are scripted."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import soundfile

from orchestration.client.wire import frame_bytes
from orchestration.json_types import JsonObject
from orchestration.timing.service_clock import ServiceClock
from tests.integration.edge_over_postgres import (
    FRAME_SAMPLES,
    HELLO,
    MIXED,
    Service,
    edge_over_postgres,
    frames_of,
    read_audio,
    until,
    until_named,
)
from tests.unit.timing.simulation import T0_NS, Accident, Delivery, deliveries


@pytest.fixture
async def service(server_dsn: str, tmp_path: Path) -> AsyncIterator[Service]:
    async with edge_over_postgres(server_dsn, tmp_path) as running:
        yield running


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_meeting_goes_in_and_a_transcript_comes_out(
    service: Service, restarts: bool
) -> None:
    samples = read_audio(12)
    frames = frames_of(samples)
    session_id = f"meeting-{restarts}".lower()
    body = {"session_id": session_id, "language": "en", "target_languages": ["pt"]}
    async with service.client.post(f"{service.url}/api/sessions", json=body) as response:
        session = await response.json()
        assert response.status == 201
    async with service.client.ws_connect(session["live_url"]) as viewer:
        snapshot = await viewer.receive_json()
        async with service.client.ws_connect(session["ingest_url"]) as bot:
            await bot.send_json(HELLO)
            await until(bot, "welcome")
            for frame in frames[:60]:
                await bot.send_bytes(frame)
            if restarts:
                await service.sessions.restart(session_id)
            for frame in frames[60:]:
                await bot.send_bytes(frame)
            end = {"streams": [{"id": 0, "last_seq": len(frames) - 1}], "last_fact": -1}
            await bot.send_json({"type": "end", **end})
            ended = await until(bot, "ended")
        seen = [message.json() async for message in viewer]

    seqs = [message["seq"] for message in seen if "seq" in message]
    assert seqs == list(range(snapshot["seq"] + 1, snapshot["seq"] + 1 + len(seqs)))
    assert viewer.close_code == 1000
    (stream,) = ended["coverage"]["streams"]
    assert stream["duration"] == len(samples)
    assert (stream["pending"], stream["lost"]) == (0, 0)
    assert stream["transcribed"] + stream["silent"] == len(samples)

    transcript = await service.get(f"/api/sessions/{session_id}/transcript")
    assert transcript["status"] == "completed"
    assert transcript["coverage"] == {**ended["coverage"], "gaps": []}
    assert transcript["segments"]
    for line in transcript["segments"]:
        assert line["speaker"]["name"] == "Ana"
        assert line["translations"] == {"pt": {"text": "olá", "state": "final"}}

    events = await service.get(f"/api/sessions/{session_id}/events?after={snapshot['seq']}")
    assert events["items"] == [message for message in seen if "seq" in message]
    async with service.client.get(
        f"{service.url}/api/sessions/{session_id}/recording?stream=0"
    ) as response:
        recorded, _ = soundfile.read(io.BytesIO(await response.read()), dtype="int16")
    assert (recorded == samples).all()

    people = f"/api/sessions/{session_id}/speakers"
    clara: JsonObject = {"speaker_id": "p1", "person": {"id": "p2", "name": "Clara"}, "by": "Bea"}
    assert await service.post(f"{people}/map", clara) == len(transcript["segments"])
    renamed = {"speaker_id": "p2", "name": "Clara B"}
    assert await service.post(f"{people}/rename", renamed) == len(transcript["segments"])
    corrected = await service.get(f"/api/sessions/{session_id}/transcript")
    for before, after in zip(transcript["segments"], corrected["segments"], strict=True):
        assert (after["speaker"]["name"], after["speaker"]["method"]) == ("Clara B", "manual")
        assert (after["revision"], after["words"]) == (before["revision"] + 2, before["words"])
    told = await service.get(f"/api/sessions/{session_id}/events?after={seqs[-1]}")
    assert [one["type"] for one in told["items"]] == ["speaker", "speaker"]
    history = await service.get(f"{people}/corrections")
    assert [one["by"] for one in history["items"]] == ["Bea", "api"]


async def test_who_spoke_is_corrected_while_the_meeting_runs_and_after_it(
    service: Service,
) -> None:
    frames = frames_of(read_audio(12))
    people = "/api/sessions/corrected/speakers"
    body = {"session_id": "corrected", "language": "en"}
    async with service.client.post(f"{service.url}/api/sessions", json=body) as response:
        session = await response.json()
    async with (
        service.client.ws_connect(session["live_url"]) as viewer,
        service.client.ws_connect(session["ingest_url"]) as bot,
    ):
        await bot.send_json({"type": "hello", "protocol": 1, "streams": [MIXED]})
        await until(bot, "welcome")
        start = {"type": "speaker", "fact": 0, "event": "start", "participant_id": "p1"}
        await bot.send_json(start | {"name": "Ana", "stream": 0, "sample": 0})
        for frame in frames:
            await bot.send_bytes(frame)
        first = await until_named(viewer, "Ana")
        assert await service.post(f"{people}/rename", {"speaker_id": "p1", "name": "Ana Lima"}) > 0
        repainted = await until(viewer, "speaker")
        assert repainted["speaker"]["name"] == "Ana Lima"
        assert {"segment_id": first["segment_id"], "revision": first["revision"] + 1} in repainted[
            "segments"
        ]
        clara = {"segment_id": first["segment_id"], "person": {"id": "c1", "name": "Clara"}}
        assert await service.post(f"{people}/map", clara) == 1
        # The platform's later word on the same time does not outweigh it.
        late = {"type": "participant", "fact": 1, "event": "join", "unix_ms": 1_700_000_000_000}
        await bot.send_json(late | {"participant": {"id": "p1", "name": "Ana (phone)"}})
        end = {"streams": [{"id": 0, "last_seq": len(frames) - 1}], "last_fact": 1}
        await bot.send_json({"type": "end", **end})
        await until(bot, "ended")
    transcript = await service.get("/api/sessions/corrected/transcript")
    names = {one["segment_id"]: one["speaker"]["name"] for one in transcript["segments"]}
    assert names.pop(first["segment_id"]) == "Clara"
    assert set(names.values()) <= {"Ana Lima"}
    assert await service.post(f"{people}/merge", {"speaker_id": "c1", "into_id": "p1"}) == 1
    async with service.client.get(
        f"{service.url}/api/sessions/corrected/transcript?format=txt"
    ) as response:
        exported = await response.text()
    assert "Ana Lima" in exported
    assert "Clara" not in exported
    listed = {one["id"]: one for one in (await service.get(people))["items"]}
    assert (listed["p1"]["name"], listed["p1"]["manual"]) == ("Ana Lima", True)
    assert listed["p1"]["segments"] == len(transcript["segments"])
    assert listed["p1"]["speaking_seconds"] > 0
    assert [one["name"] for one in listed["p1"]["names"]] == ["Ana", "Ana Lima", "Ana (phone)"]
    assert await service.post("/api/audio/correlations", {"session_id": "corrected"}) == 0


async def test_what_an_outage_lost_is_heard_when_a_repair_is_asked_for(service: Service) -> None:
    frames = frames_of(read_audio(6))
    body = {"session_id": "repaired", "language": "en"}
    async with service.client.post(f"{service.url}/api/sessions", json=body) as response:
        session = await response.json()
    service.sessions.engines.down = True
    async with service.client.ws_connect(session["ingest_url"]) as bot:
        await bot.send_json(HELLO)
        for frame in frames:
            await bot.send_bytes(frame)
        end = {"streams": [{"id": 0, "last_seq": len(frames) - 1}], "last_fact": -1}
        await bot.send_json({"type": "end", **end})
        ended = await until(bot, "ended")
    (stream,) = ended["coverage"]["streams"]
    assert (stream["transcribed"], stream["pending"]) == (0, 0)
    assert stream["lost_by_reason"] == {"engine_error": stream["lost"]}

    gaps = (await service.get("/api/sessions/repaired/coverage"))["gaps"]
    items = (await service.get("/api/sessions/repaired/events"))["items"]
    told = [event for event in items if event["type"] == "gap"]
    assert (gaps[0]["start"], gaps[-1]["end"]) == (told[0]["start"], told[-1]["end"])

    service.sessions.engines.down = False
    async with service.client.post(f"{service.url}/api/sessions/repaired/repair") as response:
        assert response.status == 202
        assert (await response.json())["ranges"] > 0
    await service.sessions.finished.wait()

    coverage = await service.get("/api/sessions/repaired/coverage")
    (stream,) = coverage["streams"]
    assert coverage["gaps"] == []
    assert (stream["lost"], stream["pending"]) == (0, 0)
    assert stream["transcribed"] + stream["silent"] == stream["duration"]
    events = (await service.get("/api/sessions/repaired/events"))["items"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert any(event.get("corrected") for event in events)


async def test_what_is_known_of_a_sender_s_clock_is_told_and_survives_its_session_s_actor(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three minutes of arrivals as simulated, in as short a time as it takes to send them."""
    lossy = Accident("100 ms lost", lost_s=0.100)
    sent = list(deliveries(1, 50.0, lossy, duration_s=180))
    arrivals = iter([T0_NS + round(one.delivered_s * 1e9) for one in sent for _ in messages(one)])
    monkeypatch.setattr(ServiceClock, "unix_ns", lambda clock, monotonic_ns: next(arrivals))
    body = {"session_id": "clocked", "language": "en"}
    async with service.client.post(f"{service.url}/api/sessions", json=body) as response:
        session = await response.json()

    async with service.client.ws_connect(session["ingest_url"]) as bot:
        await bot.send_json(HELLO)
        await until(bot, "welcome")
        facts = 0
        for seq, one in enumerate(sent):
            start = one.sample - FRAME_SAMPLES
            await bot.send_bytes(frame_bytes(0, seq, start, bytes(2 * FRAME_SAMPLES)))
            if one.stamp_s is not None:
                unix_ms = T0_NS // 1_000_000 + round(one.stamp_s * 1000)
                stamp = {"stream": 0, "sample": one.sample, "unix_ms": unix_ms}
                await bot.send_json({"type": "clock", "fact": facts, **stamp})
                facts += 1
            if seq % 300 == 299:
                while (await until(bot, "ack"))["streams"][0]["upto"] < seq:
                    pass
        while not (await service.get("/api/sessions/clocked/statistics"))["clock_changes"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await service.sessions.restart("clocked")

    figures = await service.get("/api/sessions/clocked/statistics")
    (clock,) = figures["clocks"]
    assert clock["rate_ppm"] == pytest.approx(50.0, abs=5)
    assert clock["rate_error_ppm"] < 20
    (change,) = figures["clock_changes"]
    assert (change["kind"], change["seconds"]) == ("capture_gap", pytest.approx(0.1, abs=0.005))
    events = (await service.get("/api/sessions/clocked/events"))["items"]
    assert [one["kind"] for one in events if one["type"] == "clock"] == ["capture_gap"]


def messages(one: Delivery) -> range:
    """A frame, and with some of them a stamp."""
    return range(1 if one.stamp_s is None else 2)
