"""A meeting goes in; a named, translated transcript comes out."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soundfile

from orchestration.client.api import OrchestrationClient
from orchestration.client.live import watch
from orchestration.errors import UnknownSession, UnknownSpeaker
from tests.scoring import share_of_words_named_right, word_error_rate
from tests.service import RunningService

DATA = Path(__file__).parents[1] / "data"


def meeting() -> dict[str, Any]:
    described: dict[str, Any] = json.loads((DATA / "meeting.json").read_text())
    return described


def turns() -> list[tuple[str, int, int, str]]:
    described = meeting()
    names = {one["id"]: one["name"] for one in described["participants"]}
    return [
        (names[one["participant_id"]], one["start_sample"], one["end_sample"], one["text"])
        for one in described["turns"]
    ]


def spoken_text() -> str:
    return " ".join(text for _, _, _, text in turns())


def words_of(transcript: dict[str, Any]) -> list[tuple[str, float, float, str | None]]:
    return [
        (word["text"], word["start"], word["end"], segment["speaker"]["name"])
        for segment in sorted(transcript["segments"], key=lambda one: one["start"])
        for word in segment["words"]
        if segment["speaker"]
    ]


def fates_add_up(coverage: list[dict[str, Any]]) -> bool:
    return all(
        one["transcribed"] + one["silent"] + one["lost"] + one["pending"] == one["duration"]
        for one in coverage
    )


@pytest_asyncio.fixture
async def client(running: RunningService) -> AsyncIterator[OrchestrationClient]:
    async with OrchestrationClient(running.url) as connected:
        yield connected


async def test_a_mixed_meeting_is_transcribed_named_and_translated(
    running: RunningService, client: OrchestrationClient
) -> None:
    played = running.run(
        *("bot", str(DATA / "meeting.flac"), "--speakers", str(DATA / "meeting_speakers.json")),
        *("--session", "mixed", "--language", "en", "--translate", "pt", "--speed", "0"),
    )
    assert played.returncode == 0, played.stderr

    transcript: Any = await client.transcript("mixed")

    assert transcript["status"] == "completed"
    text = " ".join(segment["text"] for segment in transcript["segments"])
    assert word_error_rate(spoken_text(), text).rate <= 0.06
    named = share_of_words_named_right(turns(), words_of(transcript))
    assert named.right_share >= 0.95
    assert all(
        segment["translations"]["pt"]["state"] == "final" and segment["translations"]["pt"]["text"]
        for segment in transcript["segments"]
    )
    coverage = transcript["coverage"]["streams"]
    assert fates_add_up(coverage)
    assert coverage[0]["duration"] == meeting()["duration_samples"]
    assert (coverage[0]["pending"], coverage[0]["lost"]) == (0, 0)


async def test_stems_are_own_streams_and_name_their_words(
    running: RunningService, client: OrchestrationClient
) -> None:
    names = [one["name"] for one in meeting()["participants"]]
    stems = [str(DATA / f"meeting_{name.casefold()}.flac") for name in names]
    options = [option for name in names for option in ("--name", name)]
    played = running.run("bot", *stems, *options, "--session", "stems", "--speed", "0")
    assert played.returncode == 0, played.stderr

    transcript: Any = await client.transcript("stems")

    assert {one["speaker"]["method"] for one in transcript["segments"]} == {"own_stream"}
    named = share_of_words_named_right(turns(), words_of(transcript))
    assert named.wrong == 0
    assert (
        word_error_rate(
            spoken_text(), " ".join(word for word, _, _, _ in words_of(transcript))
        ).rate
        <= 0.1
    )
    assert fates_add_up(transcript["coverage"]["streams"])


async def test_a_viewer_sees_every_durable_event_once_and_can_come_back(
    client: OrchestrationClient,
) -> None:
    stored: Any = await client.events("mixed")
    seen = [message async for message in watch(client, "mixed", after=0)]
    durable = [message for message in seen if "seq" in message and message["type"] != "resumed"]
    assert [one["seq"] for one in durable] == list(range(1, len(durable) + 1))
    assert durable[: len(stored["items"])] == stored["items"]
    assert durable[-1]["status"] == "completed"

    later = [message async for message in watch(client, "mixed", after=5)]
    assert [one for one in later if one["type"] != "resumed"] == durable[5:]


@pytest.mark.parametrize("form", ["txt", "srt", "vtt", "json"])
def test_the_transcript_is_exported(running: RunningService, form: str) -> None:
    done = running.run("export", "mixed", "--format", form)
    assert done.returncode == 0
    assert "website" in done.stdout
    assert "Ana" in done.stdout


def test_a_translation_is_exported(running: RunningService) -> None:
    done = running.run("export", "mixed", "--format", "srt", "--language", "pt")
    assert "Obrigado" in done.stdout


async def test_the_recording_is_the_audio_that_was_sent(client: OrchestrationClient) -> None:
    flac = b"".join([part async for part in client.recording("mixed", 0)])
    recorded, rate = soundfile.read(io.BytesIO(flac), dtype="int16")
    sent, sent_rate = soundfile.read(DATA / "meeting.flac", dtype="int16")
    assert rate == sent_rate
    assert np.array_equal(recorded, sent)


async def test_a_name_that_is_corrected_after_the_end_is_so_everywhere(
    running: RunningService, client: OrchestrationClient
) -> None:
    before: Any = await client.transcript("stems")
    ana = next(one["speaker"] for one in before["segments"] if one["speaker"]["name"] == "Ana")
    repainted: Any = await client.rename_speaker("stems", ana["id"], "Ana Lima", by="Bea")
    after: Any = await client.transcript("stems")
    names = [one["speaker"]["name"] for one in after["segments"]]
    assert repainted["repainted"] == names.count("Ana Lima") > 0
    assert "Ana" not in names
    assert [one["text"] for one in after["segments"]] == [one["text"] for one in before["segments"]]
    speakers: Any = await client.speakers("stems")
    (renamed,) = [one for one in speakers["items"] if one["id"] == ana["id"]]
    assert (renamed["name"], renamed["names"][-1]["by"]) == ("Ana Lima", "Bea")
    with pytest.raises(UnknownSpeaker):
        await client.rename_speaker("stems", "nobody", "Nobody")


async def test_a_deleted_session_leaves_nothing(client: OrchestrationClient) -> None:
    await client.delete_session("stems")
    with pytest.raises(UnknownSession):
        await client.transcript("stems")
    assert "stems" not in json.dumps(await client.sessions())
