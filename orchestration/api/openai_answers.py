"""A transcript in the formats of OpenAI's transcription API."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, PlainTextResponse, Response

from orchestration.api.openai_form import Granularity, ResponseFormat
from orchestration.json_types import JsonObject
from orchestration.services.ports import ENGINE_SAMPLE_RATE
from orchestration.session.file_transcription import FileTranscript
from orchestration.storage.archive_ports import StoredSegment
from orchestration.timing.units import NS_PER_SECOND
from orchestration.transcript.exports import to_srt, to_vtt
from orchestration.transcript.lines import Line
from orchestration.transcript.segments import Segment, TimedWord
from orchestration.transcript.words import join_words


class TranscriptionView(BaseModel):
    """The transcript; `verbose_json` has times, segments and words besides, as OpenAI's."""

    model_config = ConfigDict(extra="allow")

    text: str


@dataclass(frozen=True, slots=True)
class _Written:
    """A transcript on its way into an answer."""

    transcript: FileTranscript

    @property
    def text(self) -> str:
        return " ".join(_text(line) for line in self.transcript.lines)

    @property
    def cues(self) -> list[StoredSegment]:
        return [
            StoredSegment(_segment(number, line), ())
            for number, line in enumerate(self.transcript.lines)
        ]


def transcript_answer(
    transcript: FileTranscript, form: ResponseFormat, granularities: Collection[Granularity]
) -> Response:
    """The answer in the format asked for; `granularities` are of `verbose_json`."""
    written = _Written(transcript)
    formats: Mapping[ResponseFormat, Callable[[], Response]] = {
        "json": lambda: JSONResponse({"text": written.text}),
        "text": lambda: PlainTextResponse(written.text + "\n"),
        "srt": lambda: PlainTextResponse(to_srt(written.cues)),
        "vtt": lambda: Response(to_vtt(written.cues), media_type="text/vtt"),
        "verbose_json": lambda: JSONResponse(_verbose(written, granularities)),
    }
    return formats[form]()


def _verbose(written: _Written, granularities: Collection[Granularity]) -> JsonObject:
    transcript = written.transcript
    body: JsonObject = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": transcript.duration_ms / 1000,
        "text": written.text,
    }
    if "segment" in granularities:
        body["segments"] = [
            {
                "id": number,
                "start": _seconds(line.words[0].word.start_sample),
                "end": _seconds(max(one.word.end_sample for one in line.words)),
                "text": _text(line),
            }
            for number, line in enumerate(transcript.lines)
        ]
    if "word" in granularities:
        body["words"] = [
            {
                "word": one.word.text,
                "start": _seconds(one.word.start_sample),
                "end": _seconds(one.word.end_sample),
                "probability": one.word.probability,
            }
            for line in transcript.lines
            for one in line.words
        ]
    return body


def _text(line: Line) -> str:
    return join_words([one.word.text for one in line.words], line.language)


def _segment(number: int, line: Line) -> Segment:
    words = tuple(
        TimedWord(
            one.word.text,
            one.word.start_sample * NS_PER_SECOND // ENGINE_SAMPLE_RATE,
            one.word.end_sample * NS_PER_SECOND // ENGINE_SAMPLE_RATE,
            one.word.probability,
        )
        for one in line.words
    )
    end_ns = max(word.end_ns for word in words)
    return Segment(str(number), 1, 0, words[0].start_ns, end_ns, None, line.language, words)


def _seconds(samples: int) -> float:
    return round(samples / ENGINE_SAMPLE_RATE, 3)
