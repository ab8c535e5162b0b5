"""How many words get the right name, in simulated meetings; the bars of docs/design.md."""

import random

import pytest

from tests.unit.speakers.meeting_simulator import (
    SECOND,
    Diarization,
    Named,
    Platform,
    Talk,
    hold,
)

SEEDS = range(3)
LABELS = Diarization()
OVERLAPPING = Talk(overlap=0.2, backchannel=0.2)


def named(
    platform: Platform, diarization: Diarization | None = None, talk: Talk | None = None
) -> Named:
    total = Named()
    for seed in SEEDS:
        judged, transcript = hold(random.Random(seed), platform, diarization=diarization, talk=talk)
        assert transcript.correlator.lag_ns / SECOND == pytest.approx(platform.delay_s, abs=0.35)
        total.add(judged)
    return total


@pytest.mark.parametrize("delay_s", [0, 1, 2])
@pytest.mark.parametrize("talk", [Talk(), Talk(late_joiner=True)], ids=["four", "late joiner"])
def test_labels_name_the_words_whose_events_are_missing(delay_s: float, talk: Talk) -> None:
    platform = Platform(delay_s, 0.3, missing=0.1, spurious=0.05)
    judged = named(platform, LABELS, talk)
    assert judged.share(judged.wrong) <= 0.01
    assert judged.share(judged.right) >= 0.95


@pytest.mark.parametrize("delay_s", [0, 2])
def test_captions_name_the_words_whose_events_are_missing(delay_s: float) -> None:
    judged = named(Platform(delay_s, 0.3, missing=0.1, spurious=0.05, captions=True))
    assert judged.share(judged.wrong) <= 0.01
    assert judged.share(judged.right) >= 0.95


@pytest.mark.parametrize("delay_s", [0, 0.5, 1, 2])
def test_missing_turns_and_flickers_leave_words_unnamed_rather_than_wrong(delay_s: float) -> None:
    judged = named(Platform(delay_s, 0.3, missing=0.1, spurious=0.05))
    assert judged.share(judged.wrong) <= 0.01
    assert judged.share(judged.right) >= 0.88


@pytest.mark.parametrize("labels", [None, LABELS], ids=["events alone", "labels"])
def test_single_starts_and_stops_may_get_lost(labels: Diarization | None) -> None:
    judged = named(Platform(1, 0.3, lost=0.1, spurious=0.05), labels)
    assert judged.share(judged.wrong) <= 0.01
    assert judged.share(judged.right) >= (0.98 if labels else 0.95)


@pytest.mark.parametrize("talk", [Talk(), OVERLAPPING], ids=["in turn", "at once"])
@pytest.mark.parametrize(
    "platform",
    [
        Platform(1, 0.2, says_stops=False),
        Platform(1, 0.2, repeats_after_s=1),
        Platform(1, 0.2, says_stops=False, repeats_after_s=0.3),
    ],
    ids=["active speaker alone", "starts again and again", "both"],
)
def test_platforms_that_never_say_a_stop_or_repeat_starts_name_words(
    platform: Platform, talk: Talk
) -> None:
    judged, transcript = hold(random.Random(1), platform, talk=talk)
    assert transcript.correlator.lag_ns / SECOND == pytest.approx(platform.delay_s, abs=0.35)
    assert judged.share(judged.wrong) <= (0.01 if talk == Talk() else 0.04)
    assert judged.share(judged.right) >= 0.94


def test_people_who_speak_at_once_are_told_apart_where_labels_tell() -> None:
    judged = named(Platform(1, 0.3, missing=0.1, spurious=0.05), LABELS, OVERLAPPING)
    assert judged.share(judged.wrong) <= 0.01
    assert judged.share(judged.right) >= 0.95


def test_labels_alone_name_nobody() -> None:
    judged, transcript = hold(
        random.Random(1), Platform(0, missing=1.0), minutes=3, diarization=LABELS
    )
    assert judged.right == judged.wrong == 0
    names = {one.speaker.name for one in transcript.finals.values() if one.speaker}
    assert {"Speaker A", "Speaker B", "Speaker C", "Speaker D"} <= names
