"""Meetings whose words are stand-ins: sound and turns are real, and nobody knows the text.

A turn becomes words of `WORD_S`, each one of its kind, and the engine that stands in for whisper
says them when they were spoken. So names are scored by time, apart from what whisper hears.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import soundfile

from orchestration.services.ports import Hypothesis, HypothesisSegment, HypothesisWord
from orchestration.session.transcription import TranscribeOrder
from tests.score.known_meetings import KnownMeeting, Person, Turn
from tests.score.replay import Answer

WORD_S = 0.4
MAX_PEOPLE = 20
"""More than this, and meeteval finds no permutation of them in useful time."""


def with_stand_ins(meeting: KnownMeeting) -> KnownMeeting:
    """A meeting whose words can be told apart by their text."""
    numbers = count()

    def text(turn: Turn) -> str:
        words = max(1, round((turn.end - turn.start) / meeting.sample_rate / WORD_S))
        return " ".join(f"w{next(numbers):05d}" for _ in range(words))

    turns = [replace(turn, text=text(turn)) for turn in meeting.turns]
    return replace(meeting, turns=turns)


def repeated(meeting: KnownMeeting, times: int) -> KnownMeeting:
    """A meeting that begins anew when it is over."""
    length = len(meeting.pcm)
    turns = [
        replace(turn, start=turn.start + n * length, end=turn.end + n * length)
        for n in range(times)
        for turn in meeting.turns
    ]
    return replace(meeting, pcm=np.tile(meeting.pcm, times), turns=turns)


def says_stand_ins(meeting: KnownMeeting) -> Answer:
    """An engine that says the words of a meeting as they were spoken."""
    words = meeting.words

    async def answer(order: TranscribeOrder) -> Hypothesis:
        start_s = order.chunk.start / meeting.sample_rate
        end_s = order.chunk.end / meeting.sample_rate
        said = tuple(
            HypothesisWord(
                one.text,
                max(0, round((one.start_s - start_s) * 1000)),
                round((min(one.end_s, end_s) - start_s) * 1000),
                0.9,
            )
            for one in words
            if start_s <= (one.start_s + one.end_s) / 2 < end_s
        )
        segments = (HypothesisSegment(said, 0.01, -0.2, 1.2),) if said else ()
        return Hypothesis("en", segments, "stand-in")

    return answer


def load_clips(folder: Path) -> Sequence[KnownMeeting]:
    """The clips of real meetings in a folder, NAME.wav with their turns in *.rttm.

    They follow one another by name in calls, because a lag takes minutes to be found and a clip has
    30 s. A call has at most `MAX_PEOPLE`; people are the same where they have the same label.
    """
    wavs = {path.stem: path for path in folder.glob("*.wav")}
    turns_of = _read_rttm(folder)
    calls: list[list[str]] = [[]]
    for name in sorted(name for name in turns_of if name in wavs):
        together = {who for one in (*calls[-1], name) for who, _, _ in turns_of[one]}
        if len(together) > MAX_PEOPLE:
            calls.append([])
        calls[-1].append(name)
    return [
        with_stand_ins(
            _chained(
                f"real meetings, {names[0]} to {names[-1]}",
                [_clip(name, wavs[name], turns_of[name]) for name in names],
            )
        )
        for names in calls
        if names
    ]


def _chained(name: str, clips: Sequence[KnownMeeting]) -> KnownMeeting:
    turns: list[Turn] = []
    position = 0
    for clip in clips:
        turns += [
            replace(one, start=one.start + position, end=one.end + position) for one in clip.turns
        ]
        position += len(clip.pcm)
    people = list(dict.fromkeys(turn.who for turn in turns))
    pcm = np.concatenate([clip.pcm for clip in clips])
    return KnownMeeting(name, clips[0].sample_rate, pcm, people, turns)


def _clip(name: str, path: Path, spans: Sequence[tuple[str, float, float]]) -> KnownMeeting:
    # Asked for integers, libsndfile cuts floats off without scaling them up.
    sound, rate = soundfile.read(path, dtype="float32")
    pcm = np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16)
    turns = [
        Turn(Person(who, who), round(start_s * rate), min(len(pcm), round(end_s * rate)))
        for who, start_s, end_s in spans
    ]
    people = list(dict.fromkeys(turn.who for turn in turns))
    return KnownMeeting(name, rate, pcm, people, sorted(turns, key=lambda one: one.start))


def _read_rttm(folder: Path) -> dict[str, list[tuple[str, float, float]]]:
    """Speaker, start and end in seconds, by clip. The format is NIST's RTTM of 2009."""
    turns: dict[str, list[tuple[str, float, float]]] = {}
    for path in sorted(folder.glob("*.rttm")):
        for line in path.read_text(encoding="utf-8").splitlines():
            kind, clip, _, start, length, _, _, who, *_ = line.split()
            if kind == "SPEAKER":
                span = (who, float(start), float(start) + float(length))
                turns.setdefault(clip, []).append(span)
    return turns
