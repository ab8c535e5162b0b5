"""What people say about who spoke. It is pinned: evidence never outweighs it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from orchestration.errors import BadRequest, LimitReached, SpeakerConflict
from orchestration.json_types import JsonObject
from orchestration.transcript.segments import SpeakerName

MAX_CORRECTIONS = 10_000
"""Corrections of one session; further ones are refused."""


CORRECTED_BY = "api"
"""Whose a correction is that says nothing of it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who it is, by hand; the id may be a participant's or a new one."""

    person_id: str
    name: str


@dataclass(frozen=True, slots=True)
class MapSpeaker:
    """A segment, or all words of a speaker id (a label's or a participant's), are this person's."""

    person: Person
    segment_id: str | None = None
    speaker_id: str | None = None


@dataclass(frozen=True, slots=True)
class UnmapSpeaker:
    """Evidence decides again: what was mapped, merged or renamed by hand is undone."""

    segment_id: str | None = None
    speaker_id: str | None = None


@dataclass(frozen=True, slots=True)
class MergeSpeakers:
    """Two ids are one person, known by the second."""

    speaker_id: str
    into_id: str


@dataclass(frozen=True, slots=True)
class RenameSpeaker:
    """A speaker id has another name."""

    speaker_id: str
    name: str


Correction = MapSpeaker | UnmapSpeaker | MergeSpeakers | RenameSpeaker


class Corrections:
    """All corrections of a session, applied in their order."""

    def __init__(self, name_of: Callable[[str], str | None] = lambda _: None) -> None:
        """`name_of` gives the platform's name for an id."""
        self._name_of = name_of
        self._segments: dict[str, Person] = {}
        self._speakers: dict[str, Person] = {}
        self._merged: dict[str, str] = {}
        self._renamed: dict[str, str] = {}
        self.count = 0

    def apply(self, correction: Correction) -> None:
        """Take one correction.

        Raises:
            SpeakerConflict: it would make a circle.
            LimitReached: the session has `MAX_CORRECTIONS`.
        """
        if self.count >= MAX_CORRECTIONS:
            raise LimitReached(
                f"A session takes {MAX_CORRECTIONS} corrections of speakers; this one has them.",
                {"limit": MAX_CORRECTIONS},
            )
        match correction:
            case MapSpeaker(person, segment_id, speaker_id):
                if segment_id is not None:
                    self._segments[segment_id] = person
                if speaker_id is not None:
                    if person.person_id != speaker_id:
                        self._refuse_circle(speaker_id, person.person_id)
                    self._merged.pop(speaker_id, None)
                    self._speakers[speaker_id] = person
            case UnmapSpeaker(segment_id, speaker_id):
                if segment_id is not None:
                    self._segments.pop(segment_id, None)
                if speaker_id is not None:
                    for undone in (self._speakers, self._merged, self._renamed):
                        undone.pop(speaker_id, None)
            case MergeSpeakers(speaker_id, into_id):
                self._refuse_circle(speaker_id, into_id)
                self._speakers.pop(speaker_id, None)
                self._merged[speaker_id] = into_id
            case RenameSpeaker(speaker_id, name):
                self._renamed[speaker_id] = name
        self.count += 1

    def of_segment(self, segment_id: str) -> SpeakerName | None:
        """Whose a segment is by hand."""
        person = self._segments.get(segment_id)
        return None if person is None else self.corrected(_by_hand(person))

    def pinned(self, speaker_id: str) -> SpeakerName | None:
        """Whose all words of a speaker id are by hand."""
        if not any(one in self._speakers for one in self._chain(speaker_id)):
            return None
        return self.corrected(SpeakerName(speaker_id, speaker_id, 1.0, "manual"))

    def moves(self, speaker_id: str) -> bool:
        """Whether an id's words are somebody's by hand: mapped, or merged."""
        return speaker_id in self._speakers or speaker_id in self._merged

    def people(self) -> list[Person]:
        """Everybody to whom something is mapped by hand."""
        return [*self._segments.values(), *self._speakers.values()]

    def knows(self, speaker_id: str) -> bool:
        """Whether an id came into the session by hand."""
        return any(person.person_id == speaker_id for person in self.people())

    def concerns(self, speaker_id: str) -> bool:
        """Whether a correction that holds is about this id."""
        return (
            self.moves(speaker_id)
            or speaker_id in self._renamed
            or speaker_id in self._merged.values()
            or self.knows(speaker_id)
        )

    def corrected(self, speaker: SpeakerName) -> SpeakerName:
        """The speaker as corrected; the same where nobody corrected anything."""
        chain = self._chain(speaker.speaker_id)
        final_id = chain[-1]
        mapped = [self._speakers[one] for one in chain if one in self._speakers]
        if mapped:
            speaker = replace(speaker, confidence=1.0, method="manual")
        if mapped or final_id != speaker.speaker_id:
            by_hand = mapped[-1].name if mapped and mapped[-1].person_id == final_id else None
            name = by_hand or self._name_of(final_id) or self._named_by_hand(final_id)
            speaker = replace(speaker, speaker_id=final_id, name=name or final_id)
        renamed = self._renamed.get(final_id)
        return speaker if renamed is None else replace(speaker, name=renamed)

    def _named_by_hand(self, speaker_id: str) -> str | None:
        return next((one.name for one in self.people() if one.person_id == speaker_id), None)

    def _refuse_circle(self, speaker_id: str, into_id: str) -> None:
        if speaker_id in self._chain(into_id):
            raise SpeakerConflict(
                f"{into_id!r} is {speaker_id!r} already; unmap it first.",
                {"speaker_id": speaker_id, "into_id": into_id},
            )

    def _chain(self, speaker_id: str) -> list[str]:
        """An id, and what it is merged into or mapped to, one after the other."""
        chain = [speaker_id]
        while True:
            person = self._speakers.get(chain[-1])
            following = self._merged.get(chain[-1]) or (person.person_id if person else None)
            if following is None or following in chain:
                return chain
            chain.append(following)


