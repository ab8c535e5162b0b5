"""Search over what was said in all sessions, in PostgreSQL."""

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.api.search import marked
from orchestration.errors import BadRequest
from orchestration.session.events import TranslatedText
from orchestration.storage.data_ports import FoundLine, SearchQuery
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.search_statements import SEARCH, STEMMED_LANGUAGES, UNSTEMMED
from orchestration.storage.values import SessionSpec, TranslationRow
from orchestration.transcript.segments import SpeakerName
from tests.storage_values import segment, translation

ZERO = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
BEN = SpeakerName("p2", "Ben", 1.0, "own_stream")


@pytest.fixture
async def archive(pool: Pool) -> PostgresArchive:
    """Two meetings: one in English and Portuguese, one a day later in German and Ukrainian."""
    archive, journal = PostgresArchive(pool), PostgresJournal(pool)
    lines = {
        "mon": [
            segment(1, text="We decided about the budgets"),
            segment(2, text="decisions come <b>tomorrow</b> & later", speaker=BEN),
            segment(3, text="o trabalho começou bem", language="pt"),
        ],
        "tue": [
            segment(1, text="Die Häuser wurden gestern verkauft", language="de", speaker=None),
            segment(2, text="budget бюджет ухвалено", language="uk"),
        ],
    }
    for day, (session_id, segments) in enumerate(lines.items()):
        await archive.create_session(SessionSpec(session_id, title=f"Meeting {day}"))
        await journal.claim(session_id, session_id)
        changes = SessionChanges(
            segments=segments,
            zero_unix_ms=int((ZERO + timedelta(days=day)).timestamp() * 1000),
        )
        await journal.commit(session_id, 1, changes)
    portuguese = translation(1, text="Decidimos os orçamentos")
    await journal.commit("mon", 1, SessionChanges(translations=[portuguese]))
    return archive


async def found(archive: PostgresArchive, text: str, **query: object) -> list[str]:
    page = await archive.search(replace(SearchQuery(text), **query), 50, None)  # type: ignore[arg-type]
    return sorted(_name(one) for one in page.items)


def _name(one: FoundLine) -> str:
    return f"{one.session_id}:{one.segment_id[-1]}:{one.language}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("decision", ["mon:2:en"]),
        ("deciding", ["mon:1:en"]),
        ("trabalhos", ["mon:3:pt"]),
        ("orçamento", ["mon:1:pt"]),
        ("Haus", ["tue:1:de"]),
        ("Häuser verkauft", ["tue:1:de"]),
        ("бюджет", ["tue:2:uk"]),
        ("budget", ["mon:1:en", "tue:2:uk"]),
        ("budget -бюджет", ["mon:1:en"]),
        ("trabalho or gestern", ["mon:3:pt", "tue:1:de"]),
        ('"come later"', []),
        ('"the budgets"', ["mon:1:en"]),
        ("the", []),
        ("' & | !! (:* \\ <->", []),
    ],
)
async def test_words_are_found_by_the_rules_of_their_language(
    archive: PostgresArchive, text: str, lines: list[str]
) -> None:
    assert await found(archive, text) == lines


async def test_filters_narrow_a_search(archive: PostgresArchive) -> None:
    assert await found(archive, "budget", session_id="tue") == ["tue:2:uk"]
    assert await found(archive, "budget", language="en") == ["mon:1:en"]
    assert await found(archive, "decision or budget", speaker="ben") == ["mon:2:en"]
    assert await found(archive, "decision or budget", speaker="p2") == ["mon:2:en"]
    assert await found(archive, "budget", since=ZERO + timedelta(hours=1)) == ["tue:2:uk"]
    assert await found(archive, "budget", until=ZERO + timedelta(hours=1)) == ["mon:1:en"]


async def test_a_language_without_rules_is_searched_by_whole_words(
    archive: PostgresArchive,
) -> None:
    assert await found(archive, "budget", language="uk") == ["tue:2:uk"]
    assert await found(archive, "budgets", language="uk") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_hold_every_hit_once_best_first(archive: PostgresArchive, limit: int) -> None:
    query = SearchQuery("budget or decision or trabalho or Häuser")
    hits: list[FoundLine] = []
    cursor: str | None = None
    while True:
        page = await archive.search(query, limit, cursor)
        assert len(page.items) <= limit
        hits += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    names = [_name(one) for one in hits]
    assert sorted(names) == sorted(set(names))
    assert len(names) == 5
    assert [one.rank for one in hits] == sorted((one.rank for one in hits), reverse=True)


async def test_what_matches_is_marked_and_the_rest_is_escaped(
    archive: PostgresArchive, pool: Pool
) -> None:
    page = await archive.search(SearchQuery("tomorrow"), 9, None)
    (hit,) = page.items
    assert (hit.title, hit.speaker_name, hit.starts_at) == (
        "Meeting 0",
        "Ben",
        ZERO + timedelta(seconds=2),
    )
    snippet = marked(hit.snippet)
    assert "<mark>tomorrow</mark>" in snippet
    assert "<b>" not in snippet
    assert "&amp; later" in snippet
    forged = TranslatedText("en", "evil \x02script\x03 pretends", "final")
    await PostgresJournal(pool).commit(
        "mon", 1, SessionChanges(translations=[TranslationRow("segment-3", "pt", forged, "e")])
    )
    (hit,) = (await archive.search(SearchQuery("pretends"), 9, None)).items
    assert marked(hit.snippet) == "evil script <mark>pretends</mark>"


async def test_renamed_and_corrected_lines_are_found_as_they_are_now(
    archive: PostgresArchive, pool: Pool
) -> None:
    corrected = segment(2, text="votes come later", revision=2)
    await PostgresJournal(pool).commit("mon", 1, SessionChanges(segments=[corrected]))
    assert await found(archive, "decision") == []
    assert await found(archive, "vote") == ["mon:2:en"]


async def test_a_cursor_that_was_not_given_is_refused(archive: PostgresArchive) -> None:
    with pytest.raises(BadRequest, match="cursor"):
        await archive.search(SearchQuery("budget"), 9, "e30")


async def test_search_reads_the_index_and_no_whole_table(
    archive: PostgresArchive, pool: Pool
) -> None:
    languages = [*STEMMED_LANGUAGES, UNSTEMMED]
    arguments = ["budget", *(None,) * 5, languages, *(None,) * 5, 21]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        rows = await connection.fetch(f"EXPLAIN {SEARCH}", *arguments)
    plan = "\n".join(row[0] for row in rows)
    assert "Bitmap Index Scan on transcripts_search" in plan
    assert "Bitmap Index Scan on translations_search" in plan
    assert "Seq Scan" not in plan


async def test_words_and_names_are_found_however_their_accents_are_typed(
    archive: PostgresArchive,
) -> None:
    apart = unicodedata.normalize("NFD", "Häuser")
    assert await found(archive, apart, language="de") == ["tue:1:de"]
