import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestration.services.hypotheses import (
    UNTIMED_PROBABILITY,
    WordPiece,
    punctuated,
    split_words,
    spread_words,
    whole_words,
)
from orchestration.services.ports import HypothesisWord
from orchestration.transcript.words import join_words

CHUNK_MS = 4000

times = st.floats(allow_nan=True, allow_infinity=True)
pieces = st.builds(
    WordPiece,
    text=st.text(max_size=6),
    start_s=times,
    end_s=times,
    probability=times,
)


def test_pieces_without_a_leading_space_continue_the_word_before() -> None:
    heard = [
        WordPiece(" not", 0.0, 0.2, 0.9),
        WordPiece(" ill", 0.2, 0.4, 0.8),
        WordPiece("-disposed", 0.4, 0.9, 0.6),
        WordPiece(" man,", 0.9, 1.2, 0.7),
    ]
    words = whole_words(heard, "en", CHUNK_MS)
    assert [word.text for word in words] == ["not", "ill-disposed", "man,"]
    assert (words[1].start_ms, words[1].end_ms) == (200, 900)
    assert words[1].probability == (0.8 + 0.6) / 2


def test_bare_words_stay_apart_where_the_engine_marks_no_beginnings() -> None:
    heard = [WordPiece("Good", 0.0, 0.2, 0.9), WordPiece("morning", 0.2, 0.5, 0.9)]
    assert [word.text for word in whole_words(heard, "en", CHUNK_MS)] == ["Good", "morning"]


def test_characters_of_a_language_without_spaces_stay_apart() -> None:
    heard = [WordPiece("我", 0.0, 0.2, 0.9), WordPiece(" iPhone", 0.2, 0.5, 0.9)]
    heard.append(WordPiece("好", 0.5, 0.7, 0.9))
    assert [word.text for word in whole_words(heard, "zh", CHUNK_MS)] == ["我", "iPhone", "好"]


def test_a_word_of_another_script_and_a_number_are_one_word_each_in_chinese() -> None:
    heard = [
        WordPiece(text, 0.1 * at, 0.1 * at + 0.1, 0.9)
        for at, text in enumerate(["用", " Chat", "G", "PT", " model", "和", "20", "26", "年"])
    ]
    texts = [word.text for word in whole_words(heard, "zh", CHUNK_MS)]
    assert texts == ["用", "ChatGPT", "model", "和", "2026", "年"]
    assert join_words(texts, "zh") == "用ChatGPT model和2026年"


def test_a_time_that_is_no_number_is_taken_from_the_neighbour() -> None:
    heard = [WordPiece(" one", 1.0, math.nan, 0.9), WordPiece(" two", math.nan, 2.0, 0.9)]
    assert whole_words(heard, "en", CHUNK_MS) == (
        HypothesisWord("one", 1000, 1000, 0.9),
        HypothesisWord("two", 1000, 2000, 0.9),
    )


def test_a_word_beyond_the_chunk_is_clipped_to_it() -> None:
    (word,) = whole_words([WordPiece(" late", 3.9, 7.0, 0.9)], "en", CHUNK_MS)
    assert (word.start_ms, word.end_ms) == (3900, CHUNK_MS)


@given(st.lists(pieces, max_size=12), st.sampled_from(["en", "zh"]))
def test_words_are_ordered_inside_the_chunk_and_fit_to_be_stored(
    heard: list[WordPiece], language: str
) -> None:
    words = whole_words(heard, language, CHUNK_MS)
    for word in words:
        assert 0 <= word.start_ms <= word.end_ms <= CHUNK_MS
        assert 0.0 <= word.probability <= 1.0
        assert word.text == word.text.strip()
        assert word.text
        assert "\x00" not in word.text
        word.text.encode()
    assert all(one.start_ms <= other.start_ms for one, other in pairwise(words))


@given(
    st.text(max_size=60),
    st.sampled_from(["en", "ja"]),
    st.integers(0, CHUNK_MS),
    st.integers(0, CHUNK_MS),
)
def test_spread_words_fill_their_segment_and_keep_its_text(
    text: str, language: str, one_ms: int, other_ms: int
) -> None:
    start_ms, end_ms = sorted((one_ms, other_ms))
    words = spread_words(text, language, start_ms, end_ms)
    assert [word.text for word in words] == split_words(text, language)
    assert all(one.end_ms == other.start_ms for one, other in pairwise(words))
    if words:
        assert (words[0].start_ms, words[-1].end_ms) == (start_ms, end_ms)
        assert {word.probability for word in words} == {UNTIMED_PROBABILITY}


def test_longer_words_get_more_of_a_segment() -> None:
    assert spread_words("I understand", "en", 0, 1100) == (
        HypothesisWord("I", 0, 100, UNTIMED_PROBABILITY),
        HypothesisWord("understand", 100, 1100, UNTIMED_PROBABILITY),
    )


def test_other_scripts_keep_their_words_in_a_language_without_spaces() -> None:
    words = split_words("我们用 machine learning 做2026年的3.5倍", "zh")
    assert words == [*"我们用", "machine", "learning", "做", "2026", "年", "的", "3.5", "倍"]
    assert join_words(words, "zh") == "我们用machine learning做2026年的3.5倍"


def test_punctuation_of_a_language_without_spaces_stays_with_its_character() -> None:
    assert split_words("你好。 再见。", "zh") == ["你", "好。", "再", "见。"]


def test_bare_words_take_their_punctuation_from_the_text() -> None:
    words = ["Well", "Mr", "Dashwood", "said", "no", "ill", "disposed"]
    text = 'Well, Mr. Dashwood said: "no!" ill-disposed'
    assert punctuated(words, text) == [
        "Well,",
        "Mr.",
        "Dashwood",
        "said:",
        '"no!"',
        "ill-",
        "disposed",
    ]


def test_a_word_that_the_text_lacks_stays_bare() -> None:
    assert punctuated(["twenty", "people"], "20 people.") == ["twenty", "people."]


@given(
    st.lists(st.text("ab.,-", min_size=1, max_size=4), max_size=8), st.text("ab.,- ", max_size=30)
)
def test_punctuation_never_drops_or_changes_a_word(words: list[str], text: str) -> None:
    assert len(punctuated(words, text)) == len(words)
    assert all(bare in full for bare, full in zip(words, punctuated(words, text), strict=True))
