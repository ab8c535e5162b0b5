"""Checkpoints of PyTorch, read without it."""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from orchestration.services.embedded_diarizer import locate_weights
from orchestration.services.torch_weights import (
    MAGIC,
    PROTOCOL,
    MalformedWeights,
    read_weights,
)


def write(path: Path, checkpoint: object) -> Path:
    """A checkpoint without storages."""
    path.write_bytes(b"".join(pickle.dumps(one) for one in (MAGIC, PROTOCOL, {}, checkpoint, [])))
    return path


def test_the_encoders_weights_have_their_shapes() -> None:
    weights = read_weights(locate_weights(), "model_state")
    assert weights["lstm.weight_ih_l0"].shape == (1024, 40)
    assert weights["linear.weight"].shape == (256, 256)
    assert all(np.isfinite(one).all() and one.any() for one in weights.values())


def test_a_checkpoint_cannot_call_what_it_likes(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("called",)

    with pytest.raises(MalformedWeights, match=r"builtins\.print"):
        read_weights(write(tmp_path / "harmful.pt", {"model_state": Harmful()}), "model_state")


@pytest.mark.parametrize("length", [0, 10, 137, 6000, 100_000])
def test_a_checkpoint_that_was_cut_off_is_malformed(tmp_path: Path, length: int) -> None:
    cut = tmp_path / "cut.pt"
    cut.write_bytes(locate_weights().read_bytes()[:length])
    with pytest.raises(MalformedWeights):
        read_weights(cut, "model_state")


def test_a_section_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MalformedWeights, match="model_state"):
        read_weights(write(tmp_path / "other.pt", OrderedDict()), "model_state")
