"""The folders of a run, in a data directory that may not be as it should."""

import errno
import secrets
from pathlib import Path

import pytest

from actors.cluster_folders import last_run, open_folders
from orchestration.errors import ClusterError


@pytest.mark.parametrize("data_dir", ["/dev/null", "/proc/nowhere"])
def test_a_data_directory_that_cannot_be_written_is_named(data_dir: str) -> None:
    with pytest.raises(ClusterError, match=f"{data_dir} cannot be written: .*directory"):
        open_folders(Path(data_dir))
    assert last_run(Path(data_dir)) is None


def test_a_full_disk_leaves_no_token_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(length: int) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(secrets, "token_hex", full)
        with pytest.raises(ClusterError, match="No space left"):
            open_folders(tmp_path)
    open_folders(tmp_path).release()
    assert len((tmp_path / "ray_token").read_text()) == 64
