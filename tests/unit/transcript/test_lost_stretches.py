"""What is missing of a meeting, as files and pages say it."""

from dataclasses import replace

from orchestration.storage.values import SampleRange, StreamRow
from orchestration.transcript.exports import to_srt, to_text
from orchestration.transcript.lost_stretches import lost_stretches, marks
from tests.storage_values import progress, stream_spec

RATE = 16_000
SECOND = 1_000_000_000


def stream(number: int, *lost: tuple[int, int], offset_ns: int | None = 0) -> StreamRow:
    """A stream that lost these seconds of its own."""
    ranges = tuple(SampleRange(start * RATE, end * RATE, "overload") for start, end in lost)
    kept = replace(progress(100 * RATE, stream=number), offset_ns=offset_ns)
    return StreamRow(stream_spec(number), 0, 100 * RATE, None, kept, ranges)


def test_what_was_lost_lies_where_its_stream_does() -> None:
    rows = [stream(0, (30, 42), offset_ns=2 * SECOND), stream(1, (5, 6), offset_ns=None)]
    assert [one.to_json() for one in lost_stretches(rows)] == [
        {"stream": 1, "start": 5.0, "end": 6.0, "reason": "overload"},
        {"stream": 0, "start": 32.0, "end": 44.0, "reason": "overload"},
    ]


def test_less_than_a_second_is_not_told() -> None:
    row = replace(stream(0), lost=(SampleRange(0, RATE - 1, "capture_skipped"),))
    assert lost_stretches([row]) == []


def test_the_silence_that_a_bot_may_leave_out_is_told_and_not_marked() -> None:
    skipped = tuple(
        SampleRange(start * RATE, end * RATE, "capture_skipped")
        for start, end in ((5, 14), (30, 42))
    )
    found = lost_stretches([replace(stream(0), lost=skipped)])
    assert len(found) == 2
    assert to_text(marks(found), "pt") == "[12 s of audio lost]\n"


def test_what_several_streams_lost_at_once_is_one_mark() -> None:
    found = marks(lost_stretches([stream(0, (10, 20), (50, 53)), stream(1, (15, 22))]))
    assert to_text(found, "pt") == "[12 s of audio lost]\n[3 s of audio lost]\n"
    assert to_srt(found).startswith("1\n00:00:10,000 --> 00:00:22,000\n[12 s of audio lost]\n")
