"""What whisper hears of a known meeting, heard once and kept, so that replays cost no inference.

Chunks depend on the audio alone, never on names; so an answer belongs to its chunk's samples.
`python -m tests.score --hear` hears anew and writes `tests/data/NAME_heard.json`, and what the
embedded diarizer makes of the same chunks to `NAME_voices.json`. That is due when
the chunker, the voice gate or a meeting changes: a replay then asks for a chunk that is not kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestration.audio.pcm import resample_for_engine
from orchestration.services.embedded_diarizer import EmbeddedDiarizer
from orchestration.services.embedded_whisper import EmbeddedWhisper
from orchestration.services.labelling import labelled
from orchestration.services.ports import (
    Diarization,
    Hypothesis,
    HypothesisSegment,
    HypothesisWord,
    TranscriptionRequest,
    VoiceSpan,
)
from orchestration.session.transcription import TranscribeOrder
from tests.score.known_meetings import DATA, KnownMeeting
from tests.score.platform import Span
from tests.score.replay import Answer, replay

MODEL = "base"
THREADS = 2


class NotHeard(LookupError):
    """A replay wants a chunk that is not kept."""


def heard_file(meeting_name: str) -> Path:
    return DATA / f"{meeting_name}_heard.json"


async def hear(meeting: KnownMeeting, cache_dir: Path) -> None:
    """Play a meeting through a session and the embedded whisper, and keep the answers."""
    engine = EmbeddedWhisper(MODEL, cache_dir=cache_dir, threads=THREADS)
    kept: list[dict[str, Any]] = []

    async def answer(order: TranscribeOrder) -> Hypothesis:
        chunk = order.chunk
        audio = resample_for_engine(meeting.pcm[chunk.start : chunk.end], meeting.sample_rate)
        hypothesis = await engine.transcribe(
            TranscriptionRequest(meeting.name, 0, chunk.index, audio, order.language, order.prompt)
        )
        kept.append(_as_json(chunk.start, chunk.end, hypothesis))
        return hypothesis

    try:
        await replay(meeting, (), answer)
    finally:
        await engine.close()
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in kept)
    heard_file(meeting.name).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def voices_file(meeting_name: str) -> Path:
    return DATA / f"{meeting_name}_voices.json"


async def hear_voices(meeting: KnownMeeting) -> None:
    """Pass the chunks that whisper heard to the embedded diarizer, and keep its spans."""
    engine = EmbeddedDiarizer()
    kept: list[str] = []
    for start, end in kept_answers(meeting.name):
        audio = resample_for_engine(meeting.pcm[start:end], meeting.sample_rate)
        request = TranscriptionRequest(
            meeting.name, 0, start, audio, "en", "", voices=len(meeting.people)
        )
        spans = (await engine.diarize(request)).spans
        told = [[one.start_ms, one.end_ms, one.label, round(one.probability, 3)] for one in spans]
        kept.append(json.dumps({"start": start, "end": end, "spans": told}))
    await engine.close()
    lines = ",\n".join(kept)
    voices_file(meeting.name).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def with_voices(meeting_name: str, answers: dict[Span, Hypothesis]) -> dict[Span, Hypothesis]:
    """The answers with the labels that the diarizer gave their words."""
    kept = json.loads(voices_file(meeting_name).read_text(encoding="utf-8"))
    spans = {
        (one["start"], one["end"]): tuple(VoiceSpan(*span) for span in one["spans"]) for one in kept
    }
    return {
        span: labelled(hypothesis, Diarization("kept", spans.get(span, ())))
        for span, hypothesis in answers.items()
    }


def kept_answers(meeting_name: str) -> dict[Span, Hypothesis]:
    """What was heard of one of the checked-in meetings, by chunk: first sample and end."""
    kept = json.loads(heard_file(meeting_name).read_text(encoding="utf-8"))
    return {(one["start"], one["end"]): _hypothesis(one) for one in kept}


def from_kept(answers: dict[Span, Hypothesis]) -> Answer:
    """An engine that answers what is kept."""

    async def answer(order: TranscribeOrder) -> Hypothesis:
        span = (order.chunk.start, order.chunk.end)
        if span not in answers:
            raise NotHeard(
                f"Samples {span[0]} to {span[1]} were cut otherwise when whisper heard the"
                " meeting. Hear it anew: python -m tests.score --hear"
            )
        return answers[span]

    return answer


def _as_json(start: int, end: int, hypothesis: Hypothesis) -> dict[str, Any]:
    return {
        "start": start,
        "end": end,
        "language": hypothesis.language,
        "engine": hypothesis.engine,
        "segments": [
            {
                "no_speech_probability": _rounded(one.no_speech_probability),
                "average_log_probability": _rounded(one.average_log_probability),
                "compression_ratio": _rounded(one.compression_ratio),
                "words": [
                    [word.text, word.start_ms, word.end_ms, round(word.probability, 3)]
                    for word in one.words
                ],
            }
            for one in hypothesis.segments
        ],
    }


def _hypothesis(kept: dict[str, Any]) -> Hypothesis:
    segments = [
        HypothesisSegment(
            tuple(HypothesisWord(*word) for word in one["words"]),
            one["no_speech_probability"],
            one["average_log_probability"],
            one["compression_ratio"],
        )
        for one in kept["segments"]
    ]
    return Hypothesis(kept["language"], tuple(segments), kept["engine"])


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)
