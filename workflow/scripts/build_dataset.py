"""Join a target's measurements with the features of their models."""

from pathlib import Path

import pandas as pd

from perfcast.bench.record import MeasurementStore
from perfcast.dataset.build import build_dataset
from perfcast.pipeline.stage import stage
from perfcast.storage import read_json, write_table

with stage(snakemake.log[0]) as log:
    store = MeasurementStore(Path(snakemake.params.store))
    keys = [key for path in snakemake.input.manifests for key in read_json(path)["measurements"]]
    features = pd.read_parquet(snakemake.input.features)
    models = pd.read_csv(snakemake.input.models, keep_default_na=False)
    records = [store.measurement(key) for key in keys]
    environments = {digest: store.environment(digest) for digest in {record["environment"] for record in records}}
    table = build_dataset(records, features, models, environments)
    write_table(snakemake.output.dataset, table)
    log(table["status"].value_counts().to_string())
