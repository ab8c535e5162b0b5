"""A whole file to words, with the chunks and seams of a live stream and no session around them."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from orchestration.audio.audio_files import AudioFile
from orchestration.audio.pcm import PcmFormat
from orchestration.services.ports import ENGINE_SAMPLE_RATE, TranscriptionRequest
from orchestration.session.engine_calls import Engines
from orchestration.session.inputs import StreamSpec
from orchestration.session.stream_pipeline import Heard, StreamPipeline
from orchestration.session.values import ChunkingValues, SessionValues
from orchestration.storage.values import JournalFrame
from orchestration.transcript.lines import Line
from orchestration.transcript.words import Word

FRAME_SAMPLES = ENGINE_SAMPLE_RATE
"""A second: how much a pipeline is given at once."""

WHOLE_FILE = SessionValues(
    chunking=ChunkingValues(
        chunk_ms=26_000, overlap_ms=2_000, guard_ms=800, max_chunk_ms=28_000, early_end_ms=600
    )
)
"""Nobody waits for the first words of a file: chunks fill whisper's window."""


@dataclass(frozen=True, slots=True)
class FileTranscript:
    """The lines of a file; samples at `ENGINE_SAMPLE_RATE`. `language` is the most heard one."""

    language: str
    duration_ms: int
    lines: tuple[Line, ...]


async def transcribe_file(
    audio: AudioFile, engines: Engines, *, request_id: str, language: str | None, prompt: str
) -> FileTranscript:
    """Hear a file from beginning to end.

    Args:
        audio: what to hear.
        engines: who hears it; chunks are sent one after the other.
        request_id: stands where a session's id would, so that this file takes its turn among them.
        language: ISO 639-1 code; None leaves it to the engine, chunk by chunk.
        prompt: text before the first chunk.

    Raises:
        EngineError, EngineTimeout, Unavailable: a chunk was not answered.
    """
    hearing = _Hearing(engines, request_id, language, prompt)
    for frame in _frames(audio.samples):
        hearing.pipeline.hear(frame)
        await hearing.answer_what_is_due()
        await asyncio.sleep(0)  # Hours of silence are no chunk, and others have to get their turn.
    hearing.pipeline.end()
    await hearing.answer_what_is_due()
    return FileTranscript(hearing.language, audio.duration_ms, tuple(hearing.lines))


class _Hearing:
    def __init__(
        self, engines: Engines, request_id: str, language: str | None, prompt: str
    ) -> None:
        spec = StreamSpec(0, PcmFormat("s16le", ENGINE_SAMPLE_RATE, 1), None)
        self.pipeline = StreamPipeline(spec, WHOLE_FILE)
        self.lines: list[Line] = []
        self._engines = engines
        self._next = TranscriptionRequest(request_id, 0, 0, b"", language, prompt)
        self._heard: Counter[str] = Counter()

    @property
    def language(self) -> str:
        """As asked for, else the one in which the most lines were heard; "" where none was."""
        asked = self._next.language
        return asked or next((code for code, _ in self._heard.most_common(1)), "")

    async def answer_what_is_due(self) -> None:
        while (chunk := self.pipeline.next_chunk()) is not None:
            audio = self.pipeline.audio_of(chunk)
            if audio is None:
                raise AssertionError("a file's audio stays in memory until it is heard")
            request = replace(self._next, chunk=chunk.index, audio=audio.astype("<i2").tobytes())
            self._take(
                self.pipeline.answered(chunk, await self._engines.transcribe(request), _nobody)
            )
            self._next = replace(self._next, prompt="")

    def _take(self, heard: Heard) -> None:
        self.lines.extend(heard.lines)
        self._heard.update(line.language for line in heard.lines)


def _frames(samples: NDArray[np.int16]) -> Iterator[JournalFrame]:
    for seq, first in enumerate(range(0, len(samples), FRAME_SAMPLES)):
        payload = samples[first : first + FRAME_SAMPLES].astype("<i2").tobytes()
        yield JournalFrame(0, seq, first, len(payload) // 2, b"", payload)


def _nobody(words: Sequence[Word]) -> Sequence[None]:
    """A file says nothing of who speaks."""
    return [None] * len(words)
