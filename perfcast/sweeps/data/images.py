"""Images to classify: IDX files, Keras's own download, and scikit-learn's digits where there is neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.errors import UsageError
from perfcast.sweeps.data.corpus import Corpus, Labelled, Wanted
from perfcast.sweeps.data.idx import read_idx

if TYPE_CHECKING:
    from pathlib import Path

CLOTHES = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
DIGITS = tuple("0123456789")

_IMAGES, _LABELS = "*{}-images[-.]idx3-ubyte*", "*{}-labels[-.]idx1-ubyte*"
_BRIGHTEST = 255
_BRIGHTEST_DIGIT = 16


def find_images(folder: Path, wanted: Wanted) -> Corpus | None:
    """Return the images of a folder with IDX files as MNIST and Fashion-MNIST name them; None where there are none.

    Without files of training, those of the test are split. Classes are named as Fashion-MNIST's where a name of a
    file or of the folder contains `fashion`, else by their numbers.

    Raises:
        UsageError: a file is missing or damaged, or two do not go together; one line that names it.
    """
    parts = {name: _read_part(folder, name) for name in ("train", "t10k")}
    training, evaluation = parts["train"], parts["t10k"]
    whole = evaluation or training
    if whole is None:
        return None
    split = wanted.of_two_parts(training, evaluation) if training and evaluation else wanted.of_one_part(whole)
    names = " ".join([folder.resolve().name, *(path.name for path in folder.iterdir())])
    classes = CLOTHES if "fashion" in names.lower() else DIGITS
    source = f"IDX files in {folder}" + ("" if training and evaluation else ", one part of them held out")
    return Corpus(source, False, classes, *split)


def _read_part(folder: Path, name: str) -> Labelled | None:
    files = [sorted(folder.glob(pattern.format(name))) for pattern in (_IMAGES, _LABELS)]
    if not any(files):
        return None
    for found, kind in zip(files, ("images", "labels"), strict=True):
        if len(found) != 1:
            raise UsageError(f"{folder}: has {len(found)} files of {name}-{kind}, where one is needed")
    images, labels = (read_idx(found[0], dimensions) for found, dimensions in zip(files, (3, 1), strict=True))
    if len(images) != len(labels):
        raise UsageError(f"{files[1][0]}: has {len(labels):,} labels of {len(images):,} images")
    if labels.max() >= len(DIGITS):
        raise UsageError(f"{files[1][0]}: has the label {labels.max()}, of at most {len(DIGITS) - 1}")
    return Labelled(images, labels.astype(np.int64))


def download_images(wanted: Wanted) -> Corpus:
    """Return Fashion-MNIST as Keras downloads it, or has downloaded it before.

    Raises:
        Exception: whatever Keras raises where it cannot.
    """
    from keras.datasets import fashion_mnist

    parts = [Labelled(images, labels.astype(np.int64)) for images, labels in fashion_mnist.load_data()]
    return Corpus("Fashion-MNIST, downloaded by Keras", False, CLOTHES, *wanted.of_two_parts(*parts))


def default_images(wanted: Wanted) -> Corpus:
    """Return scikit-learn's digits, which it brings along."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images * (_BRIGHTEST / _BRIGHTEST_DIGIT)).astype(np.uint8)
    split = wanted.of_one_part(Labelled(images, digits.target.astype(np.int64)))
    return Corpus("BUILT-IN DEFAULT, not Fashion-MNIST: scikit-learn's 8x8 digits, resized", True, DIGITS, *split)


def as_inputs(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return images as a network of an input shape takes them: resized, from 0 to 1, alike in all channels."""
    from scipy.ndimage import zoom

    height, width, channels = shape
    values = images.astype(np.float32) / _BRIGHTEST
    if values.shape[1:] != (height, width):
        values = zoom(values, (1, height / values.shape[1], width / values.shape[2]), order=1)
    return np.repeat(values[..., np.newaxis], channels, axis=-1)
