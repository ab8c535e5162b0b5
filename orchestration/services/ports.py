"""What an engine is to the service: the narrow ports and their values.

Times are milliseconds from the start of the audio that was sent.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from orchestration.audio.presets import Stage

ENGINE_SAMPLE_RATE = 16_000
"""Samples a second of the audio in every transcription request."""


LabelScope = Literal["answer", "session"]
"""How far an engine's label means one voice: within one answer, as a server does that diarizes each
request by itself, or in all answers for one session."""


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """One chunk of one stream. `audio` is mono s16le at `ENGINE_SAMPLE_RATE`."""

    session_id: str
    stream: int
    chunk: int
    audio: bytes
    language: str | None
    prompt: str
    stages: tuple[Stage, ...] = ()
    """What the audio passes before the engine hears it."""
    voices: int | None = 1
    """How many people can be heard in the stream; None while nobody knows. One is not diarized."""

    @property
    def duration_ms(self) -> int:
        return len(self.audio) // 2 * 1000 // ENGINE_SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class HypothesisWord:
    """A word as the engine heard it; `text` carries its punctuation and no outer spaces."""

    text: str
    start_ms: int
    end_ms: int
    probability: float
    label: str | None = None
    """The engine's own name for the voice, from diarization, when it has any."""
    label_probability: float | None = None
    """How likely it is that voice, where the diarizer says so."""


@dataclass(frozen=True, slots=True)
class HypothesisSegment:
    """Words that the engine decoded together, with the figures that betray hallucination."""

    words: tuple[HypothesisWord, ...]
    no_speech_probability: float | None = None
    average_log_probability: float | None = None
    compression_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class AudioQuality:
    """How good audio is; see `orchestration.audio.quality`. `score` is 0 to 1, and `lufs` None
    for silence and for less than 400 ms."""

    rms_dbfs: float
    peak_dbfs: float
    clipped_ratio: float
    snr_db: float
    speech_ratio: float
    rolloff_hz: int
    lufs: float | None
    score: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """An engine's answer for one chunk. `language` is an ISO 639-1 code, lower case."""

    language: str
    segments: tuple[HypothesisSegment, ...]
    engine: str
    quality: AudioQuality | None = None
    label_scope: LabelScope = "answer"
    labelled_by: str = ""
    """Who gave the words' labels, where that was not the engine."""


@dataclass(frozen=True, slots=True)
class VoiceSpan:
    """A voice is heard here; `label` means it in all of the stream, `probability` says how likely
    it is that one."""

    start_ms: int
    end_ms: int
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Diarization:
    """The voices of one chunk by time, spans without overlap. Labels of another `engine` are other
    labels, though they read the same."""

    engine: str
    spans: tuple[VoiceSpan, ...]


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """One segment's text to another language; languages are ISO 639-1 codes."""

    session_id: str
    segment_id: str
    text: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What a probe found. `detail` says why when the engine is not healthy."""

    name: str
    kind: str
    healthy: bool
    latency_ms: int
    detail: str = ""
    pool: str = ""
    """`transcription`, `translation` or `diarization`; empty where an engine stands alone."""


@dataclass(frozen=True, slots=True)
class EngineDescription:
    """An engine's models and what it runs on; None is what it does not say. `error` says why an
    engine could not be asked."""

    name: str
    kind: str
    models: tuple[str, ...] = ()
    device: str | None = None
    device_type: str | None = None
    acceleration: str | None = None
    error: str = ""


class Transcriber(Protocol):
    """What hears chunks: an engine, or several as one."""

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis: ...


class TranscriptionEngine(Protocol):
    """Speech to words."""

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        """Words of one chunk.

        Raises:
            EngineError: the engine answered uselessly, or not at all.
            EngineTimeout: the engine did not answer in time.
        """
        ...

    async def check(self) -> EngineStatus:
        """Probe the engine; never raises."""
        ...

    async def describe(self) -> EngineDescription:
        """Its models and what it runs on; never raises."""
        ...

    async def close(self) -> None:
        """Give up connections and models."""
        ...


class Diarizer(Protocol):
    """Speech to voices."""

    async def diarize(self, request: TranscriptionRequest) -> Diarization:
        """Voices of one chunk; raises as transcription does."""
        ...

    async def check(self) -> EngineStatus:
        """Probe the engine; never raises."""
        ...


class TranslationEngine(Protocol):
    """Text to another language."""

    async def translate(self, request: TranslationRequest) -> str:
        """The text in the target language; that of a text that is not blank is not blank either.

        Raises:
            UnsupportedLanguagePair: the engine will never have this pair.
            EngineError, EngineTimeout: as for transcription.
        """
        ...

    async def check(self) -> EngineStatus:
        """Probe the engine; never raises."""
        ...

    async def describe(self) -> EngineDescription:
        """Its models and what it runs on; never raises."""
        ...

    async def close(self) -> None:
        """Give up connections and models."""
        ...
