"""The combinations of a sweep: which network, trained with which batch size, evaluated with which."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfcast.errors import UsageError
from perfcast.models.scaling import CLASSIFIERS, make_spec

if TYPE_CHECKING:
    from perfcast.models.spec import ModelSpec
    from perfcast.sweeps.config import SweepConfig


@dataclass(frozen=True)
class Combination:
    """One line of a sweep's table.

    Attributes:
        spec: the network.
        training_batch: batch size that it is trained with.
        batch: batch size that it is evaluated with.
    """

    spec: ModelSpec
    training_batch: int
    batch: int


def families_of(config: SweepConfig) -> tuple[str, ...]:
    """Return the families that a sweep is of."""
    return tuple(CLASSIFIERS) if config.family is None else (config.family,)


def combinations_of(config: SweepConfig, family: str) -> list[Combination]:
    """Return the combinations of a family in the document's order: by layers, then batch size, then filter size.

    Raises:
        UsageError: a network cannot be built, such as one whose filter is larger than its input; one line that names
            the configuration.
    """
    sizes = config.input_size or (CLASSIFIERS[family].size,)
    swept = {name: getattr(config, name) for name in CLASSIFIERS[family].defaults}
    return [
        Combination(_spec(config, family, size, parameters), training_batch, batch)
        for layers, training_batch, filter_size in itertools.product(config.layers, config.batch, config.filter_size)
        for size, values in itertools.product(sizes, itertools.product(*swept.values()))
        for parameters in [{"layers": layers, "filter_size": filter_size} | dict(zip(swept, values, strict=True))]
        for batch in config.inference_batch or (training_batch,)
    ]


def _spec(config: SweepConfig, family: str, size: int, parameters: dict[str, int]) -> ModelSpec:
    try:
        return make_spec(family, (size, size), parameters)
    except UsageError as error:
        raise UsageError(f"{config.origin}: {error}") from error
