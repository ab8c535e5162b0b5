"""The language of each stream, as given or as heard."""

from orchestration.services.ports import Hypothesis
from orchestration.transcript.hallucination import credible_words

UNDETERMINED = "und"

ENOUGH_WORDS = 3
"""An answer with fewer words says little about the language."""

ANSWERS_THAT_AGREE = 2
"""Answers in a row in one language after which it is settled: whisper guesses at each chunk
anew, wrongly at some, and each guess costs an embedded engine as much as the words do."""


class SpokenLanguages:
    """Which language to ask whisper for. `given` is the session's, for all its streams."""

    def __init__(self, given: str | None) -> None:
        self._given = given
        self._settled: dict[int, str] = {}
        self._candidates: dict[int, tuple[str, int]] = {}

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
        whisper makes of music or noise is in any language."""
        language = hypothesis.language
        if self.of(stream) or language == UNDETERMINED:
            return
        if len(credible_words(hypothesis).words) < ENOUGH_WORDS:
            return
        candidate, count = self._candidates.get(stream, (language, 0))
        count = count + 1 if candidate == language else 1
        self._candidates[stream] = (language, count)
        if count >= ANSWERS_THAT_AGREE:
            self._settled[stream] = language
