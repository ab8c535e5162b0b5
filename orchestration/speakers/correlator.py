"""Which words are whose, from all evidence there is. Session time in ns.

By strength: a person's word for it; a participant's own stream; a caption with the same text; the
platform's speaking events; the name of a diarization label; nothing but the label. Where two
disagree the stronger one wins only where it is strong, else nobody: unknown beats wrong.
"""

from collections.abc import Iterable, Sequence

from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.caption_text import Caption, CaptionText
from orchestration.speakers.corrections import Correction, Corrections
from orchestration.speakers.dirty_spans import EVERYTHING, DirtySpans, Span
from orchestration.speakers.event_lag import EventLag
from orchestration.speakers.fallback_names import fallback_name
from orchestration.speakers.heard_words import SpokenWord
from orchestration.speakers.intervals import SpeakingInterval, SpeakingIntervals, is_flicker
from orchestration.speakers.label_evidence import LabelEvidence
from orchestration.speakers.label_names import LabelNames
from orchestration.speakers.roster import Roster
from orchestration.speakers.speaking_events import SpeakingEvent
from orchestration.speakers.turn_reader import TurnReader
from orchestration.speakers.turn_taking import UNKNOWN
from orchestration.speakers.unit_voices import Voice
from orchestration.transcript.segments import Segment, SpeakerMethod, SpeakerName

MAX_SCANNED_EVENTS = 2_000
"""The newest turns, or starts, by which a lag is found and labels are named: half an hour's."""

MIN_LIKELIHOOD = 0.85
"""From here on a word is somebody's: unknown beats wrong."""

KEPT_LIKELIHOOD = 0.75
"""A name that evidence gave is in doubt when later evidence makes it less likely than this."""

MAX_LISTENERS = 30
"""In a larger meeting, those of whom the platform says nothing at a time do not speak then."""

AROUND_NS = 8_000_000_000
"""Words this long before and after a changed interval may have another name now."""

SURE, LIKELY = 0.95, 0.85
"""Confidences of a caption: events agree with it; it speaks alone."""


