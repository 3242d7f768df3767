"""The model spec: everything that is needed to build one network at one input size."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from perfcast.errors import SourceError
from perfcast.storage import digest_of_json

DESCRIPTOR = "model.json"
"""The file that describes a model, in the folder of its artifact."""


@dataclass(frozen=True)
class ModelSpec:
    """One network at one input size.

    Attributes:
        name: the network without its input size, as `densenet121` or `basic_model_3_5_32_2`.
        family: the networks it is left out with in validation, as `densenet` or `basic_model`.
        source: the catalogue that builds it (a name of `perfcast.models.build.SOURCES`), or `file` or
            `tensorflow_hub` for external models.
        builder: what the catalogue builds, as `DenseNet121`; path or address of an external model.
        input_shape: height, width and channels of one input, without the batch axis; of other networks than
            those of images one length or more.
        parameters: further arguments of the builder; of external models how to read them, and the digest of
            their content.
        seed: the seed of its weights' values.
    """

    name: str
    family: str
    source: str
    builder: str
    input_shape: tuple[int, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def model(self) -> str:
        """The model's name: the network and its input size, as `densenet121_224`."""
        return f"{self.name}_{self.size}"

    @property
    def size(self) -> str:
        """The input size: `224`, `192x256` (height x width) or, of an input of one axis, its length.

        Raises:
            SourceError: the input is a single number, which has no size.
        """
        if not self.input_shape:
            raise SourceError(f"{self.name}: its input needs at least one axis in addition to the batch")
        lengths = self.input_shape[:2]
        return str(lengths[0]) if len(set(lengths)) == 1 else "x".join(map(str, lengths))

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as JSON-ready values."""
        return asdict(self) | {"input_shape": list(self.input_shape), "model": self.model}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelSpec:
        """Return the spec that `to_dict` described."""
        known = {key: value for key, value in values.items() if key != "model"}
        return cls(**known | {"input_shape": tuple(known["input_shape"])})

    def digest(self) -> str:
        """Return the digest of the whole spec."""
        return digest_of_json(self.to_dict())
