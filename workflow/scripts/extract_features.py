"""Extract the features of all models."""

from pathlib import Path

from stage import stage

from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import Export, export_models
from perfcast.features.table import features_table
from perfcast.storage import read_json, write_table

with stage(snakemake.log[0]) as log:
    artifacts = ArtifactStore(Path(snakemake.params.store))
    specs = [Export.from_dict(entry).spec for path in snakemake.input.manifests for entry in read_json(path)]
    # Exports again what the store lost since.
    exports = export_models(sorted(specs, key=lambda spec: spec.model), artifacts)
    table = features_table([artifacts.descriptor(export.artifact) for export in exports])
    write_table(snakemake.output.features, table)
    log(f"{len(table)} models, {table.shape[1]} columns")
