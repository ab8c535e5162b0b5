"""Names found late: which final segments get another name, and the next revision of each."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from orchestration.speakers.correlator import Correlator
from orchestration.speakers.dirty_spans import Span
from orchestration.speakers.heard_words import SpokenWord
from orchestration.transcript.segments import Segment, SpeakerName

REPAINTABLE_SEGMENTS = 400
"""Final segments in memory that evidence may still rename: half an hour of talk and more. Older
ones change by corrections alone, which read them back from the database."""

FIRST_SHARE = 0.6
"""Share of a segment's time by which one that is nobody's gets a name."""

SWITCH_SHARE = 0.75
"""Share by which one that has a name gets another: names that waver are worse than late ones."""

SETTLED_METHODS = frozenset({"google_meet_api"})
"""Names that evidence of the meeting does not change: they came after it, with more in hand."""


class Repainter:
    """Remembers the newest final segments and their names."""

    def __init__(self, limit: int = REPAINTABLE_SEGMENTS) -> None:
        self._limit = limit
        self._segments: OrderedDict[str, Segment] = OrderedDict()

    def remember(self, segment: Segment) -> None:
        """A final segment, or its newer revision."""
        self._segments[segment.segment_id] = segment
        if len(self._segments) > self._limit:
            self._segments.popitem(last=False)

    @property
    def segments(self) -> Iterable[Segment]:
        """What is in memory, in the order it became final."""
        return self._segments.values()

    def repaint(
        self, correlator: Correlator, span: Span, older: Iterable[Segment] = ()
    ) -> list[Segment]:
        """Segments within the span whose name changed, at their next revision.

        `older` are stored segments that may be in memory as well, where they are newer.
        """
        changed = []
        beyond = [one for one in older if one.segment_id not in self._segments]
        for segment in [*beyond, *self._segments.values()]:
            if segment.end_ns < span.from_ns:
                continue
            if span.to_ns is not None and segment.start_ns > span.to_ns:
                continue
            speaker = renamed(segment, correlator)
            if not _is_same(speaker, segment.speaker):
                changed.append(replace(segment, revision=segment.revision + 1, speaker=speaker))
        for segment in changed:
            if segment.segment_id in self._segments:
                self._segments[segment.segment_id] = segment
        return changed


def renamed(segment: Segment, correlator: Correlator) -> SpeakerName | None:
    """Whose a final segment is by what is known now; it keeps its name in doubt."""
    pinned = correlator.corrections.of_segment(segment.segment_id)
    if pinned is not None:
        return pinned
    present = segment.speaker
    if present is not None and present.method in SETTLED_METHODS:
        return correlator.corrections.corrected(present)
    speaker, share = _majority(segment, correlator)
    first = speaker if share >= FIRST_SHARE else None
    if present is None or present.method in ("manual", "fallback"):
        if first is not None:
            return first
        # A name by hand that was taken back leaves nothing; a fallback stays one.
        present = None if present is None or present.method == "manual" else present
    elif (
        speaker is not None
        and speaker.method != "fallback"
        and (share >= SWITCH_SHARE or speaker.speaker_id == present.speaker_id)
    ):
        return speaker
    if present is None:
        return None
    if _is_in_doubt(segment, present, correlator):
        # As one that never had a name.
        return first
    return present_name(present, correlator)


def present_name(speaker: SpeakerName, correlator: Correlator) -> SpeakerName:
    """The same speaker under the name that holds now; one that was given by hand stays."""
    corrections = correlator.corrections
    participant = correlator.roster.find(speaker.speaker_id)
    is_by_hand = speaker.method == "manual" and corrections.knows(speaker.speaker_id)
    if participant is not None and not is_by_hand and speaker.method not in SETTLED_METHODS:
        speaker = replace(speaker, name=participant.name)
    return corrections.corrected(speaker)


def _is_in_doubt(segment: Segment, present: SpeakerName, correlator: Correlator) -> bool:
    """Whether a name that evidence gave is unlikely by now, for more than half of the words."""
    if present.method not in ("temporal", "acoustic"):
        return False
    spoken = [SpokenWord.of(word) for word in segment.words]
    doubted = [correlator.doubts(segment.stream, one, present) for one in spoken]
    return 2 * sum(doubted) > len(doubted)


def _majority(segment: Segment, correlator: Correlator) -> tuple[SpeakerName | None, float]:
    """Who has most of a segment's time, and how much of it; as sure as on average."""
    total_ns = 0
    found: dict[str, list[tuple[int, SpeakerName]]] = {}
    for word in segment.words:
        length_ns = max(1, word.end_ns - word.start_ns)
        total_ns += length_ns
        speaker = correlator.speaker_of(
            segment.stream, word.start_ns, word.end_ns, word.label, word.label_probability
        )
        if speaker is not None:
            found.setdefault(speaker.speaker_id, []).append((length_ns, speaker))
    if not found:
        return None, 0.0
    best = max(found.values(), key=lambda words: sum(length for length, _ in words))
    best_ns = sum(length for length, _ in best)
    confidence = sum(length * one.confidence for length, one in best) / best_ns
    _, longest = max(best, key=lambda one: one[0])
    return replace(longest, confidence=confidence), best_ns / total_ns


def _is_same(one: SpeakerName | None, other: SpeakerName | None) -> bool:
    if one is None or other is None:
        return one is other
    is_hand = (one.method == "manual", other.method == "manual")
    return (one.speaker_id, one.name) == (other.speaker_id, other.name) and is_hand[0] == is_hand[1]
