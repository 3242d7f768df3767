"""Extract the features of all models."""

from perfcast.export.exports import bundled_descriptors
from perfcast.features.table import features_table
from perfcast.pipeline.stage import stage
from perfcast.storage import write_table

with stage(snakemake.log[0]) as log:
    # Of the bundles, not of the store: what is cached depends on nothing but its inputs.
    shards = zip(snakemake.input.manifests, snakemake.input.bundles, strict=True)
    descriptors = [descriptor for shard in shards for descriptor in bundled_descriptors(*shard)]
    table = features_table(sorted(descriptors, key=lambda descriptor: descriptor["model"]))
    write_table(snakemake.output.features, table)
    log(f"{len(table)} models, {table.shape[1]} columns")
