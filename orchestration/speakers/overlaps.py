"""Whose a word is that two are said to speak at once. Pure; times are the platform's, in ns.

Whisper writes down one of two who speak at once, and what it writes are sentences. So the words
around an overlap tell whose it is: an interjection does not take the words of the turn that it is
in, unless it is what was written, and a sentence that somebody mostly has to themselves is theirs
to its end. Where neither holds it is nobody's.
"""

from collections.abc import Sequence
from itertools import pairwise

from orchestration.speakers.intervals import SpeakingInterval
from orchestration.speakers.utterances import Span

MAX_INTERJECTION_NS = 1_500_000_000
"""A shorter interval inside another's turn is an "mm hmm" or a "right", not a turn."""

FITTING_NS = 400_000_000
"""An interval that begins and ends within this of a sentence is that sentence's."""

MIN_SENTENCE_SHARE = 0.5
"""Share of a sentence that somebody alone is said to speak, by which all of it is theirs."""


def whose(
    near: Sequence[SpeakingInterval], word: Span, utterance: Span | None, sentence: Span | None
) -> str | None:
    """Whose the word is, None when nothing tells.

    Args:
        near: the speaking intervals around the word.
        word: where it lies.
        utterance: the words without a pause that it is among, None when they are not known.
        sentence: the sentence that it is in, likewise.
    """
    rivals = [one for one in near if _common_ns(one, word) > 0]
    interjections = [one for one in rivals if _is_interjection(one, rivals)]
    written = [one.participant_id for one in interjections if _fits(one, utterance, sentence)]
    if written:
        return written[0] if len(written) == 1 else None
    rivals = [one for one in rivals if one not in interjections]
    people = {one.participant_id for one in rivals}
    if len(people) == 1:
        return people.pop()
    if not people or sentence is None:
        return None
    alone_ns = {who: _alone_ns(near, who, sentence) for who in people}
    best = max(alone_ns, key=lambda who: alone_ns[who])
    is_theirs = alone_ns[best] >= MIN_SENTENCE_SHARE * (sentence[1] - sentence[0])
    return best if is_theirs else None


def _is_interjection(interval: SpeakingInterval, rivals: Sequence[SpeakingInterval]) -> bool:
    if interval.end_ns is None or interval.end_ns - interval.start_ns >= MAX_INTERJECTION_NS:
        return False
    return any(
        other.participant_id != interval.participant_id
        and other.start_ns <= interval.start_ns
        and (other.end_ns is None or other.end_ns >= interval.end_ns)
        for other in rivals
    )


def _fits(interval: SpeakingInterval, utterance: Span | None, sentence: Span | None) -> bool:
    """Whether an interval is about where a sentence is that was said in one breath."""
    if interval.end_ns is None or utterance is None or sentence is None:
        return False
    start_ns, end_ns = max(utterance[0], sentence[0]), min(utterance[1], sentence[1])
    edges_off_ns = (abs(interval.start_ns - start_ns), abs(interval.end_ns - end_ns))
    return max(edges_off_ns) <= FITTING_NS


def _alone_ns(near: Sequence[SpeakingInterval], who: str, span: Span) -> int:
    """How much of a span somebody is said to speak while nobody else is."""
    edges = sorted(
        {*span}
        | {
            at_ns
            for one in near
            for at_ns in (one.start_ns, one.end_ns)
            if at_ns is not None and span[0] < at_ns < span[1]
        }
    )
    return sum(
        end_ns - start_ns
        for start_ns, end_ns in pairwise(edges)
        if {one.participant_id for one in near if _common_ns(one, (start_ns, end_ns)) > 0} == {who}
    )


def _common_ns(interval: SpeakingInterval, span: Span) -> int:
    end_ns = span[1] if interval.end_ns is None else min(interval.end_ns, span[1])
    return max(0, end_ns - max(interval.start_ns, span[0]))
