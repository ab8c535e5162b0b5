"""Files of recordings: whole and durable, or not there."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from orchestration.audio.pcm import PcmFormat
from orchestration.errors import RecordingFailed, Unavailable, UnknownSession
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.erasure_ports import RemovedFiles
from orchestration.storage.values import JournalFrame

STEREO = PcmFormat("s16le", 48_000, 2)
NOISE = np.random.default_rng(7)


def noise_frame(seq: int, first_sample: int, samples: int = 4800) -> JournalFrame:
    values = NOISE.integers(-32_768, 32_768, (samples, 2), dtype=np.int16)
    return JournalFrame(3, seq, first_sample, samples, bytes(16), values.astype("<i2").tobytes())


@pytest.fixture
def store(tmp_path: Path) -> ChunkFileStore:
    return ChunkFileStore(tmp_path / "recordings")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_is_written_is_read_back_bit_for_bit(store: ChunkFileStore) -> None:
    frames = [noise_frame(5, 1000), noise_frame(6, 5800)]
    file = store.write("s1", STEREO, frames)
    assert (file.stream, file.first_seq, file.last_seq) == (3, 5, 6)
    assert (file.first_sample, file.end_sample) == (1000, 10_600)
    run = store.read(file)
    assert run.first_sample == 1000
    assert run.values.astype("<i2").tobytes() == frames[0].payload + frames[1].payload


def test_a_gap_between_frames_is_silence(store: ChunkFileStore) -> None:
    file = store.write("s1", STEREO, [noise_frame(0, 0, 100), noise_frame(1, 5000, 100)])
    values = store.read(file).values
    assert len(values) == 5100
    assert not values[100:5000].any()


def test_f32_audio_is_kept_as_16_bit(store: ChunkFileStore) -> None:
    payload = np.array([0.5, 2.0, -2.0, np.nan], "<f4").tobytes()
    frame = JournalFrame(0, 0, 0, 4, bytes(16), payload)
    file = store.write("s1", PcmFormat("f32le", 16_000, 1), [frame])
    assert store.read(file).values[:, 0].tolist() == [16_384, 32_767, -32_768, 0]


def test_a_file_is_flac_that_any_program_reads(store: ChunkFileStore, tmp_path: Path) -> None:
    file = store.write("s1", STEREO, [noise_frame(0, 0)])
    info = soundfile.info(tmp_path / "recordings" / "s1" / file.name)
    assert (info.format, info.samplerate, info.channels, info.frames) == ("FLAC", 48_000, 2, 4800)


def test_the_same_frames_make_the_same_file(store: ChunkFileStore, tmp_path: Path) -> None:
    frames = [noise_frame(0, 0)]
    assert store.write("s1", STEREO, frames) == store.write("s1", STEREO, frames)
    assert len(files_below(tmp_path)) == 1


def test_only_the_services_user_may_look(store: ChunkFileStore, tmp_path: Path) -> None:
    store.write("s1", STEREO, [noise_frame(0, 0)])
    (file,) = files_below(tmp_path)
    assert file.stat().st_mode & 0o077 == 0
    assert (tmp_path / "recordings").stat().st_mode & 0o077 == 0


def test_a_damaged_file_is_not_taken_for_the_recording(
    store: ChunkFileStore, tmp_path: Path
) -> None:
    file = store.write("s1", STEREO, [noise_frame(0, 0)])
    (path,) = files_below(tmp_path)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(Unavailable, match="checksum"):
        store.read(file)


def test_a_file_that_is_on_another_node_is_said_to_be(store: ChunkFileStore) -> None:
    file = store.write("s1", STEREO, [noise_frame(0, 0)])
    store.remove_session("s1")
    with pytest.raises(Unavailable, match="share"):
        store.read(file)


def test_removing_a_session_leaves_the_others(store: ChunkFileStore, tmp_path: Path) -> None:
    for session_id in ("s1", "s2"):
        store.write(session_id, STEREO, [noise_frame(0, 0)])
    store.remove_session("s1")
    store.remove_session("s1")
    assert [path.parent.name for path in files_below(tmp_path)] == ["s2"]


def test_a_file_that_gets_its_name_while_its_session_is_removed_goes_too_and_counts_once(
    store: ChunkFileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("s1", STEREO, [noise_frame(0, 0)])
    (file,) = files_below(tmp_path)
    size, named = file.stat().st_size, file.with_name("00000-1-2.flac")
    unlink = Path.unlink

    def named_meanwhile(path: Path, missing_ok: bool = False) -> None:
        if path == file:
            path.rename(named)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", named_meanwhile)
    assert store.remove_session("s1") == RemovedFiles(1, size)
    assert files_below(tmp_path) == []
    assert store.remove_session("s1") == RemovedFiles()


@pytest.mark.parametrize("session_id", ["..", ".", "", "a/b", "../s1", "/etc", "a\0b", "s1\n"])
def test_no_session_id_leads_out_of_the_folder(store: ChunkFileStore, session_id: str) -> None:
    with pytest.raises(UnknownSession):
        store.remove_session(session_id)
    with pytest.raises(UnknownSession):
        store.write(session_id, STEREO, [noise_frame(0, 0)])


def test_a_full_disk_leaves_no_part_of_a_file(tiny_disk: Path) -> None:
    store = ChunkFileStore(tiny_disk / "recordings")
    small = store.write("s1", STEREO, [noise_frame(0, 0)])
    with pytest.raises(RecordingFailed, match="No space left"):
        store.write("s1", STEREO, [noise_frame(1, 4800, 400_000)])
    assert [path.name for path in files_below(tiny_disk)] == [small.name]
    assert store.read(small).values.shape == (4800, 2)


def test_a_failing_disk_leaves_no_part_of_a_file(
    store: ChunkFileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    (tmp_path / "recordings" / "s1").mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RecordingFailed, match="Input/output error"):
        store.write("s1", STEREO, [noise_frame(0, 0)])
    assert files_below(tmp_path) == []


def test_what_a_dead_writer_left_is_discarded(store: ChunkFileStore, tmp_path: Path) -> None:
    file = store.write("s1", STEREO, [noise_frame(0, 0)])
    (tmp_path / "recordings" / "s1" / f".{file.name}.x.part").write_bytes(b"half")
    store.discard_partial("s1")
    assert [path.name for path in files_below(tmp_path)] == [file.name]
