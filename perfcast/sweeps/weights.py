"""The weights of trained networks, beside the results of their training: the newest, up to a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.storage import replacing

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from perfcast.checksummed import ChecksummedStore

MAX_WEIGHTS_BYTES = 4 * 2**30
"""Of all weights in a store: those of the published sweep of both families take a third."""
_ENDING = ".weights.h5"
"""Keras demands it."""


def weights_file(store: ChecksummedStore, key: str) -> Path:
    """Return where the weights of a training are, as long as they are kept."""
    return store.path(key).with_name(f"{key}{_ENDING}")


def keep_weights(model: keras.Model, store: ChecksummedStore, key: str) -> None:
    """Write the weights of a network that was trained; beyond the bound, the oldest are deleted.

    Raises:
        StoreError: they cannot be written.
    """
    import keras

    with replacing(weights_file(store, key)) as aside:
        # Without the optimizer, whose moments take twice as much as the weights.
        keras.Model(model.inputs, model.outputs).save_weights(aside)
    files = sorted(store.folder.glob(f"[!.]*{_ENDING}"), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for number, file in enumerate(files):
        total += file.stat().st_size
        if number and total > MAX_WEIGHTS_BYTES:
            file.unlink(missing_ok=True)
