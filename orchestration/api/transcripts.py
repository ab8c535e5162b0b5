"""HTTP: what a session gave. Transcript, coverage, events, recording."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, JsonValue
from starlette.responses import JSONResponse, Response, StreamingResponse

from orchestration.api.coverage import gaps_json, stream_coverages
from orchestration.api.places import HeldResponse, Places
from orchestration.api.recording import make_recording, pieces
from orchestration.api.session_ids import SessionId
from orchestration.api.sessions import Language
from orchestration.api.time_ranges import WHOLE_NS, TimeRange
from orchestration.errors import NoRecording
from orchestration.session.fields import MAX_INTEGER, MAX_STREAM
from orchestration.session.status import SessionStatus
from orchestration.storage.archive_ports import Archive
from orchestration.storage.data_ports import DataArchive
from orchestration.storage.recordings import Recordings
from orchestration.transcript.exports import to_srt, to_text, to_vtt, transcript_json
from orchestration.transcript.lost_stretches import lost_stretches, marks

MAX_EVENTS_PAGE = 1000
MAX_RECORDINGS_AT_ONCE = 2
"""Recordings made at once by one process; one more is refused with 429."""
MAX_RECORDINGS_SENT = 16
"""Recordings under way to their callers, each a file on the disk; one more is refused with 429."""

TranscriptFormat = Literal["json", "txt", "srt", "vtt"]

_FILE_FORMATS = {
    "txt": (to_text, "text/plain; charset=utf-8"),
    "srt": (to_srt, "application/x-subrip; charset=utf-8"),
    "vtt": (to_vtt, "text/vtt; charset=utf-8"),
}


class SpeakerView(BaseModel):
    """Whose words these are, how sure that is (0 to 1), and by what evidence."""

    id: str
    name: str
    confidence: float
    method: str


class WordView(BaseModel):
    """A word; seconds of session time."""

    text: str
    start: float
    end: float
    probability: float


class TranslationView(BaseModel):
    """A segment's text in another language."""

    text: str
    state: str


class SegmentView(BaseModel):
    """Consecutive words of one speaker; seconds of session time."""

    segment_id: str
    revision: int
    state: Literal["pending", "final"]
    stream: int
    start: float
    end: float
    absolute_start: str
    absolute_end: str
    speaker: SpeakerView | None
    language: str
    text: str
    words: list[WordView]
    translations: dict[str, TranslationView]


class StreamCoverageView(BaseModel):
    """Samples per channel by fate; transcribed, silent, pending and lost add up to duration."""

    id: int
    sample_rate: int
    duration: int
    transcribed: int
    silent: int
    pending: int
    lost: int
    lost_by_reason: dict[str, int]


class GapView(BaseModel):
    """A second or more of a stream's audio that was lost; seconds of session time."""

    stream: int
    start: float
    end: float
    reason: str


class CoverageView(BaseModel):
    """The coverage of a session's streams, and where lines may be missing, in order of start."""

    streams: list[StreamCoverageView]
    gaps: list[GapView]


class TranscriptView(BaseModel):
    """A session's final segments and what they cover."""

    session_id: str
    status: SessionStatus
    language: str | None
    segments: list[SegmentView]
    coverage: CoverageView


class EventPage(BaseModel):
    """Durable events in order of `seq`; `next_cursor` asks for the following ones."""

    session_id: str
    items: list[dict[str, JsonValue]]
    next_cursor: str | None


def transcripts_router(archive: DataArchive, recordings: Recordings, work_dir: Path) -> APIRouter:
    """`/api/sessions/{session_id}/…`; recordings are put together in `work_dir`."""
    router = APIRouter(prefix="/api/sessions/{session_id}", tags=["transcripts"])

    @router.get(
        "/transcript",
        response_model=TranscriptView,
        responses={
            200: {
                "content": {
                    "text/plain": {},
                    "application/x-subrip": {},
                    "text/vtt": {},
                }
            }
        },
    )
    async def transcript(
        session_id: SessionId,
        form: Annotated[TranscriptFormat, Query(alias="format")] = "json",
        language: Annotated[Language | None, Query()] = None,
    ) -> Response:
        """Final segments. With `language`, files take that translation where there is one. Files
        have a line where audio was lost."""
        row = await archive.session(session_id)
        segments = await archive.segments(session_id)
        streams = await archive.streams(session_id)
        if form == "json":
            coverage, gaps = stream_coverages(streams), gaps_json(streams)
            # A long meeting's words take the loop's time to encode, and others wait.
            return await asyncio.to_thread(
                lambda: JSONResponse(transcript_json(row, segments, coverage, gaps))
            )
        export, media_type = _FILE_FORMATS[form]
        shown = [*segments, *marks(lost_stretches(streams))]
        text = await asyncio.to_thread(export, shown, language)
        disposition = f'attachment; filename="{session_id}.{form}"'
        return Response(text, media_type=media_type, headers={"Content-Disposition": disposition})

    @router.get("/coverage")
    async def coverage(session_id: SessionId) -> CoverageView:
        """Every sample's fate, as stored, and where audio was lost."""
        rows = await archive.streams(session_id)
        found = {"streams": stream_coverages(rows), "gaps": gaps_json(rows)}
        return CoverageView.model_validate(found)

    @router.get("/events")
    async def events(
        session_id: SessionId,
        within: TimeRange,
        after: Annotated[int, Query(ge=0, le=MAX_INTEGER)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_EVENTS_PAGE)] = MAX_EVENTS_PAGE,
        cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
    ) -> EventPage:
        """Durable events after `after` that were told in a range of session time; a cursor goes on
        from its page."""
        start = int(cursor) if cursor else after
        await archive.session(session_id)
        if within == WHOLE_NS:
            found = await archive.events(session_id, start, limit)
        else:
            found = await archive.events_between(session_id, start, *within, limit)
        more = len(found) == limit
        return EventPage(
            session_id=session_id,
            items=[event.message() for event in found],
            next_cursor=str(found[-1].seq) if more else None,
        )

    _add_recording(router, archive, recordings, work_dir)
    return router


def _add_recording(
    router: APIRouter, archive: Archive, recordings: Recordings, work_dir: Path
) -> None:
    making = Places(
        MAX_RECORDINGS_AT_ONCE,
        "max_recordings_at_once",
        "Other recordings are being made; ask again in a while.",
    )
    sending = Places(
        MAX_RECORDINGS_SENT,
        "max_recordings_sent",
        "Other recordings are being sent; ask again in a while.",
    )

    @router.get(
        "/recording",
        response_class=StreamingResponse,
        responses={200: {"content": {"audio/flac": {}}}},
    )
    async def recording(
        session_id: SessionId, stream: Annotated[int, Query(ge=0, le=MAX_STREAM)]
    ) -> StreamingResponse:
        """A stream's audio as it came, 16 bit; what the capture skipped is silence."""
        rows = await archive.streams(session_id)
        specs = {row.spec.stream: row.spec for row in rows}
        if stream not in specs:
            raise NoRecording(f"Session {session_id} has no stream {stream}.", {"stream": stream})
        sending.take()
        try:
            with making.held():
                runs = recordings.audio(session_id, specs[stream])
                file = await make_recording(runs, specs[stream].format, work_dir)
        except BaseException:
            sending.give_back()
            raise
        headers = {
            "Content-Length": str(os.fstat(file.fileno()).st_size),
            "Content-Disposition": f'attachment; filename="{session_id}-{stream}.flac"',
        }
        return HeldResponse(sending, pieces(file), media_type="audio/flac", headers=headers)
