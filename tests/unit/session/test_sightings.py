"""What the platform's own records say of a running session's people."""

from orchestration.session.inputs import ParticipantRef, ParticipantSighting
from tests.unit.session.meeting import ZERO_UNIX_MS, Meeting, silence

ANA, BEN = ParticipantRef("p1", "Ana"), ParticipantRef("conferenceRecords/c/participants/2", "Ben")


def zero_of(meeting: Meeting) -> int:
    """The wall clock at session zero, as it was stored."""
    stored = [step.changes.zero_unix_ms for step in meeting.steps]
    return next(zero_ms for zero_ms in stored if zero_ms is not None)


def test_somebody_whom_only_the_records_know_joins_and_leaves() -> None:
    meeting = Meeting.begun(participant=ANA)
    meeting.play(silence(1))
    zero_ms = zero_of(meeting)
    left_ms = zero_ms + 9000
    meeting.session.sighted([ParticipantSighting(BEN, zero_ms + 2000, None)])
    meeting.session.sighted([ParticipantSighting(BEN, zero_ms + 2000, left_ms)])
    meeting.settle()
    told = [(one["event"], one.get("at")) for one in meeting.told("participant")]
    assert told == [("join", None), ("join", 2.0), ("leave", 9.0)]
    stored = [row for step in meeting.steps for row in step.changes.participants]
    assert (stored[-1].participant, stored[-1].joined_ns, stored[-1].left_ns) == (
        BEN,
        2_000_000_000,
        9_000_000_000,
    )


def test_a_join_of_somebody_known_is_stored_and_not_told_again() -> None:
    meeting = Meeting.begun(participant=ANA)
    meeting.play(silence(1))
    zero_ms = zero_of(meeting)
    meeting.session.sighted([ParticipantSighting(ANA, zero_ms, None)])
    meeting.settle()
    assert len(meeting.told("participant")) == 1
    stored = [row for step in meeting.steps for row in step.changes.participants]
    assert stored[-1].joined_ns == 0


def test_before_any_audio_nobody_is_placed() -> None:
    meeting = Meeting.begun()
    meeting.session.sighted([ParticipantSighting(BEN, ZERO_UNIX_MS, None)])
    meeting.settle()
    assert meeting.told("participant") == []
