"""Reader of what a TensorFlow Hub handle names: an address, an archive or a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.formats.hub import resolve
from perfcast.models.external.tensorflow_files import read_saved_model

if TYPE_CHECKING:
    from perfcast.models.built import BuiltModel
    from perfcast.models.external.options import ReadOptions


def read_hub(handle: str, options: ReadOptions) -> BuiltModel:
    """Read the SavedModel that a handle names."""
    return read_saved_model(str(resolve(handle)), options)
