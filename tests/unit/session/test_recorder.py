"""Audio moves from the journal into files without a frame lost or filed twice."""

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.audio.pcm import PcmFormat
from orchestration.errors import DatabaseUnavailable, Fenced, RecordingFailed
from orchestration.session import recorder as recorder_module
from orchestration.session.ingest_ledger import StreamLedger
from orchestration.session.recorder import Recorder, StreamFiling
from orchestration.session.stream_pipeline import RESUME_LEAD_MS
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.values import JournalFrame, RecordedFile

RATE = 8_000
FILE_MS = 1_000
MONO = PcmFormat("s16le", RATE, 1)


@dataclass
class InMemoryJournal:
    """What a recorder asks of a session's journal, for one stream; `frontier` is as stored."""

    frames: dict[int, JournalFrame] = field(default_factory=dict)
    files: list[RecordedFile] = field(default_factory=list)
    frontier: int = 0
    outage: Exception | None = None

    async def frames_after(
        self, session_id: str, stream: int, seq: int
    ) -> AsyncIterator[JournalFrame]:
        for frame in list(self.frames.values()):
            if frame.seq > seq:
                yield frame

    async def last_files(self, session_id: str) -> Mapping[int, RecordedFile]:
        return {0: self.files[-1]} if self.files else {}

    async def add_file(self, session_id: str, epoch: int, file: RecordedFile) -> None:
        if self.outage is not None:
            raise self.outage
        self.files.append(file)

    async def shrink(
        self,
        session_id: str,
        epoch: int,
        stream: int,
        *,
        lead_samples: int,
        keep_frames: int,
        max_frames: int,
        only_filed: bool,
    ) -> int:
        free_to = self.frontier - lead_samples
        seqs = sorted(self.frames)
        filed_to = self.files[-1].last_seq if self.files else -1
        gone = [
            seq
            for seq in seqs[: max(0, len(seqs) - keep_frames)][:max_frames]
            if self.frames[seq].first_sample + self.frames[seq].sample_count <= free_to
            and (seq <= filed_to or not only_filed)
        ]
        for seq in gone:
            del self.frames[seq]
        return len(gone)


