"""Facts about people, as a session takes them: roster, rows to store, events to tell."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orchestration.json_types import JsonObject
from orchestration.session.early_facts import EarlyFact, EarlyFacts
from orchestration.session.events import participant_event
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
from orchestration.session.renames import Renames
from orchestration.session.speaker_corrections import (
    LabelCorrelations,
    check_correction,
    correlation_of,
)
from orchestration.speakers.caption_text import Caption
from orchestration.speakers.corrections import Correction, correction_json, parse_correction
from orchestration.speakers.correlator import Correlator
from orchestration.speakers.dirty_spans import EVERYTHING
from orchestration.speakers.heard_words import SpokenWord
from orchestration.speakers.repainting import Repainter, present_name
from orchestration.storage.values import (
    CorrectionRow,
    CorrelationRow,
    ParticipantRow,
    SpeakerIntervalRow,
)
from orchestration.timing.clock import SessionClock
from orchestration.transcript.segments import Segment, SpeakerName


@dataclass(slots=True)
class PeopleChanges:
    """What facts changed since the last drain."""

    participants: list[ParticipantRow] = field(default_factory=list)
    intervals: list[SpeakerIntervalRow] = field(default_factory=list)
    corrections: list[CorrectionRow] = field(default_factory=list)
    correlations: list[CorrelationRow] = field(default_factory=list)


class People:
    """Takes facts about people and time; knows who speaks.

    Facts that come before any audio wait until session zero is known, the newest of them.
    """

    def __init__(
        self,
        clock: SessionClock,
        max_participants: int,
        loopback_names: tuple[str, ...] = (),
    ) -> None:
        self._clock = clock
        self._correlator = Correlator(loopback_names)
        self._roster = self._correlator.roster
        self._repainter = Repainter()
        self._labels = LabelCorrelations()
        self.renames = Renames(self._correlator, self._repainter)
        self._max_participants = max_participants
        self._early = EarlyFacts()
        self._changes = PeopleChanges()
        self._events: list[tuple[str, JsonObject]] = []

    @property
    def correlator(self) -> Correlator:
        return self._correlator

    def speakers_of(self, stream: int, words: Sequence[SpokenWord]) -> Sequence[SpeakerName | None]:
        """Whose the words are, which come one after the other, by what is known now."""
        correlator = self._correlator
        correlator.overheard(stream, words)
        return [
            correlator.speaker_of(
                stream, word.start_ns, word.end_ns, word.label, word.label_probability
            )
            for word in words
        ]

    def named_now(self, segment: Segment) -> Segment:
        """A segment about to be told: its words may have been named before a correction, or before
        its speaker's present name."""
        speaker = segment.speaker
        if speaker is None:
            return segment
        return replace(segment, speaker=present_name(speaker, self._correlator))

    def became_final(self, segment: Segment) -> None:
        """Final words tell when somebody was heard, and may get another name later."""
        self._repainter.remember(segment)
        self._correlator.heard(segment)

    def restore(
        self, corrections: Sequence[JsonObject], participants: Sequence[ParticipantRow]
    ) -> None:
        """What people said in an earlier incarnation, and whom it knew: facts, replayed after
        this, do not tell of those whom the platform's own records told of."""
        for row in participants:
            if len(self._roster) < self._max_participants:
                self._roster.meet(row.participant)
        for body in corrections:
            self._correlator.correct(parse_correction(body))

    def correct(
        self, correction: Correction | None, stored: Sequence[Segment], corrected_by: str
    ) -> list[Segment]:
        """Take a correction; returns what it repaints, of the whole session, at its next revision.

        Args:
            correction: who it was; None weighs the evidence anew.
            stored: the session's final segments as stored; what is in memory is newer.

        Raises:
            UnknownSpeaker: it is about nobody in the session.
            SpeakerConflict: it would make a circle.
            BadRequest: it is none.
            LimitReached: the session has as many corrections as it may.
        """
        if correction is None:
            self._correlator.scan()
            self._correlator.take_dirty()
            return self._repainter.repaint(self._correlator, EVERYTHING, stored)
        segments = {one.segment_id: one for one in [*stored, *self._repainter.segments]}
        check_correction(correction, self._correlator, segments)
        number = self._correlator.corrections.count
        self._correlator.correct(correction)
        self._correlator.take_dirty()
        repainted = self._repainter.repaint(self._correlator, EVERYTHING, stored)
        self._changes.corrections.append(
            CorrectionRow(number, correction_json(correction), corrected_by, len(repainted))
        )
        row = correlation_of(correction, self._correlator, segments)
        if row is not None:
            self._changes.correlations.append(row)
        return repainted

    def repainted(self) -> list[Segment]:
        """Final segments whose name changed since the last call, at their next revision."""
        span = self._correlator.take_dirty()
        return [] if span is None else self._repainter.repaint(self._correlator, span)

    def voices_in(self, stream: int) -> int | None:
        """How many people can be heard in a stream: its owner, or all but the bots that were ever
        seen; None while those are fewer than two, since more may be there than were told of."""
        if self._roster.owner_of(stream) is not None:
            return 1
        people = sum(not one.is_bot for one in self._roster.participants.values())
        return people if people > 1 else None

    def stream_opened(self, spec: StreamSpec, *, replayed: bool = False) -> None:
        """A participant's own stream brings its participant along."""
        if spec.participant is None:
            return
        participant = self._roster.named(spec.participant)
        known = self._roster.find(participant.participant_id) is not None
        if known:
            self._meet(participant)
        self._correlator.own_stream(spec.stream, participant)
        if not replayed and not known:
            self._changes.participants.append(ParticipantRow(participant, None, None))
            self._events.append(participant_event("join", participant, None))

    def take(self, fact: Fact) -> None:
        """Apply one fact."""
        if isinstance(fact, ClockFact):
            self._clock.sender_stamped(fact.stream, fact.sample, fact.unix_ms)
        elif self._clock.zero_unix_ms is None and isinstance(
            fact, SpeakerFact | ParticipantFact | CaptionFact
        ):
            self._no_longer_early(self._early.wait(fact))
        elif isinstance(fact, SpeakerFact):
            self._speaker(fact)
        elif isinstance(fact, ParticipantFact):
            self._participant(fact)
        elif isinstance(fact, CaptionFact):
            self._caption(fact)
        elif isinstance(fact, ChatFact):
            self._meet(ParticipantRef(fact.participant_id, fact.name))

    def audio_began(self) -> None:
        """Session zero is known: apply what waited for it."""
        for fact in self._early.take_all():
            self.take(fact)

    def told_before(self, next_fact: int) -> int:
        """Facts before this number have had their effect; the first that waits has not."""
        return self._early.first_or(next_fact)

    def forget_changes(self) -> None:
        """What changed is stored and told already: the fact was heard before."""
        self.drain()
        self.take_events()

    def take_events(self) -> list[tuple[str, JsonObject]]:
        """(event type, body) pairs since the last call, to be numbered by the session."""
        events, self._events = self._events, []
        return events

    def drain(self) -> PeopleChanges:
        """Rows that changed since the last call."""
        self._changes.correlations += self._labels.news(self._correlator)
        changes, self._changes = self._changes, PeopleChanges()
        return changes

    def _no_longer_early(self, fact: EarlyFact | None) -> None:
        """Too many came before any audio: this one says who is there, and no more."""
        if isinstance(fact, ParticipantFact):
            self._participant(replace(fact, at=None))
        elif fact is not None:
            self._meet(ParticipantRef(fact.participant_id, fact.name))

    def _speaker(self, fact: SpeakerFact) -> None:
        at_ns = self._clock.moment_ns(fact.at)
        if at_ns is None or not self._meet(ParticipantRef(fact.participant_id, fact.name)):
            return
        if fact.event == "start":
            self._correlator.started(fact.participant_id, at_ns)
        else:
            self._correlator.stopped(fact.participant_id, at_ns)
        self._intervals_changed()

    def _caption(self, fact: CaptionFact) -> None:
        start_ns, end_ns = self._clock.moment_ns(fact.start), self._clock.moment_ns(fact.end)
        known = self._meet(ParticipantRef(fact.participant_id, fact.name))
        if known and start_ns is not None and end_ns is not None:
            self._correlator.captioned(
                Caption(fact.participant_id, fact.text, start_ns, max(start_ns, end_ns))
            )

    def _intervals_changed(self) -> None:
        for one in self._correlator.take_changed():
            participant = self._roster.find(one.participant_id)
            name = one.participant_id if participant is None else participant.name
            self._changes.intervals.append(
                SpeakerIntervalRow(one.participant_id, name, one.start_ns, one.end_ns)
            )

    def _participant(self, fact: ParticipantFact) -> None:
        at_ns = None if fact.at is None else self._clock.moment_ns(fact.at)
        participant = self._roster.named(fact.participant)
        if not self._meet(participant):
            return
        joined = fact.event == "join"
        if joined:
            self._correlator.joined(participant.participant_id, at_ns)
        else:
            self._correlator.left(participant.participant_id, at_ns)
            self._intervals_changed()
        self._changes.participants.append(
            ParticipantRow(participant, at_ns if joined else None, None if joined else at_ns)
        )
        self._events.append(participant_event(fact.event, participant, at_ns))

    def sighted(self, sighting: ParticipantSighting) -> None:
        """The platform's own records tell of somebody; before session zero they are not placed,
        and whoever reads them tells again."""
        if self._clock.zero_unix_ms is None:
            return
        ref = self._roster.named(sighting.participant)
        is_new = ref.participant_id not in self._roster.participants
        if not self._meet(ref):
            return
        joined_ns, left_ns = (
            None if unix_ms is None else self._clock.moment_ns(UnixMoment(unix_ms))
            for unix_ms in (sighting.joined_unix_ms, sighting.left_unix_ms)
        )
        self._changes.participants.append(ParticipantRow(ref, joined_ns, left_ns))
        if is_new:
            self._events.append(participant_event("join", ref, joined_ns))
        if left_ns is not None:
            self._events.append(participant_event("leave", ref, left_ns))

    def _meet(self, participant: ParticipantRef) -> bool:
        """Know a participant; False when the session already remembers as many as it may."""
        participant = self._roster.named(participant)
        known = self._roster.find(participant.participant_id)
        if known is None and len(self._roster) >= self._max_participants:
            return False
        if known is not None and not participant.is_bot and participant.email is None:
            participant = ParticipantRef(
                participant.participant_id, participant.name, known.email, known.is_bot
            )
        if known is not None and known.name != participant.name:
            self.renames.renamed(participant.participant_id)
        if self._correlator.meet(participant):
            self._changes.participants.append(ParticipantRow(participant, None, None))
        return True
