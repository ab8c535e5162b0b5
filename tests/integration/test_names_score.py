"""The names in the second meeting's transcript, scored as `make score` scores them.

What whisper base heard of the meeting is kept in tests/data/review_heard.json, and was heard by
`python -m tests.score --hear`; the session, its chunks and its names are the real ones.
"""

import pytest

from orchestration.services.ports import Hypothesis
from tests.score.hearing import NotHeard, from_kept, kept_answers, with_voices
from tests.score.known_meetings import KnownMeeting, load
from tests.score.platform import CONDITIONS, Condition
from tests.score.scoring import MAX_WRONG, MIN_RIGHT, Score, score

BY_NAME = {condition.name: condition for condition in CONDITIONS}


@pytest.fixture(scope="module")
def review() -> KnownMeeting:
    return load("review")


async def scored(meeting: KnownMeeting, condition: Condition) -> Score:
    return await score(meeting, condition, from_kept(kept_answers(meeting.name)), seeds=1)


@pytest.mark.parametrize("name", ["prompt", "delay 1 s"])
async def test_people_who_have_spoken_for_ten_seconds_have_their_names(
    review: KnownMeeting, name: str
) -> None:
    found = await scored(review, BY_NAME[name])
    assert not found.misses
    assert found.known_alone.right_share >= MIN_RIGHT
    assert found.known_alone.wrong_share <= MAX_WRONG
    assert abs(found.lags_ms[0] - 1000 * found.condition.delay_s) <= 300


@pytest.mark.parametrize("name", ["delay 2 s, voices", "10 % lost, delay 1 s, voices"])
async def test_with_the_embedded_diarizer_names_are_right_whatever_the_platform_leaves_out(
    review: KnownMeeting, name: str
) -> None:
    voiced = from_kept(with_voices(review.name, kept_answers(review.name)))
    found = await score(review, BY_NAME[name], voiced, seeds=1)
    assert not found.misses


@pytest.mark.parametrize("name", ["all at once, 1 s, voices", "turns, and all, voices"])
async def test_over_many_meetings_the_diarizer_keeps_both_bars_where_platforms_err_most(
    review: KnownMeeting, name: str
) -> None:
    voiced = from_kept(with_voices(review.name, kept_answers(review.name)))
    found = await score(review, BY_NAME[name], voiced, seeds=10)
    assert not found.misses


async def test_the_names_are_the_same_every_time(review: KnownMeeting) -> None:
    condition = BY_NAME["all at once, 1 s"]
    assert await scored(review, condition) == await scored(review, condition)


async def test_a_chunk_that_was_never_heard_is_asked_for_by_name(review: KnownMeeting) -> None:
    none_kept: dict[tuple[int, int], Hypothesis] = {}
    with pytest.raises(NotHeard, match=r"tests\.score --hear"):
        await score(review, BY_NAME["prompt"], from_kept(none_kept), seeds=1)
