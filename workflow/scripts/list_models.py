"""Write the model database."""

from pathlib import Path

from stage import stage

from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import Export, model_table
from perfcast.storage import read_json, write_table

with stage(snakemake.log[0]) as log:
    exports = [Export.from_dict(entry) for path in snakemake.input.manifests for entry in read_json(path)]
    table = model_table(exports, ArtifactStore(Path(snakemake.params.store)))
    write_table(snakemake.output.models, table)
    log(f"{len(table)} models")
