"""A label gets a name when it is alone with it for long enough, and keeps it in doubt."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.speakers.bit_frames import bits, runs_of
from orchestration.speakers.label_evidence import MAX_LABELS, LabelEvidence, Together
from orchestration.speakers.label_names import MAX_CERTAINTY, LabelNames

SECOND = 1_000_000_000
A, B = "voice:0:w#A", "voice:0:w#B"

Turns = Sequence[tuple[str, float, float]]


def names_of(labels: Turns, said: Turns, lag_s: float = 0) -> dict[str, str]:
    evidence, names = LabelEvidence(), LabelNames()
    for label, start_s, end_s in labels:
        evidence.heard(label, int(start_s * SECOND), int(end_s * SECOND))
    turns = [
        (who, int((start_s + lag_s) * SECOND), int((end_s + lag_s) * SECOND))
        for who, start_s, end_s in said
    ]
    names.update(evidence.scan(turns, int(lag_s * SECOND)))
    return {label: found.participant_id for label, found in names.items()}


def test_labels_get_the_names_they_are_alone_with() -> None:
    labels = [(A, 0, 4), (B, 5, 9)]
    assert names_of(labels, [("ana", 0, 4), ("ben", 5, 9)], lag_s=2) == {A: "ana", B: "ben"}


def test_little_time_names_nobody() -> None:
    assert names_of([(A, 0, 1.3)], [("ana", 0, 1.3)]) == {}


def test_frames_of_two_names_count_for_neither() -> None:
    assert names_of([(A, 0, 6)], [("ana", 0, 6), ("ben", 0, 6)]) == {}


def test_a_label_of_two_people_is_nobody_s() -> None:
    assert names_of([(A, 0, 4), (A, 5, 9)], [("ana", 0, 4), ("ben", 5, 9)]) == {}


def test_one_name_is_one_label_of_an_upstream() -> None:
    labels = [(A, 0, 9), (B, 10, 13)]
    assert names_of(labels, [("ana", 0, 9), ("ana", 10, 13)]) == {A: "ana"}


def test_another_name_needs_two_scans() -> None:
    names = LabelNames()
    ana, ben = Together(10.0, 3, 1), Together(90.0, 9, 3)
    names.update({A: {"ana": ana}})
    assert names.update({A: {"ana": ana, "ben": ben}}) == set()
    assert names.update({A: {"ana": ana, "ben": ben}}) == {A}
    found = names.find(A)
    assert found is not None
    assert found.participant_id == "ben"


def test_a_name_that_another_label_has_for_longer_is_given_up() -> None:
    names = LabelNames()
    # Ana's start was lost, and somebody else's stop: A was heard with Ben's name alone.
    names.update({A: {"ben": Together(9.0, 3, 1)}})
    both = {"ben": Together(9.0, 3, 1), "ana": Together(8.0, 3, 1)}
    assert names.update({A: both, B: {"ben": Together(30.0, 9, 3)}}) == {A, B}
    found = names.find(B)
    assert names.find(A) is None
    assert found is not None
    assert found.participant_id == "ben"


def test_a_kept_name_is_as_certain_as_its_evidence_by_now() -> None:
    names = LabelNames()
    names.update({A: {"ana": Together(6.0, 3, 1)}})
    certain = names.find(A)
    names.update({A: {"ana": Together(6.0, 3, 1), "ben": Together(5.0, 3, 1)}})
    doubtful = names.find(A)
    assert certain is not None
    assert doubtful is not None
    assert certain.certainty == pytest.approx(6.0)
    assert doubtful.certainty == pytest.approx(1.0)
    assert doubtful.participant_id == "ana"


def test_a_name_that_others_have_spoken_over_for_long_is_uncertain_and_no_less() -> None:
    names = LabelNames()
    names.update({A: {"ana": Together(60.0, 3, 1)}})
    others = {who: Together(400.0, 9, 3, 0.45) for who in ("ben", "eve")}
    names.update({A: {"ana": Together(60.0, 3, 1), **others}})
    found = names.find(A)
    assert found is not None
    assert found.certainty == -MAX_CERTAINTY


def test_labels_are_bounded() -> None:
    evidence = LabelEvidence()
    for number in range(3 * MAX_LABELS):
        evidence.heard(f"answer:0:{number}#A", number * SECOND, (number + 1) * SECOND)
    assert len(evidence.labels) == MAX_LABELS


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 5)), max_size=8), st.integers(1, 30))
def test_runs_are_counted_as_one_would_by_hand(runs: list[tuple[int, int]], length: int) -> None:
    frames, at = 0, 0
    for run, gap in runs:
        frames |= bits(at, at + run)
        at += run + gap
    assert runs_of(frames, length) == sum(run >= length for run, _ in runs)
