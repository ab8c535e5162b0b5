"""Stretches of a meeting whose audio was lost: lines may be missing there."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.json_types import JsonObject
from orchestration.session.events import seconds
from orchestration.storage.archive_ports import StoredSegment
from orchestration.storage.values import StreamRow
from orchestration.timing.units import NS_PER_SECOND
from orchestration.transcript.segments import Segment, TimedWord

MIN_LOST_NS = NS_PER_SECOND
"""Shorter stretches are left out: hardly a word is missing there, and a bot may make thousands."""


CAPTURE_SKIPPED = "capture_skipped"
MIN_MARKED_SKIP_NS = 10 * NS_PER_SECOND
"""What a bot did not send is marked from here on: shorter stretches may be the silence that it
leaves out."""


@dataclass(frozen=True, slots=True)
class LostStretch:
    """Session time in which a stream's audio was lost, by where its first sample lies."""

    stream: int
    start_ns: int
    end_ns: int
    reason: str

    def to_json(self) -> JsonObject:
        """As the live `gap` event has it."""
        return {
            "stream": self.stream,
            "start": seconds(self.start_ns),
            "end": seconds(self.end_ns),
            "reason": self.reason,
        }


def lost_stretches(rows: Sequence[StreamRow]) -> list[LostStretch]:
    """Those of all streams, in order of start. A stream of which nothing was ever heard has no
    place yet, and is taken to begin with the session."""
    found = []
    for row in rows:
        offset_ns = (row.progress.offset_ns if row.progress else None) or 0
        rate = row.spec.format.sample_rate
        for one in row.lost:
            start_ns, end_ns = (
                offset_ns + sample * NS_PER_SECOND // rate for sample in (one.start, one.end)
            )
            if end_ns - start_ns >= MIN_LOST_NS:
                found.append(LostStretch(row.spec.stream, start_ns, end_ns, one.reason))
    return sorted(found, key=lambda one: (one.start_ns, one.stream))


def marks(stretches: Sequence[LostStretch]) -> list[StoredSegment]:
    """Lines for files that say how much is missing where; what was lost of several streams at the
    same time is one."""
    spans: list[tuple[int, int]] = []
    for one in stretches:
        if one.reason == CAPTURE_SKIPPED and one.end_ns - one.start_ns < MIN_MARKED_SKIP_NS:
            continue
        if spans and one.start_ns <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], one.end_ns)
        else:
            spans.append((one.start_ns, one.end_ns))
    return [_mark(start_ns, end_ns) for start_ns, end_ns in spans]


def _mark(start_ns: int, end_ns: int) -> StoredSegment:
    text = f"[{seconds(end_ns - start_ns):.0f} s of audio lost]"
    words = (TimedWord(text, start_ns, end_ns, 1.0),)
    return StoredSegment(Segment("", 0, 0, start_ns, end_ns, None, "", words), ())
