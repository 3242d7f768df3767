"""CIFAR-10 in its binary format; its pickles, which can run code, are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.errors import UsageError
from perfcast.sweeps.data.corpus import Labelled

if TYPE_CHECKING:
    from pathlib import Path

_SIDE, _CHANNELS, _CLASSES = 32, 3, 10
_RECORD_BYTES = 1 + _SIDE * _SIDE * _CHANNELS
_MAX_BYTES = 1 << 28


def read_cifar(folder: Path) -> tuple[Labelled | None, Labelled | None] | None:
    """Return the examples of `data_batch_*.bin` and of `test_batch.bin`; None of a folder with neither.

    Raises:
        UsageError: a file is damaged, or there are only pickles; one line that names it.
    """
    names = (sorted(folder.glob("data_batch_*.bin")), sorted(folder.glob("test_batch.bin")))
    if not any(names):
        if pickles := sorted([*folder.glob("data_batch_[0-9]"), *folder.glob("test_batch")]):
            raise UsageError(
                f"{pickles[0]}: is a pickle, which could run code when read; get CIFAR-10's binary version (.bin)"
            )
        return None
    training, evaluation = (_joined([_read(path) for path in paths]) for paths in names)
    return training, evaluation


def _joined(parts: list[Labelled]) -> Labelled | None:
    if not parts:
        return None
    return Labelled(np.concatenate([part.items for part in parts]), np.concatenate([part.labels for part in parts]))


def _read(path: Path) -> Labelled:
    try:
        size = path.stat().st_size
        if not size or size % _RECORD_BYTES or size > _MAX_BYTES:
            raise UsageError(
                f"{path}: has {size:,} bytes; CIFAR-10's binary format has {_RECORD_BYTES:,} per image, "
                f"at most {_MAX_BYTES:,} in all"
            )
        records = np.fromfile(path, np.uint8).reshape(-1, _RECORD_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= _CLASSES:
        raise UsageError(f"{path}: has the label {labels.max()}, of at most {_CLASSES - 1}")
    images = records[:, 1:].reshape(-1, _CHANNELS, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return Labelled(np.ascontiguousarray(images), labels)
