"""Who speaks, by the platform's word."""

from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.roster import Roster

ANA, BEN = ParticipantRef("p1", "Ana"), ParticipantRef("p2", "Ben")
SECOND = 1_000_000_000


def name_at(roster: Roster, start_s: float, end_s: float, stream: int = 0) -> str | None:
    speaker = roster.speaker_of(stream, int(start_s * SECOND), int(end_s * SECOND))
    return speaker.name if speaker else None


def with_turns(*turns: tuple[ParticipantRef, float, float]) -> Roster:
    roster = Roster()
    for who, start_s, end_s in turns:
        roster.meet(who)
        roster.started(who.participant_id, int(start_s * SECOND))
        roster.stopped(who.participant_id, int(end_s * SECOND))
    return roster


def test_an_own_stream_names_its_words_whatever_the_events_say() -> None:
    roster = with_turns((BEN, 0, 10))
    roster.own_stream(3, ANA)
    speaker = roster.speaker_of(3, 0, SECOND)
    assert speaker is not None
    assert (speaker.name, speaker.method, speaker.confidence) == ("Ana", "own_stream", 1.0)


def test_the_greatest_overlap_within_a_word_wins() -> None:
    roster = with_turns((ANA, 0, 1.3), (BEN, 1.3, 4))
    assert name_at(roster, 1.0, 1.4) == "Ana"
    assert name_at(roster, 1.2, 1.6) == "Ben"


def test_a_word_just_outside_goes_to_its_nearest_neighbour() -> None:
    roster = with_turns((ANA, 0, 1.0), (BEN, 2.0, 3.0))
    assert name_at(roster, 1.1, 1.3) == "Ana"
    assert name_at(roster, 1.7, 1.9) == "Ben"


def test_unknown_beats_wrong_where_nobody_was_near() -> None:
    roster = with_turns((ANA, 0, 1.0))
    assert name_at(roster, 5.0, 5.4) is None


def test_a_start_without_a_stop_goes_on() -> None:
    roster = Roster()
    roster.meet(ANA)
    roster.started("p1", SECOND)
    assert name_at(roster, 60, 61) == "Ana"
    assert name_at(roster, 0.0, 0.2) is None


def test_the_bot_s_own_voice_names_nobody() -> None:
    roster = with_turns((ParticipantRef("bot", "Notetaker", is_bot=True), 0, 5))
    assert name_at(roster, 1, 2) is None


def test_a_stop_without_a_start_says_nothing() -> None:
    roster = Roster()
    roster.meet(ANA)
    assert roster.stopped("p1", SECOND) is None
    assert name_at(roster, 0.5, 1) is None


def test_a_word_that_two_cover_is_nobody_s() -> None:
    roster = with_turns((ANA, 0, 6), (BEN, 2, 4))
    assert name_at(roster, 2.5, 2.9) is None
    assert name_at(roster, 4.5, 4.9) == "Ana"


def test_a_flicker_inside_a_turn_does_not_count() -> None:
    roster = with_turns((ANA, 0, 6), (BEN, 2, 2.7))
    assert name_at(roster, 2.2, 2.5) == "Ana"


def test_a_short_turn_of_one_s_own_counts() -> None:
    assert name_at(with_turns((ANA, 0, 1.5), (BEN, 2, 2.7)), 2.2, 2.5) == "Ben"


def test_own_streams_tell_nothing_about_the_events_of_a_mixed_one() -> None:
    roster = with_turns((ANA, 2, 6), (BEN, 8, 12), (ANA, 14, 20), (BEN, 22, 30), (ANA, 32, 60))
    roster.own_stream(3, ANA)
    for start_s, end_s in ((0, 4), (6, 10), (12, 18), (20, 28), (30, 58)):
        roster.heard(3, start_s * SECOND, end_s * SECOND)
    assert roster.lag_ns == 0
    for start_s, end_s in ((0, 4), (6, 10), (12, 18), (20, 28), (30, 58)):
        roster.heard(0, start_s * SECOND, end_s * SECOND)
    assert roster.lag_ns == 2 * SECOND
