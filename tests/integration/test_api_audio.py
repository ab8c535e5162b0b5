"""Audio by HTTP over the doubles: uploads, jobs, chunks, and their limits."""

import base64
import io
import json
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from yarl import URL

from orchestration.json_types import JsonObject
from orchestration.session.inputs import ParticipantRef
from orchestration.storage.archive_ports import QualitySummary
from tests.data.make_files import FORMATS, tone_file
from tests.doubles.api_server import ApiServer, api_server

WAV = tone_file(FORMATS["wav"])
FLAC = tone_file(FORMATS["flac"])


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    limits = {"answer_within_s": 10, "max_uploads": 1, "max_upload_bytes": 300_000}
    async with api_server(tmp_path, audio=limits) as running:
        yield running


def form(file: bytes = FLAC, **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name, value in fields.items():
        data.add_field(name, value)
    data.add_field("file", file, filename="tone.flac", content_type="audio/flac")
    return data


async def upload(
    server: ApiServer, file: bytes = FLAC, headers: dict[str, str] | None = None, **fields: str
) -> tuple[int, JsonObject]:
    return await server.json(
        "POST", "/api/audio/upload", data=form(file, **fields), headers=headers or {}
    )


def pcm(first: int, samples: int = 1600) -> bytes:
    return np.arange(first, first + samples, dtype="<i2").tobytes()


def chunk(sequence: int, audio: bytes) -> dict[str, Any]:
    data = base64.b64encode(audio).decode()
    return {"session_id": "s1", "sequence": sequence, "audio_data": data}


async def send_chunk(
    server: ApiServer, number: int, audio: bytes, **fields: Any
) -> tuple[int, JsonObject]:
    return await server.json("POST", "/api/audio/chunk", json=chunk(number, audio) | fields)


async def test_an_uploaded_file_is_a_session_of_its_own(server: ApiServer) -> None:
    status, result = await upload(server, target_languages="pt,es", language="en")

    assert status == 200
    session_id = str(result["session_id"])
    stored = server.archive.of(session_id)
    assert (stored.row.status, stored.row.spec.title) == ("completed", "tone.flac")
    assert stored.row.spec.target_languages == ("pt", "es")
    assert sum(frame.sample_count for frame in stored.frames[0]) == pytest.approx(16_000, abs=50)
    assert result["filename"] == "tone.flac"
    assert result["file_size"] == len(FLAC)
    metadata = result["audio_metadata"]
    assert isinstance(metadata, dict)
    assert (metadata["codec"], metadata["sample_rate"]) == ("flac", 48_000)
    code, job = await server.json("GET", f"/api/audio/jobs/{result['request_id']}")
    assert (code, job["status"]) == (200, "completed")


async def test_a_file_that_takes_longer_is_answered_with_a_job(server: ApiServer) -> None:
    status, job = await upload(server, headers={"Prefer": "respond-async"})
    assert (status, job["status"]) == (202, "processing")
    path = str(job["status_url"])
    code, later = await server.json("GET", path)
    assert (code, later["job_id"]) == (200, job["job_id"])


@pytest.mark.parametrize(
    "job_id", ["none.0", "s1", ".0", "s1.", "s1.%C2%B2", "s1.70000", "s1." + "1" * 5000, "%00.0"]
)
async def test_what_is_no_jobs_id_names_no_job(server: ApiServer, job_id: str) -> None:
    await server.session()
    url = URL(f"{server.url}/api/audio/jobs/{job_id}", encoded=True)
    async with server.client.get(url) as answer:
        assert answer.status == 404


async def test_json_that_is_nested_without_end_is_refused_wherever_it_is(
    server: ApiServer,
) -> None:
    deep = 50_000 * "["
    headers = {"Content-Type": "application/json"}
    chunks = "/api/audio/chunk"
    as_config = await upload(server, config=deep)
    as_chunk = await server.json("POST", chunks, data=deep, headers=headers)
    as_participant = await server.json(
        "POST", chunks, data=form(session_id="s1", sequence="0", participant=deep)
    )
    for status, problem in (as_config, as_chunk, as_participant):
        assert (status, problem["code"]) == (400, "bad_request")


async def test_names_that_come_with_audio_are_cleaned_as_all_others_are(server: ApiServer) -> None:
    await server.session()
    forged = {"id": "p1", "name": " Ana\u202e\nBen\0 "}
    assert (await send_chunk(server, 0, pcm(0), participant=forged))[0] == 200
    spec = (await server.archive.streams("s1"))[0].spec
    assert spec.participant == ParticipantRef("p1", "Ana Ben")
    for fault in ({"id": "p\n1", "name": "Ana"}, {"id": "p1", "name": "\u202e"}):
        status, problem = await send_chunk(server, 0, pcm(0), stream=1, participant=fault)
        assert (status, problem["code"]) == (400, "bad_request")
    _, result = await upload(server, config=json.dumps({"title": "One\n\u202etwo"}))
    assert server.archive.of(str(result["session_id"])).row.spec.title == "One two"


@pytest.mark.parametrize("path", ["/api/audio/upload", "/api/audio/chunk"])
@pytest.mark.parametrize("size", [len(FLAC), 2_000_000])
async def test_a_file_for_which_the_disk_has_no_place_is_told_to_come_later(
    path: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    fields = {} if "upload" in path else {"session_id": "s1", "sequence": "0", "encoding": "file"}
    (tmp_path / "data").mkdir()
    async with api_server(tmp_path / "data", audio={"max_chunk_bytes": 3_000_000}) as server:
        await server.session()
        data = aiohttp.FormData(fields)
        data.add_field("file", io.BytesIO(FLAC + bytes(size - len(FLAC))), filename="tone.flac")
        status, problem = await server.json("POST", path, data=data)
    if "upload" in path or size > len(FLAC):
        assert (status, problem["code"]) == (503, "unavailable")
        assert "There is no place" in str(problem["detail"])


async def test_progress_comes_as_server_sent_events(server: ApiServer) -> None:
    headers = {"Accept": "text/event-stream"}
    url = f"{server.url}/api/audio/upload"
    async with server.client.post(url, data=form(), headers=headers) as answer:
        text = await answer.text()
    events = [
        (one.split("\n")[0].removeprefix("event: "), json.loads(one.split("data: ")[1]))
        for one in text.strip().split("\n\n")
        if one.startswith("event")
    ]
    assert {name for name, _ in events[:-1]} <= {"progress"}
    told = [body for _, body in events[:-1]]
    assert all(one != next_one for one, next_one in pairwise(told))
    assert events[-1][0] == "result"
    assert events[-1][1]["processing_result"]["status"] == "completed"


async def test_a_file_can_be_one_more_stream_of_a_session(server: ApiServer) -> None:
    await server.session()
    await send_chunk(server, 0, pcm(0))
    status, job = await upload(server, session_id="s1", headers={"Prefer": "respond-async"})
    assert (status, job["job_id"]) == (202, "s1.1")
    assert server.archive.of("s1").row.status != "completed"


async def test_a_file_is_looked_at_without_being_heard(server: ApiServer) -> None:
    status, result = await upload(server, transcription="false")
    assert (status, result["processing_result"]) == (200, None)
    assert not server.archive.stored


async def test_a_form_may_name_each_target_language_in_a_field_of_its_own(
    server: ApiServer,
) -> None:
    fields = form()
    for language in ("pt", "es"):
        fields.add_field("target_languages", language)
    status, result = await server.json("POST", "/api/audio/upload", data=fields)
    assert status == 200
    spec = server.archive.of(str(result["session_id"])).row.spec
    assert spec.target_languages == ("pt", "es")


async def test_the_settings_of_a_file_that_is_only_looked_at_are_checked_too(
    server: ApiServer,
) -> None:
    config = json.dumps({"settings": {"audio": {"stages": {"resampling": {"gain_in_db": "x"}}}}})
    status, problem = await upload(server, transcription="false", config=config)
    assert (status, problem["status"]) == (400, 400)


@pytest.mark.parametrize("field", ["transcription", "speaker_diarization"])
@pytest.mark.parametrize("said", ["0", "1", "no", "on", "null", "truth"])
async def test_an_uploads_flag_is_true_or_false_and_nothing_else(
    server: ApiServer, field: str, said: str
) -> None:
    fields = form()
    fields.add_field(field, said)
    status, problem = await server.json("POST", "/api/audio/upload", data=fields)
    assert (status, problem["code"], problem["field"]) == (400, "bad_request", field)
    assert "true or false" in str(problem["detail"])


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("/dev/zero", "zero"),
        ("C:\\boot.ini", "boot.ini"),
        ("http://127.0.0.1/a.m3u8", "a.m3u8"),
        ("../", "audio"),
    ],
)
async def test_a_files_name_is_shown_and_never_opened(
    server: ApiServer, sent: str, shown: str
) -> None:
    data = aiohttp.FormData({"transcription": "false"}, quote_fields=False)
    data.add_field("file", FLAC, filename=sent, content_type="audio/flac")
    status, result = await server.json("POST", "/api/audio/upload", data=data)
    assert (status, result["filename"], result["file_size"]) == (200, shown, len(FLAC))


