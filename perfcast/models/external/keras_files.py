"""Readers of Keras' own files: archives, and texts of `model.to_json()`."""

from __future__ import annotations

import contextlib
import json
import warnings
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from perfcast.errors import PerfcastError, SourceError, UsageError
from perfcast.formats.inputs import settle
from perfcast.models.external.model import ExternalModel, KerasModel, described
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

    from perfcast.models.external.model import ReadOptions

_LARGEST_CONFIG = 100_000_000


def read_json(handle: str, options: ReadOptions) -> ExternalModel:
    """Read a text of `model.to_json()`, which Keras builds only where it is to run; or a descriptor."""
    from perfcast.formats.keras_json import network_of
    from perfcast.formats.keras_json.text import read_document

    document = read_document(Path(handle))
    if isinstance(document, dict) and "layers" in document:
        return described(document, options)
    network = network_of(document, options.shapes)
    if not options.to_run:
        return ExternalModel(network.descriptor())
    if options.keep_values:
        raise UsageError("a Keras text holds no values of weights; remove weights=values")
    return _built(_rebuild(document), options)


def read_keras_file(handle: str, options: ReadOptions) -> ExternalModel:
    """Read an archive that Keras 3 saved, or the folder that it was unpacked to."""
    path = Path(handle)
    if path.is_file():
        _check_archive(path)
    try:
        model = _load(path, options.allow_code)
    except SourceError as error:
        reason = _unsafe_or_unknown_in(path)
        if reason is None:
            raise
        is_code = reason.endswith("is code") and not options.allow_code
        hint = "; if you trust the file, let it run: --allow-code, or allow_code=true in a sheet" if is_code else ""
        raise SourceError(f"Keras does not load it: {reason}{hint}") from error
    return _built(model, options)


def _unsafe_or_unknown_in(path: Path) -> str | None:
    """Return why Keras does not load an archive, as its own configuration shows."""
    from perfcast.formats.keras_json import unsafe_or_unknown

    try:
        if path.is_dir():
            text = (path / "config.json").read_bytes()
        else:
            with zipfile.ZipFile(path) as archive, archive.open("config.json") as file:
                text = file.read(_LARGEST_CONFIG)
        return unsafe_or_unknown(json.loads(text))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile):
        return None


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    # Of a file that is no archive, Keras reports that it does not exist.
    except (zipfile.BadZipFile, ValueError) as error:
        raise SourceError("not a readable Keras file; save the model to it again") from error
    leading_out = [name for name in names if name.startswith("/") or ".." in PurePosixPath(name).parts]
    if leading_out:
        member = escape_control(leading_out[0])[:80]
        raise SourceError(f"not a Keras archive: its member {member!r} escapes it (path traversal)")


def _built(model: keras.Model, options: ReadOptions) -> ExternalModel:
    names = [escape_control(tensor.name) for tensor in model.inputs]
    settled = settle({n: list(t.shape) for n, t in zip(names, model.inputs, strict=True)}, options.shapes)
    shapes = tuple(settled[name][1:] for name in names)
    if not shapes[0]:
        raise SourceError("the input is a single number; it needs at least one axis in addition to the batch")
    return ExternalModel(built=KerasModel(model, shapes))


def _load(path: Path, allow_code: bool) -> keras.Model:
    import keras

    with quiet_errors("Keras", "load"):
        model = keras.saving.load_model(path, compile=False, safe_mode=not allow_code)
        model.inputs  # noqa: B018  (a subclassed model that was never called has none)
    return model


def _rebuild(document: dict[str, Any]) -> keras.Model:
    import keras

    # How it was trained needs values, of which there are none here.
    text = json.dumps({key: value for key, value in document.items() if key != "compile_config"})
    with quiet_errors("Keras", "build"), keras.StatelessScope(initialize_variables=False):
        return keras.models.model_from_json(text)


@contextlib.contextmanager
def quiet_errors(library: str, action: str) -> Iterator[None]:
    """Make what a library raises over someone's model one line, and keep its warnings off the terminal.

    Raises:
        SourceError: whatever the library raised.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except PerfcastError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise SourceError(f"{library} cannot {action} it: {reason[0][:300]}") from error
