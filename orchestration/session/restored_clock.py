"""The session's timeline as an earlier incarnation left it, and its last words on their samples."""

from orchestration.storage.journal_ports import Claim
from orchestration.storage.values import StreamRow
from orchestration.timing.clock import SessionClock
from orchestration.transcript.words import Word


def restored_clock(claim: Claim) -> SessionClock:
    """Every stream that was settled lies where it lay, with all pieces of its timeline."""
    clock = SessionClock()
    offsets_ns: dict[int, int] = {}
    for row in claim.streams:
        clock.add_stream(row.spec.stream, row.spec.format.sample_rate)
        if row.progress is not None and row.progress.offset_ns is not None:
            offsets_ns[row.spec.stream] = row.progress.offset_ns
    pieces = [(one.stream, one.piece) for one in claim.timeline]
    clock.restore(claim.session.zero_unix_ms, offsets_ns, pieces)
    return clock


def committed_words(claim: Claim, row: StreamRow, clock: SessionClock) -> list[Word]:
    """The last final words of a stream, on its own samples."""
    stream = row.spec.stream
    if clock.settled_offset_ns(stream) is None:
        return []
    return [
        Word(
            word.text,
            clock.sample_at(stream, word.start_ns),
            clock.sample_at(stream, word.end_ns),
            word.probability,
        )
        for segment in claim.recent_segments
        if segment.stream == stream
        for word in segment.words
    ]
