"""Meetings of which is known exactly who said what, and when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.scoring import normalise_text

DATA = Path(__file__).parents[1] / "data"
MEETINGS = ("meeting", "review")
"""Checked in, each as NAME.flac and NAME.json."""


@dataclass(frozen=True, slots=True)
class Person:
    """A participant; they are in the meeting from `joined` on, a sample."""

    participant_id: str
    name: str
    joined: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody speaks from sample `start` up to `end`. A real clip's turns have no text."""

    who: Person
    start: int
    end: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class SaidWord:
    """A word as it was said, normalised. Its seconds share out the turn's by letters."""

    who: Person
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class KnownMeeting:
    """Mono sound, and the turns in it by their start."""

    name: str
    sample_rate: int
    pcm: NDArray[np.int16]
    people: Sequence[Person]
    turns: Sequence[Turn]

    @property
    def duration_s(self) -> float:
        return len(self.pcm) / self.sample_rate

    @cached_property
    def words(self) -> Sequence[SaidWord]:
        """All words, by time: in an overlap those of two people lie between each other."""
        words = [word for turn in self.turns for word in self._words_of(turn)]
        return sorted(words, key=lambda word: word.start_s)

    def speech_s(self, who: Person, until_s: float) -> float:
        """How long somebody has spoken by a moment."""
        until = until_s * self.sample_rate
        spoken = sum(max(0, min(one.end, until) - one.start) for one in self._own(who))
        return spoken / self.sample_rate

    def speaking_at(self, at_s: float) -> set[Person]:
        """Who speaks at a moment."""
        at = at_s * self.sample_rate
        return {one.who for one in self.turns if one.start <= at < one.end}

    def _own(self, who: Person) -> Sequence[Turn]:
        return [one for one in self.turns if one.who == who]

    def _words_of(self, turn: Turn) -> Sequence[SaidWord]:
        texts = normalise_text(turn.text)
        letters = sum(len(text) for text in texts)
        words: list[SaidWord] = []
        said = 0
        for text in texts:
            start, said = said, said + len(text)
            length_s = (turn.end - turn.start) / self.sample_rate
            begin_s = turn.start / self.sample_rate
            span = (begin_s + length_s * start / letters, begin_s + length_s * said / letters)
            words.append(SaidWord(turn.who, text, *span))
        return words


def load(name: str) -> KnownMeeting:
    """One of MEETINGS."""
    described = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    pcm, rate = soundfile.read(DATA / f"{name}.flac", dtype="int16")
    people = {
        one["id"]: Person(one["id"], one["name"], one.get("joined_sample", 0))
        for one in described["participants"]
    }
    turns = [
        Turn(
            people[one["participant_id"]],
            int(one["start_sample"]),
            int(one["end_sample"]),
            str(one["text"]),
        )
        for one in described["turns"]
    ]
    return KnownMeeting(name, rate, pcm, list(people.values()), turns)
