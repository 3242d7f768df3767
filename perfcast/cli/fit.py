"""The command `fit`: from tables measured elsewhere to a predictor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.cli.files import PROJECT_FILE
from perfcast.cli.output import show_table
from perfcast.config import default_of
from perfcast.errors import DataError, UsageError
from perfcast.text import format_number, pluralize

if TYPE_CHECKING:
    from perfcast.fit.evaluation import Evaluation
    from perfcast.fit.predictor import Predictor
    from perfcast.tables.dataset import Imported
    from perfcast.tables.mapping import Mapping


@click.command()
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--mapping",
    "mapping_file",
    type=PROJECT_FILE,
    required=True,
    help="What the tables' columns mean, such as config/tables/edge_gpu_2022_time.yaml.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the predictor.")
@click.option(
    "--metric", "metrics", multiple=True, help="Metric to learn; can be repeated.  [default: all but optional ones]"
)
@click.option(
    "--algorithm", "algorithms", multiple=True, help="Algorithm to evaluate; can be repeated.  [default: all]"
)
@click.option("--keep-outliers", is_flag=True, help="Train on outliers too: values that similar rows contradict.")
@click.option(
    "--interval",
    default=default_of("config", "fit", "interval"),
    show_default=True,
    help="Share of measured values that an interval should contain.",
)
@click.option("--splits", type=int, help="Number of random splits, for the published protocol.  [default: none]")
@click.option(
    "--seed",
    type=int,
    default=default_of("config", "fit", "seed"),
    show_default=True,
    help="Seed of all random numbers.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes to use.  [default: one per processor]")
def fit(
    tables: tuple[Path, ...],
    mapping_file: Path,
    out: Path,
    metrics: tuple[str, ...],
    keep_outliers: bool,
    **choices: Any,
) -> None:
    """Train a predictor on tables of measurements, CSV or Parquet.

    All algorithms are validated on held-out families, networks and input sizes; the best is trained on all rows. Rows
    that cannot be used are listed in OUT/problems.csv; the validation is in OUT/evaluation.
    """
    from perfcast.bench.target import available_cpus
    from perfcast.fit.evaluation import write_evaluation
    from perfcast.fit.options import check_choices
    from perfcast.fit.persistence.folder import check_replaceable, save_predictor
    from perfcast.storage import write_table
    from perfcast.tables.dataset import import_table
    from perfcast.tables.mapping import load_mapping
    from perfcast.tables.problems import kinds
    from perfcast.tables.reading import read_tables

    jobs = choices.pop("jobs") or available_cpus()
    choices["algorithms"] = list(choices["algorithms"]) or None
    check_choices({name: value for name, value in choices.items() if value is not None})
    choices |= {"jobs": jobs, "splits": choices["splits"] or 0}
    check_replaceable(out)
    mapping = load_mapping(mapping_file).chosen(metrics)
    table = read_tables(tables, mapping)
    try:
        imported = import_table(table, mapping, keep_outliers=keep_outliers, jobs=jobs)
        for line in kinds(imported.problems, several=len(tables) > 1):
            click.echo(line, err=True)
        evaluation, predictor = _learn(imported, mapping, choices)
    except DataError as error:
        raise UsageError(f"{', '.join(map(str, tables))}: {error}") from error

    def write_more(folder: Path) -> None:
        write_table(folder / "problems.csv", imported.problems)
        write_evaluation(evaluation, folder / "evaluation")

    save_predictor(predictor, out, write_more)
    _show_evaluation(evaluation)
    click.echo(f"predictor: {out}")


def _learn(imported: Imported, mapping: Mapping, choices: dict[str, Any]) -> tuple[Evaluation, Predictor]:
    """Return the evaluation of all algorithms on what was imported, and a predictor of the best of them."""
    from perfcast.fit.deploy import fit_predictor
    from perfcast.fit.evaluate import evaluate
    from perfcast.fit.options import FitOptions, Metric
    from perfcast.progress import track

    learned = {name: Metric(name, metric.unit) for name, metric in mapping.metrics.items()}
    options = FitOptions(imported.features, learned, implausible=mapping.implausible, held=mapping.held, **choices)
    evaluation = evaluate(imported.dataset, options, track)
    return evaluation, fit_predictor(imported.dataset, evaluation, options)


def _show_evaluation(evaluation: Evaluation) -> None:
    """Print the errors of all algorithms, and what the deployed one's intervals are worth."""
    for name, metric in evaluation.summary["metrics"].items():
        schemes = list(metric["schemes"])
        rows = [
            (
                f"{algorithm} (deployed)" if algorithm == metric["deployed"] else algorithm,
                *(f"{errors[scheme]['mape']:.1f}" for scheme in schemes),
            )
            for algorithm, errors in metric["algorithms"].items()
        ]
        columns = dict.fromkeys((scheme.replace("_", " ") for scheme in schemes), "right")
        show_table({f"{name}: mean error, %": "left"} | columns, rows)
        click.echo(
            f"error on held-out families, choice of algorithm included: {metric['chosen_without_family']['mape']:.1f}%"
        )
        click.echo(_intervals(metric, evaluation.summary["interval"]))
        if found := metric["running_out"]:
            click.echo(_running_out(found, metric["unit"]))


def _running_out(found: dict[str, Any], unit: str) -> str:
    return (
        f"{found['ran_out']} of {pluralize(found['rows'], 'run')} ran out of memory, half of those that need "
        f"{format_number(found['half'])} {unit}; called right on held-out families: {found['called_right']:.1%}, "
        f"{found['found']:.1%} of those that ran out found"
    )


def _intervals(metric: dict[str, Any], share: float) -> str:
    low, high = metric["interval_coverage_low"], metric["interval_coverage_high"]
    return (
        f"{share:.0%} intervals hold {metric['interval_coverage']:.1%} of held-out families ({low:.0%} to {high:.0%}); "
        f"median width: a factor of {format_number(metric['interval_width_factor'])}; "
        f"plain split-conformal ones over {format_number(metric['split_conformal']['width_factor'])} "
        f"hold {metric['split_conformal']['coverage']:.1%}; "
        f"trained on {pluralize(metric['rows'], 'row')} of {pluralize(metric['families'], 'family', 'families')}"
    )
