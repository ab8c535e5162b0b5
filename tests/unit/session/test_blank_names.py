"""People of whom a platform, for once or always, tells no name."""

import pytest

from orchestration.json_types import JsonObject
from orchestration.session.fact_codec import parse_fact
from orchestration.session.inputs import ParticipantRef, ParticipantSighting
from tests.unit.session.meeting import RATE, ZERO_UNIX_MS, Meeting, speech, words

ANA: JsonObject = {"id": "p1", "name": "Ana"}
NAMELESS: JsonObject = {"id": "p1", "name": " "}
SPOKEN: JsonObject = {"participant_id": "p1", "name": "", "stream": 0}


def names_of(meeting: Meeting) -> set[str]:
    """Every name of the only participant that is stored or told of."""
    rows = [row for step in meeting.steps for row in step.changes.participants]
    told = [one["participant"] for one in meeting.told("participant")]
    assert {row.participant.participant_id for row in rows} == {"p1"}
    names = {str(one["name"]) for one in told if isinstance(one, dict)}
    return names | {row.participant.name for row in rows}


@pytest.mark.parametrize(
    "later",
    [
        {"type": "participant", "event": "join", "participant": NAMELESS},
        {"type": "participant", "event": "leave", "participant": {"id": "p1"}},
        {"type": "participant", "event": "join", "participant": {"id": "p1", "name": "p1"}},
        {"type": "speaker", "event": "start", "sample": RATE, **SPOKEN},
        {"type": "caption", "text": "Hello.", "start_sample": 0, "end_sample": RATE, **SPOKEN},
        {"type": "chat", "text": "Hello.", "participant_id": "p1", "name": None},
    ],
    ids=lambda body: f"{body['type']} {body.get('event', '')}",
)
def test_a_fact_without_a_name_leaves_the_one_that_is_known(later: JsonObject) -> None:
    meeting = Meeting.begun()
    meeting.play(speech(1))
    meeting.send(
        parse_fact({"type": "participant", "fact": 0, "event": "join", "participant": ANA}),
        parse_fact({"type": "speaker", "fact": 1, "event": "start", "sample": 0, **SPOKEN}),
    )
    meeting.send(parse_fact(later | {"fact": 2}))
    meeting.play(speech(20))
    meeting.wait(1000)
    meeting.end()
    meeting.answer(words(("Hello.", 100, 900)))
    assert names_of(meeting) == {"Ana"}
    assert {name for name, _ in meeting.lines()} == {"Ana"}


def test_a_stream_of_somebody_nameless_has_the_name_that_is_known() -> None:
    meeting = Meeting.begun(participant=ParticipantRef("p1", "Ana"))
    meeting.open(1, ParticipantRef("p1", "p1"))
    meeting.settle()
    assert names_of(meeting) == {"Ana"}


def test_who_has_no_name_yet_is_shown_by_id_until_one_comes() -> None:
    meeting = Meeting.begun(participant=ParticipantRef("p1", "p1"))
    meeting.play(speech(1))
    assert names_of(meeting) == {"p1"}
    meeting.send(
        parse_fact({"type": "participant", "fact": 0, "event": "join", "participant": ANA})
    )
    assert meeting.told("participant")[-1]["participant"] == {
        "id": "p1",
        "name": "Ana",
        "email": None,
        "is_bot": False,
    }


def test_whom_the_platforms_records_have_without_a_name_is_shown_by_id() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(1))
    meeting.session.sighted([ParticipantSighting(ParticipantRef("p1", ""), ZERO_UNIX_MS, None)])
    meeting.settle()
    assert names_of(meeting) == {"p1"}
