"""Render the report and the summary of a dataset that was measured elsewhere."""

from pathlib import Path

import pandas as pd
from stage import stage

from perfcast.dataset.reading import read_dataset
from perfcast.fit.evaluation import read_evaluation
from perfcast.storage import read_json, write_text
from perfcast.studies.prediction import imported_summary_lines, render_imported_report, write_report

with stage(snakemake.log[0]) as log:
    dataset = read_dataset(Path(snakemake.input.dataset))
    problems = pd.read_csv(snakemake.input.problems, dtype={"value": "str"}, keep_default_na=False)
    evaluation = read_evaluation(snakemake.params.evaluation)
    manifest = read_json(Path(snakemake.params.predictor) / "manifest.json")
    page = render_imported_report(dataset, problems, evaluation, manifest, target=snakemake.params.target)
    write_report(snakemake.output.report, page)
    lines = imported_summary_lines(
        dataset, problems, evaluation, report=snakemake.output.report, predictor=snakemake.params.predictor
    )
    write_text(snakemake.output.summary, "\n".join(lines) + "\n")
    log(f"{len(dataset)} rows reported")
