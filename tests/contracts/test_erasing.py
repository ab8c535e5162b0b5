"""Erasing sessions and people from PostgreSQL and the disk, proved by what is left."""

import asyncio
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.errors import SessionRunning, Unavailable, UnknownSession
from orchestration.json_types import JsonObject, JsonValue
from orchestration.session.events import DurableEvent, iso_utc, participant_event, segment_json
from orchestration.session.fact_codec import fact_json
from orchestration.session.inputs import (
    CaptionFact,
    ChatFact,
    Fact,
    ParticipantFact,
    ParticipantRef,
    SpeakerFact,
    StreamSpec,
    UnixMoment,
)
from orchestration.speakers.corrections import (
    Correction,
    MapSpeaker,
    MergeSpeakers,
    RenameSpeaker,
    correction_json,
)
from orchestration.speakers.corrections import Person as CorrectedPerson
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.data_ports import SearchQuery
from orchestration.storage.erasing import Erasing
from orchestration.storage.erasure_ports import Person, RemovedFiles
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.journal_statements import HOLD_EPOCH
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.stored_changes import store_changes
from orchestration.storage.values import (
    CorrectionRow,
    CorrelationRow,
    JournalFact,
    ParticipantRow,
    SessionSpec,
    SpeakerIntervalRow,
)
from orchestration.transcript.segments import SpeakerName
from tests.storage_values import FORMAT, frame, progress, segment, translation

ANA = ParticipantRef("person-ana", "Ana Lima", "Ana@example.org")
BEN = ParticipantRef("person-ben", "Ben", "ben@example.org")
SECRETS = ("person-ana", "Ana Lima", "Ana@example.org", "confidential", "sigilo")
KEPT = ("person-ben", "Ben", "ben@example.org", "harmless")
MAPPED = MapSpeaker(CorrectedPerson(ANA.participant_id, ANA.name), speaker_id="label-1")
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
MOMENT = UnixMoment(1_700_000_000_000)


class Shelf:
    """Sessions with rows and files, and what is left of them."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self.pool = pool
        self.folder = folder
        self.archive = PostgresArchive(pool)
        self.journal = PostgresJournal(pool)
        self.files = ChunkFileStore(folder)
        self.told: list[str] = []
        self.erasing = Erasing(self.archive, self.files, self.told.append)

    async def meeting(self, session_id: str, *, ended: bool = True) -> None:
        """Ana's own stream 1, and a mixed stream 0 in which she and Ben speak."""
        await self.archive.create_session(SessionSpec(session_id))
        await self.journal.claim(session_id, session_id)
        specs = [StreamSpec(0, FORMAT), StreamSpec(1, FORMAT, ANA)]
        await self.journal.open_streams(session_id, 1, specs)
        facts: Sequence[Fact] = (
            ParticipantFact(0, "join", ANA, MOMENT),
            ParticipantFact(1, "join", BEN, MOMENT),
            SpeakerFact(2, "start", ANA.participant_id, ANA.name, MOMENT),
            CaptionFact(3, ANA.participant_id, ANA.name, "confidential", MOMENT, MOMENT),
            ChatFact(4, ANA.participant_id, ANA.name, "confidential", None),
            ChatFact(5, BEN.participant_id, BEN.name, "harmless", None),
        )
        frames = [frame(n, stream=s, content=bytes(3200)) for s in (0, 1) for n in (0, 1)]
        rows = [JournalFact(one.fact, fact_json(one)) for one in facts]
        await self.journal.append(session_id, 1, frames, rows)
        for stream in (0, 1):
            of_stream = [one for one in frames if one.stream == stream]
            file = self.files.write(session_id, FORMAT, of_stream)
            await self.journal.add_file(session_id, 1, file)
        await self.journal.commit(session_id, 1, _changes(ended))

    async def rows(self, session_id: str) -> dict[str, int]:
        """The number of a session's rows in every table that has any session's."""
        tables = await self.pool.fetch(
            "SELECT c.table_name FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE c.table_schema = 'bot_sessions' AND c.column_name = 'session_id'"
            " AND t.table_type = 'BASE TABLE'"
        )
        count = "SELECT count(*) FROM bot_sessions.{} WHERE session_id = $1"
        counts = {
            row["table_name"]: await self.pool.fetchval(count.format(row["table_name"]), session_id)
            for row in tables
        }
        assert "sessions" in counts
        return {table: rows for table, rows in counts.items() if rows}

    def file_names(self, session_id: str) -> list[str]:
        return sorted(path.name for path in self.folder.glob(f"{session_id}/**/*"))

    async def everything(self) -> str:
        """All rows of all tables, as text."""
        tables = await self.pool.fetch(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'bot_sessions' AND table_type = 'BASE TABLE'"
        )
        rows: list[str] = []
        for (table,) in tables:
            rows += [
                row[0]
                for row in await self.pool.fetch(f"SELECT t::text FROM bot_sessions.{table} t")
            ]
        return "\n".join(rows)


