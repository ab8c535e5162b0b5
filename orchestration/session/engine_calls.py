"""A session's requests to the engines: the audio they need, and where the answers go."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from structlog.stdlib import BoundLogger

from orchestration.audio.pcm import decode_mono, resample_for_engine
from orchestration.errors import OrchestrationError, UnsupportedLanguagePair
from orchestration.process_clock import monotonic_ms
from orchestration.services.ports import Hypothesis, TranscriptionRequest, TranslationRequest
from orchestration.session.recording_reader import RecordingReader
from orchestration.session.repairs import Repair
from orchestration.session.session import Session
from orchestration.session.session_meter import SessionMeter
from orchestration.session.status import TAKING_AUDIO
from orchestration.session.transcription import TranscribeOrder
from orchestration.storage.journal_ports import SessionJournal

REPAIR_CHUNK = -1
"""The chunk number of a request that repairs; chunks of a stream count from 0."""


class Engines(Protocol):
    """The way to the transcription and translation services."""

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis: ...

    async def translate(self, request: TranslationRequest) -> str: ...


class EngineCalls:
    """Carries out a session's orders; `on_answer` is called after each answer or failure."""

    def __init__(
        self,
        session: Session,
        engines: Engines,
        journal: SessionJournal,
        recording: RecordingReader,
        on_answer: Callable[[], None],
        meter: SessionMeter,
        log: BoundLogger,
    ) -> None:
        self._session = session
        self._engines = engines
        self._journal = journal
        self._recording = recording
        self._on_answer = on_answer
        self._meter = meter
        self._log = log

    async def transcribe(self, order: TranscribeOrder) -> None:
        """Send one chunk."""
        stream, chunk = order.stream, order.chunk
        ledger = self._session.ledgers[stream]
        waited = max(0, ledger.next_sample - chunk.end)
        self._meter.chunk_stage("wait", waited / ledger.format.sample_rate)
        self._meter.request_begins("transcribe")
        result = "failed"
        began_s = time.monotonic()
        try:
            request = TranscriptionRequest(
                session_id=self._session.session_id,
                stream=stream,
                chunk=chunk.index,
                audio=await self._audio(order),
                language=order.language,
                prompt=order.prompt,
                stages=self._session.stages,
                voices=self._session.voices_in(stream),
            )
            prepared_s = time.monotonic()
            self._meter.chunk_stage("prepare", prepared_s - began_s)
            hypothesis = await self._engines.transcribe(request)
            self._meter.chunk_stage("transcribe", time.monotonic() - prepared_s)
            result = "heard"
        except OrchestrationError as error:
            self._log.warning(
                "transcription_failed", stream=stream, chunk=chunk.index, reason=error.message
            )
            self._session.transcription_failed(stream, chunk, error, monotonic_ms())
        else:
            self._log.debug(
                "chunk_heard",
                stream=stream,
                chunk=chunk.index,
                engine=hypothesis.engine,
                segments=len(hypothesis.segments),
            )
            self._session.transcribed(stream, chunk, hypothesis, monotonic_ms())
        finally:
            self._meter.chunk_answered(result)
        self._on_answer()

    async def translate(self, request: TranslationRequest) -> None:
        """Send one line."""
        self._meter.request_begins("translate")
        result = "failed"
        began_s = time.monotonic()
        try:
            text = await self._engines.translate(request)
        except UnsupportedLanguagePair:
            result = "unsupported"
            self._session.translations.unsupported(request)
        except OrchestrationError as error:
            self._log.warning(
                "translation_failed",
                segment=request.segment_id,
                target=request.target,
                reason=error.message,
            )
            ends = self._session.status not in TAKING_AUDIO
            self._session.translations.failed(request, error, monotonic_ms(), session_ends=ends)
        else:
            result = "translated"
            self._session.translations.answered(request, text, "pool")
        finally:
            self._meter.line_answered(result, time.monotonic() - began_s)
        self._on_answer()

    async def repair(self, repairs: Sequence[Repair]) -> None:
        """Hear lost ranges again, one after the other; one that fails stays lost."""
        for repair in repairs:
            spec = self._session.pipelines[repair.stream].spec
            language = self._session.language_of(repair.stream)
            try:
                audio = await self._recording.engine_audio(spec, repair.start, repair.end)
                request = TranscriptionRequest(
                    self._session.session_id, repair.stream, REPAIR_CHUNK, audio, language, ""
                )
                hypothesis = await self._engines.transcribe(request)
            except OrchestrationError as error:
                self._log.warning("repair_failed", stream=repair.stream, reason=error.message)
            else:
                self._session.repaired(repair, hypothesis)
                self._on_answer()

    async def _audio(self, order: TranscribeOrder) -> bytes:
        """The chunk's audio from memory, or from the journal when memory has let it go."""
        pipeline = self._session.pipelines[order.stream]
        fmt = pipeline.spec.format
        chunk = order.chunk
        samples = pipeline.audio_of(chunk)
        if samples is None:
            samples = np.zeros(chunk.end - chunk.start, np.int16)
            frames = self._journal.frames_from(self._session.session_id, order.stream, chunk.start)
            async for frame in frames:
                if frame.first_sample >= chunk.end:
                    break
                mono = decode_mono(frame.payload, fmt).samples
                start = max(chunk.start, frame.first_sample)
                end = min(chunk.end, frame.first_sample + len(mono))
                inside = mono[start - frame.first_sample : end - frame.first_sample]
                samples[start - chunk.start : end - chunk.start] = inside
        return resample_for_engine(samples, fmt.sample_rate)
