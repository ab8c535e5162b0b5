"""A batch says the same however the connection cut it, and an end counts from where it is said."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.audio.pcm import PcmFormat
from orchestration.errors import BadRequest, FramesAfterEnd, OrchestrationError
from orchestration.session.inputs import AudioFrame, ChatFact, EndOfStreams, Fact, StreamSpec
from orchestration.session.intake import Intake

FORMAT = PcmFormat("s16le", 16_000, 1)
Item = AudioFrame | Fact | EndOfStreams


def intake() -> Intake:
    one = Intake(0, max_streams=2)
    for stream in range(2):
        one.add(StreamSpec(stream, FORMAT))
    return one


def frame(stream: int, seq: int) -> AudioFrame:
    return AudioFrame(stream, seq, seq * 10, bytes(20))


def chat(fact: int) -> ChatFact:
    return ChatFact(fact, "p1", "Ana", "hello", None)


def end(*last_seqs: tuple[int, int], last_fact: int = -1) -> EndOfStreams:
    return EndOfStreams(last_seqs, last_fact)


@dataclass
class Outcome:
    """What is durable, and what ended the connection."""

    frames: list[tuple[int, int]]
    last_seqs: list[int | None]
    next_fact: int
    is_complete: bool
    error: type[Exception] | None


def brought(batches: list[list[Item]]) -> Outcome:
    """What comes of batches, one after the other, up to the first fatal error."""
    one, stored, error = intake(), [], None
    for items in batches:
        judgement = one.judge(items, [0] * len(items))
        one.accept(judgement)
        stored += [(new.stream, new.seq) for new in judgement.frames]
        if judgement.error is not None:
            error = type(judgement.error)
            break
    ends = [ledger.last_seq for ledger in one.ledgers.values()]
    return Outcome(sorted(stored), ends, one.next_fact, one.is_complete, error)


ITEMS: st.SearchStrategy[Item] = st.one_of(
    st.builds(frame, st.integers(0, 2), st.integers(0, 4)),
    st.builds(chat, st.integers(0, 2)),
    st.builds(
        lambda last, fact: end(*last.items(), last_fact=fact),
        st.dictionaries(st.integers(0, 2), st.integers(-1, 4), max_size=2),
        st.integers(-1, 2),
    ),
)


@given(st.lists(ITEMS, max_size=12))
def test_a_batch_is_judged_as_its_items_one_by_one(items: list[Item]) -> None:
    assert brought([items]) == brought([[item] for item in items])


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([frame(0, 0), end((0, 0)), frame(0, 1)], FramesAfterEnd),
        ([frame(0, 0), frame(0, 1), end((0, 0))], BadRequest),
        ([end((0, 3)), end((0, 4))], BadRequest),
    ],
)
def test_an_end_counts_within_its_own_batch(
    items: list[Item], expected: type[OrchestrationError]
) -> None:
    assert brought([items]).error is expected


def test_a_stream_that_the_end_does_not_name_ends_where_it_is_for_the_next_incarnation_too() -> (
    None
):
    one = intake()
    judgement = one.judge([frame(0, 0), frame(1, 0), frame(1, 1), end((0, 0))], [0] * 4)
    # What is stored before it is acknowledged.
    assert judgement.last_seqs == {0: 0, 1: 1}
    one.accept(judgement)
    assert one.is_complete
