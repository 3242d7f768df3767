"""Extract the features of all models."""

from pathlib import Path

import pandas as pd
from stage import stage

from perfcast.export.artifacts import ArtifactStore
from perfcast.features.table import features_table
from perfcast.storage import write_table

with stage(snakemake.log[0]) as log:
    artifacts = ArtifactStore(Path(snakemake.params.store))
    digests = pd.read_csv(snakemake.input.models, keep_default_na=False)["digest"]
    table = features_table([artifacts.descriptor(digest) for digest in digests])
    write_table(snakemake.output.features, table)
    log(f"{len(table)} models, {table.shape[1]} columns")
