"""Facts about people, as a session takes them: roster, rows to store, events to tell."""

from dataclasses import dataclass, field

from orchestration.errors import JsonObject
from orchestration.session.events import seconds
from orchestration.session.inputs import (
    CaptionFact,
    ChatFact,
    ClockFact,
    Fact,
    ParticipantFact,
    ParticipantRef,
    ParticipantSighting,
    SpeakerFact,
    StreamSpec,
    UnixMoment,
)
from orchestration.speakers.roster import Roster, SpeakingInterval
from orchestration.storage.ports import ParticipantRow, SpeakerIntervalRow
from orchestration.timing.clock import SessionClock


@dataclass(slots=True)
class PeopleChanges:
    """What facts changed since the last drain."""

    participants: list[ParticipantRow] = field(default_factory=list)
    intervals: list[SpeakerIntervalRow] = field(default_factory=list)
    events: list[tuple[str, JsonObject]] = field(default_factory=list)
    """(event type, body) pairs, to be numbered by the session."""


class People:
    """Takes facts about people and time; knows who speaks.

    Facts timed by the wall clock before any audio has come wait until session zero is known.
    """

    def __init__(self, clock: SessionClock, max_participants: int) -> None:
        self._clock = clock
        self._roster = Roster()
        self._max_participants = max_participants
        self._waiting: list[Fact] = []
        self._changes = PeopleChanges()

    @property
    def roster(self) -> Roster:
        return self._roster

    def stream_opened(self, spec: StreamSpec, *, replayed: bool = False) -> None:
        """A participant's own stream brings its participant along."""
        if spec.participant is None:
            return
        known = spec.participant.participant_id in self._roster.participants
        self._roster.own_stream(spec.stream, spec.participant)
        if not replayed and not known:
            self._changes.participants.append(ParticipantRow(spec.participant, None, None))
            self._changes.events.append(participant_event("join", spec.participant, None))

    def take(self, fact: Fact) -> None:
        """Apply one fact."""
        if isinstance(fact, ClockFact):
            self._clock.sender_stamped(fact.stream, fact.sample, fact.unix_ms)
        elif self._clock.zero_unix_ms is None and isinstance(fact, SpeakerFact | ParticipantFact):
            self._waiting.append(fact)
        elif isinstance(fact, SpeakerFact):
            self._speaker(fact)
        elif isinstance(fact, ParticipantFact):
            self._participant(fact)
        elif isinstance(fact, CaptionFact | ChatFact):
            self._meet(ParticipantRef(fact.participant_id, fact.name))

    def audio_began(self) -> None:
        """Session zero is known: apply what waited for it."""
        waiting, self._waiting = self._waiting, []
        for fact in waiting:
            self.take(fact)

    def told_before(self, next_fact: int) -> int:
        """Facts before this number have had their effect; the first that waits has not."""
        return min((fact.fact for fact in self._waiting), default=next_fact)

    def drain(self) -> PeopleChanges:
        """What changed since the last call."""
        changes, self._changes = self._changes, PeopleChanges()
        return changes

    def _speaker(self, fact: SpeakerFact) -> None:
        at_ns = self._clock.moment_ns(fact.at)
        if at_ns is None or not self._meet(ParticipantRef(fact.participant_id, fact.name)):
            return
        interval: SpeakingInterval | None
        if fact.event == "start":
            interval = self._roster.started(fact.participant_id, at_ns)
        else:
            interval = self._roster.stopped(fact.participant_id, at_ns)
        if interval is not None:
            self._changes.intervals.append(
                SpeakerIntervalRow(
                    fact.participant_id, fact.name, interval.start_ns, interval.end_ns
                )
            )

    def _participant(self, fact: ParticipantFact) -> None:
        at_ns = None if fact.at is None else self._clock.moment_ns(fact.at)
        if not self._meet(fact.participant):
            return
        joined = fact.event == "join"
        self._changes.participants.append(
            ParticipantRow(
                fact.participant,
                joined_ns=at_ns if joined else None,
                left_ns=None if joined else at_ns,
            )
        )
        self._changes.events.append(participant_event(fact.event, fact.participant, at_ns))

    def sighted(self, sighting: ParticipantSighting) -> None:
        """The platform's own records tell of somebody; before session zero they are not placed,
        and whoever reads them tells again."""
        if self._clock.zero_unix_ms is None:
            return
        ref = sighting.participant
        is_new = ref.participant_id not in self._roster.participants
        if not self._meet(ref):
            return
        joined_ns, left_ns = (
            None if unix_ms is None else self._clock.moment_ns(UnixMoment(unix_ms))
            for unix_ms in (sighting.joined_unix_ms, sighting.left_unix_ms)
        )
        self._changes.participants.append(ParticipantRow(ref, joined_ns, left_ns))
        if is_new:
            self._changes.events.append(participant_event("join", ref, joined_ns))
        if left_ns is not None:
            self._changes.events.append(participant_event("leave", ref, left_ns))

    def _meet(self, participant: ParticipantRef) -> bool:
        """Know a participant; False when the session already remembers as many as it may."""
        known = self._roster.participants.get(participant.participant_id)
        if known is None and len(self._roster.participants) >= self._max_participants:
            return False
        if known is not None and not participant.is_bot and participant.email is None:
            participant = ParticipantRef(
                participant.participant_id, participant.name, known.email, known.is_bot
            )
        if self._roster.meet(participant):
            self._changes.participants.append(ParticipantRow(participant, None, None))
        return True


def participant_event(
    event: str, participant: ParticipantRef, at_ns: int | None
) -> tuple[str, JsonObject]:
    """The durable event of somebody who joins or leaves, at session time `at_ns`, if known."""
    body: JsonObject = {
        "event": event,
        "participant": {
            "id": participant.participant_id,
            "name": participant.name,
            "email": participant.email,
            "is_bot": participant.is_bot,
        },
    }
    if at_ns is not None:
        body["at"] = seconds(at_ns)
    return "participant", body
