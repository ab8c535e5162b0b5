"""Values of the service to PostgreSQL's rows, and back."""

from collections.abc import Sequence
from typing import TypeAlias

import asyncpg

from orchestration.audio.pcm import PcmFormat
from orchestration.json_types import JsonObject, JsonValue
from orchestration.session.events import DurableEvent, TranslatedText
from orchestration.session.inputs import ParticipantRef, StreamSpec
from orchestration.storage.stored_text import storable_text
from orchestration.storage.values import (
    JournalFrame,
    ParticipantRow,
    RecordedFile,
    SampleRange,
    SessionRow,
    SessionSpec,
    StreamProgress,
    StreamRow,
)
from orchestration.transcript.segments import Segment, SpeakerName, TimedWord

Row: TypeAlias = asyncpg.Record

SESSION_COLUMNS = """session_id, meeting_id, meeting_title, language, target_languages, settings,
    status, status_detail, created_at, end_time, zero_unix_ms, actor_name, epoch"""

SEGMENT_COLUMNS = """transcript_id, revision, stream, start_ns, end_ns, speaker_id, speaker_name,
    speaker_confidence, speaker_method, language_code, words"""

PARTICIPANTS = """
SELECT participant_id, display_name, email, is_bot, joined_ns, left_ns
FROM bot_sessions.participants WHERE session_id = $1
ORDER BY joined_ns NULLS LAST, participant_id
"""

STREAMS_OF_SESSION = """
SELECT s.*, coalesce(last.seq + 1, 0) AS next_seq,
    coalesce(last.first_sample + last.sample_count, 0) AS next_sample,
    gaps.starts, gaps.ends, gaps.reasons
FROM bot_sessions.streams s
LEFT JOIN LATERAL (
    SELECT j.seq, j.first_sample, j.sample_count FROM bot_sessions.audio_journal j
    WHERE j.session_id = s.session_id AND j.stream = s.stream ORDER BY j.seq DESC LIMIT 1
) last ON true
CROSS JOIN LATERAL (
    SELECT array_agg(g.start_sample ORDER BY g.start_sample) AS starts,
        array_agg(g.end_sample ORDER BY g.start_sample) AS ends,
        array_agg(g.reason ORDER BY g.start_sample) AS reasons
    FROM bot_sessions.gaps g WHERE g.session_id = s.session_id AND g.stream = s.stream
) gaps
WHERE s.session_id = $1 ORDER BY s.stream
"""


def optional_text(text: str | None) -> str | None:
    return None if text is None else storable_text(text)


def session_from(row: Row) -> SessionRow:
    spec = SessionSpec(
        session_id=row["session_id"],
        meeting_id=row["meeting_id"],
        title=row["meeting_title"],
        language=row["language"],
        target_languages=tuple(row["target_languages"]),
        settings=row["settings"],
    )
    return SessionRow(
        spec=spec,
        status=row["status"],
        status_detail=row["status_detail"],
        created_at=row["created_at"],
        ended_at=row["end_time"],
        zero_unix_ms=row["zero_unix_ms"],
        actor_name=row["actor_name"],
        epoch=row["epoch"],
    )


def stream_from(row: Row) -> StreamRow:
    participant = None
    if row["participant_id"] is not None:
        participant = ParticipantRef(
            participant_id=row["participant_id"],
            name=row["participant_name"],
            email=row["participant_email"],
            is_bot=row["participant_is_bot"],
        )
    audio = PcmFormat(row["encoding"], row["sample_rate"], row["channels"])
    return StreamRow(
        spec=StreamSpec(row["stream"], audio, participant),
        next_seq=row["next_seq"],
        next_sample=row["next_sample"],
        last_seq=row["last_seq"],
        progress=None if row["duration"] is None else progress_from(row),
        lost=tuple(
            SampleRange(start, end, reason)
            for start, end, reason in zip(
                row["starts"] or (), row["ends"] or (), row["reasons"] or (), strict=True
            )
        ),
    )


def progress_from(row: Row) -> StreamProgress:
    return StreamProgress(
        stream=row["stream"],
        offset_ns=row["offset_ns"],
        duration=row["duration"],
        frontier=row["frontier"],
        transcribed=row["transcribed_samples"],
        silent=row["silent_samples"],
        transcribed_to_frontier=row["transcribed_to_frontier"],
    )


def segment_from(row: Row) -> Segment:
    speaker = None
    if row["speaker_id"] is not None:
        speaker = SpeakerName(
            speaker_id=row["speaker_id"],
            name=row["speaker_name"],
            confidence=row["speaker_confidence"],
            method=row["speaker_method"],
        )
    return Segment(
        segment_id=row["transcript_id"],
        revision=row["revision"],
        stream=row["stream"],
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        speaker=speaker,
        language=row["language_code"],
        words=tuple(TimedWord(**word) for word in row["words"]),
    )


def words_json(words: Sequence[TimedWord]) -> list[JsonValue]:
    return [
        {
            "text": word.text,
            "start_ns": word.start_ns,
            "end_ns": word.end_ns,
            "probability": word.probability,
            **_voice_json(word),
        }
        for word in words
    ]


def _voice_json(word: TimedWord) -> JsonObject:
    """The label, and how likely it is, where they are known."""
    told = {"label": word.label, "label_probability": word.label_probability}
    return {name: value for name, value in told.items() if value is not None}


def mean_probability(words: Sequence[TimedWord]) -> float | None:
    return sum(word.probability for word in words) / len(words) if words else None


def frame_from(row: Row) -> JournalFrame:
    return JournalFrame(
        stream=row["stream"],
        seq=row["seq"],
        first_sample=row["first_sample"],
        sample_count=row["sample_count"],
        content_hash=row["content_hash"],
        payload=row["payload"],
        received_ns=row["received_ns"],
    )


def file_from(row: Row) -> RecordedFile:
    return RecordedFile(
        session_id=row["session_id"],
        stream=row["stream"],
        first_seq=row["first_seq"],
        last_seq=row["last_seq"],
        first_sample=row["first_sample"],
        end_sample=row["end_sample"],
        sample_rate=row["sample_rate"],
        channels=row["channels"],
        size_bytes=row["file_size"],
        sha256=row["file_hash"],
    )


def event_from(row: Row) -> DurableEvent:
    body: JsonObject = row["event_data"]
    return DurableEvent(row["seq"], row["event_type"], body)


def participant_from(row: Row) -> ParticipantRow:
    participant = ParticipantRef(
        participant_id=row["participant_id"],
        name=row["display_name"],
        email=row["email"],
        is_bot=row["is_bot"],
    )
    return ParticipantRow(participant, row["joined_ns"], row["left_ns"])


def translated_from(row: Row) -> TranslatedText:
    return TranslatedText(row["target_language"], row["translated_text"], row["state"])
