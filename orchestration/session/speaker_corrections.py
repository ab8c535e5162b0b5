"""Corrections of speakers, as a session takes them: checked, applied, to be stored and told."""

from collections.abc import Mapping
from dataclasses import replace

from orchestration.errors import BadRequest, UnknownSpeaker
from orchestration.json_types import JsonValue
from orchestration.speakers.corrections import (
    Correction,
    MapSpeaker,
    MergeSpeakers,
    RenameSpeaker,
    UnmapSpeaker,
)
from orchestration.speakers.correlator import Correlator
from orchestration.storage.values import CorrelationRow
from orchestration.transcript.segments import Segment, SpeakerName

MAX_NAME_CHARACTERS = 200
"""Of a person's name or id in a correction; a longer one is refused with `BadRequest`."""


def check_correction(
    correction: Correction, correlator: Correlator, segments: Mapping[str, Segment]
) -> None:
    """Refuse what is about nobody.

    Raises:
        UnknownSpeaker: the segment or speaker is not in the session.
        BadRequest: not exactly one is named, or a name is empty or too long.
    """
    match correction:
        case MapSpeaker(person, segment_id, speaker_id):
            _check_name(person.person_id)
            _check_name(person.name)
            _check_source(segment_id, speaker_id, correlator, segments)
        case UnmapSpeaker(segment_id, speaker_id):
            _check_source(segment_id, speaker_id, correlator, segments)
        case MergeSpeakers(speaker_id, into_id):
            _check_speaker(speaker_id, correlator, segments)
            _check_speaker(into_id, correlator, segments)
        case RenameSpeaker(speaker_id, name):
            _check_name(name)
            _check_speaker(speaker_id, correlator, segments)


def _check_source(
    segment_id: str | None,
    speaker_id: str | None,
    correlator: Correlator,
    segments: Mapping[str, Segment],
) -> None:
    if (segment_id is None) == (speaker_id is None):
        raise BadRequest("Name either a segment_id or a speaker_id.")
    if speaker_id is not None:
        _check_speaker(speaker_id, correlator, segments)
    elif segment_id not in segments:
        raise UnknownSpeaker(
            f"The session has no final segment {segment_id!r}.", {"segment_id": segment_id}
        )


def _check_speaker(
    speaker_id: str, correlator: Correlator, segments: Mapping[str, Segment]
) -> None:
    spoke = any(one.speaker and one.speaker.speaker_id == speaker_id for one in segments.values())
    if not spoke and not correlator.knows(speaker_id):
        facts: dict[str, JsonValue] = {"speaker_id": speaker_id}
        raise UnknownSpeaker(f"The session has no speaker {speaker_id!r}.", facts)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS:
        raise BadRequest(
            f"A name has 1 to {MAX_NAME_CHARACTERS} characters.", {"limit": MAX_NAME_CHARACTERS}
        )


def correlation_of(
    correction: Correction, correlator: Correlator, segments: Mapping[str, Segment]
) -> CorrelationRow | None:
    """The row of a line or voice that is somebody's by hand from this correction on."""
    if isinstance(correction, MapSpeaker):
        source = correction.speaker_id or correction.segment_id or ""
        told = SpeakerName(correction.person.person_id, correction.person.name, 1.0, "manual")
        segment = segments.get(correction.segment_id or "")
    elif isinstance(correction, MergeSpeakers):
        source, segment = correction.speaker_id, None
        told = SpeakerName(correction.into_id, correction.into_id, 1.0, "manual")
    else:
        return None
    person = correlator.corrections.corrected(told)
    if person.speaker_id == person.name:
        participant = correlator.roster.find(person.speaker_id)
        person = person if participant is None else replace(person, name=participant.name)
    return CorrelationRow(source, person, "exact", 0, {"source": source}, segment)


class LabelCorrelations:
    """Which labels' names are stored, and which are news."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, float]] = {}

    def news(self, correlator: Correlator) -> list[CorrelationRow]:
        """Rows of labels whose name or share has changed."""
        rows = []
        names = dict(correlator.label_names.items())
        # A name that a label has again is news again: the journal keeps it for one label at a time.
        self._told = {label: key for label, key in self._told.items() if label in names}
        for label, found in names.items():
            key = (found.participant_id, round(found.share, 1))
            participant = correlator.roster.find(found.participant_id)
            if correlator.corrections.moves(label):
                # So that it is news again once nobody says otherwise.
                self._told.pop(label, None)
                continue
            if self._told.get(label) == key:
                continue
            self._told[label] = key
            name = found.participant_id if participant is None else participant.name
            rows.append(
                CorrelationRow(
                    label,
                    SpeakerName(found.participant_id, name, found.share, "acoustic"),
                    "inferred",
                    correlator.lag_ns,
                    {
                        "label": label,
                        "seconds_together": round(found.seconds, 1),
                        "episodes": found.episodes,
                    },
                )
            )
        return rows
