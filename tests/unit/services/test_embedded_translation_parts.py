from hypothesis import given
from hypothesis import strategies as st

from orchestration.services.embedded_translation import MAX_SENTENCE_CHARACTERS, sentence_parts


def test_sentences_are_translated_one_by_one() -> None:
    assert sentence_parts("Good morning. How are you? Fine!") == [
        "Good morning.",
        "How are you?",
        "Fine!",
    ]


def test_an_overlong_sentence_is_cut_at_a_space() -> None:
    parts = sentence_parts("word " * 100)
    assert len(parts) == 2
    assert all(part.split() == ["word"] * (len(part.split())) for part in parts)


@given(st.text(alphabet="ab .!?\n", max_size=1000))
def test_parts_keep_every_character_and_stay_within_the_limit(text: str) -> None:
    parts = sentence_parts(text)
    assert all(0 < len(part) <= MAX_SENTENCE_CHARACTERS for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
