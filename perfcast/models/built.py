"""A model as it was built or read: what converters make programs of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from perfcast.network.descriptor import SCHEMA_VERSION, validate_descriptor

if TYPE_CHECKING:
    import keras

    from perfcast.models.spec import ModelSpec
    from perfcast.network.network import Shape


@dataclass(frozen=True)
class BuiltModel:
    """A model and its descriptor.

    Attributes:
        descriptor: the content of `model.json`; without names where no spec gave it some.
        keras_model: the model as Keras built it, None where it was read from something else.
        shapes: of its inputs, without the batch axis, where the Keras model leaves them open; empty for its own.
        keep_values: whether programs hold the trained weights instead of what to draw.
        graph: a serialized TensorFlow graph and its interface, of a model that is one; else None.
    """

    descriptor: dict[str, Any]
    keras_model: keras.Model | None = None
    shapes: tuple[Shape, ...] = ()
    keep_values: bool = False
    graph: tuple[bytes, dict[str, Any]] | None = None

    def named(self, spec: ModelSpec) -> BuiltModel:
        """Return the model with a whole descriptor, under the names that its spec gives it.

        Raises:
            DataError: it could not be kept: a name that no table takes, a number that is too large.
        """
        names = {"model": spec.model, "name": spec.name, "family": spec.family, "source": spec.source}
        descriptor = {"schema_version": SCHEMA_VERSION} | names | self.descriptor
        validate_descriptor(descriptor)
        return replace(self, descriptor=descriptor)
