"""Which words of a hypothesis are believed."""

import pytest

from orchestration.services.ports import Hypothesis, HypothesisSegment, HypothesisWord
from orchestration.transcript.hallucination import credible_words

WORDS = (HypothesisWord("thank", 0, 200, 0.5), HypothesisWord("you.", 200, 400, 0.5))


def hypothesis(*segments: HypothesisSegment) -> Hypothesis:
    return Hypothesis("en", segments, "test")


@pytest.mark.parametrize(
    ("no_speech", "log_probability", "compression", "reason"),
    [
        (0.61, -1.01, 1.0, "no_speech"),
        (0.1, -0.2, 2.41, "repetition"),
        (0.1, -1.31, 1.0, "improbable"),
        (None, None, 2.41, "repetition"),
    ],
)
def test_segments_whose_figures_betray_invention_are_dropped(
    no_speech: float | None, log_probability: float | None, compression: float, reason: str
) -> None:
    filtered = credible_words(
        hypothesis(HypothesisSegment(WORDS, no_speech, log_probability, compression))
    )
    assert filtered.words == ()
    assert filtered.dropped == {reason: 2}


@pytest.mark.parametrize(
    ("no_speech", "log_probability", "compression"),
    [
        (0.6, -1.2, 2.4),
        (0.99, -1.0, 1.0),
        (0.99, None, 1.0),
        (0.1, -1.3, 2.4),
        (None, None, None),
    ],
)
def test_segments_at_the_thresholds_or_without_figures_are_believed(
    no_speech: float | None, log_probability: float | None, compression: float | None
) -> None:
    filtered = credible_words(
        hypothesis(HypothesisSegment(WORDS, no_speech, log_probability, compression))
    )
    assert filtered.words == WORDS
    assert filtered.dropped == {}


def test_a_loop_is_dropped_though_its_engine_tells_no_figures() -> None:
    loop = tuple(
        HypothesisWord(text, 40 * at, 40 * at + 40, 0.5)
        for at, text in enumerate(("thank", "you", "for", "watching.") * 12)
    )
    said = tuple(HypothesisWord("no,", 200 * at, 200 * at + 200, 0.5) for at in range(8))
    filtered = credible_words(hypothesis(HypothesisSegment(loop), HypothesisSegment(said)))
    assert filtered.words == said
    assert filtered.dropped == {"repetition": len(loop)}


def test_words_without_text_are_dropped_and_counted_as_empty() -> None:
    blank = HypothesisWord(" ", 400, 500, 0.9)
    filtered = credible_words(
        hypothesis(HypothesisSegment((*WORDS, blank)), HypothesisSegment((blank,), 0.9, -2.0, 1.0))
    )
    assert filtered.words == WORDS
    assert filtered.dropped == {"empty": 2}


def test_one_bad_segment_costs_its_neighbours_nothing() -> None:
    filtered = credible_words(
        hypothesis(
            HypothesisSegment(WORDS[:1]),
            HypothesisSegment(WORDS, 0.1, -3.0, 1.0),
            HypothesisSegment(WORDS[1:]),
        )
    )
    assert filtered.words == WORDS


def test_an_empty_answer_is_no_words() -> None:
    assert credible_words(hypothesis()).words == ()
