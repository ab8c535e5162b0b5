"""Losses and doublings are counted one by one."""

from tests.chaos.coded_audio import word_text
from tests.chaos.figures import compare_words, holes

SAID = (5, 3, 9, 7)


def written(*ids: int) -> list[str]:
    return [word_text(one) for one in ids]


def test_the_same_words_in_the_same_order_are_right() -> None:
    assert compare_words(SAID, written(*SAID)).is_right


def test_each_fault_is_counted_as_what_it_is() -> None:
    assert compare_words(SAID, written(5, 9, 7)).missing == (3,)
    assert compare_words(SAID, written(5, 3, 3, 9, 3, 7)).doubled == (3, 3)
    assert compare_words(SAID, [*written(5, 3, 9, 7), "w12", word_text(8)]).foreign == (
        "w12",
        word_text(8),
    )
    assert compare_words(SAID, written(3, 5, 9, 7)).misplaced == 1


def test_a_count_is_broken_by_leaps_repeats_and_a_late_start() -> None:
    assert holes([1, 2, 3], 1) == 0
    assert holes([1, 3, 4], 1) == 1
    assert holes([1, 2, 2, 3], 1) == 1
    assert holes([2, 3], 1) == 1
    assert holes([], 1) == 0
