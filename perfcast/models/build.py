"""Build the network that a model spec describes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError, UsageError

if TYPE_CHECKING:
    import keras

    from perfcast.models.spec import ModelSpec

SOURCES = ("keras_applications", "synthetic", "dense", "scaling", "classic", "convolution")
"""The catalogues, as sheets and specs name them and as the modules beside this one are named."""


def catalogue(source: str) -> Any:
    """Return the module of a catalogue, which has `make_spec` and `build`."""
    return import_module(f"{__package__}.{source}")


def build_model(spec: ModelSpec) -> keras.Model:
    """Return the network of `spec`, untrained.

    Layers' names depend on the spec alone where `keras.backend.clear_session()` was called before. Inside
    `keras.StatelessScope(initialize_variables=False)` no weight is materialised.

    Both errors are one line that begins with the model's name.

    Raises:
        UsageError: the spec asks for a source, builder, parameter or size that there is not.
        SourceError: the source refuses to build it or fails.
    """
    if spec.source not in SOURCES:
        raise UsageError(f"{spec.model}: unknown source {spec.source!r}; there are {', '.join(SOURCES)}")
    source = catalogue(spec.source)
    try:
        source.make_spec(spec.builder, spec.input_shape, spec.parameters)
        return source.build(spec)
    except UsageError as error:
        raise UsageError(f"{spec.model}: {error}") from error
    # Builders are other people's code, which raises whatever it likes.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise SourceError(f"{spec.model}: {spec.builder} of {spec.source} cannot be built: {reason}") from error
