"""Collect the models of a campaign, in shards of stable membership."""

from pathlib import Path

from stage import stage

from perfcast.bench.campaign import shard_of
from perfcast.catalog.collect import collect
from perfcast.storage import write_json

with stage(snakemake.log[0]) as log:
    collection = collect([Path(path) for path in snakemake.input.sheets], snakemake.params.synthetic)
    log(f"{len(collection.specs)} models; {collection.discarded} random combinations discarded")
    shards = [[] for _ in snakemake.output.shards]
    for spec in collection.specs:
        shards[shard_of(spec.model, len(shards))].append(spec.to_dict())
    for path, specs in zip(snakemake.output.shards, shards, strict=True):
        write_json(path, specs)
