"""Which of whisper's words to believe.

Over silence, noise and music whisper invents text, and the figures it decodes with betray it. The
thresholds are those that OpenAI's whisper retries at, with Vexa's harder floor for the log
probability alone.
"""

import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestration.services.ports import Hypothesis, HypothesisSegment, HypothesisWord

MAX_NO_SPEECH_PROBABILITY = 0.6
"""Above this, and below `MIN_LOG_PROBABILITY_WITHOUT_SPEECH`, a segment is taken for silence."""

MIN_LOG_PROBABILITY_WITHOUT_SPEECH = -1.0
"""Mean natural log probability of a token."""

MIN_LOG_PROBABILITY = -1.3
"""Below this a segment is a guess, whatever else speaks for it."""

MAX_COMPRESSION_RATIO = 2.4
"""Length of the text over its zlib length; above this it is a loop. It follows from the words
where the engine does not tell it."""

MIN_LAST_WORD_PROBABILITY = 0.1
"""Below this a chunk's last word is dropped: where the audio stops, whisper likes to end a
sentence that was not spoken. If the word was real, the overlapping next chunk hears it again."""

DropReason = Literal["no_speech", "repetition", "improbable", "improbable_end", "empty"]


@dataclass(frozen=True, slots=True)
class Filtered:
    """The believed words in order, and how many of the others were dropped for what reason."""

    words: tuple[HypothesisWord, ...]
    dropped: Mapping[DropReason, int]


def credible_words(hypothesis: Hypothesis) -> Filtered:
    """The words of credible segments; probabilities that the engine does not give count as good."""
    words: list[HypothesisWord] = []
    dropped: Counter[DropReason] = Counter()
    for segment in hypothesis.segments:
        doubt = _doubt(segment)
        for word in segment.words:
            reason = "empty" if not word.text.strip() else doubt
            if reason is None:
                words.append(word)
            else:
                dropped[reason] += 1
    while words and words[-1].probability < MIN_LAST_WORD_PROBABILITY:
        words.pop()
        dropped["improbable_end"] += 1
    return Filtered(tuple(words), dict(dropped))


def _doubt(segment: HypothesisSegment) -> DropReason | None:
    log_probability = segment.average_log_probability
    if (
        segment.no_speech_probability is not None
        and segment.no_speech_probability > MAX_NO_SPEECH_PROBABILITY
        and log_probability is not None
        and log_probability < MIN_LOG_PROBABILITY_WITHOUT_SPEECH
    ):
        return "no_speech"
    compression_ratio = segment.compression_ratio
    if compression_ratio is None:
        compression_ratio = _compression_ratio(segment)
    if compression_ratio > MAX_COMPRESSION_RATIO:
        return "repetition"
    if log_probability is not None and log_probability < MIN_LOG_PROBABILITY:
        return "improbable"
    return None


def _compression_ratio(segment: HypothesisSegment) -> float:
    """As openai/whisper has it (whisper/utils.py)."""
    text = " ".join(word.text for word in segment.words).encode()
    return len(text) / len(zlib.compress(text))