CORRECTIONS: tuple[Correction, ...] = (
    MAPPED,
    MergeSpeakers("label-2", ANA.participant_id),
    RenameSpeaker(ANA.participant_id, ANA.name),
    RenameSpeaker(BEN.participant_id, BEN.name),
)


def _changes(ended: bool) -> SessionChanges:
    ana = SpeakerName(ANA.participant_id, ANA.name, 1.0, "own_stream")
    ben = SpeakerName(BEN.participant_id, BEN.name, 1.0, "temporal")
    lines = [
        segment(1, text="confidential words", speaker=ana),
        segment(2, text="harmless words", speaker=ben),
        segment(3, text="confidential again", speaker=None, stream=1),
    ]
    bodies: list[tuple[str, JsonObject]] = [
        participant_event("join", ANA, 0),
        participant_event("join", BEN, 0),
    ]
    # Ben's line was Ana's at first.
    for line in (replace(lines[1], speaker=ana, revision=0), *lines):
        bodies.append(("segment", {"segment": segment_json(line, "final", 0)}))
    told: JsonObject = {"id": ANA.participant_id, "name": ANA.name}
    bodies.append(("speaker", {"speaker": told, "segments": []}))
    bodies.append(("translation", {"segment_id": "segment-1", "language": "pt", "text": "sigilo"}))
    quoted: list[JsonValue] = [
        {"participant_id": ANA.participant_id, "name": ANA.name, "text": "confidential"}
    ]
    return SessionChanges(
        events=[DurableEvent(number, *body) for number, body in enumerate(bodies, start=1)],
        segments=lines,
        translations=[
            translation(1, text="sigilo"),
            translation(2, text="harmless"),
            translation(3, text="sigilo"),
        ],
        participants=[ParticipantRow(ANA, 0, None), ParticipantRow(BEN, 0, None)],
        speaker_intervals=[
            SpeakerIntervalRow(ANA.participant_id, ANA.name, 0, 1),
            SpeakerIntervalRow(BEN.participant_id, BEN.name, 2, 3),
        ],
        corrections=[
            CorrectionRow(number, correction_json(one), "api", 0)
            for number, one in enumerate(CORRECTIONS)
        ],
        correlations=[
            CorrelationRow("label-1", ana, "exact", 0, {"heard": ANA.name}),
            CorrelationRow(ANA.participant_id, ben, "exact", 0, {}),
            CorrelationRow("segment-2", ben, "interpolated", 0, {"entries": quoted}, lines[1]),
        ],
        streams=[progress(3200), progress(3200, stream=1)],
        status="completed" if ended else "active",
    )


@pytest.fixture
def shelf(pool: Pool, tmp_path: Path) -> Shelf:
    return Shelf(pool, tmp_path / "recordings")


