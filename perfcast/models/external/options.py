"""What a user says of an external model besides where it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.network.network import Shape


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
