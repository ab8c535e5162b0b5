"""The embedded diarizer in the real service: whom it names, and what is seen of it when it dies."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from aiohttp import web

from actors.dispatcher_engines import DispatcherEngines
from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.player import AudioTrack, load_speaker_events, play
from orchestration.errors import JsonValue
from orchestration.services.ports import Hypothesis, TranscriptionRequest
from tests.doubles.whisper_server import Samples, WhisperDouble
from tests.integration.guarded_service import dashboard, processes, signal_all, until
from tests.scoring import share_of_words_named_right

DATA = Path(__file__).parents[1] / "data"
RATE = 16_000
SPEED = 4.0
EVENTS_END_S = 42
"""The platform tells who speaks until then, in whole turns; afterwards only the voices do."""
VOICES_PART = "resemblyzer"


class MeetingWhisper(WhisperDouble):
    """Hears the checked-in meeting by heart, as slowly as a small model does; else two words."""

    def __init__(self) -> None:
        super().__init__(self._hear)
        described = json.loads((DATA / "meeting.json").read_text(encoding="utf-8"))
        pcm, _ = soundfile.read(DATA / "meeting.flac", dtype="int16")
        self._bytes = np.asarray(pcm, "<i2").tobytes()
        self._two_words = WhisperDouble().answer
        self._words = [
            (word, start, end)
            for turn in described["turns"]
            for word, start, end in _spread(turn["text"], turn["start_sample"], turn["end_sample"])
        ]

    async def respond(self, request: web.Request, answer: object) -> web.StreamResponse:
        if isinstance(answer, dict):
            await asyncio.sleep(answer.get("slowly_s", 0))
        return await super().respond(request, answer)

    def _hear(self, samples: Samples) -> JsonValue:
        at = self._bytes.find(samples.astype("<i2").tobytes()) if len(samples) > RATE else -1
        if at < 0:
            return self._two_words(samples)
        begin, end = at // 2, at // 2 + len(samples)
        words: list[JsonValue] = [
            {
                "word": f" {word}",
                "start": (start - begin) / RATE,
                "end": (stop - begin) / RATE,
                "probability": 0.95,
            }
            for word, start, stop in self._words
            if begin <= start and stop <= end
        ]
        segment: dict[str, JsonValue] = {
            **{"id": 0, "start": 0.0, "end": len(samples) / RATE, "no_speech_prob": 0.01},
            **{"avg_logprob": -0.2, "compression_ratio": 1.2},
            "text": "".join(str(one["word"]) for one in words if isinstance(one, dict)),
        }
        slowly_s = 0.5 + 0.15 * len(samples) / RATE
        return {"language": "en", "words": words, "segments": [segment], "slowly_s": slowly_s}


def _spread(text: str, start: int, end: int) -> list[tuple[str, int, int]]:
    """The words of a turn, as long as they have letters."""
    words = text.split()
    each = (end - start) / sum(len(word) for word in words)
    spread, position = [], float(start)
    for word in words:
        stop = position + each * len(word)
        spread.append((word, round(position), round(stop)))
        position = stop
    return spread


async def a_meeting_with_voices(
    client: OrchestrationClient, data_dir: Path, whisper: MeetingWhisper
) -> Any:
    """Names after the platform fell silent, then the diarizer's death and its return."""
    words = await _words_after_events(client)
    turns = _turns()
    named = share_of_words_named_right(turns, words)
    before = await _labels()
    signal_all(processes(data_dir, "ray::ServeReplica:orchestration:Diarization"), signal.SIGKILL)
    during = await _labels()
    seen: list[str] = []

    async def is_back() -> bool:
        part = (await dashboard(client))["services"].get(VOICES_PART, {})
        if not seen or seen[-1] != part.get("status"):
            seen.append(str(part.get("status")))
        return "healthy" in seen[1:] and seen[-1] == "healthy"

    back = await until(is_back)
    after = await _labels()
    return {
        "words": len(words),
        "right": named.right_share,
        "wrong": named.wrong_share,
        "statuses": seen,
        "back": back,
        "labelled": [bool(one) for one in (before, during, after)],
        "another_memory": before != after,
    }


async def _words_after_events(
    client: OrchestrationClient,
) -> list[tuple[str, float, float, str | None]]:
    end = EVENTS_END_S * RATE
    told = [one for one in load_speaker_events(DATA / "meeting_speakers.json") if one.sample < end]
    track = AudioTrack(0, DATA / "meeting.flac", None, told)
    await client.create_session("voices", language="en")
    async with BotConnection(client, "voices", [track.spec]) as bot:
        await play(bot, [track], speed=SPEED)
        await bot.end()
    track.close()
    transcript: Any = await client.transcript("voices")
    return [
        (word["text"], word["start"], word["end"], (one["speaker"] or {}).get("name"))
        for one in transcript["segments"]
        for word in one["words"]
        if word["start"] >= EVENTS_END_S
    ]


async def _labels() -> str | None:
    """Who labels the meeting's first chunk, if anybody does."""
    pcm, _ = soundfile.read(DATA / "meeting.flac", dtype="int16", frames=5 * RATE)
    audio = np.asarray(pcm, "<i2").tobytes()
    request = TranscriptionRequest("probe", 0, 0, audio, "en", "", voices=None)
    heard: Hypothesis = await DispatcherEngines().transcribe(request)
    return heard.labelled_by or None


def _turns() -> list[tuple[str, int, int, str]]:
    described = json.loads((DATA / "meeting.json").read_text(encoding="utf-8"))
    names = {one["id"]: one["name"] for one in described["participants"]}
    return [
        (names[one["participant_id"]], one["start_sample"], one["end_sample"], one["text"])
        for one in described["turns"]
        if one["start_sample"] >= EVENTS_END_S * RATE
    ]