async def test_an_erased_session_leaves_no_row_in_any_table_and_no_file(shelf: Shelf) -> None:
    for session_id in ("kept", "gone"):
        await shelf.meeting(session_id)
    rows, names = await shelf.rows("gone"), shelf.file_names("gone")
    size = sum(path.stat().st_size for path in shelf.folder.glob("gone/*"))
    assert len(names) == 2

    receipt = await shelf.erasing.session("gone")

    assert await shelf.rows("gone") == {}
    assert not (shelf.folder / "gone").exists()
    assert {table: count for table, count in receipt.rows.items() if count} == rows
    assert (receipt.kind, receipt.sessions, receipt.files, receipt.bytes) == (
        "session",
        1,
        2,
        size,
    )
    assert (await shelf.rows("kept"), len(shelf.file_names("kept"))) == (rows, 2)
    assert list(await shelf.archive.receipts(9, None)) == [receipt]
    assert shelf.told == ["gone"]
    assert "gone" not in (await shelf.everything())


async def test_a_session_that_is_not_there_leaves_no_receipt(shelf: Shelf) -> None:
    with pytest.raises(UnknownSession):
        await shelf.erasing.session("nobody")
    assert await shelf.archive.receipts(9, None) == []


@pytest.mark.parametrize(
    "person",
    [
        Person(participant_id="person-ana"),
        Person(email="ana@EXAMPLE.org"),
        Person(name="ana lima"),
    ],
)
async def test_nothing_that_is_left_names_an_erased_person_or_has_their_words(
    shelf: Shelf, person: Person
) -> None:
    for session_id in ("mon", "tue"):
        await shelf.meeting(session_id)
    before = await shelf.everything()
    assert all(secret in before for secret in (*SECRETS, *KEPT))

    receipt = await shelf.erasing.person(person)

    after = await shelf.everything()
    assert [secret for secret in SECRETS if secret in after] == []
    assert all(kept in after for kept in KEPT)
    assert shelf.file_names("mon") == ["00000-000000000000000-000000000003200.flac"]
    assert (receipt.kind, receipt.sessions, receipt.files) == ("person", 2, 2)
    assert receipt.rows["transcripts"] == 4
    assert receipt.rows["audio_journal"] == 4
    assert receipt.bytes > 0


