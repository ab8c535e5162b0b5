"""What is spoken in coded audio is read back from it."""

import random

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.audio.voice_activity import VoiceActivityGate
from tests.chaos.coded_audio import (
    DECODED_RATE,
    IDS,
    SLOT_MS,
    CodedMeeting,
    Samples,
    coded_meeting,
    decode,
    encode,
    tone_ms,
    word_id,
    word_text,
)

unhurried = settings(max_examples=40, deadline=None)
word_ids = st.lists(st.integers(0, IDS - 1), min_size=1, max_size=6, unique=True)


def ids_in(samples: Samples) -> list[int]:
    return [word.word_id for word in decode(samples)]


@unhurried
@given(word_ids)
def test_every_word_is_read_back_with_its_times(spoken: list[int]) -> None:
    heard = decode(encode(spoken))

    assert [word.word_id for word in heard] == spoken
    for place, word in enumerate(heard):
        assert abs(word.start_ms - place * SLOT_MS) <= 25
        assert abs(word.end_ms - place * SLOT_MS - tone_ms(word.word_id)) <= 25


@unhurried
@given(word_ids, st.sampled_from((8_000, 11_025, 16_000, 22_050, 44_100, 48_000)))
def test_words_survive_resampling_to_the_engine_rate(spoken: list[int], sample_rate: int) -> None:
    samples = soxr.resample(encode(spoken, sample_rate), sample_rate, DECODED_RATE, quality="HQ")
    assert ids_in(samples) == spoken


@unhurried
@given(word_ids, st.floats(0.1, 1.0), st.integers(0, 300))
def test_words_survive_a_lower_volume_and_an_offset(
    spoken: list[int], volume: float, offset: int
) -> None:
    quiet = (encode(spoken) * volume).astype(np.int16)
    assert ids_in(np.concatenate((np.zeros(offset, np.int16), quiet))) == spoken


@unhurried
@given(st.integers(0, IDS - 1), st.integers(150, SLOT_MS))
def test_a_cut_word_tells_how_much_of_it_was_there(spoken: int, kept_ms: int) -> None:
    whole = encode([spoken])[: tone_ms(spoken) * DECODED_RATE // 1000]
    kept = min(kept_ms, tone_ms(spoken))
    size = kept * DECODED_RATE // 1000
    for part in (whole[:size], whole[len(whole) - size :]):
        (heard,) = decode(part)
        assert heard.word_id == spoken
        assert abs(heard.heard_percent - 100 * kept // tone_ms(spoken)) <= 8


@unhurried
@given(st.integers(0, 2**32 - 1), st.integers(10, 12_000))
def test_noise_holds_no_words(seed: int, amplitude: int) -> None:
    noise = np.random.default_rng(seed).integers(-amplitude, amplitude, 2 * DECODED_RATE)
    assert decode(noise.astype(np.int16)) == []
    assert decode(np.zeros(DECODED_RATE, np.int16)) == []


@pytest.mark.parametrize("mode", range(4))
def test_the_voice_gate_hears_every_word_and_no_pause(mode: int) -> None:
    meeting = a_meeting()
    windows = VoiceActivityGate(meeting.sample_rate, mode).feed(0, meeting.samples)
    for word in meeting.words:
        inside = [
            window.is_speech
            for window in windows
            if word.start_ms * 16 <= window.start and window.end <= word.end_ms * 16
        ]
        assert all(inside)
    assert not windows[0].is_speech


def test_a_meeting_says_no_word_twice_and_when_it_says_each() -> None:
    meeting = a_meeting()
    spoken = [word.word_id for word in meeting.words]
    assert len(set(spoken)) == len(spoken)
    heard = decode(meeting.samples)
    assert [word.word_id for word in heard] == spoken
    assert all(
        abs(one.start_ms - other.start_ms) <= 25
        for one, other in zip(heard, meeting.words, strict=True)
    )


@given(st.integers(0, IDS - 1))
def test_a_written_word_is_its_id(one: int) -> None:
    assert word_id(f" {word_text(one)}. ") == one


@pytest.mark.parametrize("text", ["w12", "w99999", "01234", "x01234", "w0123a", ""])
def test_other_text_is_no_word(text: str) -> None:
    assert word_id(text) is None


def a_meeting() -> CodedMeeting:
    return coded_meeting(random.Random(5), 40_000)
