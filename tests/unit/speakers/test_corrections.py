"""What people say about who spoke is pinned, can be taken back, and never goes in circles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import BadRequest, SpeakerConflict
from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.corrections import (
    Correction,
    Corrections,
    MapSpeaker,
    MergeSpeakers,
    Person,
    RenameSpeaker,
    UnmapSpeaker,
    correction_json,
    parse_correction,
)
from orchestration.speakers.correlator import Correlator
from orchestration.transcript.segments import SpeakerName

SECOND = 1_000_000_000
LABEL = "voice:0:whisper#SPEAKER_00"
ANA, BEN = ParticipantRef("p1", "Ana"), ParticipantRef("p2", "Ben")
CLARA = Person("c1", "Clara")


def heard_ana() -> Correlator:
    correlator = Correlator()
    for who in (ANA, BEN):
        correlator.meet(who)
    correlator.started("p1", 0)
    correlator.stopped("p1", 10 * SECOND)
    return correlator


def name_of(correlator: Correlator, label: str | None = LABEL) -> tuple[str, str] | None:
    speaker = correlator.speaker_of(0, 4 * SECOND, 5 * SECOND, label)
    return None if speaker is None else (speaker.name, speaker.method)


def test_a_mapped_label_outweighs_all_evidence_until_it_is_unmapped() -> None:
    correlator = heard_ana()
    correlator.correct(MapSpeaker(CLARA, speaker_id=LABEL))
    assert name_of(correlator) == ("Clara", "manual")
    assert name_of(correlator, None) == ("Ana", "temporal")
    correlator.correct(UnmapSpeaker(speaker_id=LABEL))
    assert name_of(correlator) == ("Ana", "temporal")


def test_a_mapped_participant_is_somebody_else_everywhere() -> None:
    correlator = heard_ana()
    correlator.correct(MapSpeaker(CLARA, speaker_id="p1"))
    assert name_of(correlator) == ("Clara", "manual")


def test_merged_speakers_are_one_person_under_the_second_name() -> None:
    correlator = heard_ana()
    correlator.correct(MergeSpeakers("p1", "p2"))
    assert name_of(correlator) == ("Ben", "temporal")


def test_a_new_name_is_a_persons_whichever_way_they_are_found() -> None:
    correlator = heard_ana()
    correlator.correct(MergeSpeakers("p1", "p2"))
    correlator.correct(RenameSpeaker("p2", "Benjamin"))
    assert name_of(correlator) == ("Benjamin", "temporal")


def test_a_circle_of_merges_is_refused() -> None:
    corrections = Corrections()
    corrections.apply(MergeSpeakers("a", "b"))
    with pytest.raises(SpeakerConflict, match="unmap"):
        corrections.apply(MergeSpeakers("b", "a"))
    with pytest.raises(SpeakerConflict):
        corrections.apply(MergeSpeakers("a", "a"))


ids = st.sampled_from(["a", "b", "c", LABEL])
people = st.builds(Person, ids, st.sampled_from(["Ana", "Ben"]))
corrections_of_any_kind: st.SearchStrategy[Correction] = st.one_of(
    st.builds(MapSpeaker, people, st.none(), ids),
    st.builds(MapSpeaker, people, st.just("s:0"), st.none()),
    st.builds(UnmapSpeaker, st.none(), ids),
    st.builds(MergeSpeakers, ids, ids),
    st.builds(RenameSpeaker, ids, st.sampled_from(["Eva", "Dora"])),
)


@given(st.lists(corrections_of_any_kind, max_size=12))
def test_whatever_is_corrected_every_id_has_one_name_and_correcting_again_keeps_it(
    given_corrections: list[Correction],
) -> None:
    corrections = Corrections()
    for one in given_corrections:
        assert parse_correction(correction_json(one)) == one
        try:
            corrections.apply(one)
        except SpeakerConflict:
            continue
    for speaker_id in ("a", "b", "c", LABEL):
        first = corrections.corrected(SpeakerName(speaker_id, speaker_id, 0.9, "temporal"))
        assert corrections.corrected(first).name == first.name


@pytest.mark.parametrize("body", [{}, {"correction": "map"}, {"correction": "merge"}])
def test_what_is_no_correction_is_refused(body: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        parse_correction({**body})
