"""What is stored of a stream's coverage, change by change, is all of it."""

from hypothesis import given

from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.values import StreamRow
from orchestration.transcript.coverage import stored_totals
from tests.judged_stream import JudgedStream, Step, incarnations
from tests.storage_values import stored_losses, stream_spec


@given(incarnations)
def test_what_is_new_of_a_coverage_adds_up_to_the_whole_whenever_the_actor_dies(
    lives: list[tuple[list[Step], float, bool]],
) -> None:
    stream, stored = JudgedStream(), list[SessionChanges]()
    for steps, frontier_share, dies in lives:
        for step in steps:
            stream.take(step)
        stored.append(stream.changes(frontier_share))
        progress = stored[-1].streams[-1]
        row = StreamRow(stream_spec(0), 0, progress.duration, None, progress, stored_losses(stored))
        assert row.lost == stream.coverage.lost_ranges == stream.lost()
        assert stored_totals(row) == stream.coverage.totals() == stream.totals()
        if dies:
            stream.resume(row)
            assert stream.coverage.totals() == stream.totals()


def test_what_a_step_stores_does_not_grow_with_what_was_lost_before() -> None:
    stream = JudgedStream()
    sizes = []
    for at in range(0, 3000, 3):
        stream.take(("extend", 0, at + 3))
        stream.take(("transcribed", at, at + 2))
        stream.take(("lost a", at + 2, at + 3))
        changes = stream.changes(1.0)
        sizes.append(sum(1 + len(one.lost) for one in changes.losses))
    assert set(sizes) == {2}
