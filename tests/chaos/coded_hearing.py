"""What a whisper makes of coded audio: right words, noisy times, trouble with cut words."""

import random
import zlib
from dataclasses import dataclass
from typing import Literal

from orchestration.json_types import JsonValue
from orchestration.services.ports import Hypothesis, HypothesisSegment, HypothesisWord
from tests.chaos.coded_audio import DECODED_RATE, HeardWord, Samples, decode, word_text

Fragments = Literal["dropped", "garbled"]
"""What becomes of a word too much of which was cut off: nothing, or part of its text."""

MIN_HEARD_PERCENT = 60
"""A word of which less was in the audio is not understood."""

PROBABILITY = 0.9
GARBLED_PROBABILITY = 0.4


@dataclass(frozen=True, slots=True)
class CodedHearing:
    """Hears the same in the same samples every time; another `seed` hears other times.

    `jitter_ms` is the most by which a word's start and end, each, are off.
    """

    seed: int = 0
    jitter_ms: int = 80
    fragments: Fragments = "garbled"

    def words(self, samples: Samples) -> tuple[HypothesisWord, ...]:
        """The words in mono samples at `DECODED_RATE`, in order, their times inside the audio."""
        rng = random.Random(self.seed << 32 | zlib.crc32(samples.tobytes()))
        duration_ms = len(samples) * 1000 // DECODED_RATE
        heard: list[HypothesisWord] = []
        start_ms = 0
        for word in decode(samples):
            text, probability = self._understood(word, duration_ms)
            # Whisper gives starts that never go back, and ends no earlier than their starts.
            start_ms = max(start_ms, word.start_ms + self._jitter(rng))
            end_ms = min(duration_ms, max(start_ms, word.end_ms + self._jitter(rng)))
            if text:
                heard.append(HypothesisWord(text, min(start_ms, end_ms), end_ms, probability))
        return tuple(heard)

    def hypothesis(self, samples: Samples) -> Hypothesis:
        """The words as an engine's answer."""
        words = self.words(samples)
        segments = (HypothesisSegment(words, 0.01, -0.2, 1.2),) if words else ()
        return Hypothesis("en", segments, "coded")

    def verbose_json(self, samples: Samples) -> JsonValue:
        """The words as OpenAI's transcription API writes them."""
        words = self.words(samples)
        text = " ".join(word.text for word in words)
        duration_s = len(samples) / DECODED_RATE
        return {
            "task": "transcribe",
            "language": "en",
            "duration": duration_s,
            "text": text,
            "words": [
                {
                    "word": f" {word.text}",
                    "start": word.start_ms / 1000,
                    "end": word.end_ms / 1000,
                    "probability": word.probability,
                }
                for word in words
            ],
            "segments": [
                {
                    "id": 0,
                    "start": 0.0,
                    "end": duration_s,
                    "text": f" {text}",
                    "no_speech_prob": 0.01,
                    "avg_logprob": -0.2,
                    "compression_ratio": 1.2,
                }
            ]
            if words
            else [],
        }

    def _understood(self, word: HeardWord, duration_ms: int) -> tuple[str, float]:
        text = word_text(word.word_id)
        if word.heard_percent >= MIN_HEARD_PERCENT:
            return text, PROBABILITY
        if self.fragments == "dropped":
            return "", 0.0
        letters = max(1, len(text) * word.heard_percent // 100)
        is_beginning = word.end_ms >= duration_ms
        return (text[:letters] if is_beginning else text[-letters:]), GARBLED_PROBABILITY

    def _jitter(self, rng: random.Random) -> int:
        return rng.randint(-self.jitter_ms, self.jitter_ms)
