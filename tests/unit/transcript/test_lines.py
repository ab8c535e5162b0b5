"""Where lines close. Times are in milliseconds, at a thousand samples a second."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.transcript.lines import (
    AttributedWord,
    Line,
    LineBuilder,
    LinePolicy,
    ends_sentence,
)
from orchestration.transcript.segments import SpeakerName
from orchestration.transcript.words import Word

POLICY = LinePolicy.from_ms(1000)
ANA = SpeakerName("p-1", "Ana", 0.9, "temporal")
BEN = SpeakerName("p-2", "Ben", 0.9, "temporal")


def spoken(
    text: str,
    start: int = 0,
    speaker: SpeakerName | None = ANA,
    language: str = "en",
    *,
    length: int = 300,
    gap: int = 50,
) -> list[AttributedWord]:
    """The text's words, each `length` long, from `start`."""
    words = []
    for i, part in enumerate(text.split()):
        at = start + i * (length + gap)
        words.append(AttributedWord(Word(part, at, at + length, 0.9), speaker, language))
    return words


def shown(lines: Sequence[Line]) -> list[str]:
    return [" ".join(one.word.text for one in line.words) for line in lines]


def test_a_line_closes_where_a_sentence_ends() -> None:
    builder = LineBuilder(POLICY)
    closed = builder.add(spoken("Good idea. What next? Then we"), utterance_over=False)
    assert shown(closed) == ["Good idea.", "What next?"]
    assert [one.word.text for one in builder.open_words] == ["Then", "we"]


def test_everything_closes_when_the_utterance_is_over() -> None:
    builder = LineBuilder(POLICY)
    builder.add(spoken("and then"), utterance_over=False)
    assert shown(builder.add([], utterance_over=True)) == ["and then"]
    assert builder.open_words == ()
    assert builder.add([], utterance_over=True) == []


def test_a_pause_closes_the_line_before_it() -> None:
    builder = LineBuilder(POLICY)
    builder.add(spoken("and then"), utterance_over=False)
    after = spoken("we", start=650 + 699)
    assert builder.add(after, utterance_over=False) == []
    later = spoken("wait", start=after[0].word.end_sample + 700)
    assert shown(builder.add(later, utterance_over=False)) == ["and then we"]


@pytest.mark.parametrize("other", [BEN, None])
def test_a_change_of_speaker_closes_the_line(other: SpeakerName | None) -> None:
    words = [*spoken("who is"), *spoken("me", 800, other)]
    lines = LineBuilder(POLICY).add(words, utterance_over=True)
    assert shown(lines) == ["who is", "me"]
    assert [line.speaker for line in lines] == [ANA, other]


def test_the_same_speaker_named_less_surely_stays_in_the_line() -> None:
    unsure = SpeakerName("p-1", "Ana", 0.4, "temporal")
    lines = LineBuilder(POLICY).add(
        [*spoken("who is"), *spoken("me", 800, unsure)], utterance_over=True
    )
    assert shown(lines) == ["who is me"]
    assert lines[0].speaker == unsure


def test_a_change_of_language_closes_the_line() -> None:
    words = [*spoken("so then"), *spoken("muito bem", 800, language="pt")]
    lines = LineBuilder(POLICY).add(words, utterance_over=True)
    assert [line.language for line in lines] == ["en", "pt"]


def test_a_long_line_closes_at_a_comma_from_five_seconds_on() -> None:
    words = spoken("a, b c d e f g h i j k l m n o, p q")
    lines = LineBuilder(POLICY).add(words, utterance_over=True)
    assert shown(lines) == ["a, b c d e f g h i j k l m n o,", "p q"]


def test_an_arabic_comma_closes_a_long_line_as_any_other() -> None:
    words = spoken("نعم، " * 20, language="ar")
    closed = LineBuilder(POLICY).add(words, utterance_over=False)
    assert closed
    assert len(closed[0].words) < 20


