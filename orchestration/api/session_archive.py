"""A whole session as one ZIP archive, sent while it is read, by the page."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel

from orchestration.api.coverage import gaps_json, stream_coverages
from orchestration.api.recording import PIECE_BYTES, make_recording
from orchestration.api.session_data_views import (
    chunk_view,
    correlation_view,
    participant_view,
    translation_view,
)
from orchestration.api.session_statistics import statistics_view
from orchestration.api.speaker_views import correction_view, speakers_view
from orchestration.api.time_ranges import WHOLE_NS
from orchestration.api.zip_stream import ZipStream
from orchestration.errors import NoRecording
from orchestration.json_types import JsonObject, JsonValue
from orchestration.session.events import iso_utc
from orchestration.storage.archive_ports import StoredSegment
from orchestration.storage.data_ports import DataArchive
from orchestration.storage.recordings import Recordings
from orchestration.storage.values import SessionRow, StreamRow
from orchestration.transcript.exports import srt_cues, to_text, transcript_json, vtt_cues
from orchestration.transcript.lost_stretches import lost_stretches, marks

PAGE = 200
"""Rows that are read at once."""
FORMAT, VERSION = "orchestration-session", 1

Pages = AsyncIterator[Sequence[StoredSegment]]


class SessionArchive:
    """One export. A failure on the way leaves an archive without its directory: no reader takes it
    for whole."""

    def __init__(self, archive: DataArchive, recordings: Recordings, work_dir: Path) -> None:
        """Each stream's recording is put together in `work_dir`, one after the other."""
        self._archive = archive
        self._recordings = recordings
        self._work_dir = work_dir
        self._zip = ZipStream()
        self._left_out: list[JsonValue] = []

    async def pieces(self, session: SessionRow, description: JsonObject) -> AsyncIterator[bytes]:
        """The archive piece by piece; `description` is the session's own wire form."""
        session_id = session.spec.session_id
        streams = await self._archive.streams(session_id)
        figures = statistics_view(
            session_id,
            await self._archive.statistics(session_id),
            await self._archive.correlation_figures(session_id),
        )
        people = speakers_view(session_id, await self._archive.speakers(session_id))
        whole: list[tuple[str, JsonObject]] = [
            ("session.json", description),
            (
                "coverage.json",
                {"streams": list(stream_coverages(streams)), "gaps": list(gaps_json(streams))},
            ),
            ("statistics.json", figures.model_dump()),
            ("speakers.json", people.model_dump()),
        ]
        for name, content in whole:
            async for piece in self._file(name, _once(_json(content))):
                yield piece
        for name, lines in (
            *self._transcripts(session, streams),
            ("translations.ndjson", self._listed(session_id, "translations")),
            ("participants.ndjson", self._listed(session_id, "participants")),
            ("speaker_corrections.ndjson", self._listed(session_id, "speaker_corrections")),
            ("correlations.ndjson", self._listed(session_id, "correlations")),
            ("chunks.ndjson", self._listed(session_id, "chunks")),
            ("events.ndjson", self._events(session_id)),
        ):
            async for piece in self._file(name, lines):
                yield piece
        async for piece in self._audio(session_id):
            yield piece
        manifest: JsonObject = {
            "format": FORMAT,
            "version": VERSION,
            "session_id": session_id,
            "status": session.status,
            "exported_at": iso_utc(int(datetime.now(UTC).timestamp() * 1000)),
            "files": [file.to_json() for file in self._zip.files],
            "left_out": self._left_out,
        }
        async for piece in self._file("manifest.json", _once(_json(manifest))):
            yield piece
        self._zip.close()
        yield self._zip.take()

    async def _file(
        self, name: str, content: AsyncIterator[bytes], *, compress: bool = True
    ) -> AsyncIterator[bytes]:
        self._zip.begin(name, compress=compress)
        async for piece in content:
            await asyncio.to_thread(self._zip.write, piece)
            if ready := self._zip.take():
                yield ready
        self._zip.end()
        yield self._zip.take()

    def _transcripts(
        self, session: SessionRow, streams: Sequence[StreamRow]
    ) -> list[tuple[str, AsyncIterator[bytes]]]:
        """The transcript in each format, and as text in each target language."""
        session_id = session.spec.session_id

        def pages() -> Pages:
            """Each format reads its own."""
            return _with_marks(self._segments(session_id), marks(lost_stretches(streams)))

        lines = self._segments(session_id)
        found = [
            ("transcript.json", _transcript_json(session, streams, lines)),
            ("transcript.txt", _joined(pages(), lambda page, _: [to_text(page)], "")),
            ("transcript.srt", _joined(pages(), srt_cues, "\n")),
            ("transcript.vtt", _joined(pages(), lambda page, _: vtt_cues(page), "\n", "WEBVTT\n")),
        ]
        for language in session.spec.target_languages:
            text = _joined(pages(), _text_in(language), "")
            found.append((f"transcript.{language}.txt", text))
        return found

    async def _segments(self, session_id: str) -> Pages:
        cursor: str | None = None
        while True:
            page = await self._archive.segments_page(session_id, *WHOLE_NS, PAGE, cursor)
            yield page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _listed(self, session_id: str, what: str) -> AsyncIterator[bytes]:
        cursor: str | None = None
        while True:
            views, cursor = await self._page(session_id, what, cursor)
            yield "".join(view.model_dump_json() + "\n" for view in views).encode()
            if cursor is None:
                return

    async def _page(
        self, session_id: str, what: str, cursor: str | None
    ) -> tuple[Sequence[BaseModel], str | None]:
        archive, within = self._archive, WHOLE_NS
        if what == "chunks":
            chunks = await archive.chunks_page(session_id, *within, PAGE, cursor)
            return [chunk_view(one) for one in chunks.items], chunks.next_cursor
        if what == "participants":
            people = await archive.participants_page(session_id, *within, PAGE, cursor)
            return [participant_view(one) for one in people.items], people.next_cursor
        if what == "speaker_corrections":
            said = await archive.speaker_corrections(session_id, PAGE, cursor)
            return [correction_view(one) for one in said.items], said.next_cursor
        if what == "correlations":
            found = await archive.correlations(session_id, *within, PAGE, cursor)
            return [correlation_view(one) for one in found.items], found.next_cursor
        lines = await archive.translations_page(session_id, *within, None, PAGE, cursor)
        return [translation_view(one) for one in lines.items], lines.next_cursor

    async def _events(self, session_id: str) -> AsyncIterator[bytes]:
        after = 0
        while events := await self._archive.events(session_id, after, PAGE):
            yield b"".join(_json(event.message()) for event in events)
            after = events[-1].seq

    async def _audio(self, session_id: str) -> AsyncIterator[bytes]:
        for row in await self._archive.streams(session_id):
            name = f"recordings/{row.spec.stream}.flac"
            runs = self._recordings.audio(session_id, row.spec)
            try:
                file = await make_recording(runs, row.spec.format, self._work_dir)
            except NoRecording as error:
                self._left_out.append({"name": name, "reason": error.message})
                continue
            with file:
                async for piece in self._file(name, _read(file), compress=False):
                    yield piece


