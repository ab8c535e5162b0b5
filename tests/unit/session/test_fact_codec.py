"""Facts: wire form to values and back."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import BadRequest
from orchestration.json_types import JsonObject
from orchestration.session.fact_codec import fact_json, parse_fact
from orchestration.session.fields import MAX_INTEGER, MAX_STREAM, clean_name, clean_text
from orchestration.session.inputs import (
    CaptionFact,
    ChatFact,
    ClockFact,
    Fact,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
    UnixMoment,
)

numbers = st.integers(0, MAX_INTEGER)
streams = st.integers(0, MAX_STREAM)
unix_ms = st.integers(0, 4_000_000_000_000)
names = st.text(max_size=50).map(clean_name).filter(bool)
texts = st.text(max_size=50).map(clean_text)
moments = st.builds(SampleMoment, streams, numbers) | st.builds(UnixMoment, unix_ms)
participants = st.builds(ParticipantRef, names, names, st.none() | names, st.booleans())


@st.composite
def captions(draw: st.DrawFn) -> CaptionFact:
    stream = draw(streams)
    ends = st.builds(SampleMoment, st.just(stream), numbers) | st.builds(UnixMoment, unix_ms)
    return CaptionFact(draw(numbers), draw(names), draw(names), draw(texts), draw(ends), draw(ends))


facts = st.one_of(
    st.builds(SpeakerFact, numbers, st.sampled_from(["start", "stop"]), names, names, moments),
    st.builds(
        ParticipantFact,
        numbers,
        st.sampled_from(["join", "leave"]),
        participants,
        st.none() | moments,
    ),
    captions(),
    st.builds(ChatFact, numbers, names, names, texts, st.none() | moments),
    st.builds(ClockFact, numbers, streams, numbers, unix_ms),
)

SPEAKER: JsonObject = {
    "type": "speaker",
    "fact": 3,
    "event": "start",
    "participant_id": "p1",
    "name": "Ana",
    "stream": 0,
    "sample": 16000,
}


@given(facts)
def test_every_fact_survives_the_journal(fact: Fact) -> None:
    stored = json.loads(json.dumps(fact_json(fact)))

    assert parse_fact(stored) == fact


def test_a_speaker_is_timed_by_a_sample() -> None:
    assert parse_fact(SPEAKER) == SpeakerFact(3, "start", "p1", "Ana", SampleMoment(0, 16000))


def test_a_sample_is_believed_before_a_wall_clock() -> None:
    fact = parse_fact(SPEAKER | {"unix_ms": 1_700_000_000_000})

    assert isinstance(fact, SpeakerFact)
    assert fact.at == SampleMoment(0, 16000)


def test_a_fractional_wall_clock_is_rounded_to_the_millisecond() -> None:
    body = {key: value for key, value in SPEAKER.items() if key not in ("stream", "sample")}

    fact = parse_fact(body | {"unix_ms": 1_700_000_000_000.6})

    assert isinstance(fact, SpeakerFact)
    assert fact.at == UnixMoment(1_700_000_000_001)


def test_unknown_fields_of_a_fact_are_ignored() -> None:
    assert parse_fact(SPEAKER | {"mood": "sunny"}) == parse_fact(SPEAKER)


def test_names_lose_control_characters_and_direction_overrides() -> None:
    fact = parse_fact(SPEAKER | {"name": " A\u202ena\r\n\x00 Maria\ud800 "})

    assert isinstance(fact, SpeakerFact)
    assert fact.name == "A na Maria"


def test_a_blank_name_is_replaced_by_the_participants_id() -> None:
    fact = parse_fact(SPEAKER | {"name": "\u0007 "})

    assert isinstance(fact, SpeakerFact)
    assert fact.name == "p1"


def test_text_keeps_its_lines_and_loses_what_cannot_be_stored() -> None:
    fact = parse_fact(
        {
            "type": "chat",
            "fact": 0,
            "participant_id": "p1",
            "name": "Ana",
            "text": "one\ntwo\x00\ud83d",
        }
    )

    assert isinstance(fact, ChatFact)
    assert fact.text == "one\ntwo\ufffd\ufffd"


@pytest.mark.parametrize(
    "wrong",
    [
        {"fact": -1},
        {"fact": True},
        {"fact": 1.0},
        {"fact": 2**63},
        {"fact": None},
        {"event": "pause"},
        {"event": ["start"]},
        {"participant_id": ""},
        {"participant_id": "p\n1"},
        {"participant_id": 7},
        {"name": 7},
        {"stream": 65536},
        {"sample": -1},
        {"sample": None},
    ],
)
def test_a_malformed_fact_is_refused_with_its_field(wrong: JsonObject) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_fact(SPEAKER | wrong)

    assert "field" in refused.value.facts


def test_a_long_name_is_refused_with_the_limits_name() -> None:
    with pytest.raises(BadRequest) as refused:
        parse_fact(SPEAKER | {"name": "a" * 201}, max_name_characters=200)

    assert refused.value.facts["limit"] == "max_name_characters"
    assert refused.value.facts["max"] == 200


def test_a_name_is_one_however_its_accents_are_typed() -> None:
    apart = unicodedata.normalize("NFD", "Ângela Conceição")
    assert clean_name(apart) == "Ângela Conceição"
    fact = parse_fact(SPEAKER | {"participant_id": apart, "name": apart}, 200)
    assert isinstance(fact, SpeakerFact)
    assert (fact.participant_id, fact.name) == (apart, "Ângela Conceição")
