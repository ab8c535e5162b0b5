"""What is stored of sessions beyond their transcripts, in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from orchestration.session.events import DurableEvent
from orchestration.session.fields import MAX_INTEGER
from orchestration.storage.archive_ports import Page, Row, StoredSegment
from orchestration.storage.data_ports import (
    MATCH_END,
    MATCH_START,
    FoundLine,
    SearchQuery,
    StoredChunk,
    StoredTranslation,
)
from orchestration.storage.values import ParticipantRow, SessionRow
from tests.doubles.cursors import first_row


@dataclass
class StoredData:
    """What the listings of one session read; tests write here directly."""

    chunks: list[StoredChunk] = field(default_factory=list)
    event_told_ns: dict[int, int] = field(default_factory=dict)
    """By an event's number; session time. Zero without."""


class InMemoryData:
    """The listings and the search of `DataArchive`; a word is found as it is."""

    def data_of(self, session_id: str) -> StoredData:
        raise NotImplementedError

    def lines_of(self, session_id: str) -> Sequence[StoredSegment]:
        raise NotImplementedError

    def people_of(self, session_id: str) -> Sequence[ParticipantRow]:
        raise NotImplementedError

    def events_of(self, session_id: str) -> Sequence[DurableEvent]:
        raise NotImplementedError

    def session_rows(self) -> Iterable[SessionRow]:
        raise NotImplementedError

    async def chunks_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[StoredChunk]:
        chunks = self.data_of(session_id).chunks
        within = [one for one in chunks if one.end_ns > from_ns and one.start_ns < to_ns]
        return page_of(within, limit, cursor)

    async def translations_page(
        self,
        session_id: str,
        from_ns: int,
        to_ns: int,
        language: str | None,
        limit: int,
        cursor: str | None,
    ) -> Page[StoredTranslation]:
        found = [
            StoredTranslation(
                line.segment.segment_id,
                line.segment.stream,
                line.segment.start_ns,
                line.segment.end_ns,
                line.segment.language,
                translation,
                "e",
            )
            for line in self.lines_of(session_id)
            if line.segment.end_ns > from_ns and line.segment.start_ns < to_ns
            for translation in sorted(line.translations, key=lambda one: one.language)
            if language in (None, translation.language)
        ]
        return page_of(found, limit, cursor)

    async def participants_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[ParticipantRow]:
        within = [
            one
            for one in self.people_of(session_id)
            if (one.left_ns is None or one.left_ns > from_ns)
            and (one.joined_ns is None or one.joined_ns < to_ns)
        ]
        within.sort(
            key=lambda one: (
                MAX_INTEGER if one.joined_ns is None else one.joined_ns,
                one.participant.participant_id,
            )
        )
        return page_of(within, limit, cursor)

    async def events_between(
        self, session_id: str, after: int, from_ns: int, to_ns: int, limit: int
    ) -> Sequence[DurableEvent]:
        told_ns = self.data_of(session_id).event_told_ns
        return [
            event
            for event in self.events_of(session_id)
            if event.seq > after and from_ns <= told_ns.get(event.seq, 0) < to_ns
        ][:limit]

    async def search(self, query: SearchQuery, limit: int, cursor: str | None) -> Page[FoundLine]:
        found = [
            _found(row, line, query.text)
            for row in self.session_rows()
            if query.session_id in (None, row.spec.session_id)
            for line in self.lines_of(row.spec.session_id)
            if query.text in line.segment.text and query.language in (None, line.segment.language)
        ]
        return page_of(found, limit, cursor)


def page_of(rows: Sequence[Row], limit: int, cursor: str | None) -> Page[Row]:
    """The rows from where the cursor says, which is their number."""
    start = first_row(cursor)
    more = start + limit < len(rows)
    return Page(rows[start : start + limit], str(start + limit) if more else None)


def _found(row: SessionRow, line: StoredSegment, text: str) -> FoundLine:
    segment = line.segment
    return FoundLine(
        row.spec.session_id,
        row.spec.title,
        "transcript",
        segment.segment_id,
        segment.language,
        segment.start_ns,
        segment.end_ns,
        row.created_at + timedelta(microseconds=segment.start_ns // 1000),
        segment.speaker.speaker_id if segment.speaker else None,
        segment.speaker.name if segment.speaker else None,
        segment.text,
        segment.text.replace(text, f"{MATCH_START}{text}{MATCH_END}"),
        100_000,
    )
