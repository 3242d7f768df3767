"""Shards: the pieces that models are exported and measured in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.bench.tasks import shard_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perfcast.models.spec import ModelSpec


@dataclass(frozen=True, eq=False)
class PerShard:
    """A parameter that each shard has a value of its own of; Snakemake calls it with a job's wildcards."""

    values: tuple[Any, ...]

    def __call__(self, wildcards: Any) -> Any:
        """Return the value of the wildcards' shard."""
        return self.values[int(wildcards.shard)]


def specs_by_shard(specs: Iterable[ModelSpec], count: int) -> list[list[ModelSpec]]:
    """Return models in shards, each in that which its name alone decides, whatever other models there are."""
    members: list[list[ModelSpec]] = [[] for _ in range(count)]
    for spec in specs:
        members[shard_of(spec.model, count)].append(spec)
    return members
