"""Which lines of a transcript are whose, by what Google Meet wrote down. Pure; session time in ns.

Meet's entries are sentences with a speaker and times of some seconds' accuracy; lines are whisper's
words. A line is an attendee's when their entries around it say the same words: its share of words
that occur in them in order (the matching blocks of Ratcliff and Obershelp, 1988), and its share of
time that they cover, against the same of everybody else. Unknown beats wrong.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from statistics import median
from typing import Final

from orchestration.transcript.segments import Segment, SpeakerName

METHOD: Final = "google_meet_api"

LOW_CONFIDENCE = 0.7
"""A line whose speaker is less sure than this may get another."""

SETTLED_METHODS = frozenset({"own_stream", "manual", METHOD})
"""Names that no entry changes, however sure: the speaker's own stream, and people's own word."""

SLACK_NS = 3_000_000_000
"""Entries this far from a line are compared with it: Meet's times are not exact."""

MAX_SHIFT_NS = 15_000_000_000
MIN_SHIFT_PAIRS = 3
SHIFT_WORDS = 3
"""The clocks differ by the median over lines and entries, at most 15 s apart, that begin with the
same 3 words; with fewer than 3 such pairs they are taken for the same."""

MIN_LIKENESS = 0.6
MIN_LEAD = 0.2
TEXT_WEIGHT = 0.7
"""A line's words must be found to this share, and the score (text by this weight, the rest time)
must lead by this much over the next attendee's."""

SHORT_WORDS = 4
MIN_SHORT_LEAD = 0.35
"""A line of fewer words, which many say, must lead by more than time alone can give."""

MAX_ENTRIES_TOLD = 5
"""Entries that are kept as evidence of one line."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
"""A word; a character each in scripts without spaces."""


@dataclass(frozen=True, slots=True)
class SaidBy:
    """One of Meet's entries on the session's timeline, by the session's participant."""

    participant_id: str
    name: str
    text: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Repaint:
    """Lines that are one speaker's after all, each with its next revision, and why: `evidence` has
    the speaker's entries around each line, `shift_ns` is how far they are behind."""

    speaker: SpeakerName
    segments: tuple[Segment, ...]
    evidence: tuple[tuple[SaidBy, ...], ...] = ()
    shift_ns: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    participant_id: str
    words: tuple[str, ...]
    start_ns: int
    end_ns: int
    said: SaidBy


@dataclass(frozen=True, slots=True)
class _Named:
    """A line, how sure its speaker is, and their entries around it."""

    segment: Segment
    confidence: float
    said: tuple[SaidBy, ...]


def plan_repaints(segments: Sequence[Segment], said: Sequence[SaidBy]) -> list[Repaint]:
    """Lines that are unnamed, or named with little confidence, and whose they are by the entries.

    A repaint's confidence is the lowest of its lines'.
    """
    entries = [
        _Entry(one.participant_id, _words(one.text), one.start_ns, one.end_ns, one) for one in said
    ]
    shift_ns = clock_shift_ns(segments, said)
    names = {one.participant_id: one.name for one in said}
    named: defaultdict[str, list[_Named]] = defaultdict(list)
    ordered = sorted(entries, key=lambda one: one.start_ns)
    first = 0
    longest_ns = max((one.end_ns - one.start_ns for one in ordered), default=0)
    for segment in sorted(segments, key=lambda one: one.start_ns):
        since_ns = segment.start_ns + shift_ns - SLACK_NS - longest_ns
        while first < len(ordered) and ordered[first].start_ns < since_ns:
            first += 1
        if not _may_be_named(segment):
            continue
        near = list(_near(ordered, first, segment, shift_ns))
        owner = _owner(segment, near, shift_ns)
        current = segment.speaker.speaker_id if segment.speaker else None
        if owner is not None and owner[0] != current:
            theirs = tuple(one.said for one in near if one.participant_id == owner[0])
            named[owner[0]].append(_Named(segment, owner[1], theirs[:MAX_ENTRIES_TOLD]))
    return [_repaint(who, names[who], lines, shift_ns) for who, lines in named.items()]