def test_a_line_without_any_mark_closes_before_it_passes_ten_seconds() -> None:
    lines = LineBuilder(POLICY).add(spoken("so " * 80), utterance_over=True)
    lengths = [line.words[-1].word.end_sample - line.words[0].word.start_sample for line in lines]
    assert sum(len(line.words) for line in lines) == 80
    assert max(lengths) <= 10_000
    assert min(lengths[:-1]) > 9_500


def test_a_word_longer_than_the_limit_is_a_line_of_its_own() -> None:
    words = [*spoken("so"), *spoken("aaah", 400, length=12_000), *spoken("well", 12_500)]
    lines = LineBuilder(POLICY).add(words, utterance_over=True)
    assert shown(lines) == ["so", "aaah", "well"]


def test_a_mark_of_its_own_joins_the_word_before_whoever_spoke_it() -> None:
    words = [*spoken("good"), *spoken(".", 350, BEN), *spoken("yes", 400, BEN)]
    lines = LineBuilder(POLICY).add(words, utterance_over=True)
    assert shown(lines) == ["good.", "yes"]
    assert lines[0].words[0].word.end_sample == 300


def test_a_mark_after_a_sentence_end_stays_with_the_sentence() -> None:
    lines = LineBuilder(POLICY).add(spoken('Good. " Yes'), utterance_over=True)
    assert shown(lines) == ['Good."', "Yes"]


def test_marks_with_no_word_to_join_form_no_line() -> None:
    assert LineBuilder(POLICY).add(spoken("… —"), utterance_over=True) == []


def test_an_unspaced_language_closes_at_its_own_full_stop() -> None:
    lines = LineBuilder(POLICY).add(spoken("好 。 再 见", language="zh"), utterance_over=True)
    assert shown(lines) == ["好。", "再 见"]


@pytest.mark.parametrize(
    "text",
    [
        "week.",
        "why?",
        "No!",
        "wait…",
        "wait...",
        '"yes."',
        "(yes.)",
        "好。",
        "吗\N{FULLWIDTH QUESTION MARK}",
        "2026.",
        "لماذا؟",
        "ہے\N{ARABIC FULL STOP}",
        "है।",
        "է\N{ARMENIAN FULL STOP}",
        "ነው።",
        "တယ်။",
        "ទេ។",
    ],
)
def test_sentence_ends(text: str) -> None:
    assert ends_sentence(text)


@pytest.mark.parametrize("text", ["", "week", "week,", "Mr.", "dr.", "J.", "e.g.", "3.", "2.60"])
def test_full_stops_that_end_no_sentence(text: str) -> None:
    assert not ends_sentence(text)


said = st.lists(
    st.tuples(
        st.sampled_from(["so", "yes.", "well,", "Mr.", ".", "—", "&", "ok?"]),
        st.integers(0, 3000),
        st.integers(0, 900),
        st.sampled_from([ANA, BEN, None]),
        st.booleans(),
    ),
    max_size=40,
)


@given(said)
def test_every_word_comes_out_once_in_order_and_no_line_has_two_speakers(
    steps: list[tuple[str, int, int, SpeakerName | None, bool]],
) -> None:
    builder = LineBuilder(POLICY)
    lines: list[Line] = []
    at = 0
    for text, length, gap, speaker, is_over in steps:
        at += gap
        word = AttributedWord(Word(text, at, at + length, 0.9), speaker, "en")
        at += length
        lines.extend(builder.add([word], utterance_over=is_over))
    lines.extend(builder.add([], utterance_over=True))

    def characters(texts: Sequence[str]) -> str:
        return "".join(c for c in "".join(texts) if c.isalpha() or c == "&")

    out = [one.word.text for line in lines for one in line.words]
    assert characters(out) == characters([text for text, *_ in steps])
    assert builder.open_words == ()
    for line in lines:
        assert line.words
        assert len({one.speaker_id for one in line.words}) == 1
        first, last = line.words[0].word, line.words[-1].word
        assert len(line.words) == 1 or last.end_sample - first.start_sample <= POLICY.hard_limit