def _by_hand(person: Person) -> SpeakerName:
    return SpeakerName(person.person_id, person.name, 1.0, "manual")


def correction_json(correction: Correction) -> JsonObject:
    """A correction as it is stored."""
    match correction:
        case MapSpeaker(person, segment_id, speaker_id):
            return {
                "correction": "map",
                "segment_id": segment_id,
                "speaker_id": speaker_id,
                "person": {"id": person.person_id, "name": person.name},
            }
        case UnmapSpeaker(segment_id, speaker_id):
            return {"correction": "unmap", "segment_id": segment_id, "speaker_id": speaker_id}
        case MergeSpeakers(speaker_id, into_id):
            return {"correction": "merge", "speaker_id": speaker_id, "into_id": into_id}
        case RenameSpeaker(speaker_id, name):
            return {"correction": "rename", "speaker_id": speaker_id, "name": name}


def parse_correction(body: JsonObject) -> Correction:
    """A stored correction.

    Raises:
        BadRequest: it is none.
    """
    segment_id, speaker_id = _optional(body, "segment_id"), _optional(body, "speaker_id")
    match body.get("correction"):
        case "map" if isinstance(person := body.get("person"), dict):
            who = Person(_text(person, "id"), _text(person, "name"))
            return MapSpeaker(who, segment_id, speaker_id)
        case "unmap":
            return UnmapSpeaker(segment_id, speaker_id)
        case "merge":
            return MergeSpeakers(_text(body, "speaker_id"), _text(body, "into_id"))
        case "rename":
            return RenameSpeaker(_text(body, "speaker_id"), _text(body, "name"))
        case kind:
            raise BadRequest(f"{kind!r} is no correction of speakers.", {"correction": kind})


def _optional(body: JsonObject, name: str) -> str | None:
    return None if body.get(name) is None else _text(body, name)


def _text(body: JsonObject, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise BadRequest(f"A correction's {name!r} must be text.", {"field": name})
    return value


def restored_corrections(
    bodies: Iterable[JsonObject], name_of: Callable[[str], str | None]
) -> Corrections:
    """A session's corrections as stored; `name_of` gives the platform's name for an id."""
    corrections = Corrections(name_of)
    for body in bodies:
        corrections.apply(parse_correction(body))
    return corrections
