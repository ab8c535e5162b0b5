"""What storage promises about recordings: files listed, journals that shrink, audio that goes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.errors import Fenced, NoRecording, UnknownSession
from orchestration.session.late_filing import LEFT_AFTER, LateFiling
from orchestration.session.recording_reader import RecordingReader
from orchestration.storage import frame_reader, journal_erasing
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.flac import AudioRun
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.recordings import Recordings
from orchestration.storage.values import JournalFrame, RecordedFile, SessionSpec
from tests.storage_values import FORMAT, FRAME_SAMPLES, erased, progress, stream_spec

SESSION = "meeting-1"
FEW_FRAMES_AT_ONCE = """
CREATE FUNCTION bot_sessions.few_at_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM gone) > 7 THEN RAISE 'too many frames at once'; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER few_at_once AFTER DELETE ON bot_sessions.audio_journal
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION bot_sessions.few_at_once()
"""
FRAMES = 20


def audio_frame(seq: int, stream: int = 0) -> JournalFrame:
    payload = (seq + 1).to_bytes(2, "little") * FRAME_SAMPLES
    return JournalFrame(stream, seq, seq * FRAME_SAMPLES, FRAME_SAMPLES, bytes([seq]) * 16, payload)


@pytest.fixture
def files(tmp_path: Path) -> ChunkFileStore:
    return ChunkFileStore(tmp_path / "recordings")


@pytest.fixture
async def journal(pool: Pool, archive: PostgresArchive) -> PostgresJournal:
    """One session, claimed at epoch 1, with two streams of journaled audio, all words final."""
    await archive.create_session(SessionSpec(SESSION))
    made = PostgresJournal(pool)
    await made.claim(SESSION, "actor-1")
    await made.open_streams(SESSION, 1, [stream_spec(0), stream_spec(1)])
    frames = [audio_frame(seq, stream) for stream in (0, 1) for seq in range(FRAMES)]
    await made.append(SESSION, 1, frames, [])
    await finalize(made, FRAMES)
    return made


async def finalize(journal: PostgresJournal, frames: int) -> None:
    """Words are final up to the end of so many frames."""
    streams = [progress(frames * FRAME_SAMPLES, stream=stream) for stream in (0, 1)]
    await journal.commit(SESSION, 1, SessionChanges(streams=streams))


async def file_frames(
    journal: PostgresJournal, files: ChunkFileStore, first: int, end: int, stream: int = 0
) -> RecordedFile:
    file = files.write(SESSION, FORMAT, [audio_frame(seq, stream) for seq in range(first, end)])
    await journal.add_file(SESSION, 1, file)
    return file


async def shrink(
    journal: PostgresJournal,
    *,
    lead_frames: int = 0,
    keep_frames: int = 0,
    max_frames: int = 1000,
    only_filed: bool = True,
) -> int:
    return await journal.shrink(
        SESSION,
        1,
        0,
        lead_samples=lead_frames * FRAME_SAMPLES,
        keep_frames=keep_frames,
        max_frames=max_frames,
        only_filed=only_filed,
    )


async def journaled(journal: PostgresJournal, stream: int = 0) -> list[int]:
    return [frame.seq async for frame in journal.frames_after(SESSION, stream, -1)]


async def heard(recordings: Recordings) -> list[AudioRun]:
    return [run async for run in recordings.audio(SESSION, stream_spec(0))]


def pcm_of(runs: list[AudioRun]) -> bytes:
    return b"".join(run.values.astype("<i2").tobytes() for run in runs)


WHOLE = b"".join(audio_frame(seq).payload for seq in range(FRAMES))


async def test_files_are_listed_in_order_and_the_last_one_by_stream(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore
) -> None:
    first = await file_frames(journal, files, 0, 4)
    second = await file_frames(journal, files, 4, 9)
    assert await archive.recorded_files(SESSION, 0) == [first, second]
    assert await archive.recorded_files(SESSION, 1) == []
    assert await journal.last_files(SESSION) == {0: second}


async def test_a_file_listed_again_is_listed_once(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore
) -> None:
    file = await file_frames(journal, files, 0, 4)
    await journal.add_file(SESSION, 1, file)
    assert await archive.recorded_files(SESSION, 0) == [file]


async def test_a_files_row_says_what_users_look_for(
    journal: PostgresJournal, files: ChunkFileStore, pool: Pool, tmp_path: Path
) -> None:
    file = await file_frames(journal, files, 10, 20)
    row = await pool.fetchrow("SELECT * FROM bot_sessions.audio_files")
    assert row is not None
    path = tmp_path / "recordings" / row["file_path"]
    assert (path.name, path.stat().st_size) == (row["file_name"], row["file_size"])
    assert (row["chunk_start_time"], row["chunk_end_time"]) == (1.0, 2.0)
    assert (row["duration_seconds"], row["sample_rate"], row["channels"]) == (1.0, 16_000, 1)
    assert (row["file_format"], row["processing_status"]) == ("flac", "completed")
    assert row["file_hash"] == file.sha256


async def test_an_older_incarnation_neither_lists_files_nor_shrinks(
    journal: PostgresJournal, files: ChunkFileStore
) -> None:
    file = await file_frames(journal, files, 0, 4)
    await journal.claim(SESSION, "actor-2")
    with pytest.raises(Fenced):
        await journal.add_file(SESSION, 1, file)
    with pytest.raises(Fenced):
        await shrink(journal)
    assert len(await journaled(journal)) == FRAMES


async def test_the_journal_shrinks_behind_files_and_final_words(
    journal: PostgresJournal, files: ChunkFileStore
) -> None:
    assert await shrink(journal) == 0
    await file_frames(journal, files, 0, 12)
    await finalize(journal, 10)
    assert await shrink(journal, lead_frames=3) == 7
    assert await journaled(journal) == list(range(7, FRAMES))
    await finalize(journal, FRAMES)
    assert await shrink(journal, lead_frames=3) == 5
    assert await journaled(journal) == list(range(12, FRAMES))
    assert await journaled(journal, stream=1) == list(range(FRAMES))


async def test_the_newest_frames_stay_and_with_them_position_and_hashes(
    journal: PostgresJournal, files: ChunkFileStore, archive: PostgresArchive
) -> None:
    await file_frames(journal, files, 0, FRAMES)
    assert await shrink(journal, keep_frames=6) == FRAMES - 6
    row = next(row for row in await archive.streams(SESSION) if row.spec.stream == 0)
    assert (row.next_seq, row.next_sample) == (FRAMES, FRAMES * FRAME_SAMPLES)
    hashes = await journal.recent_hashes(SESSION, 6)
    assert sorted(seq for stream, seq in hashes if stream == 0) == list(range(14, FRAMES))


async def test_a_stream_whose_progress_is_not_stored_keeps_its_audio(
    journal: PostgresJournal, files: ChunkFileStore, pool: Pool
) -> None:
    await file_frames(journal, files, 0, FRAMES)
    await pool.execute("UPDATE bot_sessions.streams SET duration = NULL, frontier = NULL")
    assert await shrink(journal) == 0


async def test_one_statement_removes_so_many_frames_at_most(
    journal: PostgresJournal, files: ChunkFileStore
) -> None:
    await file_frames(journal, files, 0, FRAMES)
    assert await shrink(journal, max_frames=15) == 15
    assert await shrink(journal, max_frames=15) == 5


async def test_without_a_recording_final_words_are_enough(journal: PostgresJournal) -> None:
    await finalize(journal, 10)
    assert await shrink(journal, only_filed=False) == 10


async def test_a_recording_is_its_files_and_then_its_journal(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore
) -> None:
    recordings = Recordings(archive, files)
    assert pcm_of(await heard(recordings)) == WHOLE
    await file_frames(journal, files, 0, 7)
    await file_frames(journal, files, 7, 15)
    assert pcm_of(await heard(recordings)) == WHOLE
    await shrink(journal)
    assert len(await journaled(journal)) == 5
    assert pcm_of(await heard(recordings)) == WHOLE


@pytest.mark.parametrize(("sample", "first_seq"), [(0, 0), (9 * FRAME_SAMPLES + 5, 7), (10**9, 20)])
async def test_a_recording_is_read_from_the_file_or_frame_that_holds_a_sample(
    journal: PostgresJournal,
    archive: PostgresArchive,
    files: ChunkFileStore,
    sample: int,
    first_seq: int,
) -> None:
    await file_frames(journal, files, 0, 7)
    await file_frames(journal, files, 7, 15)
    runs = Recordings(archive, files).audio(SESSION, stream_spec(0), sample)
    assert pcm_of([run async for run in runs]) == WHOLE[2 * first_seq * FRAME_SAMPLES :]


async def test_held_audio_is_read_though_what_was_before_it_is_not(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore
) -> None:
    await shrink(journal, only_filed=False, keep_frames=5)
    start = 16 * FRAME_SAMPLES
    runs = Recordings(archive, files).audio(SESSION, stream_spec(0), start)
    assert pcm_of([run async for run in runs]) == WHOLE[2 * start :]


async def test_a_journal_that_shrinks_while_it_is_read_leaves_no_hole(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore
) -> None:
    runs: list[AudioRun] = []
    await file_frames(journal, files, 0, 5)
    async for run in Recordings(archive, files).audio(SESSION, stream_spec(0)):
        if not runs:
            await file_frames(journal, files, 5, 12)
            await shrink(journal)
        runs.append(run)
    assert pcm_of(runs) == WHOLE


@pytest.mark.parametrize("filed_before", [0, 3])
async def test_a_file_of_what_was_half_read_from_the_journal_gives_the_other_half(
    journal: PostgresJournal,
    archive: PostgresArchive,
    files: ChunkFileStore,
    monkeypatch: pytest.MonkeyPatch,
    filed_before: int,
) -> None:
    """As when a recording is fetched at the moment at which its session ends."""
    monkeypatch.setattr(frame_reader, "PAGE_FRAMES", 4)
    if filed_before:
        await file_frames(journal, files, 0, filed_before)
    runs: list[AudioRun] = []
    async for run in Recordings(archive, files).audio(SESSION, stream_spec(0)):
        runs.append(run)
        if run.first_sample == filed_before * FRAME_SAMPLES:
            await file_frames(journal, files, filed_before, 15)
            await shrink(journal)
    assert pcm_of(runs) == WHOLE
    assert [run.first_sample for run in runs] == sorted({run.first_sample for run in runs})


async def test_audio_that_is_not_kept_is_no_recording(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore
) -> None:
    assert await heard(Recordings(archive, files, kept=False)) == []
    await finalize(journal, 10)
    await shrink(journal, only_filed=False)
    with pytest.raises(NoRecording, match="frame 0"):
        await heard(Recordings(archive, files))


async def test_a_stretch_that_is_held_is_read_though_what_came_before_it_is_not(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore
) -> None:
    await finalize(journal, 10)
    await shrink(journal, only_filed=False)
    reader = RecordingReader(SESSION, Recordings(archive, files))
    first, end = 12 * FRAME_SAMPLES, 14 * FRAME_SAMPLES
    heard = await reader.engine_audio(stream_spec(0), first, end)
    assert heard == audio_frame(12).payload + audio_frame(13).payload
    with pytest.raises(NoRecording):
        await reader.engine_audio(stream_spec(0), 9 * FRAME_SAMPLES, end)


async def test_an_expired_recording_goes_and_its_session_stays(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore, tmp_path: Path
) -> None:
    recordings = Recordings(archive, files)
    await file_frames(journal, files, 0, 7)
    month_later = datetime.now(UTC) + timedelta(days=30, hours=1)
    assert await recordings.expire(month_later, 30) == 0
    await journal.commit(SESSION, 1, SessionChanges(status="completed"))
    assert await recordings.expire(month_later, 31) == 0
    assert await recordings.expire(month_later, 30) == 1
    assert await recordings.expire(month_later, 30) == 0
    assert await archive.recorded_files(SESSION, 0) == []
    assert await journaled(journal) == []
    assert list((tmp_path / "recordings").iterdir()) == []
    assert (await archive.session(SESSION)).status == "completed"


async def test_a_journal_of_hours_is_emptied_a_part_at_a_time(
    journal: PostgresJournal,
    archive: PostgresArchive,
    files: ChunkFileStore,
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal_erasing, "ROWS_AT_ONCE", 7)
    await journal.commit(SESSION, 1, SessionChanges(status="completed"))
    await archive.create_session(SessionSpec("erased"))
    await journal.claim("erased", "actor-2")
    await journal.open_streams("erased", 1, [stream_spec(0)])
    await journal.append("erased", 1, [audio_frame(seq) for seq in range(FRAMES)], [])
    month_later = datetime.now(UTC) + timedelta(days=30, hours=1)
    await pool.execute(FEW_FRAMES_AT_ONCE)
    try:
        assert await Recordings(archive, files).expire(month_later, 30) == 1
        removed = await erased(archive, "erased")
    finally:
        await pool.execute("DROP FUNCTION bot_sessions.few_at_once() CASCADE")
    assert await journaled(journal) == []
    assert removed["audio_journal"] == FRAMES


async def test_audio_that_follows_an_ended_sessions_files_is_found_until_it_is_filed(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore
) -> None:
    later = datetime.now(UTC) + timedelta(minutes=1)

    async def unfiled(ended_before: datetime = later) -> list[str]:
        """By pages of one session each."""
        page = await archive.unfiled_sessions(ended_before, 1, None)
        found = [*page.items]
        while page.next_cursor is not None:
            page = await archive.unfiled_sessions(ended_before, 1, page.next_cursor)
            found += page.items
        return found

    await archive.create_session(SessionSpec("before"))
    await archive.create_session(SessionSpec("zzz"))
    assert await unfiled() == []
    await journal.commit(SESSION, 1, SessionChanges(status="completed"))
    assert await unfiled(later - timedelta(hours=1)) == []
    assert await unfiled() == [SESSION]
    for stream in (0, 1):
        await file_frames(journal, files, 0, FRAMES - 1, stream)
    assert await unfiled() == [SESSION]
    for stream in (0, 1):
        await file_frames(journal, files, FRAMES - 1, FRAMES, stream)
    assert await unfiled() == []


async def test_a_session_whose_file_cannot_be_written_holds_up_no_other(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore, tmp_path: Path
) -> None:
    await journal.commit(SESSION, 1, SessionChanges(status="completed"))
    await archive.create_session(SessionSpec("meeting-2"))
    await journal.claim("meeting-2", "actor-2")
    await journal.open_streams("meeting-2", 1, [stream_spec(0)])
    await journal.append("meeting-2", 1, [audio_frame(0)], [])
    await journal.commit("meeting-2", 1, SessionChanges(status="failed"))
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / SESSION).write_text("no folder")
    later = datetime.now(UTC) + 2 * LEFT_AFTER

    assert await LateFiling(archive, journal).sweep(later, files, 60_000, ()) == 1

    assert (await archive.unfiled_sessions(later, 10, None)).items == [SESSION]
    assert [one.last_seq for one in await archive.recorded_files("meeting-2", 0)] == [0]


async def test_a_deleted_session_has_no_files_listed(
    journal: PostgresJournal, archive: PostgresArchive, files: ChunkFileStore
) -> None:
    await file_frames(journal, files, 0, 7)
    assert (await erased(archive, SESSION))["audio_files"] == 1
    with pytest.raises(UnknownSession):
        await archive.recorded_files(SESSION, 0)
