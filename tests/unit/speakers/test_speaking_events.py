"""Who speaks, by the platform's word."""

from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.correlator import Correlator
from orchestration.speakers.heard_words import SpokenWord
from orchestration.transcript.segments import Segment, TimedWord

ANA, BEN = ParticipantRef("p1", "Ana"), ParticipantRef("p2", "Ben")
SECOND = 1_000_000_000


def name_at(correlator: Correlator, start_s: float, end_s: float, stream: int = 0) -> str | None:
    """Whose a word is, among the words that were heard so far."""
    start_ns, end_ns = int(start_s * SECOND), int(end_s * SECOND)
    correlator.overheard(stream, [SpokenWord(start_ns, end_ns, None)])
    speaker = correlator.speaker_of(stream, start_ns, end_ns)
    return speaker.name if speaker else None


def spoken(start_s: float, end_s: float) -> list[SpokenWord]:
    """Words of 0.4 s, one after the other; the last one ends a sentence."""
    starts_ns = range(int(start_s * SECOND), int(end_s * SECOND) - 400_000_000, 400_000_000)
    return [SpokenWord(at, at + 400_000_000, None, at == starts_ns[-1]) for at in starts_ns]


def with_turns(*turns: tuple[ParticipantRef, float, float]) -> Correlator:
    """Everybody says words in their turns, and the platform says when."""
    correlator = Correlator()
    for _, start_s, end_s in turns:
        correlator.overheard(0, spoken(start_s, end_s))
    for who, start_s, end_s in turns:
        correlator.meet(who)
        correlator.started(who.participant_id, int(start_s * SECOND))
        correlator.stopped(who.participant_id, int(end_s * SECOND))
    return correlator


def test_an_own_stream_names_its_words_whatever_the_events_say() -> None:
    correlator = with_turns((BEN, 0, 10))
    correlator.own_stream(3, ANA)
    speaker = correlator.speaker_of(3, 0, SECOND)
    assert speaker is not None
    assert (speaker.name, speaker.method, speaker.confidence) == ("Ana", "own_stream", 1.0)


def test_a_turn_passes_between_the_words_where_the_events_are() -> None:
    correlator = with_turns((ANA, 0, 4), (BEN, 4.2, 8))
    assert name_at(correlator, 3.2, 3.6) == "Ana"
    assert name_at(correlator, 4.2, 4.6) == "Ben"


def test_a_word_just_outside_goes_to_its_nearest_neighbour() -> None:
    correlator = with_turns((ANA, 0, 1.0), (BEN, 2.0, 3.0))
    assert name_at(correlator, 1.1, 1.3) == "Ana"
    assert name_at(correlator, 1.7, 1.9) == "Ben"


def test_unknown_beats_wrong_where_nobody_was_near() -> None:
    correlator = with_turns((ANA, 0, 1.0))
    assert name_at(correlator, 5.0, 5.4) is None


def test_a_start_without_a_stop_goes_on() -> None:
    correlator = Correlator()
    correlator.meet(ANA)
    correlator.started("p1", SECOND)
    assert name_at(correlator, 60, 61) == "Ana"
    assert name_at(correlator, 0.0, 0.2) is None


def test_the_bot_s_own_voice_names_nobody() -> None:
    correlator = with_turns((ParticipantRef("bot", "Notetaker", is_bot=True), 0, 5))
    assert name_at(correlator, 1, 2) is None


def test_a_stop_without_a_start_says_who_spoke_before_it() -> None:
    correlator = Correlator()
    correlator.meet(ANA)
    correlator.stopped("p1", SECOND)
    assert name_at(correlator, 0.5, 1) == "Ana"
    assert name_at(correlator, 20, 21) is None


def test_a_flicker_inside_a_turn_does_not_count() -> None:
    correlator = with_turns((ANA, 0, 6), (BEN, 2, 2.7))
    correlator.overheard(0, spoken(0, 6.4))
    found = [correlator.speaker_of(0, one.start_ns, one.end_ns) for one in spoken(0, 6.4)]
    assert {one and one.name for one in found} == {"Ana"}


def test_a_short_turn_of_one_s_own_counts() -> None:
    assert name_at(with_turns((ANA, 0, 1.5), (BEN, 2, 2.7)), 2.2, 2.5) == "Ben"


def final(stream: int, start_s: float, end_s: float) -> Segment:
    start_ns, end_ns = int(start_s * SECOND), int(end_s * SECOND)
    word = TimedWord("word", start_ns, end_ns, 0.9)
    return Segment(f"{stream}:{start_s}", 1, stream, start_ns, end_ns, None, "en", (word,))


def test_own_streams_tell_nothing_about_the_events_of_a_mixed_one() -> None:
    correlator = with_turns((ANA, 2, 6), (BEN, 8, 12), (ANA, 14, 20), (BEN, 22, 30), (ANA, 32, 60))
    correlator.own_stream(3, ANA)
    for start_s, end_s in ((0, 4), (6, 10), (12, 18), (20, 28), (30, 58)):
        correlator.heard(final(3, start_s, end_s))
    assert correlator.lag_ns == 0
    for start_s, end_s in ((0, 4), (6, 10), (12, 18), (20, 28), (30, 58)):
        correlator.heard(final(0, start_s, end_s))
    assert correlator.lag_ns == 2 * SECOND


def test_a_lost_stop_ends_where_the_next_one_has_a_turn() -> None:
    correlator = with_turns((ANA, 0, 0))
    correlator.started("p1", 1 * SECOND)
    correlator.meet(BEN)
    correlator.started("p2", 5 * SECOND)
    correlator.stopped("p2", 12 * SECOND)
    correlator.overheard(0, [*spoken(1, 4.5), *spoken(5, 12)])
    assert name_at(correlator, 2.0, 2.4) == "Ana"
    assert name_at(correlator, 7.0, 7.4) == "Ben"
    assert name_at(correlator, 20.0, 20.4) is None


def test_a_lost_start_is_where_the_turn_before_ended() -> None:
    correlator = with_turns((ANA, 0, 4))
    correlator.meet(BEN)
    correlator.overheard(0, spoken(4.5, 9))
    correlator.stopped("p2", 9 * SECOND)
    assert name_at(correlator, 6.0, 6.4) == "Ben"


def test_a_name_that_left_does_not_speak() -> None:
    correlator = with_turns((ANA, 0, 4))
    correlator.joined("p1", 0)
    correlator.started("p1", 6 * SECOND)
    correlator.left("p1", 8 * SECOND)
    assert name_at(correlator, 6.5, 7.0) == "Ana"
    correlator.started("p1", 30 * SECOND)
    correlator.stopped("p1", 33 * SECOND)
    assert name_at(correlator, 31.0, 31.4) is None
    correlator.joined("p1", 40 * SECOND)
    correlator.started("p1", 41 * SECOND)
    assert name_at(correlator, 42.0, 42.4) == "Ana"
