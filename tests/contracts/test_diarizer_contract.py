"""What a diarizer promises, with Resemblyzer's encoder on voices of the checked-in meeting."""

import asyncio
import json
import pickle
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from orchestration.errors import EngineBusy, ModelMissing
from orchestration.services import embedded_diarizer
from orchestration.services.embedded_diarizer import EmbeddedDiarizer, locate_weights
from orchestration.services.ports import ENGINE_SAMPLE_RATE, TranscriptionRequest
from orchestration.services.voice_encoder import VoiceEncoder
from orchestration.services.voice_windows import WHO_IS_THERE, Speech

DATA = Path(__file__).parents[1] / "data"
CHUNK_S = 4
STEP_S = 4

TURN_S = 3
"""So much of a turn is compared."""


@pytest.fixture(scope="module")
def meeting() -> NDArray[np.int16]:
    pcm, rate = soundfile.read(DATA / "meeting.flac", dtype="int16")
    assert rate == ENGINE_SAMPLE_RATE
    samples: NDArray[np.int16] = pcm
    return samples


@pytest.fixture
async def diarizer() -> AsyncIterator[EmbeddedDiarizer]:
    engine = EmbeddedDiarizer()
    yield engine
    await engine.close()


def turns() -> Iterator[tuple[str, int, int]]:
    for one in json.loads((DATA / "meeting.json").read_text(encoding="utf-8"))["turns"]:
        yield one["participant_id"], one["start_sample"], one["end_sample"]


def chunk(pcm: NDArray[np.int16], start: int, session: str = "s") -> TranscriptionRequest:
    audio = pcm[start : start + CHUNK_S * ENGINE_SAMPLE_RATE].tobytes()
    return TranscriptionRequest(session, 0, start, audio, "en", "", voices=4)


def test_a_person_sounds_more_like_themselves_than_like_anybody_else(
    meeting: NDArray[np.int16],
) -> None:
    encoder = VoiceEncoder(locate_weights())
    means: list[tuple[str, NDArray[np.float32]]] = []
    for who, start, end in turns():
        end = min(end, start + TURN_S * ENGINE_SAMPLE_RATE)
        samples = meeting[start:end].astype(np.float32) / np.float32(32768)
        windows = Speech(samples).windows(WHO_IS_THERE)
        assert windows is not None
        mean = encoder.embed(windows.mels).mean(axis=0)
        means.append((who, mean / np.linalg.norm(mean)))
    same: list[float] = []
    other: list[float] = []
    for index, (who, mean) in enumerate(means):
        for another, its_mean in means[:index]:
            (same if who == another else other).append(float(mean @ its_mean))
    assert min(same) > max(other)


async def test_spans_lie_in_their_chunk_one_after_the_other(
    diarizer: EmbeddedDiarizer, meeting: NDArray[np.int16]
) -> None:
    diarization = await diarizer.diarize(chunk(meeting, 0))
    assert diarization.spans
    assert all(0 <= one.start_ms < one.end_ms <= CHUNK_S * 1000 for one in diarization.spans)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(diarization.spans))
    assert all(0 < one.probability <= 1 for one in diarization.spans)
    assert pickle.loads(pickle.dumps(diarization)) == diarization


async def test_labels_mean_the_same_person_all_session_and_in_its_next_life(
    diarizer: EmbeddedDiarizer, meeting: NDArray[np.int16]
) -> None:
    spoken: dict[tuple[str, str], int] = {}
    engines = set()
    for start in range(0, len(meeting), STEP_S * ENGINE_SAMPLE_RATE):
        diarization = await diarizer.diarize(chunk(meeting, start))
        engines.add(diarization.engine)
        for span in diarization.spans:
            middle = start + (span.start_ms + span.end_ms) * ENGINE_SAMPLE_RATE // 2000
            for who, begins, ends in turns():
                if begins <= middle < ends:
                    spoken[span.label, who] = spoken.get((span.label, who), 0) + 1
    names = {label: max(spoken, key=lambda one: spoken[one] * (one[0] == label))[1]
             for label, _ in spoken}  # fmt: skip
    right = sum(count for (label, who), count in spoken.items() if names[label] == who)
    assert len(set(names.values())) == len(names) == 4
    assert right > 0.97 * sum(spoken.values())
    assert len(engines) == 1


async def test_another_memory_never_uses_the_same_labels(meeting: NDArray[np.int16]) -> None:
    names = []
    for _ in range(2):
        engine = EmbeddedDiarizer()
        names.append((await engine.diarize(chunk(meeting, 0))).engine)
        await engine.close()
    assert names[0] != names[1]


async def test_streams_are_forgotten_by_age_and_come_back_under_another_name(
    diarizer: EmbeddedDiarizer, meeting: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_diarizer, "MAX_STREAMS", 2)
    silence = np.zeros(CHUNK_S * ENGINE_SAMPLE_RATE, np.int16)
    first = [(await diarizer.diarize(chunk(silence, 0, name))).engine for name in "abac"]
    again = [(await diarizer.diarize(chunk(silence, 0, name))).engine for name in "ab"]
    assert first[0] == first[2] == again[0]
    assert again[1] != first[1]


@pytest.mark.parametrize("samples", [0, 1, 1000, 64_000])
async def test_silence_of_any_length_is_nobody(diarizer: EmbeddedDiarizer, samples: int) -> None:
    assert (await diarizer.diarize(chunk(np.zeros(samples, np.int16), 0))).spans == ()


async def test_too_many_chunks_are_refused(
    diarizer: EmbeddedDiarizer, meeting: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_diarizer, "MAX_WAITING", 1)
    answers = await asyncio.gather(
        *(diarizer.diarize(chunk(meeting, 0)) for _ in range(3)), return_exceptions=True
    )
    assert [isinstance(one, EngineBusy) for one in answers] == [False, True, True]


def test_without_its_weights_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="resemblyzer"):
        EmbeddedDiarizer(tmp_path / "none.pt")


async def test_it_says_how_its_last_chunk_went(
    diarizer: EmbeddedDiarizer, meeting: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    await diarizer.diarize(chunk(meeting, 0))
    well = await diarizer.check()
    assert (well.name, well.kind, well.healthy) == ("resemblyzer", "embedded", True)
    assert well.latency_ms > 0
    with monkeypatch.context() as broken:
        broken.setattr(embedded_diarizer, "Speech", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await diarizer.diarize(chunk(meeting, 0))
    unwell = await diarizer.check()
    assert (unwell.healthy, unwell.detail) == (False, "failed with ZeroDivisionError")
    await diarizer.diarize(chunk(meeting, 0))
    assert (await diarizer.check()).healthy
