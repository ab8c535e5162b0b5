"""What the client says beside the audio."""

import pytest

from orchestration.client.fact_outbox import HELD_FACTS
from orchestration.errors import BadRequest
from orchestration.session.inputs import (
    CaptionFact,
    ChatFact,
    ClockFact,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
    UnixMoment,
)
from tests.unit.client.ingest_exchange import (
    FRAME,
    MS,
    SECOND,
    ack,
    bot,
    frames,
    messages,
    opened,
    outgoing,
    welcome,
)


def test_facts_beyond_what_is_held_are_dropped_and_counted() -> None:
    protocol = bot()
    chat = ChatFact(0, "p-1", "Ana", "hello", None)
    taken = [protocol.add_fact(chat) for _ in range(HELD_FACTS + 1)]
    assert taken == [True] * HELD_FACTS + [False]
    assert protocol.facts.dropped == 1


def test_audio_never_overtakes_a_fact_and_facts_keep_their_rate() -> None:
    protocol = opened(bot())
    for number in range(12):
        protocol.add_fact(SpeakerFact(0, "start", "p-1", "Ana", SampleMoment(0, number)))
    protocol.add_audio(0, FRAME)
    sent = outgoing(protocol, 0)
    assert [one["fact"] for one in messages(sent)] == list(range(10))
    assert frames(sent) == []
    assert protocol.wake_ns() == 25 * MS
    assert [one["fact"] for one in messages(outgoing(protocol, 25 * MS))] == [10]
    sent = outgoing(protocol, 50 * MS)
    assert [one["fact"] for one in messages(sent)] == [11]
    assert frames(sent) == [(0, 0, 0)]


def test_unacked_facts_go_again_after_a_reconnect() -> None:
    protocol = opened(bot())
    for text in ("a", "b", "c"):
        protocol.add_fact(ChatFact(0, "p-1", "Ana", text, UnixMoment(7)))
    outgoing(protocol, 0)
    protocol.received(ack(-1, facts=0), 0)
    protocol.connection_lost(0)
    protocol.connected(SECOND)
    outgoing(protocol, SECOND)
    protocol.received(welcome((0, 0, 0), next_fact=1), SECOND)
    again = messages(outgoing(protocol, SECOND))
    assert [(one["fact"], one["text"], one["unix_ms"]) for one in again] == [
        (1, "b", 7),
        (2, "c", 7),
    ]


def test_facts_have_the_documented_shapes() -> None:
    protocol = opened(bot())
    ana = ParticipantRef("p-1", "Ana", "ana@example.org")
    protocol.add_fact(ParticipantFact(0, "join", ana, None))
    caption = CaptionFact(0, "p-1", "Ana", "hi", SampleMoment(0, 8), SampleMoment(0, 16))
    protocol.add_fact(caption)
    protocol.add_fact(CaptionFact(0, "p-1", "Ana", "hi", UnixMoment(1), UnixMoment(2)))
    by = {"participant_id": "p-1", "name": "Ana", "text": "hi"}
    assert messages(outgoing(protocol, 0)) == [
        {
            "type": "participant",
            "fact": 0,
            "event": "join",
            "participant": {
                "id": "p-1",
                "name": "Ana",
                "email": "ana@example.org",
                "is_bot": False,
            },
        },
        {"type": "caption", "fact": 1, "stream": 0, "start_sample": 8, "end_sample": 16, **by},
        {"type": "caption", "fact": 2, "start_unix_ms": 1, "end_unix_ms": 2, **by},
    ]


def test_a_fact_on_an_unknown_stream_is_refused() -> None:
    with pytest.raises(BadRequest):
        bot().add_fact(ClockFact(0, 9, 0, 0))
