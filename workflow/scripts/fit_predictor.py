"""Judge all algorithms on a target's dataset, and fit the predictor to deploy."""

from pathlib import Path

from perfcast.dataset.reading import read_dataset
from perfcast.features.definitions import FEATURES
from perfcast.fit.deploy import fit_predictor
from perfcast.fit.evaluate import evaluate
from perfcast.fit.evaluation import write_evaluation
from perfcast.fit.options import FitOptions, Metric
from perfcast.fit.persistence.folder import check_replaceable, save_predictor
from perfcast.fit.selection import select_features
from perfcast.pipeline.stage import stage
from perfcast.progress import track
from perfcast.storage import digest_of_file, write_json

with stage(snakemake.log[0]) as log:
    check_replaceable(Path(snakemake.params.predictor))
    dataset = read_dataset(Path(snakemake.input.dataset))
    metrics = {name: Metric(**metric) for name, metric in snakemake.params.metrics.items()}
    features = dataset.attrs.get("features") or select_features([feature.name for feature in FEATURES])
    implausible = {name: tuple(others) for name, others in dataset.attrs.get("implausible", {}).items()}
    options = FitOptions(
        tuple(features), metrics, jobs=snakemake.threads, implausible=implausible, **snakemake.params.fit
    )
    evaluation = evaluate(dataset, options, track)
    predictor = fit_predictor(dataset, evaluation, options)
    write_evaluation(evaluation, snakemake.params.evaluation)
    save_predictor(predictor, snakemake.params.predictor)
    made = [path for name in ("evaluation", "predictor") for path in Path(snakemake.params[name]).iterdir()]
    write_json(snakemake.output.fitted, {f"{path.parent.name}/{path.name}": digest_of_file(path) for path in made})
    for name in metrics:
        found = evaluation.summary["metrics"][name]
        log(f"{name}: {found['deployed']} fitted on {found['models']} models of {found['families']} families")
