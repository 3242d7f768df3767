"""What a user says of an external model, and what reading it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from perfcast.network.network import Shape

ONLY_DESCRIBED = "is a descriptor, which cannot be measured; name the model, or the file it came from"
"""Why descriptors are not measured."""


@dataclass(frozen=True)
class ReadOptions:
    """What a user says of a model besides where it is.

    Attributes:
        shapes: of its inputs, see `perfcast.formats.inputs.resolve_shapes`.
        signature: which of a SavedModel's functions to take.
        allow_code: whether code that a Keras file carries may run.
        keep_values: whether the graph keeps the trained weights instead of saying what to draw.
        to_run: whether the model will be measured: a program is made where reading alone needs none.
    """

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    signature: str = "serving_default"
    allow_code: bool = False
    keep_values: bool = False
    to_run: bool = False

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> ReadOptions:
        """Return the options that the parameters of an external model's spec hold."""
        return cls(
            shapes={name: tuple(shape) for name, shape in parameters["input_shapes"].items()},
            signature=parameters.get("signature", cls.signature),
            allow_code=parameters.get("allow_code", False),
            keep_values=parameters.get("weights") == "values",
        )

    def to_parameters(self) -> dict[str, Any]:
        """Return the parameters of a spec that hold the same, as a sheet would give them."""
        parameters: dict[str, Any] = {"input_shapes": {name: list(shape) for name, shape in self.shapes.items()}}
        if self.signature != type(self).signature:
            parameters["signature"] = self.signature
        if self.allow_code:
            parameters["allow_code"] = True
        return parameters


@dataclass(frozen=True)
class KerasModel:
    """A model that Keras built, with the shapes of its inputs, without the batch axis."""

    model: keras.Model
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class ExternalModel:
    """A model that was read.

    Attributes:
        body: the descriptor's keys `input_shape`, `inputs`, `outputs` and `layers`; empty where it is not known yet.
        interface: how the graph is run, None where there is no graph.
        graph: the serialized graph that a runner runs, None where the source was only read.
        built: the model as Keras built it, where it was; a graph can be traced from it.
        descriptor: the whole of it, where the file is one.
    """

    body: dict[str, Any] = field(default_factory=dict)
    interface: dict[str, Any] | None = None
    graph: bytes | None = None
    built: KerasModel | None = None
    descriptor: dict[str, Any] | None = None


def described(document: Any, options: ReadOptions) -> ExternalModel:
    """Return the model that a descriptor describes.

    Raises:
        UsageError: it is to be measured.
        DataError: it is not a descriptor.
    """
    from perfcast.network.descriptor import validate_descriptor

    if options.to_run:
        raise UsageError(ONLY_DESCRIBED)
    validate_descriptor(document)
    return ExternalModel(descriptor=document)
