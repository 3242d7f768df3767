"""The data that networks are trained on: a folder, scikit-learn's digits, or generated images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.errors import UsageError
from perfcast.sweeps.data.corpus import Labelled, Wanted
from perfcast.sweeps.data.images import as_inputs, default_images, find_images
from perfcast.training.cifar import read_cifar

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS, GENERATED = "digits", "generated"
_GENERATED, _GENERATED_CLASSES = 256, 10
_SPLIT_SEED = 0
"""Of which examples are held out: the same for all runs."""
_BRIGHTEST = 255
_HALF = 5
"""The first classes, in the two halves of ten."""


@dataclass(frozen=True)
class Examples:
    """Images with classes, as a network takes them.

    Attributes:
        name: of the data, as it was asked for.
        images, labels: to train on.
        held_images, held_labels: to evaluate on; none of generated images, of which no accuracy is claimed.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    held_images: np.ndarray
    held_labels: np.ndarray

    def of_classes(self, classes: Sequence[int]) -> Examples:
        """Return the examples of some classes alone."""
        kept, held = (np.isin(labels, classes) for labels in (self.labels, self.held_labels))
        name = f"{self.name}, classes {classes[0]} to {classes[-1]}"
        return Examples(name, self.images[kept], self.labels[kept], self.held_images[held], self.held_labels[held])

    def halves(self) -> tuple[Examples, Examples]:
        """Return the examples of the classes 0 to 4, and of all others."""
        return self.of_classes(range(_HALF)), self.of_classes(range(_HALF, _GENERATED_CLASSES))


def read_examples(data: str, shape: tuple[int, ...], wanted_training: int | None, wanted_held: int) -> Examples:
    """Return data as a network of an input shape takes it.

    Args:
        data: a folder, `digits` or `generated`.
        shape: height, width and channels.
        wanted_training, wanted_held: most examples to train on and to evaluate on.

    Raises:
        UsageError: there is no such data, or it is damaged; one line that names it.
    """
    if len(shape) != 3 or None in shape:
        raise UsageError(f"{data}: these are images; the network takes inputs of shape {shape}")
    if data == GENERATED:
        return _generated(shape, wanted_training or _GENERATED)
    wanted = Wanted(wanted_held, wanted_training, _SPLIT_SEED)
    training, held = _parts(data, wanted)
    return Examples(
        Path(data).name,
        _fitted(training.items, shape),
        training.labels.astype(np.int32),
        _fitted(held.items, shape),
        held.labels.astype(np.int32),
    )


def _parts(data: str, wanted: Wanted) -> tuple[Labelled, Labelled]:
    if data == DIGITS:
        corpus = default_images(wanted)
        return corpus.training, corpus.evaluation
    folder = Path(data)
    if not folder.is_dir():
        raise UsageError(f"--data {data}: not a folder; name one with IDX or CIFAR-10 files, {DIGITS} or {GENERATED}")
    found = read_cifar(folder)
    if found:
        training, held = found
        if training and held:
            return wanted.of_two_parts(training, held)
        return wanted.of_one_part(next(part for part in found if part))
    corpus_found = find_images(folder, wanted)
    if corpus_found is None:
        raise UsageError(f"--data {data}: has no IDX files (train or t10k) and no data_batch_*.bin of CIFAR-10")
    return corpus_found.training, corpus_found.evaluation


def _generated(shape: tuple[int, ...], count: int) -> Examples:
    generator = np.random.default_rng(_SPLIT_SEED)
    images = generator.random((count, *shape), np.float32)
    labels = generator.integers(_GENERATED_CLASSES, size=count).astype(np.int32)
    return Examples(GENERATED, images, labels, images[:0], labels[:0])


def _fitted(images: Any, shape: tuple[int, ...]) -> np.ndarray:
    if images.ndim == 3:
        return as_inputs(images, shape)
    if images.shape[1:] != shape:
        raise UsageError(f"the data has images of {images.shape[1:]}, the network takes {shape}; name such a network")
    return images.astype(np.float32) / _BRIGHTEST
