"""Write the model database."""

from pathlib import Path

from perfcast.export.artifacts import ArtifactStore
from perfcast.export.exports import model_table, restore
from perfcast.pipeline.stage import stage
from perfcast.storage import write_table

with stage(snakemake.log[0]) as log:
    store = ArtifactStore(Path(snakemake.params.store))
    shards = zip(snakemake.input.manifests, snakemake.input.bundles, strict=True)
    exports = [export for manifest, bundle in shards for export in restore(manifest, bundle, store)]
    table = model_table(exports, store)
    write_table(snakemake.output.models, table)
    log(f"{len(table)} models")
