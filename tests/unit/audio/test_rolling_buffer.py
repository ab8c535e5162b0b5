import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from orchestration.audio.rolling_buffer import RollingBuffer
from orchestration.errors import BadAudio, LimitReached, OrchestrationError


def ramp(first_sample: int, count: int) -> NDArray[np.int16]:
    """Samples that tell their own place."""
    return np.arange(first_sample + 1, first_sample + 1 + count).astype(np.int16)


@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), min_size=1, max_size=30),
    st.data(),
)
def test_any_span_reads_as_it_was_appended_with_zeros_for_gaps(
    start: int, appends: list[tuple[int, int]], data: st.DataObject
) -> None:
    buffer, model = RollingBuffer(10_000, start=start), list[int]()
    for skipped, count in appends:
        first = buffer.end + skipped
        buffer.append(first, ramp(first, count))
        model += [0] * skipped + ramp(first, count).tolist()
    discarded = data.draw(st.integers(0, len(model)))
    buffer.discard_before(start + discarded)
    assert (buffer.start, buffer.end) == (start + discarded, start + len(model))
    low = data.draw(st.integers(discarded, len(model)))
    high = data.draw(st.integers(low, len(model)))
    assert buffer.read(start + low, start + high).tolist() == model[low:high]


def test_what_is_read_is_a_copy_and_what_is_appended_is_copied() -> None:
    buffer, samples = RollingBuffer(100), ramp(0, 10)
    buffer.append(0, samples)
    samples[:] = 99
    buffer.read(0, 10)[:] = 77
    assert buffer.read(0, 3).tolist() == [1, 2, 3]


def test_audio_going_back_is_refused_and_names_the_sample_expected() -> None:
    buffer = RollingBuffer(100)
    buffer.append(0, ramp(0, 10))
    with pytest.raises(BadAudio) as refusal:
        buffer.append(9, ramp(9, 10))
    assert refusal.value.facts == {"first_sample": 9, "expected": 10}
    assert buffer.end == 10


def test_a_full_buffer_refuses_audio_unchanged_and_takes_it_after_a_discard() -> None:
    buffer = RollingBuffer(100)
    buffer.append(0, ramp(0, 60))
    buffer.append(60, ramp(60, 40))
    with pytest.raises(LimitReached) as refusal:
        buffer.append(100, ramp(100, 1))
    assert refusal.value.facts == {"capacity_samples": 100, "held_samples": 100}
    assert buffer.end == 100
    buffer.discard_before(60)
    buffer.append(100, ramp(100, 60))
    assert buffer.read(60, 160).tolist() == ramp(60, 100).tolist()


def test_an_hour_of_gap_takes_no_room() -> None:
    buffer, hour = RollingBuffer(100), 3600 * 48_000
    buffer.append(0, ramp(0, 50))
    buffer.append(50 + hour, ramp(0, 50))
    assert buffer.read(48, 52).tolist() == [49, 50, 0, 0]
    buffer.discard_before(50 + hour)
    buffer.append(100 + hour, ramp(0, 50))
    with pytest.raises(LimitReached):
        buffer.append(150 + hour, ramp(0, 1))


def test_reading_what_was_discarded_or_has_not_come_is_refused() -> None:
    buffer = RollingBuffer(100)
    buffer.append(0, ramp(0, 50))
    buffer.discard_before(10)
    for start, end in ((9, 20), (40, 51), (30, 20)):
        with pytest.raises(OrchestrationError, match="not in the buffer"):
            buffer.read(start, end)


def test_discarding_past_the_end_leaves_an_empty_buffer_that_goes_on() -> None:
    buffer = RollingBuffer(100)
    buffer.append(0, ramp(0, 50))
    buffer.discard_before(1000)
    assert (buffer.start, buffer.end) == (50, 50)
    buffer.append(50, ramp(50, 100))
    assert buffer.end == 150
