"""What is learnt of how a platform says who speaks."""

from orchestration.speakers.platform_habits import MIN_TURNS, PlatformHabits
from orchestration.speakers.speaking_events import SpeakingEvents
from tests.unit.speakers.test_speaking_events import SECOND

PEOPLE = ["p1", "p2", "p3"]


def told(turns: int, *, stops: bool, repeats: int = 0) -> SpeakingEvents:
    """Turns of 5 s, each said to begin, perhaps again every second, and perhaps to end."""
    events = SpeakingEvents()
    for turn in range(turns):
        who, start_s = PEOPLE[turn % 3], turn * 6
        for again in range(repeats + 1):
            events.say(who, (start_s + again) * SECOND, is_start=True)
        if stops:
            events.say(who, (start_s + 5) * SECOND, is_start=False)
    return events


def spans_s(events: SpeakingEvents) -> list[tuple[str, float, float | None]]:
    return [
        (one.who, one.start_ns / SECOND, None if one.end_ns is None else one.end_ns / SECOND)
        for one in events.newest(1_000)
    ]


def test_stops_that_never_come_are_where_the_next_one_starts() -> None:
    events = told(MIN_TURNS, stops=False)
    assert not events.says_stops
    assert spans_s(events)[:2] == [("p1", 0, 6), ("p2", 6, 12)]
    assert spans_s(events)[-1] == ("p3", 30, None)


def test_stops_that_are_said_are_believed() -> None:
    events = told(20, stops=True)
    assert events.says_stops
    assert spans_s(events)[:2] == [("p1", 0, 5), ("p2", 6, 11)]


def test_a_start_that_is_said_again_while_somebody_speaks_is_no_other_start() -> None:
    events = told(20, stops=True, repeats=4)
    before = spans_s(events)
    events.say("p1", 1_000 * SECOND, is_start=True)
    assert not events.say("p1", 1_001 * SECOND, is_start=True)
    assert spans_s(events) == [*before, ("p1", 1_000, None)]


def test_whoever_is_not_said_to_speak_again_has_stopped() -> None:
    events = told(20, stops=True, repeats=4)
    for at_s in (1_000, 1_001, 1_002):
        events.say("p1", at_s * SECOND, is_start=True)
    events.say("p2", 1_010 * SECOND, is_start=True)
    assert spans_s(events)[-2:] == [("p1", 1_000, 1_003), ("p2", 1_010, None)]


def test_both_are_learnt_of_one_platform() -> None:
    events = told(20, stops=False, repeats=4)
    assert not events.says_stops
    assert spans_s(events)[:2] == [("p1", 0, 6), ("p2", 6, 12)]


def test_a_stop_that_got_lost_now_and_then_is_no_habit() -> None:
    habits = PlatformHabits()
    for turn in range(50):
        habits.said("p1", turn * 6 * SECOND, is_start=True)
        if turn % 5:
            habits.said("p1", (turn * 6 + 5) * SECOND, is_start=False)
    assert habits.says_stops
    assert habits.repeats_after_ns is None


def test_a_repeated_start_costs_no_memory() -> None:
    events = told(20, stops=True, repeats=4)
    count = len(events._said)
    for tenths in range(10_000):
        events.say("p1", 1_000 * SECOND + tenths * SECOND // 10, is_start=True)
    assert len(events._said) == count + 2
