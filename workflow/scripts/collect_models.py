"""Write down a shard's models."""

from perfcast.pipeline.stage import stage
from perfcast.storage import write_json

with stage(snakemake.log[0]) as log:
    write_json(snakemake.output.specs, snakemake.params.specs)
    log(f"{len(snakemake.params.specs)} models")
