"""What is left of a session when all is over, against what went in."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from orchestration.client.api import OrchestrationClient
from orchestration.client.player import FRAME_MS
from orchestration.json_types import JsonObject
from orchestration.storage.pool import connect
from tests.chaos.coded_audio import CodedMeeting, Samples
from tests.chaos.figures import WordFigures, compare_words, holes

JOURNAL = """
    SELECT seq, first_sample, sample_count FROM bot_sessions.audio_journal
    WHERE session_id = $1 AND stream = 0 ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """A finished session's faults; all zero for a session that nothing happened to."""

    session_id: str
    words_said: int
    words: WordFigures
    live_words: WordFigures
    """As a viewer who was there all the time saw them become final."""
    frames_missing: int
    """Frames sent, all of them acked, whose samples the recording has not, or has wrong."""
    frames_doubled: int
    """Journal rows that hold samples of another one."""
    event_holes: int
    events_unlike: int
    """Durable events that the viewer saw and the service does not tell again, or the reverse."""
    samples_astray: int
    """By which coverage and duration differ from what was sent, or that are pending or lost."""

    @property
    def is_right(self) -> bool:
        return self.words.is_right and self.live_words.is_right and not any(self.counts)

    @property
    def counts(self) -> tuple[int, ...]:
        return (
            self.frames_missing,
            self.frames_doubled,
            self.event_holes,
            self.events_unlike,
            self.samples_astray,
        )


async def check_session(
    client: OrchestrationClient,
    dsn: str,
    session_id: str,
    meeting: CodedMeeting,
    watched: Sequence[JsonObject],
) -> SessionFigures:
    """Count the faults of a completed session whose stream 0 was `meeting`.

    `watched` are the durable events that a viewer saw, from the first on.
    """
    transcript: Any = await client.transcript(session_id)
    said = [word.word_id for word in meeting.words]
    stored = await all_events(client, session_id)
    flac = b"".join([part async for part in client.recording(session_id, 0)])
    recorded, _ = soundfile.read(io.BytesIO(flac), dtype="int16")
    return SessionFigures(
        session_id=session_id,
        words_said=len(said),
        words=compare_words(said, _words(transcript["segments"])),
        live_words=compare_words(said, _words(_final_segments(watched))),
        frames_missing=_frames_missing(meeting, recorded),
        frames_doubled=await _frames_doubled(dsn, session_id),
        event_holes=_event_holes(stored) + _event_holes(watched),
        events_unlike=unlike(watched, stored),
        samples_astray=_samples_astray(transcript["coverage"]["streams"], meeting),
    )


async def all_events(client: OrchestrationClient, session_id: str) -> list[JsonObject]:
    """Every durable event of a session."""
    events: list[JsonObject] = []
    while True:
        after = _seq(events[-1]) if events else 0
        page: Any = (await client.events(session_id, after=after))["items"]
        if not page:
            return events
        events += page


def unlike(some: Sequence[JsonObject], others: Sequence[JsonObject]) -> int:
    """How many events of two runs of them are not the same in both."""
    by_seq = {_seq(event): event for event in others}
    same = sum(by_seq.get(_seq(event)) == event for event in some)
    return max(len(some), len(others)) - same


def _event_holes(events: Sequence[JsonObject]) -> int:
    return holes([_seq(event) for event in events], 1)


def _seq(event: JsonObject) -> int:
    seq = event["seq"]
    assert isinstance(seq, int)
    return seq


def _final_segments(events: Sequence[JsonObject]) -> list[Any]:
    return [event["segment"] for event in events if event["type"] == "segment"]


def _words(segments: Sequence[Any]) -> list[str]:
    return [word["text"] for segment in segments for word in segment["words"]]


def _frames_missing(meeting: CodedMeeting, recorded: Samples) -> int:
    sent = meeting.samples
    frame = FRAME_MS * meeting.sample_rate // 1000
    return sum(
        not np.array_equal(sent[at : at + frame], recorded[at : at + frame])
        for at in range(0, len(sent), frame)
    ) + -(-max(0, len(recorded) - len(sent)) // frame)


async def _frames_doubled(dsn: str, session_id: str) -> int:
    connection = await connect(dsn, connect_timeout_s=10)
    try:
        rows = await connection.fetch(JOURNAL, session_id)
    finally:
        await connection.close()
    doubled, heard_to = 0, 0
    for row in rows:
        doubled += row["first_sample"] < heard_to
        heard_to = row["first_sample"] + row["sample_count"]
    # Rows go from the front once their words are final and their audio is in a file.
    return doubled + (holes([row["seq"] for row in rows], rows[0]["seq"]) if rows else 0)


def _samples_astray(streams: Sequence[Any], meeting: CodedMeeting) -> int:
    (only,) = streams
    fates = sum(only[fate] for fate in ("transcribed", "silent", "pending", "lost"))
    astray: int = (
        abs(only["duration"] - len(meeting.samples))
        + abs(fates - only["duration"])
        + only["pending"]
        + only["lost"]
    )
    return astray