def _json(content: JsonObject) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _read(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece


async def _with_marks(pages: Pages, lost: Sequence[StoredSegment]) -> Pages:
    """Pages with the marks of what was lost, each on the first page that does not end before it."""
    waiting = deque(lost)
    async for page in pages:
        due = []
        while page and waiting and waiting[0].segment.start_ns <= page[-1].segment.start_ns:
            due.append(waiting.popleft())
        yield [*page, *due]
    yield list(waiting)


def _text_in(language: str) -> Callable[[Sequence[StoredSegment], int], list[str]]:
    return lambda page, _: [to_text(page, language)]


async def _joined(
    pages: Pages,
    parts_of: Callable[[Sequence[StoredSegment], int], list[str]],
    between: str,
    *head: str,
) -> AsyncIterator[bytes]:
    """Parts of all pages with `between` among them; `parts_of` gets the next part's number."""
    count = 1
    if head:
        yield head[0].encode()
    async for page in pages:
        for part in parts_of(page, count):
            lead = between if count > 1 or head else ""
            yield (lead + part).encode("utf-8", "replace")
            count += 1


async def _transcript_json(
    session: SessionRow, streams: Sequence[StreamRow], pages: Pages
) -> AsyncIterator[bytes]:
    """What `GET …/transcript` answers, with its segments page by page."""
    whole = transcript_json(session, [], stream_coverages(streams), gaps_json(streams))
    del whole["segments"]
    yield _json(whole).rstrip()[:-1] + b', "segments": ['
    lead = b""
    async for page in pages:
        segments = transcript_json(session, page, [])["segments"]
        assert isinstance(segments, list)
        for segment in segments:
            yield lead + json.dumps(segment, ensure_ascii=False).encode("utf-8", "replace")
            lead = b",\n"
    yield b"]}\n"
