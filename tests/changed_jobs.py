"""Which jobs' parameters an edit changes, without starting Snakemake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from perfcast.config import read_mapping
from perfcast.pipeline.campaign import read_campaign
from perfcast.pipeline.parameters import parameters_of
from perfcast.pipeline.shards import PerJob

if TYPE_CHECKING:
    from pathlib import Path

SHARDED = ("collect_models", "export_shard", "benchmark_shard")


def jobs_of(file: Path, tree: Path) -> dict[str, Any]:
    """Return the parameters of each job, `rule`, `rule shard` or `rule study`, of the configuration in a file.

    Files that it names are looked for in the working directory, then in ``tree``, whose code it is.
    """
    campaign = read_campaign(read_mapping(file), str(file), tree)
    found = {}
    for rule, parameters in parameters_of(campaign, tree).items():
        pieces: Any = campaign.config["studies"] if rule == "run_study" else [None]
        for piece in campaign.shards if rule in SHARDED else pieces:
            name = rule if piece is None else f"{rule} {piece}"
            found[name] = {key: _value(value, piece) for key, value in parameters.items()}
    return found


def _value(value: Any, piece: int | str | None) -> Any:
    # As Snakemake compares parameters: by their text.
    return yaml.safe_dump(value.values[str(piece)] if isinstance(value, PerJob) else value)


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return the jobs whose parameters differ."""
    return {job for job in before.keys() | after.keys() if before.get(job) != after.get(job)}
