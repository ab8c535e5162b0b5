"""A whisper that hears chunks of a known text, and what the stitcher makes of its answers."""

import random
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import pytest

from orchestration.transcript.stitching import Stitcher, StitchingPolicy
from orchestration.transcript.words import Word

RATE = 16_000
CHUNK, OVERLAP = 4 * RATE, 2 * RATE
TALK = (
    "we need to plan the release of a new website and test it with real orders before Friday so "
    "that customers can find what they are looking for when search does not work no yes very good"
)
VOCABULARY = TALK.split()
PAUSE = RATE
"""A silence that ends an utterance, as the chunker sees it."""


@dataclass(frozen=True)
class Hearing:
    """How badly the simulated whisper hears."""

    time_noise_ms: int = 0
    """Standard deviation of a word's start and end, drawn anew in every chunk."""
    flicker: float = 0.0
    """Chance that case or punctuation of a word differ from chunk to chunk."""
    mishearing: float = 0.0
    """Chance that a word comes out as another, in one chunk and not the next."""
    fragment: float = 1.0
    """Chance that a word cut by the chunk's edge is heard as its visible part."""


def spoken_text(rng: random.Random, word_count: int) -> list[Word]:
    """Words with breaths, sentences' pauses and true repetitions.

    `probability` carries the word's number, which no stage looks at, so that the count of lost
    and doubled words needs no alignment of its own.
    """
    words: list[Word] = []
    at = RATE // 2
    text = ""
    for number in range(word_count):
        text = text if text and rng.random() < 0.08 else rng.choice(VOCABULARY)
        length = rng.randint(120, 480) * RATE // 1000
        words.append(Word(text, at, at + length, number))
        pause_ms = rng.choice((0, 0, 0, 20, 60, 150, 400, 1200))
        at += length + pause_ms * RATE // 1000
    return words


def hear(
    rng: random.Random, spoken: list[Word], start: int, end: int, hearing: Hearing
) -> list[Word]:
    """What whisper says about the samples `[start, end)`."""
    heard: list[Word] = []
    for word in spoken:
        seen_start, seen_end = max(word.start_sample, start), min(word.end_sample, end)
        if seen_start >= seen_end:
            continue
        text = word.text
        is_cut = seen_end - seen_start < word.end_sample - word.start_sample
        if is_cut:
            if rng.random() >= hearing.fragment:
                continue
            text = text[: len(text) // 2 + 1] if seen_start > start else text[len(text) // 2 :]
        if rng.random() < hearing.mishearing:
            text = rng.choice(VOCABULARY)
        if rng.random() < hearing.flicker:
            text = rng.choice((text.upper(), text.capitalize(), f"{text},", f"{text}."))
        noise = hearing.time_noise_ms * RATE / 1000
        heard_start = seen_start + round(rng.gauss(0, noise))
        heard_end = max(heard_start, seen_end + round(rng.gauss(0, noise)))
        heard.append(Word(text, heard_start, heard_end, word.probability))
    return heard


@dataclass(frozen=True)
class Outcome:
    """How a stitched transcript differs from what was said."""

    seams: int
    lost: int
    doubled: int
    unanchored: int
    mangled: int
    """Words kept as heard at a chunk's edge, though a neighbour heard them whole."""


def stitch(
    seed: int, hearing: Hearing, word_count: int = 1300, *, cut_at_pauses: bool = False
) -> Outcome:
    """Stitch a text heard in chunks of 4 s that overlap by 2 s.

    `cut_at_pauses` ends a chunk for good 0.6 s into a long silence, and starts the next 0.3 s
    before speech goes on.
    """
    rng = random.Random(seed)
    spoken = spoken_text(rng, word_count)
    duration = spoken[-1].end_sample + RATE
    stitcher = Stitcher(StitchingPolicy.from_ms(RATE))
    committed: list[Word] = []
    resumptions = [
        (one.end_sample, next_one.start_sample)
        for one, next_one in pairwise(spoken)
        if cut_at_pauses and next_one.start_sample - one.end_sample > PAUSE
    ]
    seams = unanchored = 0
    start, end = 0, CHUNK
    while start < duration:
        pause = next((p for p in resumptions if start < p[0] <= end - 6 * RATE // 10), None)
        end = min(end, duration) if pause is None else pause[0] + 6 * RATE // 10
        is_final = pause is not None or end == duration
        splice = stitcher.splice(
            chunk_start=start,
            chunk_end=end,
            is_final=is_final,
            words=hear(rng, spoken, start, end, hearing),
        )
        committed.extend(splice.committed)
        seams += 1
        unanchored += not splice.anchored
        start = pause[1] - 3 * RATE // 10 if pause else duration if is_final else end - OVERLAP
        end = start + CHUNK
    times_kept = Counter(int(word.probability) for word in committed)
    said = {int(word.probability): word.text for word in spoken}
    return Outcome(
        seams=seams,
        lost=sum(1 for number in said if not times_kept[number]),
        doubled=sum(count - 1 for count in times_kept.values()),
        unanchored=unanchored,
        mangled=sum(word.text != said[int(word.probability)] for word in committed),
    )


@pytest.mark.parametrize("seed", range(3))
def test_exact_times_lose_and_double_no_word(seed: int) -> None:
    outcome = stitch(seed, Hearing())
    assert outcome.seams >= 300
    assert (outcome.lost, outcome.doubled, outcome.mangled) == (0, 0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_utterances_cut_at_pauses_lose_and_double_no_word(seed: int) -> None:
    outcome = stitch(seed, Hearing(), word_count=1700, cut_at_pauses=True)
    assert outcome.seams >= 300
    assert (outcome.lost, outcome.doubled, outcome.mangled) == (0, 0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_words_that_whisper_leaves_out_at_edges_are_taken_from_the_neighbour(seed: int) -> None:
    outcome = stitch(seed, Hearing(fragment=0.0))
    assert outcome.doubled == 0
    # "and and and" with the first unheard the second time is like "and and" said a little earlier.
    assert outcome.lost <= 1


@pytest.mark.parametrize("seed", range(3))
def test_flickering_case_and_punctuation_change_no_word(seed: int) -> None:
    outcome = stitch(seed, Hearing(flicker=0.3))
    assert (outcome.lost, outcome.doubled) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_noisy_hearing_costs_few_words_at_seams(seed: int) -> None:
    outcome = stitch(seed, Hearing(time_noise_ms=60, flicker=0.2, mishearing=0.03, fragment=0.7))
    assert outcome.lost <= outcome.seams // 100
    assert outcome.doubled <= outcome.seams // 100
