"""Which words are whose, from all evidence there is. Session time in ns.

By strength: a person's word for it; a participant's own stream; a caption with the same text; the
platform's speaking events; the name of a diarization label; nothing but the label. Where two
disagree the stronger one wins only where it is strong, else nobody: unknown beats wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.caption_text import Caption, CaptionText
from orchestration.speakers.corrections import Correction, Corrections
from orchestration.speakers.event_lag import EventLag
from orchestration.speakers.fallback_names import fallback_name
from orchestration.speakers.intervals import (
    SpeakingInterval,
    SpeakingIntervals,
    is_flicker,
)
from orchestration.speakers.label_evidence import LabelEvidence
from orchestration.speakers.label_names import LabelNames
from orchestration.speakers.roster import Roster
from orchestration.speakers.speaking import Speaking, speaking
from orchestration.speakers.utterances import SpokenWord, Utterance, Utterances
from orchestration.transcript.lines import ends_sentence
from orchestration.transcript.segments import Segment, SpeakerMethod, SpeakerName

MAX_SCANNED_INTERVALS = 2_000
"""The newest intervals by which a lag is found and labels are named: more than half an hour."""

DEEP_NS = 700_000_000
"""A word this deep inside a turn is safe from the jitter of its events."""

STRONG_SHARE = 0.85
"""A label that is with its name for this share of its time outweighs no event, but none it."""

AROUND_NS = 8_000_000_000
"""Words this long before and after a changed interval may have another name now."""

SURE, LIKELY, WEAK = 0.95, 0.85, 0.6
"""Confidences: two kinds of evidence agree; one speaks alone; one speaks against another."""


@dataclass(frozen=True, slots=True)
class Span:
    """Session time whose words may have other names; `to_ns` None means from there on."""

    from_ns: int
    to_ns: int | None


EVERYTHING = Span(0, None)


class Correlator:
    """One session's evidence of who speaks, and the names that follow from it."""

    def __init__(self, loopback_names: tuple[str, ...] = ()) -> None:
        """`loopback_names` are a test rig's fixed names, by label or by stream."""
        self.roster = Roster()
        self.corrections = Corrections(self._platform_name)
        self._loopback_names = loopback_names
        self._intervals = SpeakingIntervals(self._is_credible)
        self._lag = EventLag()
        self._evidence = LabelEvidence()
        self._names = LabelNames()
        self._captions = CaptionText()
        self._utterances: dict[int, Utterances] = {}
        self._dirty: Span | None = None
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
            or speaker_id in self._evidence.labels
            or self.corrections.knows(speaker_id)
        )

    # What is said

    def meet(self, participant: ParticipantRef) -> bool:
        """Know a participant, or their new name; True when that is news."""
        known = self.roster.find(participant.participant_id)
        if known is not None and known.name != participant.name:
            self._touch(EVERYTHING)
        return self.roster.meet(participant)

    def own_stream(self, stream: int, participant: ParticipantRef) -> None:
        """A stream that only this participant speaks in."""
        self.roster.own_stream(stream, participant)

    def started(self, participant_id: str, at_ns: int) -> None:
        """The platform says that somebody starts to speak."""
        if not self.roster.had_left(participant_id, at_ns):
            self._changes(self._intervals.started(participant_id, at_ns))

    def stopped(self, participant_id: str, at_ns: int) -> None:
        """The platform says that somebody stops."""
        if not self.roster.had_left(participant_id, at_ns):
            self._changes(self._intervals.stopped(participant_id, at_ns))

    def joined(self, participant_id: str, at_ns: int | None) -> None:
        """Somebody came in."""
        self.roster.joined(participant_id, at_ns)

    def left(self, participant_id: str, at_ns: int | None) -> None:
        """Somebody went, and speaks no more."""
        if at_ns is not None and self._intervals.is_open(participant_id):
            self._changes(self._intervals.stopped(participant_id, at_ns))
        self.roster.left(participant_id, at_ns)

    def captioned(self, caption: Caption) -> None:
        """The platform wrote down what somebody said."""
        self._captions.said(caption)
        self._match_captions()

    def correct(self, correction: Correction) -> None:
        """Somebody says who it was."""
        self.corrections.apply(correction)
        self._touch(EVERYTHING)

    def take_changed(self) -> list[SpeakingInterval]:
        """Speaking intervals that changed since the last call."""
        changed, self._changed = self._changed, []
        return changed

    # What is heard

    def overheard(self, stream: int, words: Sequence[SpokenWord]) -> None:
        """Words in order that are about to be named: each is judged among the others."""
        if self.roster.owner_of(stream) is None:
            self._utterances.setdefault(stream, Utterances()).heard(words)

    def heard(self, segment: Segment) -> None:
        """Final words: evidence of the lag and of labels, in a mixed stream."""
        if self.roster.owner_of(segment.stream) is not None:
            return
        self.overheard(
            segment.stream,
            [
                SpokenWord(word.start_ns, word.end_ns, word.label, ends_sentence(word.text))
                for word in segment.words
            ],
        )
        self._goes_on_to(segment)
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
        said = self._intervals.newest(MAX_SCANNED_INTERVALS)
        self._lag.scan((one.start_ns, one.end_ns) for one in said)
        if self._lag.lag_ns != before_ns:
            self._touch(EVERYTHING)
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
            for one in self._captions.spans[-MAX_SCANNED_INTERVALS:]
        ]
        if self._names.update(self._evidence.scan(turns, lag_ns)):
            self._touch(EVERYTHING)

    # Names

    def speaker_of(
        self, stream: int, start_ns: int, end_ns: int, label: str | None = None
    ) -> SpeakerName | None:
        """Whose word lies at `start_ns` to `end_ns` of this stream; None when nothing tells."""
        pinned = None if label is None else self.corrections.pinned(label)
        if pinned is not None:
            return pinned
        own = self.roster.owner_of(stream)
        speaker: SpeakerName | None
        if own is not None:
            speaker = self._named(own, 1.0, "own_stream")
        else:
            speaker = self._by_evidence(stream, start_ns, end_ns, label)
        if speaker is None and (label is None or self._names.find(label) is None):
            speaker = fallback_name(stream, label, self._loopback_names)
        return None if speaker is None else self.corrections.corrected(speaker)

    def take_dirty(self) -> Span | None:
        """Where words may have other names than before the last call."""
        dirty, self._dirty = self._dirty, None
        return dirty

    def _by_evidence(
        self, stream: int, start_ns: int, end_ns: int, label: str | None
    ) -> SpeakerName | None:
        utterance = self._utterance(stream, start_ns, end_ns)
        said = self._speaking(stream, start_ns, end_ns, utterance)
        event = said.speaker
        label = label if utterance is None else utterance.credible(label)
        voice = self._voice_of(label, start_ns)
        if said.is_contested and voice is not None:
            # A voice tells two apart better than the words around.
            event = None
        captioned = self._captions.speaker_of(stream, start_ns, end_ns)
        if captioned is not None:
            agree = captioned in (event, voice)
            return self._named(captioned, SURE if agree else LIKELY, "caption_text")
        if event is not None and (voice is None or event == voice):
            share = said.overlap_ns / max(1, end_ns - start_ns, said.overlap_ns + said.rival_ns)
            confidence = max(0.5, min(1.0, share))
            if said.inferred or said.is_contested:
                confidence = min(confidence, WEAK)
            return self._named(event, max(confidence, SURE if voice else 0.0), "temporal")
        if voice is None:
            return None
        if event is None:
            # Events that name several leave the choice to the voice, if it is one of them.
            named = [who for who, overlap_ns in said.overlaps if overlap_ns > 0]
            if named and voice not in named:
                return None
            return self._named(voice, LIKELY if not named else WEAK, "acoustic")
        if voice in said.flickers or voice in dict(said.overlaps):
            return self._named(voice, WEAK, "acoustic")
        if said.overlap_ns <= 0 or said.inferred:
            return self._named(voice, WEAK, "acoustic")
        # A lost stop and a mistaken label look alike; the one is only likelier than the other
        # where the label has been mistaken before.
        is_deep = said.depth_ns >= DEEP_NS and self._share_of(label) < STRONG_SHARE
        return self._named(event, WEAK, "temporal") if is_deep else None

    def _utterance(self, stream: int, start_ns: int, end_ns: int) -> Utterance | None:
        utterances = self._utterances.get(stream)
        return None if utterances is None else utterances.around(start_ns, end_ns)

    def _speaking(
        self, stream: int, start_ns: int, end_ns: int, utterance: Utterance | None
    ) -> Speaking:
        """What the platform says of a span: it says so later by the lag."""
        lag_ns = self.lag_ns
        within = sentence = None
        if utterance is not None:
            within = (utterance.start_ns + lag_ns, utterance.end_ns + lag_ns)
            found = self._utterances[stream].sentence(start_ns, end_ns)
            sentence = None if found is None else (found[0] + lag_ns, found[1] + lag_ns)
        start_ns, end_ns = start_ns + lag_ns, end_ns + lag_ns
        near = self._intervals.near(start_ns, end_ns)
        return speaking(near, start_ns, end_ns, within, sentence)

    def _voice_of(self, label: str | None, at_ns: int) -> str | None:
        """Who has this voice, if they can have been there."""
        found = None if label is None else self._names.find(label)
        if found is None or not self.roster.was_there(found.participant_id, at_ns):
            return None
        return found.participant_id

    def _share_of(self, label: str | None) -> float:
        found = None if label is None else self._names.find(label)
        return 0.0 if found is None else found.share

    def _named(self, participant_id: str, confidence: float, method: SpeakerMethod) -> SpeakerName:
        participant = self.roster.find(participant_id)
        name = participant_id if participant is None else participant.name
        return SpeakerName(participant_id, name, confidence, method)

    def _platform_name(self, speaker_id: str) -> str | None:
        participant = self.roster.find(speaker_id)
        return None if participant is None else participant.name

    def _is_credible(self, interval: SpeakingInterval) -> bool:
        participant = self.roster.find(interval.participant_id)
        return participant is None or not participant.is_bot

    def _goes_on_to(self, segment: Segment) -> None:
        """The words before these may be read otherwise, now that they go on."""
        utterances = self._utterances[segment.stream]
        utterance = utterances.around(segment.start_ns, segment.start_ns)
        sentence = utterances.sentence(segment.start_ns, segment.start_ns)
        begins_ns = [segment.start_ns]
        begins_ns += [] if utterance is None else [utterance.start_ns]
        begins_ns += [] if sentence is None else [sentence[0]]
        if min(begins_ns) < segment.start_ns:
            self._touch(Span(min(begins_ns), segment.end_ns))

    def _changes(self, intervals: list[SpeakingInterval]) -> None:
        self._changed += intervals
        for one in intervals:
            start_ns = max(0, one.start_ns - self.lag_ns - AROUND_NS)
            end_ns = None if one.end_ns is None else one.end_ns - self.lag_ns + AROUND_NS
            self._touch(Span(start_ns, end_ns))

    def _match_captions(self) -> None:
        found = self._captions.match()
        if found:
            self._touch(Span(found[0].start_ns, found[-1].end_ns))

    def _touch(self, span: Span) -> None:
        if self._dirty is None:
            self._dirty = span
            return
        ends = (self._dirty.to_ns, span.to_ns)
        end_ns = None if None in ends else max(end for end in ends if end is not None)
        self._dirty = Span(min(self._dirty.from_ns, span.from_ns), end_ns)
