"""Which voice speaks, by embeddings that come chunk by chunk. Pure.

Online clustering with centroids, after diart (Coria et al., "Overlap-aware low-latency online
speaker diarization", ASRU 2021): a chunk's windows first form the chunk's own voices, then each of
those is one of the session's voices or a new one, and two of a chunk are never the same one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import lap
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MOST_VOICES = 20
"""Voices of one stream when nobody says how many people there are, and at most."""

SAME_LOCALLY = 0.70
"""Windows of one chunk are one voice down to this cosine similarity on average."""

SAME_VOICE = 0.84
"""A chunk's voice is the session's down to this similarity to its centroid, while more may come."""

NEAREST_VOICE = 0.60
"""And down to this once as many voices are known as there are people."""

SURELY_OTHER = 0.82
"""A new voice is less similar than this to each one that is known: between the two is doubt."""

MIN_NEW_WINDOWS = 3
"""Windows that a voice is begun with; fewer are too uncertain."""

SHARPNESS = 14.0
"""By how much a window's similarity to a voice makes it likelier, as a logarithm."""

NEW_VOICE = 0.72
"""A window is as similar to a voice that is not known yet."""

WEIGHT_CAP = 60.0
"""Windows that a centroid remembers: it follows a voice that changes over half a minute."""

FORGOTTEN_AFTER = 60
"""A voice with less than `KEPT_WINDOWS` that was not heard for so many chunks is forgotten."""
KEPT_WINDOWS = 8


@dataclass(slots=True)
class _Voice:
    number: int
    total: Floats
    """Sum of the windows' embeddings, faded to `WEIGHT_CAP`."""
    weight: float
    windows: int
    heard_in: int

    @property
    def centroid(self) -> Floats:
        unit: Floats = self.total / np.linalg.norm(self.total)
        return unit

    def hear(self, embeddings: Floats, chunk: int) -> None:
        self.total = self.total + embeddings.sum(axis=0)
        self.weight += len(embeddings)
        self.windows += len(embeddings)
        self.heard_in = chunk
        if self.weight > WEIGHT_CAP:
            self.total = self.total * np.float32(WEIGHT_CAP / self.weight)
            self.weight = WEIGHT_CAP


class Voices:
    """The voices of one stream. Numbers count up from 1 and are never used for another voice."""

    def __init__(self) -> None:
        self._voices: list[_Voice] = []
        self._next = 1
        self._chunk = 0

    def __len__(self) -> int:
        return len(self._voices)

    def hear(self, embeddings: Floats, most: int | None = None) -> list[int | None]:
        """Numbers of the voices in a chunk's windows, in their order; None is doubt.

        `embeddings` are unit vectors (windows, size); `most` is how many people there can be.
        """
        self._chunk += 1
        self._forget()
        groups = local_voices(embeddings)
        local = [embeddings[rows] for rows in groups]
        limit = min(most or MOST_VOICES, MOST_VOICES)
        found = self._match(local, limit)
        numbers: list[int | None] = [None] * len(embeddings)
        # Where there is room for one more, it is for who spoke longest.
        for index, rows in sorted(enumerate(groups), key=lambda one: -len(one[1])):
            voice = found[index] or self._begin(local[index], limit)
            if voice is None:
                continue
            voice.hear(local[index], self._chunk)
            for row in rows:
                numbers[row] = voice.number
        return numbers

    def likelihoods(self, embeddings: Floats, most: int | None = None) -> list[Mapping[int, float]]:
        """For each window, how likely each known voice is; what is left to 1 is a new one's.

        `embeddings` and `most` are as for `hear`. Nothing is learnt from these.
        """
        if not self._voices:
            return [{} for _ in embeddings]
        similar = embeddings @ np.stack([voice.centroid for voice in self._voices]).T
        if len(self._voices) < min(most or MOST_VOICES, MOST_VOICES):
            new = np.full((len(embeddings), 1), NEW_VOICE, np.float32)
            similar = np.concatenate([similar, new], axis=1)
        odds = np.exp(SHARPNESS * (similar - similar.max(axis=1, keepdims=True)))
        shares = odds / odds.sum(axis=1, keepdims=True)
        numbers = [voice.number for voice in self._voices]
        return [dict(zip(numbers, row, strict=False)) for row in shares.tolist()]

    def _match(self, local: Sequence[Floats], limit: int) -> list[_Voice | None]:
        if not local or not self._voices:
            return [None] * len(local)
        similar = self._similar(local)
        least = SAME_VOICE if len(self._voices) < limit else NEAREST_VOICE
        _, columns, _ = lap.lapjv(-similar, extend_cost=True)
        return [
            self._voices[column] if column >= 0 and similar[row, column] >= least else None
            for row, column in enumerate(columns)
        ]

    def _begin(self, windows: Floats, limit: int) -> _Voice | None:
        if len(windows) < MIN_NEW_WINDOWS or len(self._voices) >= limit:
            return None
        if self._voices and self._similar([windows]).max() > SURELY_OTHER:
            return None
        voice = _Voice(self._next, np.zeros(windows.shape[1], np.float32), 0.0, 0, self._chunk)
        self._next += 1
        self._voices.append(voice)
        return voice

    def _similar(self, local: Sequence[Floats]) -> NDArray[np.float64]:
        means = np.stack([_unit(windows.mean(axis=0)) for windows in local])
        centroids = np.stack([voice.centroid for voice in self._voices])
        return (means @ centroids.T).astype(np.float64)

    def _forget(self) -> None:
        self._voices = [
            one
            for one in self._voices
            if one.windows >= KEPT_WINDOWS or self._chunk - one.heard_in <= FORGOTTEN_AFTER
        ]


def local_voices(embeddings: Floats) -> list[list[int]]:
    """Rows of each voice of a chunk: agglomerative clustering, the pair that is most similar on
    average first, down to `SAME_LOCALLY`."""
    groups = [[row] for row in range(len(embeddings))]
    while len(groups) > 1:
        sums = np.stack([embeddings[rows].sum(axis=0) for rows in groups])
        sizes = np.array([len(rows) for rows in groups])
        similar = sums @ sums.T / np.outer(sizes, sizes)
        np.fill_diagonal(similar, -1)
        a, b = np.unravel_index(int(similar.argmax()), similar.shape)
        if similar[a, b] < SAME_LOCALLY:
            break
        groups[int(a)] = sorted(groups[int(a)] + groups[int(b)])
        del groups[int(b)]
    return groups


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / np.linalg.norm(vector)
    return unit
