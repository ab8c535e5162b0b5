"""How many people the diarizer is told of."""

from orchestration.audio.pcm import PcmFormat
from orchestration.session.inputs import ParticipantFact, ParticipantRef, StreamSpec
from orchestration.session.people import People
from orchestration.timing.clock import SessionClock

MIXED = StreamSpec(0, PcmFormat("s16le", 16_000, 1))
BOT = ParticipantRef("bot", "Notetaker", is_bot=True)


def people(*present: ParticipantRef) -> People:
    clock = SessionClock()
    clock.restore(1_700_000_000_000, {})
    found = People(clock, 100, ())
    found.stream_opened(MIXED)
    for number, one in enumerate(present):
        found.take(ParticipantFact(number, "join", one, None))
    return found


def test_all_but_bots_may_speak_in_a_mixed_stream() -> None:
    refs = [ParticipantRef(str(number), f"Person {number}") for number in range(3)]
    assert people(BOT, *refs).voices_in(0) == 3


def test_one_person_may_not_be_all() -> None:
    assert people(BOT, ParticipantRef("a", "Ana")).voices_in(0) is None
    assert people().voices_in(0) is None


def test_a_participants_own_stream_has_one_voice() -> None:
    found = people(ParticipantRef("a", "Ana"), ParticipantRef("b", "Ben"))
    found.stream_opened(StreamSpec(1, MIXED.format, ParticipantRef("c", "Cleo")))
    assert found.voices_in(1) == 1
    assert found.voices_in(0) == 3
