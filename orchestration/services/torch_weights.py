"""Arrays out of a PyTorch checkpoint, without PyTorch.

The format before PyTorch 1.6 (`torch.serialization`, `_legacy_save`): a pickle each of a magic
number, a protocol, facts of the machine, the object, and the keys of its storages; then, for each
key, an int64 count and the storage's elements. A pickle may call whatever it names, so this one may
name only what a tensor is made of.
"""

import pickle
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


class MalformedWeights(ValueError):
    """The file is not such a checkpoint, or names what it may not; the message says which."""


@dataclass(slots=True)
class _Storage:
    """Elements that tensors are views of; they come after the pickle."""

    elements: Floats = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view of `shape` of a contiguous storage from element `offset`."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]

    def array(self) -> Floats:
        size = int(np.prod(self.shape))
        return self.storage.elements[self.offset : self.offset + size].reshape(self.shape).copy()


class _FloatStorage:
    """Stands for `torch.FloatStorage`, the only kind that is read."""


def read_weights(path: Path, section: str) -> dict[str, Floats]:
    """The float tensors under `section` of the checkpoint, by name; strides are taken as C order.

    Raises:
        MalformedWeights: it is not such a checkpoint.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            return _read(file, section)
        except MalformedWeights:
            raise
        except Exception as error:
            # A pickle that is damaged raises nearly anything.
            raise MalformedWeights(f"{path.name}: {error}") from error


def _read(file: BinaryIO, section: str) -> dict[str, Floats]:
    storages: dict[str, _Storage] = {}
    header = [_load(file, storages) for _ in range(2)]
    if header != [MAGIC, PROTOCOL]:
        raise MalformedWeights("it does not begin as a PyTorch checkpoint of before 1.6 does")
    _load(file, storages)
    checkpoint = _load(file, storages)
    for key in _load(file, storages):
        count = int.from_bytes(file.read(8), "little")
        data = file.read(4 * count)
        if len(data) != 4 * count:
            raise MalformedWeights("it ends within a storage")
        storages[key].elements = np.frombuffer(data, "<f4").astype(np.float32)
    return {
        name: value.array()
        for name, value in checkpoint[section].items()
        if isinstance(value, _Tensor)
    }


def _load(file: BinaryIO, storages: dict[str, _Storage]) -> Any:
    return _TensorUnpickler(file, storages).load()


class _TensorUnpickler(pickle.Unpickler):
    """Knows what tensors are made of, and nothing else."""

    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch", "FloatStorage"): _FloatStorage,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no tensor needs")
        return known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        _, kind, key, *_ = pid
        if kind is not _FloatStorage:
            raise pickle.UnpicklingError("it has storages that are not of floats")
        return self._storages.setdefault(key, _Storage())


def _tensor(storage: _Storage, offset: int, shape: Sequence[int], *_: object) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape))
