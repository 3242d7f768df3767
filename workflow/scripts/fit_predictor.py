"""Judge all algorithms on a target's dataset, and fit the predictor to deploy."""

from pathlib import Path

from perfcast.dataset.reading import read_dataset
from perfcast.fit.stage import FitFolders, learn, options_of, outcome_lines
from perfcast.pipeline.stage import stage
from perfcast.progress import track
from perfcast.storage import write_json

with stage(snakemake.log[0]) as log:
    params = snakemake.params
    dataset = read_dataset(Path(snakemake.input.dataset))
    options = options_of(dataset, params.metrics, params.fit, snakemake.threads)
    folders = FitFolders(Path(params.evaluation), Path(params.predictor))
    evaluation = learn(dataset, options, folders, track)
    write_json(snakemake.output.fitted, folders.digests())
    log("\n".join(outcome_lines(evaluation)))
