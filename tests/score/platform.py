"""What a meeting platform would say of a known meeting: late, jittered, with gaps and flickers.

An indicator follows a voice by the same delay for everybody, and somewhat unsteadily. It stays on
through the pauses between two sentences. Some turns it misses, and sometimes a cough lights it.
Whatever it says is stamped when it is said, as a bot that watches a screen cannot do otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from orchestration.session.inputs import (
    CaptionFact,
    ClockFact,
    Fact,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
)
from tests.score.known_meetings import KnownMeeting, Person, Turn

HELD_S = 0.7
"""An indicator stays on through a shorter pause of the same person."""

FLICKER_S = (0.3, 1.5)
"""How long an indicator is on though its person says nothing."""

CAPTION_DELAY_S = 1.5
CAPTION_JITTER_S = 0.3
"""A caption comes this long after the words; its own times are off by up to the jitter."""

STREAM = 0
ZERO_UNIX_MS = 1_700_000_000_000
CLOCK_INTERVAL_S = 5


Span: TypeAlias = tuple[int, int]
"""A sample and the one after the last."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a platform's word is off. `missing` and `spurious` are shares of an indicator's
    stretches, `lost` is one of its starts and stops."""

    name: str
    delay_s: float = 0.0
    jitter_s: float = 0.0
    missing: float = 0.0
    spurious: float = 0.0
    lost: float = 0.0
    has_captions: bool = False
    has_voices: bool = False
    """Whether words have the embedded diarizer's labels."""
    confused_labels: float | None = None
    """Share of the words whose label from a whisper service is another's; None for no labels."""

    @property
    def is_random(self) -> bool:
        """Whether another seed makes another meeting of it."""
        shares = (
            self.jitter_s + self.missing + self.spurious + self.lost + (self.confused_labels or 0)
        )
        return self.has_captions or shares > 0


ALL_AT_ONCE = Condition("all at once, 1 s", 1.0, 0.3, spurious=0.05, lost=0.1)
TURNS_MISSING = Condition("10 % of turns, delay 1 s", 1.0, missing=0.1)
TURNS_AND_ALL = replace(ALL_AT_ONCE, name="turns, and all", missing=0.1, lost=0.0)
"""Of a turn without a start and a stop nothing tells but a voice or a caption."""

BY_EVENTS = (
    Condition("prompt"),
    Condition("delay 0.5 s", 0.5),
    Condition("delay 1 s", 1.0),
    Condition("delay 1.5 s", 1.5),
    Condition("delay 2 s", 2.0),
    Condition("jitter 0.3 s, delay 1 s", 1.0, 0.3),
    Condition("10 % lost, delay 1 s", 1.0, lost=0.1),
    Condition("5 % spurious, delay 1 s", 1.0, spurious=0.05),
    ALL_AT_ONCE,
    replace(ALL_AT_ONCE, name="all at once, 2 s", delay_s=2.0),
    TURNS_MISSING,
    TURNS_AND_ALL,
)
"""What a platform says of who speaks is all there is."""

WITH_VOICES = tuple(replace(one, name=f"{one.name}, voices", has_voices=True) for one in BY_EVENTS)
"""And the voices that the embedded diarizer hears."""

CONDITIONS = (
    *BY_EVENTS,
    replace(ALL_AT_ONCE, name="all at once, captions", has_captions=True),
    replace(ALL_AT_ONCE, name="all at once, labels", confused_labels=0.05),
    replace(TURNS_AND_ALL, name="turns, all, captions", has_captions=True),
    replace(TURNS_AND_ALL, name="turns, all, labels", confused_labels=0.05),
    *WITH_VOICES,
)


@dataclass(frozen=True, slots=True)
class Said:
    """A fact, and the sample at which it reaches the bot."""

    arrives: int
    fact: Fact


