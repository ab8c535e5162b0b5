"""How words join, and which are compared."""

import pytest

from orchestration.transcript.word_alignment import TimeTolerance, aligned
from orchestration.transcript.words import Word, join_words


@pytest.mark.parametrize(
    ("texts", "language", "line"),
    [
        (["Good", "morning."], "en", "Good morning."),
        (["你", "好。"], "zh", "你好。"),
        (["用", "machine", "learning", "做"], "zh", "用machine learning做"),
        (["OK,", "thanks", "です"], "ja", "OK, thanksです"),
        (["สวัสดี", "ครับ"], "th", "สวัสดีครับ"),
        (["今", "2", "つ"], "ja", "今2つ"),
        (["سلام", "عليكم"], "ar", "سلام عليكم"),
        (["안녕", "하세요"], "ko", "안녕 하세요"),
        (["", "好"], "zh", "好"),
    ],
)
def test_a_line_is_spaced_as_its_scripts_are(texts: list[str], language: str, line: str) -> None:
    assert join_words(texts, language) == line


def test_a_word_as_long_as_a_book_is_compared_by_its_beginning() -> None:
    one, other = Word("a" * 1_000_000, 0, 10, 0.9), Word("a" * 999_999, 0, 10, 0.9)
    assert aligned([one], [other], TimeTolerance(10, 20)) == [(0, 0)]
