"""The edge over real sessions and a real database in one process; the engines are scripted."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import aiohttp
import numpy as np
import pytest
import soundfile

from orchestration.api.ports import SessionLink
from orchestration.api.wire import encode_frame
from orchestration.errors import EngineError, JsonObject, JsonValue
from orchestration.health.report import HealthReport
from orchestration.metrics.meter import Tally
from orchestration.services.ports import (
    Hypothesis,
    HypothesisSegment,
    HypothesisWord,
    TranscriptionRequest,
    TranslationRequest,
)
from orchestration.session.inputs import AudioFrame
from orchestration.session.pump import RENAMED_AT_ONCE
from orchestration.session.recording_reader import RecordingReader
from orchestration.session.runner import SessionRunner
from orchestration.session.values import ChunkingValues, SessionValues
from orchestration.speakers.corrections import (
    CORRECTED_BY,
    Correction,
)
from orchestration.speakers.repainting import REPAINTABLE_SEGMENTS
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.erasing import Erasing
from orchestration.storage.erasure_ports import ErasureReceipt, PersonAudio
from orchestration.storage.erasure_ports import Person as PersonToErase
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import connect_pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.recordings import Recordings
from orchestration.storage.values import SessionRow, SessionSpec
from orchestration.timing.service_clock import ServiceClock
from tests.database import temporary_server
from tests.doubles.api_server import served
from tests.storage_values import participant, segment
from tests.unit.timing.simulation import T0_NS, Accident, Delivery, deliveries

READING = Path(__file__).parents[1] / "data" / "reading.flac"
FRAME_SAMPLES = 1600
T0_MS = T0_NS // 1_000_000
ENDED_STATUSES = ("completed", "failed")


class ScriptedEngines:
    """Hears one word in every chunk, and translates it; while `down` it does neither."""

    def __init__(self) -> None:
        self.down = False

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        if self.down:
            raise EngineError("no whisper service answers")
        middle_ms = request.duration_ms // 2
        word = HypothesisWord("hello", middle_ms - 100, middle_ms + 100, 0.9)
        return Hypothesis("en", (HypothesisSegment((word,)),), "scripted")

    async def translate(self, request: TranslationRequest) -> str:
        return "olá"


class ActorHandle:
    """A link that outlives its session's incarnations, as a handle to a restarted actor does."""

    def __init__(self, runners: dict[str, SessionRunner], session_id: str) -> None:
        self._runners = runners
        self._session_id = session_id

    def __getattr__(self, method: str) -> Any:
        return getattr(self._runners[self._session_id], method)