def clock_shift_ns(segments: Sequence[Segment], said: Sequence[SaidBy]) -> int:
    """How far Meet's times are behind the session's."""
    starts: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for one in said:
        starts[_words(one.text)[:SHIFT_WORDS]].append(one.start_ns)
    shifts = []
    for segment in segments:
        beginning = _words(segment.text)[:SHIFT_WORDS]
        near = [
            start_ns - segment.start_ns
            for start_ns in starts.get(beginning, ())
            if abs(start_ns - segment.start_ns) <= MAX_SHIFT_NS
        ]
        if len(beginning) == SHIFT_WORDS and len(near) == 1:
            shifts.append(near[0])
    return round(median(shifts)) if len(shifts) >= MIN_SHIFT_PAIRS else 0


def _may_be_named(segment: Segment) -> bool:
    speaker = segment.speaker
    return speaker is None or (
        speaker.method not in SETTLED_METHODS and speaker.confidence < LOW_CONFIDENCE
    )


def _near(
    ordered: Sequence[_Entry], first: int, segment: Segment, shift_ns: int
) -> Iterable[_Entry]:
    """Entries around a segment, in order."""
    for index in range(first, len(ordered)):
        entry = ordered[index]
        if entry.start_ns > segment.end_ns + shift_ns + SLACK_NS:
            return
        if entry.end_ns >= segment.start_ns + shift_ns - SLACK_NS:
            yield entry


def _owner(segment: Segment, near: Iterable[_Entry], shift_ns: int) -> tuple[str, float] | None:
    """Whose a line is, and how sure that is; None when nothing tells."""
    by_attendee: defaultdict[str, list[_Entry]] = defaultdict(list)
    for entry in near:
        by_attendee[entry.participant_id].append(entry)
    likeness = {who: _likeness(segment, entries) for who, entries in by_attendee.items()}
    scores = {
        who: TEXT_WEIGHT * likeness[who]
        + (1 - TEXT_WEIGHT) * _covered_share(segment, entries, shift_ns)
        for who, entries in by_attendee.items()
    }
    is_short = len(_words(segment.text)) < SHORT_WORDS
    return _leader(scores, likeness, MIN_SHORT_LEAD if is_short else MIN_LEAD)


def _leader(
    scores: Mapping[str, float], likeness: Mapping[str, float], min_lead: float
) -> tuple[str, float] | None:
    ranked = sorted(scores, key=lambda who: scores[who], reverse=True)
    if not ranked or likeness[ranked[0]] < MIN_LIKENESS:
        return None
    lead = scores[ranked[0]] - (scores[ranked[1]] if len(ranked) > 1 else 0.0)
    return (ranked[0], scores[ranked[0]]) if lead >= min_lead else None


def _likeness(segment: Segment, entries: Sequence[_Entry]) -> float:
    """The share of a line's words that an attendee's entries have in the same order."""
    words = _words(segment.text)
    if not words:
        return 0.0
    said = [word for entry in entries for word in entry.words]
    blocks = SequenceMatcher(None, words, said, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(words)


def _covered_share(segment: Segment, entries: Sequence[_Entry], shift_ns: int) -> float:
    start_ns, end_ns = segment.start_ns + shift_ns, segment.end_ns + shift_ns
    covered_ns = sum(
        max(0, min(end_ns, entry.end_ns) - max(start_ns, entry.start_ns)) for entry in entries
    )
    return min(1.0, covered_ns / max(1, end_ns - start_ns))


def _repaint(who: str, name: str, lines: Sequence[_Named], shift_ns: int) -> Repaint:
    speaker = SpeakerName(who, name, min(one.confidence for one in lines), METHOD)
    return Repaint(
        speaker,
        tuple(
            replace(one.segment, speaker=speaker, revision=one.segment.revision + 1)
            for one in lines
        ),
        tuple(one.said for one in lines),
        shift_ns,
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))
