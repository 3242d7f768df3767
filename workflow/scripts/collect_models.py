"""Collect the models of a campaign, in shards of stable membership."""

from pathlib import Path

from stage import stage

from perfcast.bench.campaign import shard_of
from perfcast.catalog.collect import collect
from perfcast.errors import UsageError
from perfcast.fit.table import MIN_ROWS
from perfcast.storage import write_json

with stage(snakemake.log[0]) as log:
    collection = collect([Path(path) for path in snakemake.input.sheets], snakemake.params.synthetic)
    log(f"{len(collection.specs)} models; {collection.discarded} random combinations discarded")
    families = {spec.family for spec in collection.specs}
    if len(collection.specs) < MIN_ROWS or len(families) < 2:
        raise UsageError(
            f"models: {len(collection.specs)} models of {len(families)} families are too few to learn from; "
            f"list at least {MIN_ROWS} of 2 families in models.sheets"
        )
    shards = [[] for _ in snakemake.output.shards]
    for spec in collection.specs:
        shards[shard_of(spec.model, len(shards))].append(spec.to_dict())
    for path, specs in zip(snakemake.output.shards, shards, strict=True):
        write_json(path, specs)
