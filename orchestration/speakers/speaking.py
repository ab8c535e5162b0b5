"""Whose a span is by speaking intervals, and by the utterance that it is in. Pure.

A word within somebody's turn is theirs. Where the intervals tell less, at their edges, beside them
and in flickers, the word's whole utterance has to be that person's: a turn whose events got lost
lies beside those of its neighbours, and would be theirs at both ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.speakers.intervals import NEAREST_NS, SpeakingInterval, is_flicker
from orchestration.speakers.overlaps import whose
from orchestration.speakers.utterances import Span

MAX_BRIDGED_NS = 2_000_000_000
"""A pause of this length between two turns of one person, in which nobody else is said to speak,
is theirs as well: an indicator goes out at a breath."""

FIRM_SHARE = 0.5
"""A word of which a turn covers more than this is within it, else at its edge."""

MAX_RIVAL_SHARE = 0.5
"""A word that a second speaker covers by more than this share of what the first one covers is
nobody's: of two who speak at once, events cannot tell whose word whisper wrote."""

MIN_COVERED = 0.5
"""Share of an utterance that somebody's intervals cover, where they are not firm, or too short for
a turn."""


@dataclass(frozen=True, slots=True)
class Speaking:
    """Who is said to speak during a span, the longest first: nanoseconds, negative for a distance.

    `depth_ns` is how far the span lies inside the best one's interval, negative when it sticks out.
    """

    overlaps: tuple[tuple[str, int], ...]
    depth_ns: int = 0
    inferred: bool = False
    flickers: frozenset[str] = frozenset()
    """Who is said to speak for a moment inside somebody's turn."""

    whose: str | None = None
    """Of several who speak at once, the one whose words they are by the words around."""

    @property
    def best(self) -> str | None:
        return self.overlaps[0][0] if self.overlaps else None

    @property
    def overlap_ns(self) -> int:
        return self.overlaps[0][1] if self.overlaps else 0

    @property
    def rival_ns(self) -> int:
        """What the second covers of the span, 0 for nothing."""
        return max(0, self.overlaps[1][1]) if len(self.overlaps) > 1 else 0

    @property
    def speaker(self) -> str | None:
        """Who speaks; of two at once, whose words it is, None when nothing tells."""
        return self.whose if self.is_contested else self.best

    @property
    def is_contested(self) -> bool:
        """Whether two are said to speak at once."""
        return 0 < self.overlap_ns * MAX_RIVAL_SHARE < self.rival_ns


NOBODY = Speaking(())


def speaking(
    near: Sequence[SpeakingInterval],
    start_ns: int,
    end_ns: int,
    within: Span | None,
    sentence: Span | None = None,
) -> Speaking:
    """Who is said to speak during a span, or near it, or on both sides of it.

    `near` are the intervals around it; `within` is the utterance and `sentence` the sentence that
    it is in, None when they are not known.
    """
    from_ns = (start_ns if within is None else min(start_ns, within[0])) - MAX_BRIDGED_NS
    near = [one for one in near if one.end_ns is None or one.end_ns >= from_ns]
    near = [one for one in near if not one.overran or _touches_an_end(one, within)]
    flickers: frozenset[str] = frozenset()
    if any(not is_flicker(one) and _overlap_ns(one, start_ns, end_ns) > 0 for one in near):
        inside = frozenset(one for one in near if is_flicker(one) and not _fits(one, within))
        flickers = frozenset(
            one.participant_id for one in inside if _overlap_ns(one, start_ns, end_ns) > 0
        )
        near = [one for one in near if one not in inside]
    best: dict[str, tuple[int, SpeakingInterval]] = {}
    for one in near:
        overlap_ns = _overlap_ns(one, start_ns, end_ns)
        if one.participant_id not in best or overlap_ns > best[one.participant_id][0]:
            best[one.participant_id] = (overlap_ns, one)
    # A person's own two turns beside the span outweigh whoever else is near.
    if not any(overlap_ns > 0 for overlap_ns, _ in best.values()):
        bridging = _bridging(near, start_ns, end_ns)
        if bridging is not None:
            covered = max(_covered_share(near, bridging, one) for one in (within, sentence))
            bridged = Speaking(((bridging, end_ns - start_ns),), 0, inferred=True)
            return bridged if covered >= MIN_COVERED else NOBODY
    ranked = sorted(best.items(), key=lambda one: -one[1][0])
    ranked = [one for one in ranked if one[1][0] >= -NEAREST_NS]
    if not ranked:
        return NOBODY
    who, (overlap_ns, first) = ranked[0]
    is_firm = overlap_ns > FIRM_SHARE * (end_ns - start_ns) and not is_flicker(first)
    if not is_firm:
        ranked = [one for one in ranked if max(_covered_share(near, one[0], w) for w in (within, sentence)) >= MIN_COVERED]
        if not ranked:
            return NOBODY
        who, (overlap_ns, first) = ranked[0]
    return Speaking(
        tuple((who, overlap_ns) for who, (overlap_ns, _) in ranked),
        _depth_ns(first, start_ns, end_ns),
        first.inferred,
        flickers,
        whose(near, (start_ns, end_ns), within, sentence),
    )


def _fits(interval: SpeakingInterval, within: Span | None) -> bool:
    """Whether a short interval is an utterance of its own rather than a flicker."""
    return within is not None and _overlap_ns(interval, *within) >= MIN_COVERED * (
        within[1] - within[0]
    )


def _bridging(near: Sequence[SpeakingInterval], start_ns: int, end_ns: int) -> str | None:
    closed = [one for one in near if one.end_ns is not None]
    before = [one for one in closed if one.start_ns <= start_ns]
    later = [one for one in closed if one.start_ns > start_ns]
    if not before or not later:
        return None
    previous = max(before[-4:], key=lambda one: one.end_ns or 0)
    following = later[0]
    assert previous.end_ns is not None
    if following.start_ns - previous.end_ns > MAX_BRIDGED_NS or following.start_ns < end_ns:
        return None
    same = previous.participant_id == following.participant_id
    return previous.participant_id if same else None


def _covered_share(
    near: Sequence[SpeakingInterval], who: str, within: Span | None
) -> float:
    """The share of an utterance that somebody's intervals cover, all of one that is not known."""
    if within is None:
        return 1.0
    covered_ns = sum(max(0, _overlap_ns(one, *within)) for one in near if one.participant_id == who)
    return covered_ns / max(1, within[1] - within[0])


def _touches_an_end(interval: SpeakingInterval, within: Span | None) -> bool:
    """Whether an utterance is where an interval began or ended, that overran in between."""
    return within is not None and any(
        at_ns is not None and within[0] - NEAREST_NS <= at_ns <= within[1] + NEAREST_NS
        for at_ns in (interval.start_ns, interval.end_ns)
    )


def _overlap_ns(interval: SpeakingInterval, start_ns: int, end_ns: int) -> int:
    """Nanoseconds in common; negative is the distance between the two."""
    interval_end_ns = end_ns if interval.end_ns is None else interval.end_ns
    if interval.end_ns is None and interval.start_ns > end_ns:
        interval_end_ns = interval.start_ns
    return min(end_ns, interval_end_ns) - max(start_ns, interval.start_ns)


def _depth_ns(interval: SpeakingInterval, start_ns: int, end_ns: int) -> int:
    after_ns = start_ns - interval.start_ns
    return after_ns if interval.end_ns is None else min(after_ns, interval.end_ns - end_ns)
