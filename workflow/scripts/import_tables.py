"""Read tables measured elsewhere, check them row by row, and write them as a dataset."""

from pathlib import Path

from perfcast.pipeline.stage import stage
from perfcast.storage import write_table
from perfcast.tables.dataset import import_table, labelled
from perfcast.tables.mapping import load_mapping
from perfcast.tables.reading import read_tables

with stage(snakemake.log[0]) as log:
    params = snakemake.params
    mapping = load_mapping(Path(snakemake.input.mapping)).chosen(params.metrics)
    table = read_tables([Path(path) for path in snakemake.input.tables], mapping)
    imported = import_table(table, mapping, keep_outliers=params.keep_outliers, jobs=snakemake.threads)
    write_table(snakemake.output.problems, imported.problems)
    write_table(snakemake.output.dataset, labelled(imported, mapping, params.target))
    log(f"{len(imported.dataset)} rows; {len(imported.problems)} problems")
