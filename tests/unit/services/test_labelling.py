"""Words with a diarizer's voices; the transcript never waits or fails for them."""

import asyncio
from dataclasses import replace

import pytest

from orchestration.errors import EngineError
from orchestration.services.balancing.breaker import OPEN_BASE_MS
from orchestration.services.labelling import FAILURES_IN_A_ROW, Labelling, labelled
from orchestration.services.ports import (
    Diarization,
    EngineStatus,
    Hypothesis,
    HypothesisSegment,
    HypothesisWord,
    TranscriptionRequest,
    VoiceSpan,
)
from orchestration.speakers.labels import label_id

CHUNK = TranscriptionRequest("s", 0, 0, bytes(2), "en", "", voices=None)
WORDS = (
    HypothesisWord("Good", 0, 300, 0.9),
    HypothesisWord("morning.", 300, 900, 0.9),
    HypothesisWord("Hi!", 1000, 1000, 0.9),
    HypothesisWord("Far", 3000, 3200, 0.9),
)
HEARD = Hypothesis("en", (HypothesisSegment(WORDS),), "whisper")
VOICES = Diarization("resemblyzer-1", (VoiceSpan(0, 500, "1", 0.9), VoiceSpan(500, 1500, "2", 0.8)))


def labels(hypothesis: Hypothesis) -> list[str | None]:
    return [word.label for segment in hypothesis.segments for word in segment.words]


class Whisper:
    def __init__(self, answer: Hypothesis | EngineError = HEARD) -> None:
        self.answer = answer

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        await asyncio.sleep(0)
        if isinstance(self.answer, EngineError):
            raise self.answer
        return self.answer


class Voices:
    """A diarizer; without an answer it hangs until it is left alone."""

    def __init__(self, answer: Diarization | Exception | None = VOICES) -> None:
        self.answer = answer
        self.asked = 0
        self.dropped = 0

    async def check(self) -> EngineStatus:
        return EngineStatus("resemblyzer", "embedded", True, 1)

    async def diarize(self, request: TranscriptionRequest) -> Diarization:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            try:
                await asyncio.Event().wait()
            finally:
                self.dropped += 1
        assert self.answer is not None
        return self.answer


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_word_has_the_voice_that_it_shares_most_time_with() -> None:
    assert labels(labelled(HEARD, VOICES)) == ["1", "2", "2", None]


def test_a_word_has_the_likeliest_voice_and_says_how_likely_it_is() -> None:
    doubtful = Diarization("r", (VoiceSpan(0, 400, "1", 0.9), VoiceSpan(400, 1500, "2", 0.5)))
    segments = labelled(HEARD, doubtful).segments
    told = [(word.label, word.label_probability) for word in segments[0].words]
    # 100 ms of 0.9 and 500 ms of 0.5 are in the second word.
    assert told == [("1", 0.9), ("2", pytest.approx(250 / 600)), ("2", 0.5), (None, None)]


def test_labels_mean_the_same_all_session_and_nothing_once_the_diarizers_memory_is_lost() -> None:
    first = labelled(HEARD, VOICES)
    other = labelled(HEARD, replace(VOICES, engine="resemblyzer-2"))
    again = labelled(replace(HEARD, engine="another whisper"), VOICES)
    assert label_id(first, 0, 0, "1") == label_id(again, 0, 64_000, "1")
    assert label_id(first, 0, 0, "1") != label_id(other, 0, 0, "1")


def test_a_whisper_that_diarizes_keeps_its_own_labels() -> None:
    own = replace(HEARD, segments=(HypothesisSegment((replace(WORDS[0], label="A"), WORDS[1])),))
    assert labelled(own, VOICES) == own


async def test_words_come_with_their_voices() -> None:
    hypothesis = await Labelling(Whisper(), Voices()).transcribe(CHUNK)
    assert labels(hypothesis) == ["1", "2", "2", None]


async def test_the_stream_of_one_person_is_not_diarized() -> None:
    diarizer = Voices()
    hypothesis = await Labelling(Whisper(), diarizer).transcribe(replace(CHUNK, voices=1))
    assert hypothesis == HEARD
    assert diarizer.asked == 0


@pytest.mark.parametrize("error", [EngineError("It failed."), RuntimeError("a fault in it")])
async def test_a_diarizer_that_fails_costs_the_labels_alone(error: Exception) -> None:
    assert await Labelling(Whisper(), Voices(error)).transcribe(CHUNK) == HEARD


async def test_a_late_diarizer_is_not_waited_for() -> None:
    diarizer = Voices(None)
    hypothesis = await Labelling(Whisper(), diarizer, grace_s=0.001).transcribe(CHUNK)
    assert hypothesis == HEARD
    assert diarizer.dropped == 1


async def test_whispers_failure_is_raised_and_the_diarizer_let_go() -> None:
    diarizer = Voices(None)
    labelling = Labelling(Whisper(EngineError("It failed.")), diarizer)
    for _ in range(FAILURES_IN_A_ROW + 1):
        with pytest.raises(EngineError):
            await labelling.transcribe(CHUNK)
    assert diarizer.asked == diarizer.dropped == FAILURES_IN_A_ROW + 1


async def test_a_diarizer_that_goes_on_failing_is_left_alone_and_tried_again_later() -> None:
    clock = Clock()
    diarizer = Voices(EngineError("It failed."))
    labelling = Labelling(Whisper(), diarizer, clock=clock)
    for _ in range(FAILURES_IN_A_ROW + 5):
        await labelling.transcribe(CHUNK)
    assert diarizer.asked == FAILURES_IN_A_ROW
    clock.now_s = OPEN_BASE_MS / 1000
    diarizer.answer = VOICES
    assert labels(await labelling.transcribe(CHUNK))[0] == "1"
    assert labels(await labelling.transcribe(CHUNK))[0] == "1"
