"""Words with the voices of a diarizer, which listens while whisper does and never holds it up."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic

import structlog

from orchestration.metrics import catalogue
from orchestration.metrics.meter import Meter
from orchestration.services.balancing.breaker import Breaker, Event, State
from orchestration.services.ports import (
    Diarization,
    Diarizer,
    Hypothesis,
    HypothesisWord,
    Transcriber,
    TranscriptionRequest,
    VoiceSpan,
)

GRACE_S = 0.25
"""How much longer than whisper a diarizer may take: whisper on a GPU can be the faster one."""

FAILURES_IN_A_ROW = 3
"""After so many failures or late answers the diarizer is left alone for a while."""

_log = structlog.get_logger(__name__)


class Labelling:
    """A transcriber whose words have the diarizer's labels.

    Without an answer in time, or with an error, words have none. A whisper service that diarizes
    keeps its own labels. `clock` counts seconds, monotonically. What became of each chunk goes to
    `meter`.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        diarizer: Diarizer,
        *,
        grace_s: float = GRACE_S,
        clock: Callable[[], float] = monotonic,
        meter: Meter | None = None,
    ) -> None:
        self._transcriber = transcriber
        self._diarizer = diarizer
        self._grace_s = grace_s
        self._clock = clock
        self._meter = meter
        self._breaker = Breaker()
        self._failures = 0

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        """Words of one chunk; raises as the transcriber does."""
        if request.voices == 1:
            return await self._transcriber.transcribe(request)
        if not self._may_ask():
            self._count("left_out")
            return await self._transcriber.transcribe(request)
        began_s = self._clock()
        asked = asyncio.create_task(self._diarizer.diarize(request))
        if self._meter is not None:
            asked.add_done_callback(lambda _: self._took(self._clock() - began_s))
        is_known = False
        try:
            hypothesis = await self._transcriber.transcribe(request)
            await asyncio.wait([asked], timeout=self._grace_s)
            is_known = True
        finally:
            asked.cancel()
            await asyncio.wait([asked])
            self._judge(asked, is_known)
        if asked.cancelled() or asked.exception() is not None:
            return hypothesis
        return labelled(hypothesis, asked.result())

    def _may_ask(self) -> bool:
        if self._breaker.state is State.CLOSED:
            return True
        if not self._breaker.is_due(self._now_ms()):
            return False
        self._breaker.handle(Event.PROBED, self._now_ms())
        return True

    def _judge(self, asked: "asyncio.Task[Diarization]", is_known: bool) -> None:
        """Count an answer, or the lack of one; one that whisper's failure cut off says nothing."""
        probing = self._breaker.state is State.HALF_OPEN
        if not asked.cancelled() and asked.exception() is None:
            self._count("labelled")
            self._failures = 0
            if probing:
                self._breaker.handle(Event.PROBE_ANSWERED, self._now_ms())
        elif asked.cancelled() and not is_known:
            if probing:
                self._breaker.handle(Event.PROBE_ABANDONED, self._now_ms())
        else:
            self._count("late" if asked.cancelled() else "failed")
            self._failures += 1
            if probing:
                self._breaker.handle(Event.PROBE_FAILED, self._now_ms())
            elif self._failures >= FAILURES_IN_A_ROW and self._breaker.state is State.CLOSED:
                self._breaker.handle(Event.TRIPPED, self._now_ms())
                reason = "late" if asked.cancelled() else str(asked.exception())
                _log.warning("diarizer_left_out", reason=reason, for_ms=self._breaker.open_ms)

    def _count(self, result: str) -> None:
        if self._meter is not None:
            self._meter.count(catalogue.DIARIZATIONS, 1, result)

    def _took(self, elapsed_s: float) -> None:
        if self._meter is not None:
            self._meter.observe(catalogue.DIARIZATION_SECONDS, elapsed_s)

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)


def labelled(hypothesis: Hypothesis, diarization: Diarization) -> Hypothesis:
    """The hypothesis with a label on each word: that of the likeliest spans in its time."""
    words = [word for segment in hypothesis.segments for word in segment.words]
    if not diarization.spans or any(word.label for word in words):
        return hypothesis
    segments = tuple(
        replace(one, words=tuple(_labelled(word, diarization.spans) for word in one.words))
        for one in hypothesis.segments
    )
    return replace(
        hypothesis, segments=segments, label_scope="session", labelled_by=diarization.engine
    )


def _labelled(word: HypothesisWord, spans: Sequence[VoiceSpan]) -> HypothesisWord:
    # Some engines' words have no length.
    end_ms = max(word.end_ms, word.start_ms + 1)
    heard_ms = 0
    likely_ms: dict[str, float] = {}
    for span in spans:
        overlap_ms = min(end_ms, span.end_ms) - max(word.start_ms, span.start_ms)
        if overlap_ms > 0:
            heard_ms += overlap_ms
            likely = span.probability * overlap_ms
            likely_ms[span.label] = likely_ms.get(span.label, 0.0) + likely
    if not likely_ms:
        return word
    label = max(likely_ms, key=lambda label: likely_ms[label])
    return replace(word, label=label, label_probability=likely_ms[label] / heard_ms)
