"""Render the report and the summary of a dataset that was measured elsewhere."""

from pathlib import Path

import pandas as pd

from perfcast.dataset.reading import read_dataset
from perfcast.fit.evaluation import read_evaluation
from perfcast.pages import write_page
from perfcast.pipeline.stage import stage
from perfcast.storage import read_json, write_text
from perfcast.studies.prediction import imported_page, imported_sentence, metric_lines

with stage(snakemake.log[0]) as log:
    dataset = read_dataset(Path(snakemake.input.dataset))
    problems = pd.read_csv(snakemake.input.problems, dtype={"value": "str"}, keep_default_na=False)
    evaluation = read_evaluation(snakemake.params.evaluation)
    manifest = read_json(Path(snakemake.params.predictor) / "manifest.json")
    page = imported_page(dataset, problems, evaluation, manifest, target=snakemake.params.target)
    write_page(snakemake.output.report, page)
    where = f"report: {snakemake.output.report}; predictor: {snakemake.params.predictor}"
    lines = [imported_sentence(dataset, problems), *metric_lines(evaluation), where]
    write_text(snakemake.output.summary, "\n".join(lines) + "\n")
    log(f"{len(dataset)} rows reported")
