"""Audio whose words can be read back from its samples without a speech recogniser.

Each word is an id of 16 bits, sounded as eight tones at once for about half a second: the id and
its CRC-8 are 24 bits, and each tone tells three of them by its choice among eight frequencies.
A constant chord can be read from any stretch of it longer than a window, so that a word cut by a
chunk's edge gives itself away as cut, and where words begin needs no synchronisation: it is where
the chord changes. The top frequency fits into the narrowest stream, of 8 kHz.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

DECODED_RATE = 16_000
"""Samples a second of what `decode` takes: the rate that engines get."""

SLOT_MS = 500
"""From one word's start to the next one's."""

SILENCES_MS = (0, 0, 20, 60)
"""Silence at the end of a word's slot, by its id: most words run into each other, as in speech."""

IDS = 1 << 16
LOWEST_HZ, SPACING_HZ = 400, 46
GROUPS, TONES = 8, 8
TONE_AMPLITUDE = 2600
"""Eight tones together have an RMS of -16 dBFS and never clip."""

EDGE_MS = 5
"""Words fade in and out, or their clicks would be tones of their own."""

WINDOW_MS, HOP_MS = 40, 10
MIN_RMS = 300
"""Of a window that may hold a word: -41 dBFS."""
MIN_TONE_SHARE = 0.5
"""Of a window's power that its eight tones must hold."""
MIN_WINDOWS = 3
"""Windows in a row that must read the same id."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word of a recording; times in ms from its first sample."""

    word_id: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word read from samples; times are right to within a window's hop or two."""

    word_id: int
    start_ms: int
    end_ms: int

    @property
    def heard_percent(self) -> int:
        """How much of the word's sound was there."""
        return min(100, 100 * (self.end_ms - self.start_ms) // tone_ms(self.word_id))


@dataclass(frozen=True, slots=True)
class CodedMeeting:
    """A recording with what is said in it. `samples` is mono, shape [n]."""

    samples: Samples
    sample_rate: int
    words: tuple[SpokenWord, ...]

    @property
    def duration_ms(self) -> int:
        return len(self.samples) * 1000 // self.sample_rate

    def pause_after(self, at_ms: int) -> int:
        """The middle of the first pause that begins after a time, in ms; else the end."""
        for word, following in pairwise(self.words):
            if word.end_ms > at_ms and following.start_ms - word.end_ms > SLOT_MS:
                return (word.end_ms + following.start_ms) // 2
        return self.duration_ms

    def until(self, end: int) -> "CodedMeeting":
        """Its first `end` samples, which end in a pause."""
        end_ms = end * 1000 // self.sample_rate
        words = tuple(word for word in self.words if word.start_ms < end_ms)
        return CodedMeeting(self.samples[:end], self.sample_rate, words)


def word_text(word_id: int) -> str:
    """How the word is written."""
    return f"w{word_id:05d}"


def word_id(text: str) -> int | None:
    """The id of a written word, with or without punctuation; None when it is none."""
    bare = text.strip(" .,?!")
    is_word = len(bare) == 6 and bare[0] == "w" and bare[1:].isdecimal()
    return int(bare[1:]) if is_word and int(bare[1:]) < IDS else None


def tone_ms(word_id: int) -> int:
    """How long a word sounds."""
    return SLOT_MS - SILENCES_MS[word_id % len(SILENCES_MS)]


def encode(word_ids: Sequence[int], sample_rate: int = DECODED_RATE) -> Samples:
    """The words one after another, `SLOT_MS` each; shape [n]."""
    slot = SLOT_MS * sample_rate // 1000
    audio = np.zeros(slot * len(word_ids))
    for place, one in enumerate(word_ids):
        sounding = tone_ms(one) * sample_rate // 1000
        time_s = np.arange(sounding) / sample_rate
        # Phases differ by tone, or the chord would begin with all its crests at once.
        chord = sum(
            np.sin(2 * np.pi * hz * time_s + group * group)
            for group, hz in enumerate(_frequencies(one))
        )
        edge = EDGE_MS * sample_rate // 1000
        fade = (1 - np.cos(np.pi * np.arange(edge) / edge)) / 2
        envelope = np.concatenate((fade, np.ones(sounding - 2 * edge), fade[::-1]))
        audio[place * slot : place * slot + sounding] = TONE_AMPLITUDE * chord * envelope
    return np.rint(audio).astype(np.int16)


def decode(samples: Samples) -> list[HeardWord]:
    """The words in mono samples at `DECODED_RATE`, shape [n], in order; cut ones included.

    A stretch of a word shorter than about 60 ms is not recognised.
    """
    window = WINDOW_MS * DECODED_RATE // 1000
    hop = HOP_MS * DECODED_RATE // 1000
    if len(samples) < window:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), window)[::hop]
    read = _read(windows)
    heard: list[HeardWord] = []
    begins = [0, *(i for i in range(1, len(read)) if read[i] != read[i - 1]), len(read)]
    for first, after in pairwise(begins):
        if read[first] < 0 or after - first < MIN_WINDOWS:
            continue
        # A window reads the word that fills more than half of it.
        start_ms = first * HOP_MS + (0 if first == 0 else WINDOW_MS // 2 - HOP_MS)
        end_ms = (after - 1) * HOP_MS + WINDOW_MS
        end_ms -= 0 if after == len(read) else WINDOW_MS // 2 - HOP_MS
        last = heard[-1] if heard else None
        if last is not None and last.word_id == read[first] and start_ms - last.end_ms < SLOT_MS:
            heard[-1] = HeardWord(last.word_id, last.start_ms, end_ms)
        else:
            heard.append(HeardWord(int(read[first]), start_ms, end_ms))
    return heard


def coded_meeting(
    rng: random.Random,
    duration_ms: int,
    *,
    sample_rate: int = DECODED_RATE,
    utterance_words: tuple[int, int] = (4, 40),
    pause_ms: tuple[int, int] = (1000, 4000),
) -> CodedMeeting:
    """Utterances with pauses between them, no word twice, at least `duration_ms` long.

    `utterance_words` and `pause_ms` are the least and the most.
    """
    unused = list(range(IDS))
    rng.shuffle(unused)
    parts: list[Samples] = []
    words: list[SpokenWord] = []
    at = 0
    while at * 1000 < duration_ms * sample_rate:
        pause = rng.randint(*pause_ms) * sample_rate // 1000
        spoken = [unused.pop() for _ in range(rng.randint(*utterance_words))]
        parts += [np.zeros(pause, np.int16), encode(spoken, sample_rate)]
        at += pause
        for one in spoken:
            start_ms = at * 1000 // sample_rate
            words.append(SpokenWord(one, start_ms, start_ms + tone_ms(one)))
            at += SLOT_MS * sample_rate // 1000
    parts.append(np.zeros(pause_ms[0] * sample_rate // 1000, np.int16))
    return CodedMeeting(np.concatenate(parts), sample_rate, tuple(words))


def _frequencies(word_id: int) -> list[int]:
    code = word_id << 8 | _crc8(word_id)
    return [
        LOWEST_HZ + SPACING_HZ * (group * TONES + (code >> 3 * (GROUPS - 1 - group)) % TONES)
        for group in range(GROUPS)
    ]


def _crc8(word_id: int) -> int:
    """CRC-8 of the id's two bytes, polynomial 0x07."""
    remainder = word_id << 8
    for bit in range(23, 7, -1):
        if remainder >> bit & 1:
            remainder ^= 0x107 << bit - 8
    return remainder & 0xFF


_CHECKSUMS = np.array([_crc8(one) for one in range(IDS)])


def _basis() -> NDArray[np.complex64]:
    """Hann-windowed tones, shape [window, GROUPS * TONES]; a pure tone has power 1 in its own."""
    size = WINDOW_MS * DECODED_RATE // 1000
    time_s = np.arange(size) / DECODED_RATE
    hann = np.hanning(size)
    hz = LOWEST_HZ + SPACING_HZ * np.arange(GROUPS * TONES)
    waves = hann[:, None] * np.exp(-2j * np.pi * time_s[:, None] * hz) / hann.sum()
    return np.asarray(waves * np.sqrt(2), np.complex64)


_BASIS = _basis()


def _read(windows: NDArray[np.float32]) -> NDArray[np.int64]:
    """The id that each window of shape [n, window] sounds, -1 where it sounds none."""
    hann = np.hanning(windows.shape[1]).astype(np.float32)
    power = np.mean(windows * windows, axis=1)
    heard_power = (windows * windows) @ hann / hann.sum()
    tones = np.abs(windows @ _BASIS) ** 2
    grouped = tones.reshape(len(windows), GROUPS, TONES)
    symbols = grouped.argmax(axis=2)
    tone_share = grouped.max(axis=2).sum(axis=1) / np.maximum(heard_power, 1e-9)
    code = np.zeros(len(windows), np.int64)
    for group in range(GROUPS):
        code = code * TONES + symbols[:, group]
    ids = code >> 8
    is_word = (
        (_CHECKSUMS[ids] == code & 0xFF) & (power > MIN_RMS**2) & (tone_share > MIN_TONE_SHARE)
    )
    return np.where(is_word, ids, -1)
