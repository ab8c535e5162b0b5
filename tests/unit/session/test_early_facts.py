"""Facts that come before any audio."""

import pytest

from orchestration.session import early_facts
from orchestration.session.inputs import (
    CaptionFact,
    Fact,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
    UnixMoment,
)
from tests.unit.session.meeting import RATE, ZERO_UNIX_MS, Meeting, speech

ANA = ParticipantRef("p1", "Ana")
START = UnixMoment(ZERO_UNIX_MS)


@pytest.fixture
def room_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_facts, "MAX_EARLY_FACTS", 2)


def speakers_of(meeting: Meeting) -> set[tuple[str, int]]:
    """Who is stored to have begun to speak, and when."""
    stored = [row for step in meeting.steps for row in step.changes.speaker_intervals]
    return {(one.name, one.start_ns) for one in stored}


@pytest.mark.usefixtures("room_for_two")
@pytest.mark.parametrize(
    "first",
    [
        SpeakerFact(0, "start", "p1", "Ana", SampleMoment(0, 0)),
        CaptionFact(0, "p1", "Ana", "Shall we begin?", START, START),
        ParticipantFact(0, "join", ANA, START),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_of_more_early_facts_than_may_wait_the_oldest_tells_who_is_there(first: Fact) -> None:
    meeting = Meeting.begun()
    meeting.send(first)
    meeting.send(SpeakerFact(1, "start", "p2", "Ben", SampleMoment(0, RATE)))
    assert not any(step.changes.participants for step in meeting.steps)
    meeting.send(SpeakerFact(2, "stop", "p2", "Ben", SampleMoment(0, 2 * RATE)))
    stored = meeting.steps[-1].changes.participants
    assert {(row.participant, row.joined_ns) for row in stored} == {(ANA, None)}
    assert meeting.steps[-1].changes.facts_told == 1

    meeting.play(speech(1))
    assert speakers_of(meeting) == {("Ben", 1_000_000_000)}


@pytest.mark.usefixtures("room_for_two")
def test_who_leaves_and_comes_back_before_any_audio_is_there() -> None:
    meeting = Meeting.begun()
    meeting.send(
        ParticipantFact(0, "join", ANA, START),
        ParticipantFact(1, "leave", ANA, START),
        ParticipantFact(2, "join", ANA, START),
    )
    meeting.play(speech(1))
    told = [(one["event"], one.get("at")) for one in meeting.told("participant")]
    assert told == [("join", None), ("leave", 0.0), ("join", 0.0)]