class RunningSessions:
    """The Sessions port over runners in this process."""

    def __init__(
        self, archive: PostgresArchive, journal: PostgresJournal, recordings: Path
    ) -> None:
        self._archive = archive
        self._values = SessionValues(outage_patience_ms=0, recordings_dir=str(recordings))
        self._journal = journal
        self._erasing = Erasing(archive, ChunkFileStore(recordings))
        self._runners: dict[str, SessionRunner] = {}
        self.engines = ScriptedEngines()
        self.finished = asyncio.Event()

    async def create(self, spec: SessionSpec) -> tuple[SessionRow, bool]:
        row, created = await self._archive.create_session(spec)
        await self.restart(spec.session_id)
        return row, created

    async def restart(self, session_id: str) -> None:
        """As after the death of the session's actor."""
        former = self._runners.get(session_id)
        if former is not None:
            await former.stop()
        claim = await self._journal.claim(session_id, "actor")
        recordings = Recordings(
            self._archive, ChunkFileStore(Path(self._values.recordings_dir or ""))
        )
        runner = SessionRunner(
            claim,
            self._journal,
            self.engines,
            self._values,
            RecordingReader(session_id, recordings),
            self._finished,
            Tally(),
        )
        await runner.start()
        self._runners[session_id] = runner

    def apply(self, values: SessionValues) -> None:
        """The service's settings have changed."""
        for runner in self._runners.values():
            runner.apply(values)

    async def _finished(self) -> None:
        self.finished.set()

    async def link(self, session_id: str) -> SessionLink | None:
        row = await self._archive.session(session_id)
        if row.status in ENDED_STATUSES:
            return None
        handle: Any = ActorHandle(self._runners, session_id)
        return cast(SessionLink, handle)

    async def end(self, session_id: str) -> SessionRow:
        await self._runners[session_id].end()
        return await self._archive.session(session_id)

    async def configure(
        self, session_id: str, change: Callable[[SessionSpec], SessionSpec]
    ) -> SessionRow:
        row = await self._archive.configure_session(session_id, change)
        await self._runners[session_id].configure()
        return row

    async def repair(self, session_id: str) -> int:
        self.finished.clear()
        await self.restart(session_id)
        return await self._runners[session_id].repair()

    async def correct(
        self, session_id: str, correction: Correction | None, corrected_by: str = CORRECTED_BY
    ) -> int:
        row = await self._archive.session(session_id)
        if row.status in ENDED_STATUSES:
            await self.restart(session_id)
        return await self._runners[session_id].correct(correction, corrected_by)

    async def erase_person(self, person: PersonToErase, audio: PersonAudio) -> ErasureReceipt:
        return await self._erasing.person(person, audio)

    async def delete(self, session_id: str) -> ErasureReceipt:
        return await self._erasing.session(session_id)

    async def health(self) -> HealthReport:
        return HealthReport("healthy", (), len(self._runners), 0, 0)

    async def stop(self) -> None:
        for runner in self._runners.values():
            await runner.stop()


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with temporary_server() as started:
        yield started


class Service:
    """A running edge: its address, its client, and the sessions behind it."""

    def __init__(self, url: str, client: aiohttp.ClientSession, sessions: RunningSessions) -> None:
        self.url = url
        self.client = client
        self.sessions = sessions

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


@pytest.fixture
async def service(dsn: str, tmp_path: Path) -> AsyncIterator[Service]:
    await migrate(dsn, connect_timeout_s=10)
    pool = await connect_pool(dsn, min_size=1, max_size=4, connect_timeout_s=10)
    archive = PostgresArchive(pool)
    sessions = RunningSessions(archive, PostgresJournal(pool), tmp_path / "recordings")
    async with served(tmp_path, sessions, archive) as host, aiohttp.ClientSession() as client:
        yield Service(f"http://{host}", client, sessions)
    await sessions.stop()
    await pool.close()


def read_audio(seconds: int) -> np.ndarray:
    samples, rate = soundfile.read(READING, dtype="int16", stop=seconds * 16_000)
    assert rate == 16_000
    return np.asarray(samples)


