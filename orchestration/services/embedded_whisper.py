"""Whisper in this process, by faster-whisper on the CPU."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter_ns

import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment

from orchestration.errors import EngineError, ModelMissing
from orchestration.services.hypotheses import WordPiece, whole_words
from orchestration.services.languages import normalise_language
from orchestration.services.ports import (
    ENGINE_SAMPLE_RATE,
    EngineDescription,
    EngineStatus,
    Hypothesis,
    HypothesisSegment,
    TranscriptionRequest,
)
from orchestration.services.whisper_models import locate_model

TOKENS_PER_S = 20
SPARE_TOKENS = 24
MAX_TOKENS = 200
"""Tokens decoded for a chunk: `SPARE_TOKENS + TOKENS_PER_S * seconds`, at most `MAX_TOKENS`.

Speech needs 4 to 15 a second. Noise can send the decoder into a loop that only the limit ends
(448 in the model, prompt included), at three times a chunk's cost."""

WARM_UP_S = 1
"""Seconds of faint noise that the first transcription is spent on."""

REASON_CHARACTERS = 200
"""How much of a library's error goes into the sentence for people."""

Samples = npt.NDArray[np.float32]


class EmbeddedWhisper:
    """A TranscriptionEngine in this process: one chunk at a time, in a thread of its own.

    Made, it has its model: making it blocks for about a second, and for long where a model is
    fetched. A chunk costs about the same whatever its length, and twice that when its language
    is not given. Words are passed on with the figures that betray hallucination: near silence
    whisper invents sentences (high `no_speech_probability`) and loops (high `compression_ratio`).

    Args:
        model: `base`, `tiny.en`, a folder, or a name that faster-whisper can fetch.
        cache_dir: where models are kept.
        threads: threads of one transcription.
        compute_type: CTranslate2's quantisation, as `int8`.
        beam_size: hypotheses kept in decoding; 1 is greedy.

    Raises:
        ModelMissing: the model is not there, cannot be read, or cannot be fetched.
    """

    kind = "embedded"

    def __init__(
        self,
        model: str,
        *,
        cache_dir: Path,
        threads: int = 1,
        compute_type: str = "int8",
        beam_size: int = 1,
    ) -> None:
        self._name = f"faster-whisper:{Path(model).name}"
        self._beam_size = beam_size
        self._compute_type = compute_type
        self._model = _load(model, cache_dir, threads, compute_type)
        self._languages = frozenset(self._model.supported_languages)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="embedded-whisper")
        self._failure = ""
        self._latency_ms = 0

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        """Words of one chunk; raises as the port says.

        Cancelled while it waits for the chunks before it, it costs nothing more.
        """
        audio = np.frombuffer(request.audio, dtype="<i2").astype(np.float32) / np.float32(32768)
        language = self._model_language(request.language)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._executor, self._transcribe, audio, language, request.prompt
        )

    async def warm_up(self) -> None:
        """Transcribe a little faint noise, so that the first real chunk is not slow."""
        noise = np.random.default_rng(0).normal(0, 0.001, WARM_UP_S * ENGINE_SAMPLE_RATE)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            self._executor, self._transcribe, noise.astype(np.float32), "en", ""
        )

    async def check(self) -> EngineStatus:
        """Whether the last transcription went well, and how long it took; never raises.

        It does not transcribe: a probe would stand in line with the meeting's chunks.
        """
        healthy = not self._failure
        return EngineStatus(self._name, self.kind, healthy, self._latency_ms, self._failure)

    async def describe(self) -> EngineDescription:
        """Its model; never raises."""
        model = self._name
        return EngineDescription(
            model, self.kind, (model,), "cpu", "cpu", f"CTranslate2 {self._compute_type}"
        )

    async def close(self) -> None:
        """Let the chunk in work finish, drop those that wait, give back the model's memory."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        self._model.model.unload_model()

    def _model_language(self, language: str | None) -> str | None:
        """The model's code of the language; None lets the model recognise it."""
        if self._languages == {"en"}:
            return "en"
        code = normalise_language(language) if language else None
        # Whisper was trained under the code that Javanese had before.
        code = "jw" if code == "jv" else code
        return code if code in self._languages else None

    def _transcribe(self, audio: Samples, language: str | None, prompt: str) -> Hypothesis:
        began_ns = perf_counter_ns()
        max_tokens = SPARE_TOKENS + TOKENS_PER_S * len(audio) // ENGINE_SAMPLE_RATE
        try:
            segments, info = self._model.transcribe(
                audio,
                language=language,
                beam_size=self._beam_size,
                # A second try at a higher temperature would double the cost of a noisy chunk, and
                # its randomness would give other words when a chunk is transcribed again.
                temperature=0.0,
                word_timestamps=True,
                condition_on_previous_text=False,
                initial_prompt=prompt or None,
                vad_filter=False,
                max_new_tokens=min(max_tokens, MAX_TOKENS),
            )
            answer = _hypothesis(segments, info.language, len(audio), self._name)
        except (RuntimeError, ValueError) as error:
            self._failure = str(error)
            facts = {"engine": self._name, "reason": str(error)}
            raise EngineError(f"{self._name} failed: {error}.", facts) from error
        self._failure = ""
        self._latency_ms = (perf_counter_ns() - began_ns) // 1_000_000
        return answer


def _load(model: str, cache_dir: Path, threads: int, compute_type: str) -> WhisperModel:
    location = locate_model(model, cache_dir)
    try:
        return WhisperModel(
            str(location),
            device="cpu",
            compute_type=compute_type,
            cpu_threads=threads,
            download_root=str(cache_dir),
        )
    # The hub's client raises a dozen unrelated classes, and CTranslate2 bare RuntimeErrors.
    except Exception as error:
        advice = (
            "Its files are damaged or of another kind"
            if isinstance(location, Path)
            else "It could not be fetched; set WHISPER_MODEL to base, tiny.en or a folder"
        )
        reason = " ".join(str(error).split())
        raise ModelMissing(
            f"The whisper model {model} cannot be loaded. {advice} ({reason[:REASON_CHARACTERS]}).",
            {"model": model, "compute_type": compute_type, "reason": reason},
        ) from error


def _hypothesis(
    segments: Iterable[Segment], language: str, samples: int, engine: str
) -> Hypothesis:
    duration_ms = samples * 1000 // ENGINE_SAMPLE_RATE
    spoken = normalise_language(language)
    heard = []
    for segment in segments:
        pieces = [
            WordPiece(word.word, word.start, word.end, word.probability)
            for word in segment.words or ()
        ]
        words = whole_words(pieces, spoken, duration_ms)
        if words:
            heard.append(
                HypothesisSegment(
                    words=words,
                    no_speech_probability=segment.no_speech_prob,
                    average_log_probability=segment.avg_logprob,
                    compression_ratio=segment.compression_ratio,
                )
            )
    return Hypothesis(spoken, tuple(heard), engine)
