"""The port for what is stored of sessions beyond their transcripts, and its rows.

Session times are nanoseconds since the session's first sample; a range `from_ns` to `to_ns` holds
what overlaps it. Cursors that were not given raise BadRequest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from orchestration.session.events import DurableEvent, TranslatedText
from orchestration.storage.archive_ports import Page
from orchestration.storage.erasure_ports import ErasureArchive
from orchestration.storage.values import ChunkRow, ParticipantRow


@dataclass(frozen=True, slots=True)
class StoredQuality:
    """How good a chunk's audio was; see `orchestration.audio.quality`."""

    score: float
    rms_dbfs: float
    snr_db: float
    speech_ratio: float
    clipped_ratio: float


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk, its place on session time, and the quality of its audio, where it is known."""

    chunk: ChunkRow
    start_ns: int
    end_ns: int
    answered_at: datetime
    quality: StoredQuality | None


@dataclass(frozen=True, slots=True)
class StoredTranslation:
    """A final segment's text in another language, and whose segment it is."""

    segment_id: str
    stream: int
    start_ns: int
    end_ns: int
    source_language: str
    translation: TranslatedText
    engine: str


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is looked for: `text` as people type it, with "quotes", or, and -not.

    `speaker` is an id, or a name in any case; `since` and `until` are moments between which a line
    begins.
    """

    text: str
    session_id: str | None = None
    speaker: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line, or its translation, in which it was found.

    `snippet` is the text around what matches, each match between `MATCH_START` and `MATCH_END`.
    `rank` is PostgreSQL's, in millionths.
    """

    session_id: str
    title: str | None
    kind: Literal["transcript", "translation"]
    segment_id: str
    language: str
    start_ns: int
    end_ns: int
    starts_at: datetime
    speaker_id: str | None
    speaker_name: str | None
    text: str
    snippet: str
    rank: int


MATCH_START, MATCH_END = "\x02", "\x03"
"""Characters that no stored line shows: search takes them out of its text first."""


class DataArchive(ErasureArchive, Protocol):
    """`Archive`, what erases, and everything else that is stored, by the page."""

    async def chunks_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[StoredChunk]:
        """Chunks in order of stream and time."""
        ...

    async def translations_page(
        self,
        session_id: str,
        from_ns: int,
        to_ns: int,
        language: str | None,
        limit: int,
        cursor: str | None,
    ) -> Page[StoredTranslation]:
        """Translations in order of their lines' start, of one language or all."""
        ...

    async def participants_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[ParticipantRow]:
        """Who was there in the range, or may have been, in order of joining."""
        ...

    async def events_between(
        self, session_id: str, after: int, from_ns: int, to_ns: int, limit: int
    ) -> Sequence[DurableEvent]:
        """Events after number `after` that were told in a range of session time."""
        ...

    async def search(self, query: SearchQuery, limit: int, cursor: str | None) -> Page[FoundLine]:
        """Lines and translations of all sessions that match, best first.

        Raises:
            BadRequest: the query takes too long: it is to be narrowed.
        """
        ...
