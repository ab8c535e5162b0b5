"""Facts as they go over the wire and lie in the journal: values to JSON and back.

`parse_fact(fact_json(fact)) == fact` for every fact that came through `parse_fact`.
"""

from typing import Literal

from orchestration.errors import BadRequest
from orchestration.json_types import JsonObject
from orchestration.session.fields import MAX_INTEGER, MAX_STREAM, Fields
from orchestration.session.inputs import (
    CaptionFact,
    ChatFact,
    ClockFact,
    Fact,
    Moment,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
    UnixMoment,
)

FACT_TYPES = frozenset({"speaker", "participant", "caption", "chat", "clock"})

_SPEAKER_EVENTS: tuple[Literal["start", "stop"], ...] = ("start", "stop")
_PARTICIPANT_EVENTS: tuple[Literal["join", "leave"], ...] = ("join", "leave")


def parse_fact(body: JsonObject, max_name_characters: int = MAX_INTEGER) -> Fact:
    """The fact that a message says. Names have no limit by default: the journal's were checked
    when they came.

    A moment given both as a sample and as `unix_ms` is the sample's: it is exact. A blank name is
    replaced by the participant's id.

    Raises:
        BadRequest: not a fact of the protocol; the facts name the field.
    """
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in FACT_TYPES:
        raise BadRequest("This message is not a fact.", {"field": "type"})
    fields = Fields(body, kind, max_name_characters)
    number = fields.integer("fact")
    if kind == "speaker":
        participant_id = fields.identifier("participant_id")
        return SpeakerFact(
            fact=number,
            event=fields.choice("event", _SPEAKER_EVENTS),
            participant_id=participant_id,
            name=fields.name("name", participant_id),
            at=_required_moment(fields),
        )
    if kind == "participant":
        return ParticipantFact(
            fact=number,
            event=fields.choice("event", _PARTICIPANT_EVENTS),
            participant=parse_participant(fields.child("participant")),
            at=_moment(fields),
        )
    if kind == "clock":
        return ClockFact(
            fact=number,
            stream=fields.integer("stream", most=MAX_STREAM),
            sample=fields.integer("sample"),
            unix_ms=fields.unix_ms("unix_ms"),
        )
    return _parse_words(kind, number, fields)


def _parse_words(kind: str, number: int, fields: Fields) -> CaptionFact | ChatFact:
    participant_id = fields.identifier("participant_id")
    name = fields.name("name", participant_id)
    text = fields.text("text")
    if kind == "chat":
        return ChatFact(number, participant_id, name, text, _moment(fields))
    start = _required_moment(fields, "start_")
    return CaptionFact(number, participant_id, name, text, start, _required_moment(fields, "end_"))


def parse_participant(fields: Fields) -> ParticipantRef:
    """A participant as `{id, name, email?, is_bot?}`."""
    participant_id = fields.identifier("id")
    return ParticipantRef(
        participant_id=participant_id,
        name=fields.name("name", participant_id),
        email=fields.email("email"),
        is_bot=fields.flag("is_bot"),
    )


def _moment(fields: Fields, prefix: str = "") -> Moment | None:
    if fields.has(f"{prefix}sample"):
        stream = fields.integer("stream", most=MAX_STREAM)
        return SampleMoment(stream, fields.integer(f"{prefix}sample"))
    if fields.has(f"{prefix}unix_ms"):
        return UnixMoment(fields.unix_ms(f"{prefix}unix_ms"))
    return None


def _required_moment(fields: Fields, prefix: str = "") -> Moment:
    moment = _moment(fields, prefix)
    if moment is None:
        raise BadRequest(
            f"A moment is missing: give stream and {prefix}sample, or {prefix}unix_ms.",
            {"field": f"{prefix}sample"},
        )
    return moment


def fact_json(fact: Fact) -> JsonObject:
    """The fact as its sender's message."""
    if isinstance(fact, SpeakerFact):
        return {
            "type": "speaker",
            "fact": fact.fact,
            "event": fact.event,
            "participant_id": fact.participant_id,
            "name": fact.name,
            **_moment_json(fact.at),
        }
    if isinstance(fact, ParticipantFact):
        return {
            "type": "participant",
            "fact": fact.fact,
            "event": fact.event,
            "participant": participant_json(fact.participant),
            **_moment_json(fact.at),
        }
    if isinstance(fact, ClockFact):
        return {
            "type": "clock",
            "fact": fact.fact,
            "stream": fact.stream,
            "sample": fact.sample,
            "unix_ms": fact.unix_ms,
        }
    words: JsonObject = {
        "type": "chat" if isinstance(fact, ChatFact) else "caption",
        "fact": fact.fact,
        "participant_id": fact.participant_id,
        "name": fact.name,
        "text": fact.text,
    }
    if isinstance(fact, ChatFact):
        return words | _moment_json(fact.at)
    return words | _moment_json(fact.start, "start_") | _moment_json(fact.end, "end_")


def participant_json(participant: ParticipantRef) -> JsonObject:
    """A participant's wire form; what is unknown is left out."""
    body: JsonObject = {"id": participant.participant_id, "name": participant.name}
    if participant.email is not None:
        body["email"] = participant.email
    if participant.is_bot:
        body["is_bot"] = True
    return body


def _moment_json(moment: Moment | None, prefix: str = "") -> JsonObject:
    if isinstance(moment, SampleMoment):
        return {"stream": moment.stream, f"{prefix}sample": moment.sample}
    if isinstance(moment, UnixMoment):
        return {f"{prefix}unix_ms": moment.unix_ms}
    return {}
