"""What is remembered of the words of a stream."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from orchestration.speakers.heard_words import MAX_WORDS, HeardWords, SpokenWord

SECOND = 1_000_000_000

voices = st.tuples(st.sampled_from([None, "a", "b"]), st.none() | st.floats(0, 1), st.booleans())


@given(st.lists(voices, max_size=20))
def test_words_come_back_as_they_were_heard(
    said: list[tuple[str | None, float | None, bool]],
) -> None:
    words = [
        SpokenWord(n * SECOND, (n + 1) * SECOND, label, ends, probability)
        for n, (label, probability, ends) in enumerate(said)
    ]
    heard = HeardWords()
    assert heard.heard(words) == bool(words)
    assert heard.between(0, len(words) * SECOND) == words
    assert not heard.heard(words)


def test_the_words_of_half_an_hour_fit_in_200_kb_whatever_a_diarizer_says_of_them() -> None:
    heard = HeardWords()
    tracemalloc.start()
    try:
        for n in range(MAX_WORDS):
            label, start_ns = f"voice:0:diarizer-{n % 4}#{n % 4}", n * SECOND
            heard.heard([SpokenWord(start_ns, start_ns + SECOND, label, False, n / MAX_WORDS)])
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 200_000
