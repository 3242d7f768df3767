"""Export a shard's models."""

from pathlib import Path

from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from perfcast.models.spec import ModelSpec
from perfcast.pipeline.stage import stage
from perfcast.progress import plain
from perfcast.storage import read_json, write_json

with stage(snakemake.log[0]) as log:
    specs = [ModelSpec.from_dict(values) for values in read_json(snakemake.input.specs)]
    name = f"exporting, part {int(snakemake.wildcards.shard) + 1} of {snakemake.params.shards}"
    store = ArtifactStore(Path(snakemake.config["store"]))
    store.sweep()
    with plain(len(specs), name) as advance:
        exports = export_models(specs, store, advance, snakemake.params.formats, snakemake.threads)
    store.pack([(export.artifact, export.programs) for export in exports], snakemake.output.bundle)
    write_json(snakemake.output.manifest, [export.to_dict() for export in exports])
    log(f"{len(exports)} models exported")