def frames_of(samples: np.ndarray) -> list[bytes]:
    return [
        encode_frame(AudioFrame(0, seq, start, samples[start : start + FRAME_SAMPLES].tobytes()))
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
    assert transcript["coverage"] == ended["coverage"]
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

    service.sessions.engines.down = False
    async with service.client.post(f"{service.url}/api/sessions/repaired/repair") as response:
        assert response.status == 202
        assert (await response.json())["ranges"] > 0
    await service.sessions.finished.wait()

    (stream,) = (await service.get("/api/sessions/repaired/coverage"))["streams"]
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
            await bot.send_bytes(encode_frame(AudioFrame(0, seq, start, bytes(2 * FRAME_SAMPLES))))
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


async def test_changed_settings_that_do_not_fit_a_sessions_own_leave_it_as_it_was(
    service: Service,
) -> None:
    client = service.client
    body = {"session_id": "own", "settings": {"overlap_ms": 3000}}
    async with client.post(f"{service.url}/api/sessions", json=body) as response:
        assert response.status == 201
    async with client.ws_connect(f"{service.url}/ws/live/own?after=0") as viewer:
        await viewer.receive_json()
        service.sessions.apply(SessionValues(chunking=ChunkingValues(chunk_ms=3200)))
        async with asyncio.timeout(60):
            while (event := await viewer.receive_json())["type"] != "alert":
                pass
        assert event["code"] == "settings_not_applied"
        url = f"{service.url}/api/sessions/own"
        async with client.patch(url, json={"settings": {"overlap_ms": None}}) as response:
            assert (await response.json())["settings"] == {}


async def test_viewers_are_told_of_a_change_that_was_stored_while_the_actor_died(
    service: Service, dsn: str
) -> None:
    await service.sessions.create(SessionSpec("dying", language="en"))
    pool = await connect_pool(dsn, min_size=1, max_size=1, connect_timeout_s=10)
    async with service.client.ws_connect(f"{service.url}/ws/live/dying") as viewer:
        await viewer.receive_json()
        await PostgresArchive(pool).configure_session(
            "dying", lambda spec: replace(spec, target_languages=("pt",))
        )
        await service.sessions.restart("dying")
        told = await until(viewer, "session")
    assert (told["language"], told["target_languages"]) == ("en", ["pt"])
    await pool.close()


async def test_a_platforms_new_name_is_on_every_line_of_the_session(
    service: Service, dsn: str
) -> None:
    body = {"session_id": "renaming", "language": "en"}
    async with service.client.post(f"{service.url}/api/sessions", json=body) as response:
        session = await response.json()
    lines = [segment(number) for number in range(REPAINTABLE_SEGMENTS + RENAMED_AT_ONCE + 5)]
    pool = await connect_pool(dsn, min_size=1, max_size=1, connect_timeout_s=10)
    known = SessionChanges(segments=lines, participants=[participant()], zero_unix_ms=T0_MS)
    await PostgresJournal(pool).commit("renaming", 1, known)
    await service.sessions.restart("renaming")
    async with (
        service.client.ws_connect(session["live_url"]) as viewer,
        service.client.ws_connect(session["ingest_url"]) as bot,
    ):
        await bot.send_json({"type": "hello", "protocol": 1, "streams": [MIXED]})
        await until(bot, "welcome")
        person = {"id": "p1", "name": "Ana Lima"}
        await bot.send_bytes(frames_of(read_audio(1))[0])
        await bot.send_json(
            {"type": "participant", "fact": 0, "event": "join", "participant": person}
        )
        repainted: set[str] = set()
        while len(repainted) < len(lines):
            told = await until(viewer, "speaker")
            repainted |= {one["segment_id"] for one in told["segments"]}
    stored = await PostgresJournal(pool).final_segments("renaming")
    assert {(one.speaker.name, one.revision) for one in stored if one.speaker} == {("Ana Lima", 2)}
    assert len(stored) == len(lines)
    await pool.close()


async def test_lines_of_before_are_translated_to_a_language_that_comes_to_a_running_session(
    service: Service, dsn: str
) -> None:
    body: JsonObject = {"session_id": "languages", "language": "en"}
    async with service.client.post(f"{service.url}/api/sessions", json=body) as response:
        session = await response.json()
    pool = await connect_pool(dsn, min_size=1, max_size=1, connect_timeout_s=10)
    lines = [segment(number) for number in range(9)]
    changes = SessionChanges(segments=lines, zero_unix_ms=T0_MS)
    await PostgresJournal(pool).commit("languages", 1, changes)
    await pool.close()
    async with service.client.ws_connect(session["live_url"]) as viewer:
        url = f"{service.url}/api/sessions/languages"
        async with service.client.patch(url, json={"target_languages": ["pt"]}) as response:
            assert (await response.json())["target_languages"] == ["pt"]
        told = [await until(viewer, "translation") for _ in lines]
    assert [one["segment_id"] for one in told] == [one.segment_id for one in lines]
    await service.sessions.end("languages")
    async with asyncio.timeout(60):
        await service.sessions.finished.wait()
    transcript = await service.get("/api/sessions/languages/transcript")
    assert transcript["status"] == "completed"
    assert [one["translations"] for one in transcript["segments"]] == [
        {"pt": {"text": "olá", "state": "final"}}
    ] * len(lines)