def facts(meeting: KnownMeeting, condition: Condition, chance: random.Random) -> Sequence[Said]:
    """All facts of a meeting in the order in which they come, numbered from 0."""
    said = [*_clock(meeting), *_joins(meeting)]
    for who, spans in stretches(meeting, condition, chance).items():
        said += _indicator(meeting, who, spans, condition, chance)
    if condition.has_captions:
        said += [_caption(meeting, turn, chance) for turn in meeting.turns if turn.text]
    said.sort(key=lambda one: one.arrives)
    return [Said(one.arrives, replace(one.fact, fact=number)) for number, one in enumerate(said)]


def stretches(
    meeting: KnownMeeting, condition: Condition, chance: random.Random
) -> dict[Person, Sequence[Span]]:
    """When each person's indicator is on, were it prompt. Of all stretches, exactly the condition's
    shares are missing, and come on top."""
    held = round(HELD_S * meeting.sample_rate)
    voiced = [
        (who, span)
        for who in meeting.people
        for span in _joined([(one.start, one.end) for one in meeting.turns if one.who == who], held)
    ]
    missing = set(chance.sample(range(len(voiced)), round(condition.missing * len(voiced))))
    shown = [one for number, one in enumerate(voiced) if number not in missing]
    for speaker, span in chance.sample(voiced, round(condition.spurious * len(voiced))):
        start = round(chance.uniform(*span))
        flicker = (start, start + round(chance.uniform(*FLICKER_S) * meeting.sample_rate))
        others = [who for who in meeting.people if who != speaker and who.joined <= start]
        if others:
            shown.append((chance.choice(others), flicker))
    return {
        who: _joined(sorted(span for whose, span in shown if whose == who), held)
        for who in meeting.people
    }


def _clock(meeting: KnownMeeting) -> Iterator[Said]:
    """The bot's own stamps, exact."""
    for at in range(0, len(meeting.pcm), CLOCK_INTERVAL_S * meeting.sample_rate):
        yield Said(at, ClockFact(0, STREAM, at, ZERO_UNIX_MS + at * 1000 // meeting.sample_rate))


def _joins(meeting: KnownMeeting) -> Iterator[Said]:
    for who in meeting.people:
        participant = ParticipantRef(who.participant_id, who.name)
        at = SampleMoment(STREAM, who.joined)
        yield Said(who.joined, ParticipantFact(0, "join", participant, at))


def _indicator(
    meeting: KnownMeeting,
    who: Person,
    spans: Sequence[Span],
    condition: Condition,
    chance: random.Random,
) -> Iterator[Said]:
    """One person's indicator: each of its stretches as a start and a stop."""
    last = -1
    for start, end in spans:
        edges: tuple[tuple[Literal["start", "stop"], int], ...] = (("start", start), ("stop", end))
        for event, at in edges:
            off_s = condition.delay_s + chance.uniform(-condition.jitter_s, condition.jitter_s)
            last = max(last + 1, at + round(off_s * meeting.sample_rate))
            if condition.lost and chance.random() < condition.lost:
                continue
            moment = SampleMoment(STREAM, last)
            yield Said(last, SpeakerFact(0, event, who.participant_id, who.name, moment))


def _joined(spans: Sequence[Span], held: int) -> Sequence[Span]:
    """Spans by their start, with those that a pause below `held` parts made one."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < held:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _caption(meeting: KnownMeeting, turn: Turn, chance: random.Random) -> Said:
    rate = meeting.sample_rate

    def off(sample: int) -> SampleMoment:
        strayed = sample + round(chance.uniform(-1, 1) * CAPTION_JITTER_S * rate)
        return SampleMoment(STREAM, max(0, strayed))

    start, end = off(turn.start), off(turn.end)
    end = SampleMoment(STREAM, max(start.sample, end.sample))
    arrives = turn.end + round(CAPTION_DELAY_S * rate)
    who = turn.who
    return Said(arrives, CaptionFact(0, who.participant_id, who.name, turn.text, start, end))
