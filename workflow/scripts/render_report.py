"""Render a target's report and its summary."""

from pathlib import Path

from perfcast.bench.record import MeasurementStore
from perfcast.dataset.reading import read_dataset
from perfcast.fit.evaluation import read_evaluation
from perfcast.pages import write_page
from perfcast.pipeline.stage import stage
from perfcast.storage import read_json, write_text
from perfcast.studies.prediction import report_page, summary_lines

with stage(snakemake.log[0]) as log:
    dataset = read_dataset(Path(snakemake.input.dataset))
    store = MeasurementStore(Path(snakemake.params.store))
    environments = {digest: store.environment(digest) for digest in dataset["environment"].unique()}
    evaluation = read_evaluation(snakemake.params.evaluation)
    manifest = read_json(Path(snakemake.params.predictor) / "manifest.json")
    page = report_page(dataset, evaluation, environments, manifest, target=snakemake.params.target)
    write_page(snakemake.output.report, page)
    lines = summary_lines(dataset, evaluation, report=snakemake.output.report, predictor=snakemake.params.predictor)
    write_text(snakemake.output.summary, "\n".join(lines) + "\n")
    log(f"{len(dataset)} measurements reported")
