"""An engine's answer on the samples of its stream."""

from collections.abc import Sequence

from orchestration.services.ports import Hypothesis, HypothesisWord
from orchestration.speakers.labels import label_id, steady_labels
from orchestration.transcript.words import Word


def placed_words(
    credible: Sequence[HypothesisWord],
    hypothesis: Hypothesis,
    *,
    stream: int,
    sample_rate: int,
    start: int,
    end: int,
) -> list[Word]:
    """The believed words of an answer for samples `start` to `end` of a stream, none beyond them.
    Each has its voice's label, as it is known in all of the session."""

    def sample(at_ms: int) -> int:
        return min(start + at_ms * sample_rate // 1000, end)

    return [
        Word(
            word.text,
            sample(word.start_ms),
            max(sample(word.start_ms), sample(word.end_ms)),
            word.probability,
            label_id(hypothesis, stream, start, label),
            word.label_probability,
        )
        for word, label in zip(credible, steady_labels(credible), strict=True)
    ]
