"""The whisper pool as OpenAI's transcription API, over real HTTP."""

import asyncio
import hashlib
import io
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import numpy as np
import pytest
import soundfile

from orchestration.api import openai
from orchestration.audio.decoding import DecodedAudio, DecodeLimits
from orchestration.errors import EngineError, EngineTimeout, UpstreamsDown
from orchestration.services.decoding import decode
from orchestration.services.ports import Hypothesis, TranscriptionRequest
from tests.chaos.coded_audio import CodedMeeting, coded_meeting, word_text
from tests.chaos.coded_hearing import CodedHearing
from tests.chaos.figures import compare_words
from tests.doubles.api_server import ApiServer, api_server

MEETING_MS = 90_000
"""Several of whisper's windows."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as running:
        running.engines.hear = hear_coded
        yield running


@pytest.fixture(scope="module")
def meeting() -> CodedMeeting:
    return coded_meeting(random.Random(5), MEETING_MS)


def hear_coded(request: TranscriptionRequest) -> Hypothesis:
    return CodedHearing().hypothesis(np.frombuffer(request.audio, "<i2"))


def encoded(meeting: CodedMeeting, container: str = "WAV", channels: int = 1) -> bytes:
    file = io.BytesIO()
    samples = np.repeat(meeting.samples[:, None], channels, axis=1)
    soundfile.write(file, samples, meeting.sample_rate, format=container)
    return file.getvalue()


async def transcribed(server: ApiServer, audio: bytes, **fields: Any) -> tuple[int, str, Any]:
    """Status, media type and body of one request; fields with underscores for brackets."""
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(audio), filename="meeting.wav")
    for name, value in {"model": "whisper-1", **fields}.items():
        for one in value if isinstance(value, list) else [value]:
            form.add_field(name, one)
    url = server.url + openai.TRANSCRIPTIONS_PATH
    async with server.client.post(url, data=form) as response:
        is_json = response.content_type == "application/json"
        body = await response.json() if is_json else await response.text()
        return response.status, response.content_type, body


def said(meeting: CodedMeeting) -> list[int]:
    return [word.word_id for word in meeting.words]


@pytest.mark.parametrize(("container", "channels"), [("WAV", 1), ("FLAC", 2)])
async def test_a_long_file_comes_back_without_a_word_lost_or_doubled_at_its_seams(
    server: ApiServer, meeting: CodedMeeting, container: str, channels: int
) -> None:
    audio = encoded(meeting, container, channels)
    status, _, body = await transcribed(server, audio, response_format="json", language="en")

    assert status == 200
    assert compare_words(said(meeting), body["text"].split()).is_right
    assert len(server.engines.asked) >= MEETING_MS // 28_000
    assert {one.language for one in server.engines.asked} == {"en"}


async def test_verbose_json_has_words_and_segments_with_times(
    server: ApiServer, meeting: CodedMeeting
) -> None:
    granularities = ["word", "segment"]
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": granularities}
    _, _, body = await transcribed(server, encoded(meeting), **fields)

    assert body["language"] == "en"
    assert body["duration"] == len(meeting.samples) / meeting.sample_rate
    heard = [(one["word"], one["start"]) for one in body["words"]]
    for word, (text, start_s) in zip(meeting.words, heard, strict=True):
        assert text == word_text(word.word_id)
        assert abs(start_s * 1000 - word.start_ms) <= 200
    assert " ".join(one["text"] for one in body["segments"]) == body["text"]


@pytest.mark.parametrize(
    ("response_format", "media_type", "beginning"),
    [("text", "text/plain", ""), ("srt", "text/plain", "1\n00:00:"), ("vtt", "text/vtt", "WEBVTT")],
)
async def test_a_transcript_is_given_as_text_and_subtitles(
    server: ApiServer,
    meeting: CodedMeeting,
    response_format: str,
    media_type: str,
    beginning: str,
) -> None:
    answer = await transcribed(server, encoded(meeting), response_format=response_format)
    status, content_type, body = answer
    assert (status, content_type) == (200, media_type)
    assert body.startswith(beginning)
    assert word_text(meeting.words[-1].word_id) in body


async def test_the_prompt_goes_with_the_first_chunk_alone(
    server: ApiServer, meeting: CodedMeeting
) -> None:
    await transcribed(server, encoded(meeting), prompt="Dashwood")
    assert [one.prompt for one in server.engines.asked][:2] == ["Dashwood", ""]


async def test_silence_is_an_empty_transcript(server: ApiServer) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(32_000, np.int16), 16_000, format="WAV")
    status, _, body = await transcribed(server, file.getvalue())
    assert (status, body) == (200, {"text": ""})
    assert server.engines.asked == []


@pytest.mark.parametrize(
    ("audio", "fields", "status", "code"),
    [
        (b"", {}, 400, "bad_audio"),
        (b"RIFF" + bytes(60), {}, 400, "bad_audio"),
        (b"<html>no audio</html>", {}, 400, "bad_audio"),
        (b"RIFF", {"response_format": "yaml"}, 400, "bad_request"),
        (b"RIFF", {"language": "Klingon!"}, 400, "bad_request"),
        (b"RIFF", {"timestamp_granularities[]": ["sentence"]}, 400, "bad_request"),
        (b"RIFF", {"stream": "true"}, 400, "bad_request"),
        (b"RIFF", {"prompt": "x" * 2001}, 400, "bad_request"),
    ],
)
async def test_what_is_wrong_is_said_as_openai_says_it(
    server: ApiServer, audio: bytes, fields: dict[str, Any], status: int, code: str
) -> None:
    got, _, body = await transcribed(server, audio, **fields)
    assert (got, body["error"]["code"]) == (status, code)
    assert body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
async def test_a_form_that_cannot_be_read_is_said_as_openai_says_it(
    server: ApiServer, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    status, body = await server.json(
        "POST", openai.TRANSCRIPTIONS_PATH, data=b"no form", headers=headers
    )
    error = body["error"]
    assert isinstance(error, dict)
    assert (status, error["type"]) == (400, "invalid_request_error")


async def test_a_file_that_does_not_come_takes_its_place_for_a_limited_time(
    tmp_path: Path,
) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        await asyncio.Event().wait()

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with api_server(tmp_path, audio={"upload_timeout_s": 1}) as server:
        status, body = await server.json(
            "POST", openai.TRANSCRIPTIONS_PATH, data=nothing(), headers=headers
        )
    error = body["error"]
    assert isinstance(error, dict)
    assert (status, error["code"]) == (408, "body_too_slow")


async def test_an_upload_over_the_limit_is_refused_by_its_declared_length(
    server: ApiServer,
) -> None:
    url = server.url + openai.TRANSCRIPTIONS_PATH
    body = io.BytesIO(bytes(openai.MAX_UPLOAD_BYTES + 1))
    async with server.client.post(url, data=body) as response:
        assert response.status == 413
        error = (await response.json())["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "too_large")


async def test_a_wrong_key_and_an_unknown_path_are_told_as_openai_tells_them(
    tmp_path: Path,
) -> None:
    key = hashlib.sha256(b"right").hexdigest()
    async with api_server(tmp_path, server={"api_key_sha256": key}) as server:
        wrong, right = ({"Authorization": f"Bearer {one}"} for one in ("wrong", "right"))
        async with server.client.get(server.url + "/v1/models", headers=wrong) as response:
            refused = await response.json()
            assert (response.status, response.content_type) == (401, "application/json")
            assert response.headers["WWW-Authenticate"] == "Bearer"
        status, unknown = await server.json("GET", "/v1/chat", headers=right)
        other, problem = await server.json("GET", "/api/sessions", headers=wrong)
    assert refused["error"]["type"] == "authentication_error"
    assert refused["error"]["message"] == "This key is not the service's."
    error = unknown["error"]
    assert isinstance(error, dict)
    assert (status, error["type"]) == (404, "invalid_request_error")
    assert (other, problem["code"]) == (401, "not_authenticated")


async def test_a_pool_that_is_away_says_when_to_come_back(
    server: ApiServer, meeting: CodedMeeting
) -> None:
    server.engines.error = UpstreamsDown("Every whisper service has failed lately.")
    form = aiohttp.FormData({"model": "whisper-1"})
    form.add_field("file", io.BytesIO(encoded(meeting)), filename="meeting.wav")
    url = server.url + openai.TRANSCRIPTIONS_PATH
    async with server.client.post(url, data=form) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert (await response.json())["error"]["type"] == "server_error"


async def test_a_request_without_a_file_is_told_so(server: ApiServer) -> None:
    form = aiohttp.FormData({"model": "whisper-1"}, default_to_multipart=True)
    url = server.url + openai.TRANSCRIPTIONS_PATH
    async with server.client.post(url, data=form) as response:
        assert response.status == 400
        assert (await response.json())["error"]["param"] == "file"


async def test_audio_that_lasts_too_long_is_refused_by_what_it_holds(
    server: ApiServer, meeting: CodedMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "MAX_DURATION_S", 60)
    status, _, body = await transcribed(server, encoded(meeting, "FLAC"))
    assert (status, body["error"]["code"]) == (413, "audio_too_long")


async def test_what_is_compressed_is_decoded_in_a_process_of_its_own(
    server: ApiServer, meeting: CodedMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[DecodeLimits] = []

    async def watched(file: BinaryIO, within: DecodeLimits) -> DecodedAudio:
        limits.append(within)
        return await decode(file, within)

    monkeypatch.setattr(openai, "decode", watched)
    status, _, body = await transcribed(server, encoded(meeting, "FLAC"))
    assert (status, len(limits)) == (200, 1)
    assert compare_words(said(meeting), body["text"].split()).is_right
    assert limits[0].max_file_bytes == openai.MAX_FILE_BYTES


async def test_a_small_file_of_hours_is_refused_before_anybody_hears_it(tmp_path: Path) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(48_000 * 300, np.int16), 48_000, format="FLAC")
    async with api_server(tmp_path, audio={"max_expansion": 10}) as server:
        status, _, body = await transcribed(server, file.getvalue())
        assert server.engines.asked == []
    assert (status, body["error"]["code"]) == (413, "audio_expands_too_much")


@pytest.mark.parametrize(
    ("error", "status"),
    [(EngineError("All engines failed."), 502), (EngineTimeout("No engine answered."), 504)],
)
async def test_a_pool_that_fails_is_a_server_error(
    server: ApiServer, meeting: CodedMeeting, error: EngineError, status: int
) -> None:
    server.engines.error = error
    got, _, body = await transcribed(server, encoded(meeting))
    assert (got, body["error"]["type"]) == (status, "server_error")


async def test_only_so_many_files_are_heard_at_once(
    server: ApiServer, meeting: CodedMeeting
) -> None:
    server.engines.gate.clear()
    audio = encoded(meeting)
    under_way = [
        asyncio.create_task(transcribed(server, audio)) for _ in range(openai.MAX_FILES_AT_ONCE)
    ]
    while len(server.engines.asked) < openai.MAX_FILES_AT_ONCE:
        await asyncio.wait(under_way, timeout=0.05)
    status, _, body = await transcribed(server, audio)
    assert (status, body["error"]["type"]) == (429, "rate_limit_error")

    server.engines.gate.set()
    assert [status for status, _, _ in await asyncio.gather(*under_way)] == [200, 200]


async def test_the_model_that_may_be_named_is_listed(server: ApiServer) -> None:
    status, body = await server.json("GET", "/v1/models")
    assert (status, body["data"]) == (
        200,
        [{"id": "whisper-1", "object": "model", "created": 0, "owned_by": "orchestration"}],
    )
