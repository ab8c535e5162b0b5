"""A stream's frames are durable once each, in order, whatever the sender does."""

from hypothesis import given
from hypothesis import strategies as st

from orchestration.audio.pcm import PcmFormat
from orchestration.session.ingest_ledger import REMEMBERED_HASHES, StreamLedger
from orchestration.session.inputs import AudioFrame

FORMAT = PcmFormat("s16le", 16_000, 1)


def frame(seq: int) -> AudioFrame:
    return AudioFrame(0, seq, seq * 10, seq.to_bytes(20, "little"))


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=120))
def test_any_order_of_repeats_and_leaps_stores_each_frame_once_in_order(
    sent: list[tuple[int, bool]],
) -> None:
    ledger = StreamLedger(0, FORMAT)
    stored: list[int] = []
    batch = ledger.batch()
    for seq, commits in sent:
        batch.judge(frame(seq), 0)
        if commits:
            ledger.accept(batch.frames)
            stored += [one.seq for one in batch.frames]
            batch = ledger.batch()
    assert stored == list(range(len(stored)))
    assert ledger.next_seq == len(stored)
    assert ledger.next_sample == len(stored) * 10


def test_a_commit_that_fails_leaves_nothing_to_undo() -> None:
    ledger = StreamLedger(0, FORMAT)
    lost = ledger.batch()
    lost.judge(frame(0), 0)
    again = ledger.batch()
    again.judge(frame(0), 0)
    assert [one.seq for one in again.frames] == [0]


def test_go_back_n_is_asked_from_the_first_missing_frame() -> None:
    ledger = StreamLedger(0, FORMAT)
    batch = ledger.batch()
    for seq in (0, 2, 3):
        batch.judge(frame(seq), 0)
    assert batch.expected == 1
    batch.judge(frame(1), 0)
    assert batch.expected is None
    assert [one.seq for one in batch.frames] == [0, 1]


def test_only_so_many_hashes_are_remembered() -> None:
    ledger = StreamLedger(0, FORMAT)
    batch = ledger.batch()
    for seq in range(REMEMBERED_HASHES + 50):
        batch.judge(frame(seq), 0)
    ledger.accept(batch.frames)
    assert len(ledger.hashes) == REMEMBERED_HASHES