@pytest.mark.parametrize(
    ("file", "fields", "status", "code"),
    [
        (b"not audio at all" * 10, {}, 415, "unsupported_audio"),
        (b"", {}, 415, "unsupported_audio"),
        (bytes(400_000), {}, 413, "too_large"),
        (FLAC, {"session_id": "none"}, 404, "unknown_session"),
        (FLAC, {"session_id": "../x"}, 400, "bad_request"),
        (FLAC, {"target_languages": '["Portuguese"]'}, 400, "bad_request"),
        (FLAC, {"target_languages": ""}, 400, "bad_request"),
        (FLAC, {"language": ""}, 400, "bad_request"),
        (FLAC, {"config": "{"}, 400, "bad_request"),
        (FLAC, {"config": '{"settings": {"chunk_ms": 1}}'}, 400, "bad_request"),
    ],
)
async def test_a_wrong_upload_is_refused_and_leaves_no_session(
    server: ApiServer, file: bytes, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = await upload(server, file, **fields)
    assert (answer[0], answer[1].get("code")) == (status, code)
    assert not server.archive.stored
    _, stats = await server.json("GET", "/api/audio/stats")
    assert stats["uploads_under_way"] == 0


async def test_uploads_have_a_limit_at_once(server: ApiServer) -> None:
    session = await server.session()
    session.push_gate.clear()
    first, _ = await upload(server, session_id="s1", headers={"Prefer": "respond-async"})
    status, problem = await upload(server)
    session.push_gate.set()
    assert first == 202
    assert (status, problem["limit"], problem["max"]) == (429, "max_uploads", 1)


async def test_changed_limits_of_uploads_hold_for_the_next_one(server: ApiServer) -> None:
    session = await server.session()
    session.push_gate.clear()
    first, _ = await upload(server, headers={"Prefer": "respond-async"}, session_id="s1")
    more = {"settings": {"audio": {"max_uploads": 2, "max_upload_bytes": 2000}}}
    changed, _ = await server.json("POST", "/api/settings", json=more)
    second, problem = await upload(server)
    stats = await server.json("GET", "/api/audio/stats")
    session.push_gate.set()
    assert (first, changed, second) == (202, 200, 413)
    assert (problem["limit"], problem["max"]) == ("max_file_bytes", 2000)
    assert (stats[1]["max_uploads"], stats[1]["uploads_under_way"]) == (2, 1)


async def test_a_chunk_is_durable_before_it_is_answered_and_a_repeat_is_nothing(
    server: ApiServer,
) -> None:
    await server.session()
    first = await send_chunk(server, 0, pcm(0))
    again = await send_chunk(server, 0, pcm(0))
    second = await send_chunk(server, 1, pcm(1600))

    assert [one[1]["status"] for one in (first, again, second)] == ["stored", "repeated", "stored"]
    frames = server.archive.of("s1").frames[0]
    assert b"".join(frame.payload for frame in frames) == pcm(0) + pcm(1600)
    result = second[1]["processing_result"]
    assert isinstance(result, dict)
    assert (result["next_sequence"], result["next_sample"]) == (2, 3200)
    assert result["chunk_start_time"] == 0.1


async def test_chunks_are_stamped_by_a_clock_that_does_not_step_when_the_wall_clock_is_set(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await server.session()
    await send_chunk(server, 0, pcm(0))
    set_back_ns, wall_ns = 3600 * 10**9, time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns() - set_back_ns)
    await send_chunk(server, 1, pcm(1600))
    first, second = (one.received_ns[0] for one in session.batches)
    assert 0 < second - first < set_back_ns


async def test_a_hole_and_another_content_are_conflicts_that_say_how_to_go_on(
    server: ApiServer,
) -> None:
    await server.session()
    await send_chunk(server, 0, pcm(0))
    hole = await send_chunk(server, 2, pcm(3200))
    other = await send_chunk(server, 0, pcm(5))

    assert (hole[0], hole[1]["code"], hole[1]["expected"]) == (409, "chunk_out_of_order", 1)
    assert (other[0], other[1]["code"], other[1]["seq"]) == (409, "frame_conflict", 0)
    assert (await send_chunk(server, 1, pcm(1600)))[0] == 200


async def test_chunks_go_on_where_they_were_after_a_restart_of_the_session(
    server: ApiServer,
) -> None:
    session = await server.session()
    await send_chunk(server, 0, pcm(0))
    session.restart()
    session.unavailable_pushes = 1
    status, _ = await send_chunk(server, 1, pcm(1600))
    assert (status, len(server.archive.of("s1").frames[0])) == (200, 2)


async def test_a_chunk_may_be_a_form_and_a_file(server: ApiServer) -> None:
    await server.session()
    data = form(WAV, session_id="s1", sequence="0", encoding="file")
    status, answer = await server.json("POST", "/api/audio/chunk", data=data)
    assert (status, answer["status"]) == (200, "stored")
    [frame] = server.archive.of("s1").frames[0]
    assert frame.sample_count == pytest.approx(16_000, abs=50)


@pytest.mark.parametrize(
    "wrong",
    [
        {"audio_data": "!!"},
        {"audio_data": ""},
        {"audio_data": base64.b64encode(b"123").decode()},
        {"sequence": -1},
        {"sample_rate": 96_000},
        {"encoding": "mp3"},
        {"session_id": "../x"},
    ],
)
async def test_a_malformed_chunk_is_refused(server: ApiServer, wrong: dict[str, Any]) -> None:
    await server.session()
    status, problem = await send_chunk(server, 0, pcm(0), **wrong)
    assert (status, "code" in problem) == (400, True)


async def test_a_chunk_for_a_session_that_is_over_or_unknown_is_refused(
    server: ApiServer,
) -> None:
    session = await server.session()
    session.complete()
    over = await send_chunk(server, 0, pcm(0))
    none = await send_chunk(server, 0, pcm(0), session_id="none")
    assert (over[0], over[1]["code"]) == (409, "session_ended")
    assert (none[0], none[1]["code"]) == (404, "unknown_session")


async def test_presets_and_settings_of_stages_are_answered_in_full(server: ApiServer) -> None:
    _, presets = await server.json("GET", "/api/audio/presets")
    _, own = await server.json("GET", "/api/audio/config")
    setting = {"preset": "noisy", "stages": {"limiter": {"enabled": True}}}
    status, checked = await server.json("POST", "/api/audio/config", json=setting)
    bad, problem = await server.json("POST", "/api/audio/config", json={"preset": "loud"})

    assert (len(presets), own["preset"], status) == (9, "default", 200)
    stages = checked["stages"]
    assert isinstance(stages, dict)
    assert [name for name, one in stages.items() if isinstance(one, dict) and one["enabled"]] == [
        "voice_filter",
        "noise_reduction",
        "limiter",
    ]
    assert (bad, problem["field"]) == (400, "audio.preset")


async def test_a_session_takes_a_setting_of_stages_and_refuses_a_wrong_one(
    server: ApiServer,
) -> None:
    good = {"settings": {"chunk_ms": 5000, "audio": {"preset": "voice"}}}
    bad = {"settings": {"audio": {"preset": "loud"}}}
    assert (await server.json("POST", "/api/sessions", json=good))[0] == 201
    assert (await server.json("POST", "/api/sessions", json=bad))[0] == 400


async def test_stats_say_the_quality_of_a_sessions_audio(server: ApiServer) -> None:
    session = await server.session()
    session.stored.qualities.append(QualitySummary(0, 3, 0.8, 24.0, 0.6, -22.0, 0.0))
    _, stats = await server.json("GET", "/api/audio/stats?session_id=s1")
    assert stats["streams"] == [asdict(session.stored.qualities[0])]
