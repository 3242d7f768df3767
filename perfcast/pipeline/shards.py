"""Shards: the pieces that models are exported and measured in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.bench.tasks import fraction_of, shard_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perfcast.models.spec import ModelSpec


@dataclass(frozen=True, eq=False)
class PerJob:
    """A parameter that differs among the jobs of a rule; Snakemake calls it with a job's wildcards.

    Attributes:
        wildcard: the name of that which tells the jobs apart.
        values: the parameter's, by the wildcard's.
    """

    wildcard: str
    values: Mapping[str, Any]

    def __call__(self, wildcards: Any) -> Any:
        """Return the value of a job."""
        return self.values[getattr(wildcards, self.wildcard)]


def per_shard(values: Iterable[Any]) -> PerJob:
    """Return a parameter that has one of the ``values`` in each shard, in their order."""
    return PerJob("shard", {str(number): value for number, value in enumerate(values)})


def specs_by_shard(specs: Iterable[ModelSpec], count: int) -> list[list[ModelSpec]]:
    """Return models in shards, each in that which its name alone decides, whatever other models there are.

    But the first shard, which the first pass measures, has a model of each family: one of those that would lack there.
    """
    members: list[list[ModelSpec]] = [[] for _ in range(count)]
    chosen = list(specs)
    first = _models_of_missing_families(chosen, count)
    for spec in chosen:
        members[0 if spec.model in first else shard_of(spec.model, count)].append(spec)
    return members


def _models_of_missing_families(specs: Sequence[ModelSpec], count: int) -> set[str]:
    there = {spec.family for spec in specs if shard_of(spec.model, count) == 0}
    missing = [spec for spec in specs if spec.family not in there]
    return {
        min((spec.model for spec in missing if spec.family == family), key=fraction_of)
        for family in {spec.family for spec in missing}
    }
