"""Words of two hearings of the same audio are paired in order, by likeness and by time."""

from hypothesis import given
from hypothesis import strategies as st

from orchestration.transcript.word_alignment import TimeTolerance, aligned, is_same_word
from orchestration.transcript.words import Word

TOLERANCE = TimeTolerance(time_scale=350, max_shift=700)


def word(text: str, start: int, length: int = 200) -> Word:
    return Word(text, start, start + length, 0.9)


def said(*texts: str, start: int = 0, every: int = 300) -> list[Word]:
    return [word(text, start + place * every) for place, text in enumerate(texts)]


WORDS = st.lists(
    st.tuples(st.sampled_from(["no", "yes", "right", "rights"]), st.integers(0, 4000)), max_size=8
).map(lambda timed: [word(text, start) for text, start in sorted(timed, key=lambda one: one[1])])


@given(WORDS, WORDS)
def test_pairs_are_in_order_and_never_further_apart_than_may_be(
    committed: list[Word], heard: list[Word]
) -> None:
    pairs = aligned(committed, heard, TOLERANCE)
    for side in zip(*pairs, strict=True):
        assert list(side) == sorted(set(side))
    for i, j in pairs:
        shift = abs(committed[i].middle_sample - heard[j].middle_sample)
        assert shift <= TOLERANCE.max_shift


@given(WORDS)
def test_words_that_are_heard_again_just_so_are_all_paired(words: list[Word]) -> None:
    apart = [word(one.text, place * 300) for place, one in enumerate(words)]
    assert aligned(apart, apart, TOLERANCE) == [(place, place) for place in range(len(apart))]


def test_a_true_repetition_stays_two_words() -> None:
    assert aligned(said("no"), said("no", "no"), TOLERANCE) == [(0, 0)]


def test_a_word_that_is_heard_differently_is_the_same_word_still() -> None:
    committed, heard = said("we", "shall", "go"), said("we", "shell", "go", start=40)
    assert aligned(committed, heard, TOLERANCE) == [(0, 0), (1, 1), (2, 2)]


def test_case_and_punctuation_make_no_other_word_and_a_dash_is_none() -> None:
    assert is_same_word(word("Right,", 0), word("right", 0))
    assert not is_same_word(word("-", 0), word("-", 0))