async def test_who_is_writing_as_a_person_is_erased_brings_no_name_back(shelf: Shelf) -> None:
    await shelf.meeting("mon")
    async with shelf.pool.acquire() as connection, connection.transaction():
        held = await connection.fetchrow(HOLD_EPOCH, "mon", 1)
        assert held is not None
        erasing = asyncio.create_task(shelf.erasing.person(Person(name=ANA.name)))
        while not (await connection.fetchval(WAITING) or erasing.done()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        late = DurableEvent(held["last_event_seq"] + 1, *participant_event("join", ANA, 0))
        changes = SessionChanges(events=[late])
        await store_changes(connection, "mon", changes, held["last_event_seq"])
    await erasing
    after = await shelf.everything()
    assert [secret for secret in SECRETS if secret in after] == []


async def test_a_name_is_found_however_its_accents_are_typed(shelf: Shelf) -> None:
    await shelf.meeting("mon")
    await shelf.pool.execute(
        "UPDATE bot_sessions.participants SET display_name = $1 WHERE participant_id = $2",
        unicodedata.normalize("NFD", "Ângela"),
        ANA.participant_id,
    )
    receipt = await shelf.erasing.person(Person(name=unicodedata.normalize("NFC", "ângela")))
    assert receipt.sessions == 1


async def test_what_is_left_of_a_meeting_is_whole(shelf: Shelf) -> None:
    await shelf.meeting("mon")
    await shelf.erasing.person(Person(email=ANA.email))
    archive = shelf.archive
    first, second, third = [one.segment for one in await archive.segments("mon")]
    assert [one.text for one in (first, second, third)] == ["", "harmless words", ""]
    assert first.speaker is not None
    assert first.speaker.name == "Erased"
    people = {row.participant.name: row.participant for row in await archive.participants("mon")}
    assert set(people) == {"Erased", "Ben"}
    assert people["Erased"].participant_id == first.speaker.speaker_id
    events = await archive.events("mon", 0, 99)
    assert [one.seq for one in events] == [1, 2, 3, 4, 5, 6, 7, 8]
    texts = [e.body["segment"]["text"] for e in events if e.type == "segment"]  # type: ignore[index,call-overload]
    assert texts == ["", "", "harmless words", ""]
    own = (await archive.streams("mon"))[1].spec.participant
    assert own == ParticipantRef(first.speaker.speaker_id, "Erased")
    assert (await archive.search(SearchQuery("confidential"), 9, None)).items == []
    assert len((await archive.search(SearchQuery("harmless", language="en"), 9, None)).items) == 1


async def test_the_audio_of_all_who_were_there_goes_when_that_is_asked_for(shelf: Shelf) -> None:
    await shelf.meeting("mon")
    receipt = await shelf.erasing.person(Person(name=ANA.name), "all")
    assert shelf.file_names("mon") == []
    assert (receipt.files, receipt.rows["audio_files"], receipt.rows["audio_journal"]) == (2, 2, 4)
    assert (await shelf.archive.segments("mon"))[1].segment.text == "harmless words"


async def test_nobody_is_erased_while_one_of_their_sessions_runs(shelf: Shelf) -> None:
    await shelf.meeting("mon")
    await shelf.meeting("tue", ended=False)
    before = await shelf.everything()
    with pytest.raises(SessionRunning) as refusal:
        await shelf.erasing.person(Person(name=ANA.name))
    assert refusal.value.facts == {"sessions": 1, "session_ids": ["tue"]}
    assert await shelf.everything() == before


async def test_a_person_who_is_nowhere_gets_an_empty_receipt(shelf: Shelf) -> None:
    await shelf.meeting("mon")
    receipt = await shelf.erasing.person(Person(name="Nobody"))
    assert (receipt.sessions, receipt.rows, receipt.files) == (0, {}, 0)


async def test_sessions_past_their_retention_go_and_later_ones_stay(shelf: Shelf) -> None:
    for session_id, days in (("old", 31), ("older", 40), ("new", 29)):
        await shelf.meeting(session_id)
        await shelf.pool.execute(
            "UPDATE bot_sessions.sessions SET end_time = $2 WHERE session_id = $1",
            session_id,
            datetime.now(UTC) - timedelta(days=days),
        )
    await shelf.meeting("running", ended=False)
    now = datetime.now(UTC)
    assert await shelf.erasing.expire(now, 30) == 2
    assert await shelf.erasing.expire(now, 30) == 0
    assert shelf.told == ["older", "old"]
    assert await shelf.rows("old") == await shelf.rows("older") == {}
    assert (await shelf.archive.session("new")).status == "completed"
    assert (await shelf.archive.session("running")).status == "active"
    kinds = [(one.kind, one.sessions) for one in await shelf.archive.receipts(9, None)]
    assert kinds == [("retention", 1)] * 2


class Stuck(ChunkFileStore):
    """Files of one session cannot be removed."""

    def remove_session(self, session_id: str) -> RemovedFiles:
        if session_id == "stuck":
            raise Unavailable("The recording's files cannot be removed: Operation not permitted.")
        return super().remove_session(session_id)


async def test_a_session_whose_files_cannot_be_removed_keeps_no_other_from_expiring(
    shelf: Shelf,
) -> None:
    now = datetime.now(UTC)
    for days, session_id in ((50, "stuck"), (40, "old")):
        await shelf.meeting(session_id)
        await shelf.pool.execute(
            "UPDATE bot_sessions.sessions SET end_time = $2 WHERE session_id = $1",
            session_id,
            now - timedelta(days=days),
        )
    erasing = Erasing(shelf.archive, Stuck(shelf.folder))
    assert await erasing.expire(now, 30) == 1
    assert await shelf.rows("old") == {}
    assert (await shelf.archive.session("stuck")).status == "completed"
    assert await shelf.erasing.expire(now, 30) == 1


async def test_receipts_are_paged_newest_first_and_name_nobody(shelf: Shelf) -> None:
    for session_id in ("a", "b", "c"):
        await shelf.meeting(session_id)
        await shelf.erasing.session(session_id)
    first = await shelf.archive.receipts(2, None)
    rest = await shelf.archive.receipts(2, first[-1].erasure_id)
    ids = [one.erasure_id for one in [*first, *rest]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 3
    assert "Ana" not in json.dumps([dict(one.rows) for one in first])
    assert iso_utc(int(first[0].erased_at.timestamp() * 1000)).endswith("Z")
