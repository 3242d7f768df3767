"""The kinds of external models: how each is recognised, which reader reads it, whether it can be measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perfcast.errors import UsageError
from perfcast.formats.keras_json.container import CONFIG, HDF5_ENDINGS
from perfcast.models.external.keras_files import read_json, read_keras_file
from perfcast.models.external.model import ONLY_DESCRIBED, ExternalModel, described
from perfcast.models.spec import DESCRIPTOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.formats.tensorflow_graph.model import TensorFlowModel
    from perfcast.models.external.model import ReadOptions

FILE = "file"
"""The source of models in files: Keras files and texts, SavedModels, frozen graphs, ONNX and LiteRT files."""

HUB = "tensorflow_hub"
"""The source of models that a TensorFlow Hub handle names: an address, an archive or a folder."""

SOURCES = (FILE, HUB)
"""What sheets name as the source of external models."""


@dataclass(frozen=True)
class Kind:
    """One kind of external model.

    Attributes:
        label: what messages and help call it.
        read: returns the model of a handle.
        endings: of its files' names, lower case; none for folders and addresses.
        unmeasurable: why it can be predicted but not measured; empty where it can.
    """

    label: str
    read: Callable[[str, ReadOptions], ExternalModel]
    endings: tuple[str, ...] = ()
    unmeasurable: str = ""


def _read_descriptor(handle: str, options: ReadOptions) -> ExternalModel:
    from perfcast.formats.keras_json.text import read_document

    return described(read_document(Path(handle) / DESCRIPTOR), options)


def _read_hub(handle: str, options: ReadOptions) -> ExternalModel:
    from perfcast.formats.hub import resolve

    return _read_saved_model(str(resolve(handle)), options)


def _read_saved_model(handle: str, options: ReadOptions) -> ExternalModel:
    from perfcast.formats import tensorflow_graph

    return _of_tensorflow(
        tensorflow_graph.read_saved_model(
            Path(handle), options.shapes, signature=options.signature, keep_values=options.keep_values
        )
    )


def _read_frozen_graph(handle: str, options: ReadOptions) -> ExternalModel:
    from perfcast.formats import tensorflow_graph

    return _of_tensorflow(
        tensorflow_graph.read_frozen_graph(Path(handle), options.shapes, keep_values=options.keep_values)
    )


def _of_tensorflow(read: TensorFlowModel) -> ExternalModel:
    return ExternalModel(read.network.descriptor(), read.interface, read.graph)


def _read_onnx(handle: str, options: ReadOptions) -> ExternalModel:
    from perfcast.formats import onnx_graph

    return ExternalModel(onnx_graph.read_onnx(Path(handle), options.shapes).descriptor())


def _read_litert(handle: str, options: ReadOptions) -> ExternalModel:
    from perfcast.formats import tflite_graph

    return ExternalModel(tflite_graph.read_tflite(Path(handle), options.shapes).descriptor())


_NO_TOOLCHAIN = "no toolchain here runs {} files, so it cannot be measured; `perfcast predict` predicts it"

_DESCRIPTOR = Kind("descriptor", _read_descriptor, unmeasurable=ONLY_DESCRIBED)
_HUB = Kind("TensorFlow Hub handle", _read_hub)
_KERAS = Kind("saved Keras model", read_keras_file, (".keras", *HDF5_ENDINGS))
_SAVED_MODEL = Kind("SavedModel folder", _read_saved_model)

KINDS = (
    _KERAS,
    Kind("Keras text, or descriptor", read_json, (".json", ".json.gz")),
    Kind("frozen TensorFlow graph", _read_frozen_graph, (".pb",)),
    Kind("ONNX", _read_onnx, (".onnx",), _NO_TOOLCHAIN.format("ONNX")),
    Kind("LiteRT", _read_litert, (".tflite",), _NO_TOOLCHAIN.format("LiteRT")),
    Kind("SavedModel archive", _read_hub, (".tar.gz", ".tgz")),
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
    return _KERAS if (folder / CONFIG).exists() else _SAVED_MODEL
