"""Readers of Keras' own files: saved models, and texts of `model.to_json()`."""

from __future__ import annotations

import contextlib
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.errors import PerfcastError, SourceError, UsageError
from perfcast.formats.keras_json import code_in, looks_like_keras, network_of, read_configuration, refusal_of
from perfcast.formats.keras_json.container import read_document
from perfcast.formats.keras_json.live import network_of_live
from perfcast.models.built import BuiltModel
from perfcast.models.external.kinds import ONLY_DESCRIBED
from perfcast.network.descriptor import validate_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

    from perfcast.models.external.options import ReadOptions
    from perfcast.network.network import Network

_ALLOW_CODE = "; if you trust the file, let it run: --allow-code, or allow_code=true in a sheet"


def read_json(handle: str, options: ReadOptions) -> BuiltModel:
    """Read a text of `model.to_json()`, which Keras builds only where it is to run; or a descriptor."""
    document = read_document(Path(handle))
    if isinstance(document, dict) and "layers" in document:
        if options.to_run:
            raise UsageError(ONLY_DESCRIBED)
        validate_descriptor(document)
        return BuiltModel(document)
    if not options.to_run:
        return _described(network_of(document, options.shapes))
    if options.keep_values:
        raise UsageError("a Keras text holds no values of weights; remove weights=values")
    return _built(_rebuild(document), document, options)


def read_keras_file(handle: str, options: ReadOptions) -> BuiltModel:
    """Read a saved model by its configuration; Keras loads it only to measure it, or to run code that came with it."""
    document = read_configuration(Path(handle))
    code = code_in(document)
    if options.to_run or (code and options.allow_code):
        return _built(_load(Path(handle), document, options.allow_code), document, options)
    if code:
        raise SourceError(f"{code}{_ALLOW_CODE}")
    return _described(network_of(document, options.shapes))


def _described(network: Network) -> BuiltModel:
    descriptor = network.descriptor()
    if not descriptor["input_shape"]:
        raise SourceError("the input is a single number; it needs at least one axis in addition to the batch")
    return BuiltModel(descriptor)


def _built(model: keras.Model, document: Any, options: ReadOptions) -> BuiltModel:
    with quiet_errors("Keras", "describe"):
        network = network_of_live(model, options.shapes, document)
    tensors = network.tensors()
    shapes = tuple(tensors[name].shape for name in network.inputs)
    return replace(_described(network), keras_model=model, shapes=shapes, keep_values=options.keep_values)


def _load(path: Path, document: Any, allow_code: bool) -> keras.Model:
    """Load a saved model with Keras, but only one whose configuration was found harmless, or is allowed to run code."""
    reason = _refusal(document)
    if reason and not allow_code:
        raise SourceError(reason)
    import keras

    try:
        with quiet_errors("Keras", "load"):
            model = keras.saving.load_model(path, compile=False, safe_mode=not allow_code)
            model.inputs  # noqa: B018  (a subclassed model that was never called has none)
    except SourceError as error:
        if reason:
            raise SourceError(f"Keras does not load it: {reason.removesuffix(_ALLOW_CODE)}") from error
        raise
    return model


def _rebuild(document: Any) -> keras.Model:
    reason = _refusal(document)
    if reason:
        raise SourceError(f"Keras does not build it: {reason.removesuffix(_ALLOW_CODE)}")
    import keras

    # How it was trained needs values, of which there are none here.
    text = json.dumps({key: value for key, value in document.items() if key != "compile_config"})
    with quiet_errors("Keras", "build"), keras.StatelessScope(initialize_variables=False):
        return keras.models.model_from_json(text)


def _refusal(document: Any) -> str | None:
    """Return why Keras must not or cannot be given a configuration, and what the user can do; None if it may."""
    if not looks_like_keras(document):
        return "its configuration is not that of a Keras model: it has no class_name and config"
    reason = refusal_of(document)
    return f"{reason}{_ALLOW_CODE}" if reason and reason == code_in(document) else reason


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
