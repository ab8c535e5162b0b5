"""What was said against what was written down, counted exactly. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.coded_audio import word_id


@dataclass(frozen=True, slots=True)
class WordFigures:
    """How a transcript differs from what was said; all zero for a right one."""

    missing: tuple[int, ...] = ()
    doubled: tuple[int, ...] = ()
    """Ids, once for each time that they are there too often."""
    foreign: tuple[str, ...] = ()
    """Texts of words that nobody said: mangled ones, for the most part."""
    misplaced: int = 0
    """Words that follow one that was said after them."""

    @property
    def is_right(self) -> bool:
        return not (self.missing or self.doubled or self.foreign or self.misplaced)


def compare_words(said: Sequence[int], written: Sequence[str]) -> WordFigures:
    """The written texts, in order, against the ids said, no id twice."""
    places = {one: place for place, one in enumerate(said)}
    known = [(text, word_id(text)) for text in written]
    counted = Counter(one for _, one in known if one in places)
    order = [places[one] for _, one in known if one in places]
    return WordFigures(
        missing=tuple(one for one in said if not counted[one]),
        doubled=tuple(
            one for one, count in counted.items() if one is not None for _ in range(count - 1)
        ),
        foreign=tuple(text for text, one in known if one not in places),
        misplaced=sum(later < earlier for earlier, later in pairwise(order)),
    )


def holes(numbers: Sequence[int], first: int) -> int:
    """How many of the numbers break the count up from `first`, by leaps, repeats or going back."""
    return sum(following != number + 1 for number, following in pairwise((first - 1, *numbers)))
