"""What a session stores of its streams' coverage, as its successor and the API read it."""

import pytest
from hypothesis import HealthCheck, given, settings

from orchestration.session.inputs import StreamSpec
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import LossChange, SampleRange, SessionSpec
from orchestration.transcript.coverage import stored_totals
from tests.judged_stream import JudgedStream, Step, incarnations
from tests.storage_values import FORMAT, losses

SESSION = "s1"


@pytest.fixture
async def journal(pool: Pool) -> PostgresJournal:
    """Of session s1 at epoch 1, with streams 0 and 1."""
    await PostgresArchive(pool).create_session(SessionSpec(SESSION))
    journal = PostgresJournal(pool)
    await journal.claim(SESSION, "actor")
    await journal.open_streams(SESSION, 1, [StreamSpec(stream, FORMAT) for stream in (0, 1)])
    return journal


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(incarnations)
async def test_any_changes_of_a_coverage_are_read_back_as_the_whole_of_it(
    journal: PostgresJournal,
    archive: PostgresArchive,
    lives: list[tuple[list[Step], float, bool]],
) -> None:
    stream = JudgedStream()
    epoch = (await journal.claim(SESSION, "actor")).epoch
    await journal.commit(SESSION, epoch, SessionChanges(losses=[losses()]))
    for steps, frontier_share, dies in lives:
        for step in steps:
            stream.take(step)
        changes = stream.changes(frontier_share)
        for _ in range(2):  # As when the first answer got lost.
            await journal.commit(SESSION, epoch, changes)
        (row, _) = await archive.streams(SESSION)
        assert row.progress == changes.streams[-1]
        assert row.lost == stream.lost()
        assert stored_totals(row) == stream.totals()
        if dies:
            claim = await journal.claim(SESSION, "actor")
            epoch = claim.epoch
            assert claim.streams[0] == row
            stream.resume(claim.streams[0])


async def test_stretches_of_two_streams_change_at_once_and_nothing_else_does(
    journal: PostgresJournal, archive: PostgresArchive
) -> None:
    kept = SampleRange(0, 10, "capture_skipped")
    gone, cut = SampleRange(100, 200, "engine_error"), SampleRange(300, 400, "engine_error")
    begun = SessionChanges(losses=[losses(kept, gone, cut), losses(kept, gone, stream=1)])
    await journal.commit(SESSION, 1, begun)
    left = SampleRange(300, 350, "engine_error")
    repaired = [
        LossChange(0, 100, 200, ()),
        LossChange(0, 300, 400, (left,)),
        LossChange(1, 0, 10, ()),
    ]
    await journal.commit(SESSION, 1, SessionChanges(losses=repaired))
    assert [row.lost for row in await archive.streams(SESSION)] == [(kept, left), (gone,)]