class Correlator:
    """One session's evidence of who speaks, and the names that follow from it."""

    def __init__(self, loopback_names: tuple[str, ...] = ()) -> None:
        """`loopback_names` are a test rig's fixed names, by label or by stream."""
        self.roster = Roster()
        self.corrections = Corrections(self._platform_name)
        self._loopback_names = loopback_names
        self._intervals = SpeakingIntervals(lambda one: self._is_person(one.participant_id))
        self._lag = EventLag()
        self._evidence = LabelEvidence()
        self._names = LabelNames()
        self._captions = CaptionText()
        self._turns = TurnReader(self._people_among, self._voice_of)
        self._dirty = DirtySpans()
        self._changed: list[SpeakingInterval] = []

    @property
    def lag_ns(self) -> int:
        """How far speaking events are behind the voices."""
        return self._lag.lag_ns

    @property
    def label_names(self) -> LabelNames:
        """The accepted names of labels."""
        return self._names

    def knows(self, speaker_id: str) -> bool:
        """Whether an id means somebody in this session."""
        return (
            self.roster.find(speaker_id) is not None
            or self._evidence.remembers(speaker_id)
            or self.corrections.knows(speaker_id)
        )

    # What is said

    def meet(self, participant: ParticipantRef) -> bool:
        """Know a participant, or their new name; True when that is news."""
        known = self.roster.find(participant.participant_id)
        if known is not None and known.name != participant.name:
            self._dirty.touch(EVERYTHING)
        self._turns.forget()
        return self.roster.meet(participant)

    def own_stream(self, stream: int, participant: ParticipantRef) -> None:
        """A stream that only this participant speaks in."""
        self.roster.own_stream(stream, participant)

    def started(self, participant_id: str, at_ns: int) -> None:
        """The platform says that somebody starts to speak."""
        if not self.roster.had_left(participant_id, at_ns):
            self._said(participant_id, at_ns, is_start=True)

    def stopped(self, participant_id: str, at_ns: int) -> None:
        """The platform says that somebody stops."""
        if not self.roster.had_left(participant_id, at_ns):
            self._said(participant_id, at_ns, is_start=False)

    def joined(self, participant_id: str, at_ns: int | None) -> None:
        """Somebody came in."""
        self.roster.joined(participant_id, at_ns)

    def left(self, participant_id: str, at_ns: int | None) -> None:
        """Somebody went, and speaks no more."""
        if at_ns is not None and self._intervals.is_open(participant_id):
            self._said(participant_id, at_ns, is_start=False)
        self.roster.left(participant_id, at_ns)

    def captioned(self, caption: Caption) -> None:
        """The platform wrote down what somebody said."""
        self._captions.said(caption)
        self._match_captions()

    def correct(self, correction: Correction) -> None:
        """Somebody says who it was."""
        self.corrections.apply(correction)
        self._dirty.touch(EVERYTHING)

    def take_changed(self) -> list[SpeakingInterval]:
        """Speaking intervals that changed since the last call."""
        changed, self._changed = self._changed, []
        return changed

    # What is heard

    def overheard(self, stream: int, words: Sequence[SpokenWord]) -> None:
        """Words that are about to be named: each is judged among the others."""
        if self.roster.owner_of(stream) is not None:
            return
        # Engines tell words that overlap in either order.
        words = sorted(words, key=lambda one: one.start_ns)
        if self._turns.hear(stream, words):
            self._dirty.touch(Span(words[0].start_ns - AROUND_NS, words[-1].end_ns))

    def heard(self, segment: Segment) -> None:
        """Final words: evidence of the lag and of labels, in a mixed stream."""
        if self.roster.owner_of(segment.stream) is not None:
            return
        self.overheard(
            segment.stream,
            [SpokenWord.of(word) for word in segment.words],
        )
        self._lag.heard(segment.start_ns, segment.end_ns)
        for word in segment.words:
            self._captions.heard(segment.stream, word.start_ns, word.end_ns, word.text)
            if word.label is not None:
                self._evidence.heard(word.label, word.start_ns, word.end_ns)
        self._match_captions()
        if self._lag.is_scan_due:
            self.scan()

    def scan(self) -> None:
        """Find the lag and the labels' names anew."""
        before_ns = self._lag.lag_ns
        if self._turns.events.says_stops:
            said = self._intervals.newest(MAX_SCANNED_EVENTS)
            self._lag.scan((one.start_ns, one.end_ns) for one in said)
        else:
            said = self._intervals.by_starts(self._turns.events.newest(MAX_SCANNED_EVENTS))
            self._lag.scan_starts(one.start_ns for one in said)
        if self._lag.lag_ns != before_ns:
            self._turns.forget()
            self._dirty.touch(EVERYTHING)
        if not self._evidence.labels:
            return
        lag_ns = self._lag.lag_ns
        turns = [
            (one.participant_id, one.start_ns, one.end_ns)
            for one in said
            if not is_flicker(one) and not one.inferred and not one.overran
        ]
        # Captions carry the words' own times, so they are moved as events are, to be moved back.
        turns += [
            (one.participant_id, one.start_ns + lag_ns, one.end_ns + lag_ns)
            for one in self._captions.spans[-MAX_SCANNED_EVENTS:]
        ]
        if self._names.update(self._evidence.scan(turns, lag_ns)):
            self._dirty.touch(EVERYTHING)
        self._turns.forget()

    # Names

    def speaker_of(
        self,
        stream: int,
        start_ns: int,
        end_ns: int,
        label: str | None = None,
        label_probability: float | None = None,
    ) -> SpeakerName | None:
        """Whose word lies at `start_ns` to `end_ns` of this stream; None when nothing tells."""
        pinned = None if label is None else self.corrections.pinned(label)
        if pinned is not None:
            return pinned
        own = self.roster.owner_of(stream)
        speaker = (
            self._by_evidence(
                stream, SpokenWord(start_ns, end_ns, label, label_probability=label_probability)
            )
            if own is None
            else self._named(own, 1.0, "own_stream")
        )
        if speaker is None and (label is None or self._names.find(label) is None):
            speaker = fallback_name(stream, label, self._loopback_names)
        return None if speaker is None else self.corrections.corrected(speaker)

    def doubts(self, stream: int, word: SpokenWord, speaker: SpeakerName) -> bool:
        """Whether what is known around a word makes it unlikely that it is somebody's; no, where
        what named it is not remembered."""
        by_label = word.label is not None and speaker.method == "acoustic"
        is_forgotten = word.label is not None and not self._evidence.remembers(word.label)
        if is_forgotten or not self._turns.remembers(stream, word):
            return False
        if not by_label and not self._turns.events.began(word.start_ns):
            return False
        reading = self._turns.around(stream, word, self.lag_ns)
        return reading.likelihood_at(word.start_ns, speaker.speaker_id) < KEPT_LIKELIHOOD

    def take_dirty(self) -> Span | None:
        """Where words may have other names than before the last call."""
        return self._dirty.take()

    def _by_evidence(self, stream: int, word: SpokenWord) -> SpeakerName | None:
        start_ns, end_ns = word.start_ns, word.end_ns
        reading = self._turns.around(stream, word, self.lag_ns)
        who, likelihood = reading.speaker_at(start_ns)
        is_known = (
            who != UNKNOWN and likelihood >= MIN_LIKELIHOOD and self.roster.was_there(who, start_ns)
        )
        captioned = self._captions.speaker_of(stream, start_ns, end_ns)
        if captioned is not None:
            agree = is_known and captioned == who
            return self._named(captioned, SURE if agree else LIKELY, "caption_text")
        if not is_known:
            return None
        voice = None if word.label is None else self._voice_of(word.label, start_ns)
        is_heard = voice is not None and voice[0] == who
        is_said = reading.is_said(who, start_ns, end_ns)
        return self._named(who, likelihood, "acoustic" if is_heard and not is_said else "temporal")

    def _people_among(self, events: Iterable[SpeakingEvent]) -> Sequence[str]:
        """Everybody in the meeting; of too many, only those of whom something is said."""
        people: Iterable[str] = self.roster.participants
        if len(self.roster) > MAX_LISTENERS:
            named = {one.participant_id for _, one in self._names.items()}
            people = sorted({one.who for one in events} | named)
        return [one for one in people if self._is_person(one)]

    def _voice_of(self, label: str, at_ns: int) -> Voice | None:
        """Who has this voice, if they can have been there."""
        found = self._names.find(label)
        if found is None or not self.roster.was_there(found.participant_id, at_ns):
            return None
        return Voice(found.participant_id, found.weight, found.certainty)

    def _named(self, participant_id: str, confidence: float, method: SpeakerMethod) -> SpeakerName:
        participant = self.roster.find(participant_id)
        name = participant_id if participant is None else participant.name
        return SpeakerName(participant_id, name, confidence, method)

    def _platform_name(self, speaker_id: str) -> str | None:
        participant = self.roster.find(speaker_id)
        return None if participant is None else participant.name

    def _is_person(self, participant_id: str) -> bool:
        participant = self.roster.find(participant_id)
        return participant is None or not participant.is_bot

    def _said(self, participant_id: str, at_ns: int, *, is_start: bool) -> None:
        says_stops = self._turns.events.says_stops
        if not self._turns.say(participant_id, at_ns, is_start=is_start):
            return
        mend = self._intervals.started if is_start else self._intervals.stopped
        self._changed += (changed := mend(participant_id, at_ns))
        # A stop that makes no interval is evidence all the same.
        self._touch_around(at_ns, at_ns)
        for one in changed:
            self._touch_around(one.start_ns, one.end_ns)
        if self._turns.events.says_stops != says_stops:
            self._dirty.touch(EVERYTHING)

    def _match_captions(self) -> None:
        found = self._captions.match()
        if found:
            self._dirty.touch(Span(found[0].start_ns, found[-1].end_ns))

    def _touch_around(self, start_ns: int, end_ns: int | None) -> None:
        """What the platform says of this time is different; words to come have no names yet."""
        from_ns = start_ns - self.lag_ns
        if not self._turns.is_ahead(from_ns):
            to_ns = None if end_ns is None else end_ns - self.lag_ns + AROUND_NS
            self._dirty.touch(Span(max(0, from_ns - AROUND_NS), to_ns))
