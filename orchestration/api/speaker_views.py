"""What the routes of speakers answer with. Seconds of session time."""

from collections import defaultdict
from datetime import datetime

from pydantic import BaseModel, JsonValue

from orchestration.api.correlation_views import MethodView, method_view, share
from orchestration.session.events import iso_utc, seconds
from orchestration.speakers.corrections import restored_corrections
from orchestration.storage.speaker_ports import (
    AttendedParticipant,
    LabelUse,
    PastName,
    SpokenFigures,
    StoredCorrection,
    StoredSpeakers,
)
from orchestration.transcript.segments import SpeakerName


class LabelView(BaseModel):
    """A diarization label, and how many of its words are in the person's lines."""

    label: str
    words: int


class NameView(BaseModel):
    """A name somebody had; `by` says who gave it by hand, null is the platform."""

    name: str
    by: str | None
    at: str


class PersonView(BaseModel):
    """Somebody who was there or spoke.

    `speaking_seconds` are those of their words, each moment once. `manual`: corrected by hand.
    `merged_into`: whose this id's words are by hand; the other has the figures.
    """

    id: str
    name: str
    is_participant: bool
    is_bot: bool
    email: str | None
    google_id: str | None
    joined: float | None
    left: float | None
    speaking_seconds: float
    words: int
    segments: int
    first_spoke: float | None
    last_spoke: float | None
    confidence: float | None
    methods: list[MethodView]
    labels: list[LabelView]
    manual: bool
    merged_into: str | None
    names: list[NameView]


class SpeakersView(BaseModel):
    """Everybody of a session, who spoke longest first; `unnamed_labels` are nobody's voices."""

    session_id: str
    items: list[PersonView]
    unnamed_labels: list[LabelView]


class CorrectedView(BaseModel):
    """How many lines have another name by a correction."""

    session_id: str
    repainted: int


class SpeakerCorrectionView(BaseModel):
    """A correction by hand: what, by whom, when, and how many lines it repainted."""

    number: int
    correction: dict[str, JsonValue]
    by: str
    at: str
    repainted: int


class SpeakerCorrectionPage(BaseModel):
    """Corrections in their order; `next_cursor` asks for the following ones."""

    items: list[SpeakerCorrectionView]
    next_cursor: str | None


def speakers_view(session_id: str, stored: StoredSpeakers) -> SpeakersView:
    """Everybody by id, with the names that hold after all corrections."""
    there = {one.participant.participant_id: one for one in stored.participants}
    spoken = {one.speaker_id: one for one in stored.spoken}
    shown = {speaker_id: one.participant.name for speaker_id, one in there.items()}
    corrections = restored_corrections(stored.corrections, shown.get)
    by_hand = {one.person_id: one.name for one in corrections.people()}
    labels: defaultdict[str | None, list[LabelView]] = defaultdict(list)
    for use in stored.labels:
        labels[use.speaker_id].append(_label_view(use))
    names: defaultdict[str, list[NameView]] = defaultdict(list)
    for past in stored.names:
        names[past.speaker_id].append(_name_view(past))

    def person(speaker_id: str) -> PersonView:
        said = spoken.get(speaker_id)
        name = shown.get(speaker_id) or by_hand.get(speaker_id)
        name = name or (said.name if said else speaker_id)
        known = corrections.corrected(SpeakerName(speaker_id, name, 1.0, "fallback"))
        merged = known.speaker_id != speaker_id
        return _person_view(
            speaker_id,
            name if merged else known.name,
            there.get(speaker_id),
            said,
            labels.get(speaker_id, []),
            names.get(speaker_id, []),
            manual=corrections.concerns(speaker_id),
            merged_into=known.speaker_id if merged else None,
        )

    ids = dict.fromkeys([*spoken, *there, *by_hand])
    return SpeakersView(
        session_id=session_id,
        items=[person(speaker_id) for speaker_id in ids],
        unnamed_labels=labels.get(None, []),
    )


def correction_view(stored: StoredCorrection) -> SpeakerCorrectionView:
    return SpeakerCorrectionView(
        number=stored.number,
        correction=stored.body,
        by=stored.corrected_by,
        at=_iso(stored.at),
        repainted=stored.repainted,
    )


def _person_view(
    speaker_id: str,
    name: str,
    there: AttendedParticipant | None,
    said: SpokenFigures | None,
    labels: list[LabelView],
    names: list[NameView],
    *,
    manual: bool,
    merged_into: str | None,
) -> PersonView:
    methods = [] if said is None else [method_view(one) for one in said.methods]
    segments = sum(one.segments for one in methods)
    confidence = sum(one.confidence * one.segments for one in methods)
    joined_ns, left_ns = (there.joined_ns, there.left_ns) if there else (None, None)
    return PersonView(
        id=speaker_id,
        name=name,
        is_participant=there is not None,
        is_bot=there is not None and there.participant.is_bot,
        email=there.participant.email if there else None,
        google_id=there.google_id if there else None,
        joined=None if joined_ns is None else seconds(joined_ns),
        left=None if left_ns is None else seconds(left_ns),
        speaking_seconds=seconds(said.speaking_ns) if said else 0.0,
        words=said.words if said else 0,
        segments=said.segments if said else 0,
        first_spoke=seconds(said.first_ns) if said else None,
        last_spoke=seconds(said.last_ns) if said else None,
        confidence=share(confidence, segments),
        methods=methods,
        labels=labels,
        manual=manual,
        merged_into=merged_into,
        names=names,
    )


def _label_view(use: LabelUse) -> LabelView:
    return LabelView(label=use.label, words=use.words)


def _name_view(past: PastName) -> NameView:
    return NameView(name=past.name, by=past.given_by, at=_iso(past.at))


def _iso(moment: datetime) -> str:
    return iso_utc(round(moment.timestamp() * 1000))
