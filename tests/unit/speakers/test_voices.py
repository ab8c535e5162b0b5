"""Voices of a stream, told apart by embeddings that come chunk by chunk."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from orchestration.speakers.voices import KEPT_WINDOWS, MIN_NEW_WINDOWS, MOST_VOICES, Voices

SIZE = 64
SPREAD = 0.04
"""Of each number of an embedding; two of one voice are then about 0.9 alike."""

Floats = NDArray[np.float32]


def people(count: int) -> Floats:
    """Voices that have nothing in common."""
    return np.eye(SIZE, dtype=np.float32)[:count]


def said(voice: Floats, windows: int, chance: np.random.Generator) -> Floats:
    noisy = voice + chance.normal(0, SPREAD, (windows, SIZE)).astype(np.float32)
    unit: Floats = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
    return unit


def play(turns: Sequence[int], most: int | None, seed: int = 0) -> list[int | None]:
    """One chunk for each turn, of 5 windows; returns each chunk's number."""
    chance = np.random.default_rng(seed)
    who = people(max(turns) + 1)
    voices = Voices()
    found = []
    for turn in turns:
        numbers = set(voices.hear(said(who[turn], 5, chance), most))
        assert len(numbers) == 1
        found.append(numbers.pop())
    return found


turns_of_people = st.lists(st.integers(0, 5), min_size=1, max_size=30)


@given(turns_of_people)
def test_one_number_is_one_person_however_turns_follow_each_other(turns: list[int]) -> None:
    found = play(turns, len(set(turns)))
    assert None not in found
    assert len(set(zip(turns, found, strict=True))) == len(set(turns)) == len(set(found))


@given(turns_of_people, st.permutations(range(6)))
def test_who_is_who_does_not_matter(turns: list[int], order: list[int]) -> None:
    assert play(turns, None) == play([order[turn] for turn in turns], None)


@given(turns_of_people, st.integers(2, 4))
def test_there_are_never_more_voices_than_people(turns: list[int], most: int) -> None:
    assert len(set(play(turns, most)) - {None}) <= most


def test_nobody_says_how_many_and_there_is_still_a_bound() -> None:
    found = play(list(range(MOST_VOICES + 5)), None)
    assert len(set(found) - {None}) == MOST_VOICES


def test_two_voices_of_a_chunk_are_never_the_same_one() -> None:
    chance = np.random.default_rng(0)
    ana, ben, other = people(3)
    voices = Voices()
    numbers = voices.hear(np.concatenate([said(ana, 4, chance), said(ben, 4, chance)]), 2)
    assert numbers == [1] * 4 + [2] * 4
    like_ana = 0.68 * ana + 0.73 * other
    both = np.concatenate([said(ana, 4, chance), said(like_ana, 4, chance)])
    assert voices.hear(both, 2) == [1] * 4 + [None] * 4
    assert voices.hear(said(like_ana, 4, chance), 2) == [1] * 4


def test_a_voice_that_is_too_short_to_know_begins_nothing() -> None:
    chance = np.random.default_rng(0)
    voices = Voices()
    assert voices.hear(said(people(1)[0], MIN_NEW_WINDOWS - 1, chance), 4) == [None, None]
    assert len(voices) == 0


def test_a_forgotten_voice_leaves_its_place_and_takes_its_number_with_it() -> None:
    chance = np.random.default_rng(0)
    ana, ben, cleo = people(3)
    voices = Voices()
    cough = voices.hear(said(ben, MIN_NEW_WINDOWS, chance), 2)
    for _ in range(100):
        voices.hear(said(ana, KEPT_WINDOWS, chance), 2)
    new = voices.hear(said(cleo, 5, chance), 2)
    assert cough[0] == 1
    assert set(new) == {3}


def test_a_window_is_most_likely_of_the_voice_that_it_is_of() -> None:
    chance = np.random.default_rng(0)
    ana, ben, cleo = people(3)
    voices = Voices()
    voices.hear(np.concatenate([said(ana, 4, chance), said(ben, 4, chance)]), 2)
    mixed = said((ana + ben) / np.sqrt(2), 1, chance)
    of_ana, of_both, of_nobody = voices.likelihoods(
        np.concatenate([said(ana, 1, chance), mixed, said(cleo, 1, chance)]), 3
    )
    assert of_ana[1] > 0.9
    assert max(of_both.values()) < 0.6
    # There is room for one more, who may be the one that is heard.
    assert sum(of_nobody.values()) < 0.1
    assert sum(voices.likelihoods(said(cleo, 1, chance), 2)[0].values()) == pytest.approx(1)
    assert len(voices) == 2


def test_silence_is_nobody() -> None:
    assert Voices().hear(np.zeros((0, SIZE), np.float32), 4) == []
