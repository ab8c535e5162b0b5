"""Meetings with exact turns, and a platform that says late, wrongly or not who speaks."""

import random
from dataclasses import dataclass

from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.roster import Roster

SECOND = 1_000_000_000
NAMED_AFTER_S = 2.8
"""How long after its end a word becomes final, by which time its name is wanted."""

PEOPLE = [ParticipantRef(f"p{n}", name) for n, name in enumerate(["Ana", "Ben", "Carlos", "Dora"])]


@dataclass(frozen=True, slots=True)
class Turn:
    who: ParticipantRef
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Platform:
    """How a meeting platform's speaking events are off."""

    delay_s: float
    jitter_s: float = 0.1
    missing: float = 0.0
    spurious: float = 0.0


@dataclass(slots=True)
class Named:
    """Words by what name they got."""

    right: int = 0
    wrong: int = 0
    unnamed: int = 0

    def share(self, count: int) -> float:
        return count / (self.right + self.wrong + self.unnamed)


def turns(chance: random.Random, minutes: float) -> list[Turn]:
    """Turns of 2 to 12 s with pauses of 0.2 to 1.5 s, speakers by turns at random."""
    made: list[Turn] = []
    now_s, last = 1.0, PEOPLE[0]
    while now_s < minutes * 60:
        last = chance.choice([one for one in PEOPLE if one != last])
        end_s = now_s + chance.uniform(2, 12)
        made.append(Turn(last, now_s, end_s))
        now_s = end_s + chance.uniform(0.2, 1.5)
    return made


def events(
    chance: random.Random, meeting: list[Turn], platform: Platform
) -> list[tuple[float, str, ParticipantRef]]:
    """(moment, start or stop, who) as the platform says it, in order."""
    said: list[tuple[float, str, ParticipantRef]] = []

    def say(who: ParticipantRef, start_s: float, end_s: float) -> None:
        for event, at_s in (("start", start_s), ("stop", end_s)):
            off_s = platform.delay_s + chance.uniform(-platform.jitter_s, platform.jitter_s)
            said.append((at_s + off_s, event, who))

    for turn in meeting:
        if chance.random() >= platform.missing:
            say(turn.who, turn.start_s, turn.end_s)
        if chance.random() < platform.spurious:
            at_s = chance.uniform(turn.start_s, turn.end_s)
            say(chance.choice(PEOPLE), at_s, at_s + chance.uniform(0.2, 0.9))
    return sorted(said, key=lambda one: one[0])


def hold(
    chance: random.Random, platform: Platform, *, minutes: float = 10, named_from_s: float = 0
) -> tuple[Named, Roster]:
    """Play a meeting as it happens; words that start from `named_from_s` on are judged."""
    meeting = turns(chance, minutes)
    coming = events(chance, meeting, platform)
    roster, named = Roster(), Named()
    for who in PEOPLE:
        roster.meet(who)
    for turn in meeting:
        count = max(1, round((turn.end_s - turn.start_s) / 0.4))
        length_s = (turn.end_s - turn.start_s) / count
        for n in range(count):
            start_s = turn.start_s + n * length_s
            end_s = start_s + length_s
            while coming and coming[0][0] <= end_s + NAMED_AFTER_S:
                at_s, event, who = coming.pop(0)
                told = roster.started if event == "start" else roster.stopped
                told(who.participant_id, int(at_s * SECOND))
            speaker = roster.speaker_of(0, int(start_s * SECOND), int(end_s * SECOND))
            roster.heard(0, int(start_s * SECOND), int(end_s * SECOND))
            if start_s < named_from_s:
                continue
            if speaker is None:
                named.unnamed += 1
            elif speaker.speaker_id == turn.who.participant_id:
                named.right += 1
            else:
                named.wrong += 1
    return named, roster
