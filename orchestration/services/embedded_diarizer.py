"""Who speaks in this process: Resemblyzer's voice encoder on the CPU, and a stream's voices."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from orchestration.errors import EngineBusy, ModelMissing
from orchestration.services.ports import Diarization, EngineStatus, TranscriptionRequest, VoiceSpan
from orchestration.services.torch_weights import MalformedWeights
from orchestration.services.voice_encoder import VoiceEncoder
from orchestration.services.voice_windows import (
    FRAME_MS,
    WHO_IS_THERE,
    WHO_SPEAKS_WHEN,
    Speech,
)
from orchestration.speakers.voices import Voices

PACKAGE = "resemblyzer"

MAX_STREAMS = 512
"""Streams whose voices are remembered, at 25 kB for 20 voices; the one heard longest ago goes."""

MAX_WAITING = 32
"""Chunks that wait for the encoder; one more is refused."""

MIN_PROBABILITY = 0.4
"""A less likely voice is not told."""


@dataclass(slots=True)
class _Stream:
    """A stream's voices under a name that no other memory of it ever has."""

    name: str = field(default_factory=lambda: f"{PACKAGE}-{secrets.token_hex(4)}")
    voices: Voices = field(default_factory=Voices)


class EmbeddedDiarizer:
    """A Diarizer in this process: one chunk at a time, in a thread of its own.

    It remembers the voices of each stream, so a session that starts again finds its labels again.
    If its memory is lost, the stream's labels begin anew under another `engine`: a label never
    comes to mean somebody else.

    Raises:
        ModelMissing: the package with the weights is not there, or damaged.
    """

    kind = "embedded"

    def __init__(self, weights: Path | None = None) -> None:
        self._encoder = _load(weights or locate_weights())
        self._streams: OrderedDict[tuple[str, int], _Stream] = OrderedDict()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="embedded-diarizer")
        self._waiting = 0
        self._latency_ms = 0
        self._failure = ""

    async def diarize(self, request: TranscriptionRequest) -> Diarization:
        """The voices in one chunk. Cancelled while it waits, it costs nothing more.

        Raises:
            EngineBusy: too many chunks wait.
        """
        if self._waiting >= MAX_WAITING:
            raise EngineBusy("The diarizer has too much to do.", {"waiting": self._waiting})
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self._diarize, request)
        finally:
            self._waiting -= 1

    async def check(self) -> EngineStatus:
        """Whether the last chunk went well, and how long it took; never raises.

        It does not listen: a probe would stand in line with the meeting's chunks.
        """
        healthy = not self._failure
        return EngineStatus(PACKAGE, self.kind, healthy, self._latency_ms, self._failure)

    async def close(self) -> None:
        """Let the chunk in work finish and drop those that wait."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _diarize(self, request: TranscriptionRequest) -> Diarization:
        began_ns = perf_counter_ns()
        try:
            diarization = self._heard(request)
        except Exception as error:
            self._failure = f"failed with {type(error).__name__}"
            raise
        self._latency_ms = (perf_counter_ns() - began_ns) // 1_000_000
        self._failure = ""
        return diarization

    def _heard(self, request: TranscriptionRequest) -> Diarization:
        stream = self._stream(request.session_id, request.stream)
        samples = np.frombuffer(request.audio, "<i2").astype(np.float32) / np.float32(32768)
        speech = Speech(samples)
        long = speech.windows(WHO_IS_THERE)
        if long is not None:
            stream.voices.hear(self._encoder.embed(long.mels), request.voices)
        short = speech.windows(WHO_SPEAKS_WHEN)
        if short is None:
            return Diarization(stream.name, ())
        told = stream.voices.likelihoods(self._encoder.embed(short.mels), request.voices)
        return Diarization(stream.name, tuple(_spans(short.spans, told)))

    def _stream(self, session_id: str, number: int) -> _Stream:
        key = session_id, number
        stream = self._streams.setdefault(key, _Stream())
        self._streams.move_to_end(key)
        if len(self._streams) > MAX_STREAMS:
            self._streams.popitem(last=False)
        return stream


def _spans(
    frames: Iterable[tuple[int, int]], likelihoods: Iterable[Mapping[int, float]]
) -> Iterator[VoiceSpan]:
    """The likeliest voice of each window, if it is likely enough to be told."""
    for (start, end), likely in zip(frames, likelihoods, strict=True):
        voice = max(likely, key=lambda one: likely[one], default=None)
        if voice is not None and likely[voice] > MIN_PROBABILITY:
            yield VoiceSpan(start * FRAME_MS, end * FRAME_MS, str(voice), likely[voice])


def locate_weights() -> Path:
    """The weights in the installed package, which is not imported: that would take PyTorch."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelMissing(
            "The embedded diarizer needs the package resemblyzer: run make setup, or set "
            "services.diarizer to off.",
            {"package": PACKAGE},
        )
    return Path(spec.origin).parent / "pretrained.pt"


def _load(weights: Path) -> VoiceEncoder:
    try:
        return VoiceEncoder(weights)
    except (OSError, KeyError, MalformedWeights) as error:
        raise ModelMissing(
            f"The diarizer's weights are damaged. Install {PACKAGE} again.",
            {"weights": str(weights), "reason": str(error)},
        ) from error
