"""The kinds of external models: how each is recognised, what reads it, whether it can be measured.

A table alone: readers are named, and imported once they read.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from perfcast.errors import UsageError
from perfcast.formats import HDF5_ENDINGS, KERAS_CONFIG
from perfcast.models.spec import DESCRIPTOR

if TYPE_CHECKING:
    from perfcast.models.built import BuiltModel
    from perfcast.models.external.options import ReadOptions

FILE = "file"
"""The source of models in files: Keras files and texts, SavedModels, frozen graphs, ONNX and LiteRT files."""

HUB = "tensorflow_hub"
"""The source of models that a TensorFlow Hub handle names: an address, an archive or a folder."""

SOURCES = (FILE, HUB)
"""What sheets name as the source of external models."""

ONLY_DESCRIBED = "is a descriptor, which cannot be measured; name the model, or the file it came from"
"""Why descriptors are not measured."""


@dataclass(frozen=True)
class Kind:
    """One kind of external model.

    Attributes:
        label: what messages and help call it.
        module: where its reader is, beside this module.
        function: the reader: it takes a handle and options.
        endings: of its files' names, lower case; none for folders and addresses.
        unmeasurable: why it can be predicted but not measured; empty where it can.
    """

    label: str
    module: str
    function: str
    endings: tuple[str, ...] = ()
    unmeasurable: str = ""

    def read(self, handle: str, options: ReadOptions) -> BuiltModel:
        """Return the model of a handle, whose descriptor may have no names yet.

        Raises:
            UsageError: it is missing, or its inputs need shapes, or it cannot be measured but is to be.
            SourceError: it cannot be read.
        """
        if options.to_run and self.unmeasurable:
            raise UsageError(self.unmeasurable)
        model: BuiltModel = getattr(import_module(f"{__package__}.{self.module}"), self.function)(handle, options)
        return model


_NO_TOOLCHAIN = "no toolchain here runs {} files, so it cannot be measured; `perfcast predict` predicts it"

_DESCRIPTOR = Kind("descriptor", "only_described", "read_folder", unmeasurable=ONLY_DESCRIBED)
_HUB = Kind("TensorFlow Hub handle", "hub", "read_hub")
_KERAS = Kind("saved Keras model", "keras_files", "read_keras_file", (".keras", *HDF5_ENDINGS))
_SAVED_MODEL = Kind("SavedModel folder", "tensorflow_files", "read_saved_model")

KINDS = (
    _KERAS,
    Kind("Keras text, or descriptor", "keras_files", "read_json", (".json", ".json.gz")),
    Kind("frozen TensorFlow graph", "tensorflow_files", "read_frozen_graph", (".pb",)),
    Kind("ONNX", "only_described", "read_onnx", (".onnx",), _NO_TOOLCHAIN.format("ONNX")),
    Kind("LiteRT", "only_described", "read_litert", (".tflite",), _NO_TOOLCHAIN.format("LiteRT")),
    Kind("SavedModel archive", "hub", "read_hub", (".tar.gz", ".tgz")),
    _SAVED_MODEL,
    _HUB,
    _DESCRIPTOR,
)
"""All kinds; the only list of them."""

ENDINGS = {ending: kind for kind in KINDS for ending in kind.endings}
"""The kind that each ending of a file's name stands for."""


def is_address(handle: str) -> bool:
    """Tell whether a handle is an address on the network rather than a path."""
    return handle.lower().startswith(("https://", "http://"))


def ending_of(handle: str) -> str:
    """Return the ending by which a file's name is recognised; empty if there is none."""
    return next((ending for ending in ENDINGS if handle.lower().endswith(ending)), "")


def kind_of(handle: str, source: str = FILE) -> Kind | None:
    """Return the kind of the model that a handle names; None of a name that is none of a file's.

    Args:
        handle: its path or address.
        source: `file` or `tensorflow_hub`.

    Raises:
        UsageError: it is empty, nothing is there although the name ends as a file's, or of no kind that can be read.
    """
    if not handle:
        raise UsageError("a SOURCE is empty; name a file, an address or a model of a sheet")
    if source == HUB or is_address(handle):
        return _HUB
    path, ending = Path(handle), ending_of(handle)
    if path.is_dir():
        return _kind_of_folder(path)
    if path.is_file() and ending:
        return ENDINGS[ending]
    if path.is_file():
        raise UsageError(f"unknown file type; expected {', '.join(ENDINGS)} or the folder of a SavedModel")
    if path.exists():
        raise UsageError("not a file")
    if ending:
        raise UsageError("there is no such file")
    return None


def _kind_of_folder(folder: Path) -> Kind:
    if (folder / DESCRIPTOR).exists():
        return _DESCRIPTOR
    # What Keras zips, unpacked.
    return _KERAS if (folder / KERAS_CONFIG).exists() else _SAVED_MODEL


def readers_of(handle: str, source: str) -> tuple[str, ...]:
    """Return the modules that may read what a handle names, whether it is there or not."""
    kind = _HUB if source == HUB or is_address(handle) else ENDINGS.get(ending_of(handle))
    kinds = (_KERAS, _SAVED_MODEL) if kind is None or Path(handle).is_dir() else (kind,)
    return tuple(f"{__package__}.{module}" for module in sorted({kind.module for kind in kinds}))
