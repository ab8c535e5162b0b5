"""The language of each stream, as given or as heard."""

from orchestration.services.ports import Hypothesis
from orchestration.transcript.hallucination import credible_words

UNDETERMINED = "und"

ENOUGH_WORDS = 3
"""An answer with fewer words says little about the language."""

ANSWERS_THAT_AGREE = 2
"""Answers in a row in one language after which it is settled: whisper guesses at each chunk
anew, wrongly at some, and each guess costs an embedded engine as much as the words do."""


DOUBTFUL_LOG_PROBABILITY = -0.8
"""Mean natural log probability of a token, below which an answer in a settled language may be in
another one. Of the recordings in tests/data, in chunks of 4 s, whisper base gave -0.2 to -0.6 to
their own language and -0.7 to -1.7 to others."""

DOUBTS_THAT_UNSETTLE = 2
"""Doubtful answers in a row after which a stream's language is heard anew."""


class SpokenLanguages:
    """Which language to ask whisper for. `given` is the session's, for all its streams."""

    def __init__(self, given: str | None) -> None:
        self._given = given
        self._settled: dict[int, str] = {}
        self._candidates: dict[int, tuple[str, int]] = {}
        self._doubts: dict[int, int] = {}

    def give(self, language: str | None) -> None:
        """The session's language from now on; None has each stream's heard anew."""
        if language != self._given:
            self._given = language
            self._settled.clear()
            self._candidates.clear()

    def of(self, stream: int) -> str | None:
        """The stream's language, None while whisper is to guess."""
        return self._given or self._settled.get(stream)

    def heard(self, stream: int, hypothesis: Hypothesis) -> None:
        """Take the language of an answer into account, if its words are to be believed: what
        whisper makes of music or noise is in any language. Asked for a language that is not spoken
        any more, it writes something, and finds it improbable."""
        if self._given is None and stream in self._settled:
            self._doubt(stream, hypothesis)
            return
        language = hypothesis.language
        if self._given or language == UNDETERMINED:
            return
        if len(credible_words(hypothesis).words) < ENOUGH_WORDS:
            return
        candidate, count = self._candidates.get(stream, (language, 0))
        count = count + 1 if candidate == language else 1
        self._candidates[stream] = (language, count)
        if count >= ANSWERS_THAT_AGREE:
            self._settled[stream] = language

    def _doubt(self, stream: int, hypothesis: Hypothesis) -> None:
        """Forget a settled language in which a stream is not understood any more."""
        probability = _log_probability(hypothesis)
        if probability is None:
            return
        doubts = self._doubts.get(stream, 0) + 1 if probability < DOUBTFUL_LOG_PROBABILITY else 0
        self._doubts[stream] = doubts
        if doubts >= DOUBTS_THAT_UNSETTLE:
            del self._settled[stream], self._doubts[stream]
            self._candidates.pop(stream, None)


def _log_probability(hypothesis: Hypothesis) -> float | None:
    """Of a word on average; None without words, or where the engine does not tell it."""
    told = [
        (len(segment.words), segment.average_log_probability)
        for segment in hypothesis.segments
        if segment.average_log_probability is not None
    ]
    words = sum(count for count, _ in told)
    if words < ENOUGH_WORDS:
        return None
    return sum(count * probability for count, probability in told) / words