@dataclass
class Taping:
    """A stream that comes in, and its recorder."""

    root: Path
    journal: InMemoryJournal = field(default_factory=InMemoryJournal)
    ledger: StreamLedger = field(default_factory=lambda: StreamLedger(0, MONO))
    alerts: list[str] = field(default_factory=list)
    sent: list[JournalFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart(ChunkFileStore(self.root))

    def restart(self, files: ChunkFileStore | None) -> None:
        """Another incarnation of the session, which knows what is stored and no more."""
        self.recorder = Recorder(
            "s",
            1,
            {0: self.ledger},
            self.journal,  # type: ignore[arg-type]
            files,
            file_ms=FILE_MS,
            lead_ms=0,
            alert=lambda level, code, message: self.alerts.append(f"{level} {code}"),
        )

    def send(self, samples: int, skipped: int = 0) -> None:
        seq, first = self.ledger.next_seq, self.ledger.next_sample + skipped
        payload = np.full(samples, seq % 30_000 + 1, "<i2").tobytes()
        frame = JournalFrame(0, seq, first, samples, bytes(16), payload)
        self.journal.frames[seq] = frame
        self.sent.append(frame)
        self.ledger.accept([frame])

    def end(self) -> None:
        self.ledger.last_seq = self.ledger.next_seq - 1

    async def look(self, *, finished: bool = False) -> None:
        await self.recorder.step(finished)

    def files(self) -> list[tuple[int, int]]:
        """Sample ranges of the files."""
        return [(file.first_sample, file.end_sample) for file in self.journal.files]


@pytest.fixture
def taping(tmp_path: Path) -> Taping:
    return Taping(tmp_path / "recordings")


def frame_at(sample: int) -> JournalFrame:
    return JournalFrame(0, 0, sample, 800, b"", b"")


def test_a_file_is_due_when_its_length_is_durable_or_the_stream_is_complete() -> None:
    filing = StreamFiling(8000)
    assert not filing.is_due(0, True)
    assert not filing.is_due(7999, False)
    assert filing.is_due(8000, False)
    assert filing.is_due(1, True)
    filing.filed(9, 8000)
    assert not filing.is_due(8000, True)
    assert not filing.is_due(15_999, False)
    assert filing.is_due(16_000, False)


def test_a_file_holds_what_begins_within_its_length() -> None:
    filing = StreamFiling(8000)
    assert filing.holds(frame_at(500), frame_at(8499))
    assert not filing.holds(frame_at(500), frame_at(8500))


async def test_nothing_is_filed_before_a_files_length_is_there(taping: Taping) -> None:
    for _ in range(9):
        taping.send(800)
        await taping.look()
    assert taping.files() == []
    taping.send(800)
    await taping.look()
    assert taping.files() == [(0, 8000)]


async def test_the_rest_of_a_complete_stream_is_filed(taping: Taping) -> None:
    for _ in range(13):
        taping.send(800)
    taping.end()
    await taping.look()
    assert taping.files() == [(0, 8000), (8000, 10_400)]


async def test_a_short_gap_lies_within_a_file_and_a_long_one_between_two(taping: Taping) -> None:
    taping.send(800)
    taping.send(800, skipped=1000)
    taping.send(800, skipped=1_000_000)
    taping.end()
    await taping.look()
    assert taping.files() == [(0, 2600), (1_002_600, 1_003_400)]


async def test_after_a_long_gap_the_next_file_waits_for_its_own_length(taping: Taping) -> None:
    taping.send(800)
    taping.send(800, skipped=100_000)
    await taping.look()
    assert taping.files() == [(0, 800)]
    taping.send(6400)
    await taping.look()
    assert taping.files() == [(0, 800)]
    taping.send(800)
    await taping.look()
    assert taping.files() == [(0, 800), (100_800, 108_800)]


async def test_the_journal_keeps_what_is_not_final_and_the_newest_frames(
    taping: Taping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "REMEMBERED_HASHES", 5)
    for _ in range(20):
        taping.send(800)
    taping.journal.frontier = 4000
    await taping.look()
    assert min(taping.journal.frames) == 5
    taping.journal.frontier = 16_000
    for _ in range(10):
        taping.send(800)
    await taping.look()
    assert min(taping.journal.frames) == 20


async def test_an_ended_session_keeps_the_audio_that_opening_it_again_hears(
    taping: Taping,
) -> None:
    for _ in range(50):
        taping.send(800)
    taping.end()
    taping.journal.frontier = 40_000
    await taping.look(finished=True)
    resume_samples = RESUME_LEAD_MS * RATE // 1000
    assert min(frame.first_sample for frame in taping.journal.frames.values()) == (
        40_000 - resume_samples
    )


async def test_the_newest_frame_of_an_ended_session_stays(taping: Taping) -> None:
    taping.send(800)
    taping.end()
    taping.journal.frontier = 100_000
    await taping.look(finished=True)
    assert len(taping.journal.frames) == 1


async def test_without_a_recording_the_journal_shrinks_behind_final_words(taping: Taping) -> None:
    taping.restart(None)
    for _ in range(1020):
        taping.send(800)
    taping.journal.frontier = 8000
    await taping.look()
    assert min(taping.journal.frames) == 10
    assert taping.files() == []
    assert not taping.root.exists()


async def test_a_crash_between_file_and_row_files_the_same_again(taping: Taping) -> None:
    for _ in range(10):
        taping.send(800)
    taping.journal.outage = DatabaseUnavailable("gone")
    with pytest.raises(DatabaseUnavailable):
        await taping.look()
    (orphan,) = taping.root.rglob("*.flac")
    content = orphan.read_bytes()
    taping.journal.outage = None
    taping.send(800)
    taping.restart(ChunkFileStore(taping.root))
    await taping.look()
    assert taping.files() == [(0, 8000)]
    assert [path.read_bytes() for path in taping.root.rglob("*.flac")] == [content]


async def test_a_crash_after_the_row_goes_on_behind_it(taping: Taping) -> None:
    for _ in range(15):
        taping.send(800)
    await taping.look()
    taping.restart(ChunkFileStore(taping.root))
    taping.end()
    await taping.look()
    assert taping.files() == [(0, 8000), (8000, 12_000)]


class FullDisk(ChunkFileStore):
    """A disk that is full until it is not."""

    is_full = True

    def write(
        self, session_id: str, pcm_format: PcmFormat, frames: Sequence[JournalFrame]
    ) -> RecordedFile:
        if self.is_full:
            raise RecordingFailed("No space left on device.")
        return super().write(session_id, pcm_format, frames)


async def test_a_full_disk_is_said_once_and_loses_nothing(
    taping: Taping, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    disk = FullDisk(taping.root)

    async def wait(seconds: float) -> None:
        nonlocal tries
        tries += 1
        disk.is_full = tries < 3

    monkeypatch.setattr(asyncio, "sleep", wait)
    taping.restart(disk)
    for _ in range(20):
        taping.send(800)
    taping.end()
    taping.journal.frontier = 100_000
    await taping.recorder.run(lambda: True, lambda: False)
    assert taping.alerts == ["critical recording_failed"]
    assert taping.files() == [(0, 8000), (8000, 16_000)]
    assert len(taping.journal.frames) == 1


async def test_a_replaced_incarnation_stops_recording(taping: Taping) -> None:
    for _ in range(10):
        taping.send(800)
    taping.journal.outage = Fenced("taken over")
    await taping.recorder.run(lambda: False, lambda: False)
    assert taping.alerts == []
    assert len(taping.journal.frames) == 10


ARRIVALS = st.lists(
    st.tuples(
        st.integers(1, 3000),
        st.one_of(st.just(0), st.integers(0, 30_000)),
        st.sampled_from(["", "", "look", "restart", "outage"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(ARRIVALS, st.integers(0, 5), st.data())
def test_files_hold_every_frame_once_whatever_comes(
    arrivals: list[tuple[int, int, str]], newest: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder_module, "REMEMBERED_HASHES", newest)
        taping = Taping(Path(folder))
        asyncio.run(_tape(taping, arrivals, data))

        files = taping.journal.files
        assert files[0].first_seq == 0
        assert files[-1].last_seq == len(arrivals) - 1
        for before, after in itertools.pairwise(files):
            assert after.first_seq == before.last_seq + 1
            assert after.first_sample >= before.end_sample
        heard = np.zeros(taping.ledger.next_sample, np.int16)
        for file in files:
            run = ChunkFileStore(Path(folder)).read(file)
            heard[file.first_sample : file.end_sample] = run.values[:, 0]
        sent = np.zeros_like(heard)
        for frame in taping.sent:
            end = frame.first_sample + frame.sample_count
            sent[frame.first_sample : end] = np.frombuffer(frame.payload, "<i2")
        assert np.array_equal(heard, sent)


async def _tape(taping: Taping, arrivals: list[tuple[int, int, str]], data: st.DataObject) -> None:
    for samples, skipped, then in arrivals:
        taping.send(samples, skipped)
        frontier = st.integers(taping.journal.frontier, taping.ledger.next_sample)
        taping.journal.frontier = data.draw(frontier)
        if then == "restart":
            taping.restart(ChunkFileStore(taping.root))
        if then == "outage":
            taping.journal.outage = DatabaseUnavailable("gone")
        if then:
            with contextlib.suppress(DatabaseUnavailable):
                await taping.look()
            taping.journal.outage = None
        _check_that_nothing_is_lost(taping)
    taping.end()
    await taping.look(finished=True)
    _check_that_nothing_is_lost(taping)


def _check_that_nothing_is_lost(taping: Taping) -> None:
    filed_to = taping.journal.files[-1].last_seq if taping.journal.files else -1
    assert set(range(filed_to + 1, len(taping.sent))) <= taping.journal.frames.keys()
