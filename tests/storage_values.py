"""What sessions store, with defaults for all that a test is not about."""

from collections.abc import Mapping, Sequence

from orchestration.audio.pcm import PcmFormat
from orchestration.session.events import DurableEvent, TranslatedText
from orchestration.session.inputs import ParticipantRef, StreamSpec
from orchestration.storage.erasure_ports import ErasureArchive, RemovedFiles
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.values import (
    ClockChangeRow,
    JournalFrame,
    LossChange,
    ParticipantRow,
    SampleRange,
    SpeakerIntervalRow,
    StreamClockRow,
    StreamProgress,
    TimelineRow,
    TranslationRow,
)
from orchestration.timing.stream_clock import ChangeKind, ClockChange, ClockEstimate
from orchestration.timing.stream_timeline import TimelinePiece
from orchestration.transcript.segments import Segment, SpeakerName, TimedWord

FRAME_SAMPLES = 1600
ANA = SpeakerName("p1", "Ana", 0.875, "own_stream")
FORMAT = PcmFormat("s16le", 16_000, 1)


def stream_spec(stream: int, name: str | None = None) -> StreamSpec:
    person = None if name is None else ParticipantRef(f"p{stream}", name, "a@example.org", True)
    return StreamSpec(stream, FORMAT, person)


def frame(seq: int, *, stream: int = 0, content: bytes = b"audio") -> JournalFrame:
    """The stream's frame `seq`, where each has `FRAME_SAMPLES`."""
    content_hash = content.ljust(16, b"#")[:16]
    first, received_ns = seq * FRAME_SAMPLES, 1_700_000_000_123_456_789 + seq
    return JournalFrame(stream, seq, first, FRAME_SAMPLES, content_hash, content, received_ns)


def segment(
    number: int,
    *,
    text: str = "hello there",
    speaker: SpeakerName | None = ANA,
    revision: int = 1,
    language: str = "en",
    stream: int = 0,
) -> Segment:
    """A segment in the session's second `number`, its words one after the other."""
    start_ns = number * 10**9
    words = tuple(
        TimedWord(word, start_ns + place * 10**8, start_ns + (place + 1) * 10**8, 0.1 + place / 7)
        for place, word in enumerate(text.split(" "))
    )
    segment_id, end_ns = f"segment-{number}", words[-1].end_ns
    return Segment(segment_id, revision, stream, start_ns, end_ns, speaker, language, words)


def event(seq: int, text: str = "hello") -> DurableEvent:
    return DurableEvent(seq, "segment", {"segment": {"text": text, "start": 1.5}})


def translation(number: int, language: str = "pt", text: str = "olá") -> TranslationRow:
    return TranslationRow(f"segment-{number}", "en", TranslatedText(language, text, "final"), "e")


def stream_clock(at_sample: int, rate_ppm: float = 50.0, *, stream: int = 0) -> StreamClockRow:
    estimate = ClockEstimate(rate_ppm, 0.5, 1_700_000_000_123_456_789, 80_000)
    return StreamClockRow(stream, at_sample, estimate)


def clock_change(at_sample: int, *, stream: int = 0) -> ClockChangeRow:
    return ClockChangeRow(stream, ClockChange(ChangeKind.CAPTURE_GAP, at_sample, 100_000_000))


def timeline_row(from_sample: int, at_ns: int, *, stream: int = 0) -> TimelineRow:
    return TimelineRow(stream, TimelinePiece(from_sample, at_ns, at_ns - 1, -50_000))


def participant(name: str = "Ana", participant_id: str = "p1") -> ParticipantRow:
    return ParticipantRow(ParticipantRef(participant_id, name, "a@b.c"), 1_500_000_000, None)


def interval(start_ns: int, end_ns: int | None) -> SpeakerIntervalRow:
    return SpeakerIntervalRow("p1", "Ana", start_ns, end_ns)


def progress(frontier: int, *, stream: int = 0) -> StreamProgress:
    """Half transcribed, half silent up to the frontier, with a second more to come."""
    half = frontier // 2
    return StreamProgress(
        stream=stream,
        offset_ns=250_000_000,
        duration=frontier + 16_000,
        frontier=frontier,
        transcribed=half,
        silent=frontier - half,
        transcribed_to_frontier=half,
    )


def losses(*lost: SampleRange, stream: int = 0) -> LossChange:
    """What is lost of a stream, in place of all that was."""
    return LossChange(stream, 0, max((one.end for one in lost), default=2**40), lost)


def stored_losses(changes: Sequence[SessionChanges], stream: int = 0) -> tuple[SampleRange, ...]:
    """What is stored as lost of a stream after these changes."""
    stored = dict[int, SampleRange]()
    for change in (one for step in changes for one in step.losses if one.stream == stream):
        for start in [start for start in stored if change.start <= start < change.end]:
            del stored[start]
        stored.update((one.start, one) for one in change.lost)
    return tuple(stored[start] for start in sorted(stored))


async def erased(archive: ErasureArchive, session_id: str) -> Mapping[str, int]:
    """Erase a session that has no files; returns the rows that went, by table."""
    erasure_id = await archive.begin_erasure("session")
    await archive.erase_session(erasure_id, session_id, RemovedFiles())
    return (await archive.receipt(erasure_id)).rows
