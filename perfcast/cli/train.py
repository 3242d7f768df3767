"""The command `train`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.cli.config import target_options
from perfcast.cli.options import Request, source_options
from perfcast.cli.output import check_ending, native_libraries_silent
from perfcast.cli.profile import parts_of
from perfcast.cli.study import show_lines
from perfcast.errors import UsageError
from perfcast.progress import track
from perfcast.runner.workloads.training_step import OPTIMIZERS
from perfcast.storage import write_table

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.bench.profiling import Subject
    from perfcast.export.exports import Export
    from perfcast.models.spec import ModelSpec
    from perfcast.planning.settings import Settings
    from perfcast.training.data import Examples
    from perfcast.training.runs import Plan

_RATES = {"sgd": 0.01, "momentum": 0.01, "adam": 0.001, "adagrad": 0.01}
HALVES = "halves"


@click.command()
@source_options
@target_options
@click.option("--data", required=True, help="Folder with IDX files or CIFAR-10's .bin files; or digits, or generated.")
@click.option("--pretrain", help="Train whole on this data first, or on classes 0 to 4 of --data: halves.")
@click.option("--trained", default="all", show_default=True, help="What to train, separated by commas.")
@click.option("--optimizer", default="sgd", show_default=True, help="Optimizers, separated by commas.")
@click.option("--learning-rate", type=click.FloatRange(0, 1000, min_open=True), help="  [default: 0.01; adam 0.001]")
@click.option("--batch", type=click.IntRange(1, 65536), default=64, show_default=True)
@click.option("--epochs", type=click.IntRange(1, 10000), default=5, show_default=True)
@click.option("--seeds", type=click.IntRange(1, 1000), default=3, show_default=True)
@click.option("--train-examples", type=click.IntRange(1), help="Most examples to train on.  [default: all]")
@click.option("--held-out", type=click.IntRange(1), default=2000, show_default=True, help="Most to evaluate on.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help=".csv or .parquet.")
def train(request: Request, settings: Settings, out: Path, batch: int, **asked: Any) -> None:
    """Train a network on real data: accuracy, time and memory by what is trained and by optimizer.

    Each combination and seed runs in a process of its own; finished runs in --out are not run again.
    `perfcast study training` reads what --out holds.
    """
    from perfcast.training.runs import run_plan

    check_ending(out)
    before = _found_before(out)
    subject_of, spec = _subjects(request, settings, batch)
    plan = _plan(spec, asked)
    with native_libraries_silent(), track(len(plan.combinations()), f"training {spec.model}") as advance:
        for table in run_plan(plan, subject_of, before):
            if table is not before:
                write_table(out, table)
                before = table
            advance()
    from perfcast.studies.training.accuracy import accuracy_lines

    show_lines(accuracy_lines(before))


def _plan(spec: ModelSpec, asked: dict[str, Any]) -> Plan:
    from perfcast.training.data import read_examples
    from perfcast.training.runs import Plan

    optimizers = tuple(dict.fromkeys(asked["optimizer"].split(",")))
    if unknown := set(optimizers) - set(OPTIMIZERS):
        raise UsageError(f"--optimizer {min(unknown)}: unknown; there are {', '.join(OPTIMIZERS)}")
    read = functools.partial(
        read_examples, shape=spec.input_shape, wanted_training=asked["train_examples"], wanted_held=asked["held_out"]
    )
    before: Examples | None = None
    if asked["pretrain"] == HALVES:
        before, examples = read(asked["data"]).halves()
    else:
        examples = read(asked["data"])
        before = read(asked["pretrain"]) if asked["pretrain"] else None
    rates = {name: asked["learning_rate"] or _RATES[name] for name in optimizers}
    trained = tuple(dict.fromkeys(asked["trained"].split(",")))
    return Plan(spec, examples, before, trained, optimizers, rates, asked["seeds"], asked["epochs"])


def _found_before(out: Path) -> pd.DataFrame:
    import pandas as pd

    from perfcast.bench.training_runs import COLUMNS
    from perfcast.studies.training.accuracy import read_runs

    if not out.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    found = read_runs(out)
    if found is None:
        raise UsageError(f"{out}: exists and holds no training runs; name another file")
    return found


def _subjects(request: Request, settings: Settings, batch: int) -> tuple[Any, ModelSpec]:
    """Return what returns a program for (trained, optimizer), and the network's spec."""
    from perfcast.models.build import SOURCES

    if len(request.sources) > 1:
        raise UsageError("train takes one SOURCE; run it once for each")
    store = request.store or settings.store

    def exported(formats: tuple[str, ...]) -> Export:
        exports, failures = request.exports(store, settings.sheets, formats)
        if failures:
            raise failures[0]
        return exports[0]

    spec = exported(()).spec
    if spec.source not in SOURCES:
        raise UsageError(f"{spec.model}: train takes models of the catalogues (config/models), not of a file")

    @functools.cache
    def subject_of(trained: str, optimizer: str) -> Subject:
        from perfcast.bench.profiling import subject_of
        from perfcast.export.artifacts import ArtifactStore

        factors = {"workload": "training_step", "batch": batch, "trained": trained, "optimizer": optimizer}
        (part, *others) = parts_of(settings, factors)
        if others:
            raise UsageError(f"{part.name}: train needs a target that varies nothing; name another with --target")
        return subject_of(part, exported(part.formats), ArtifactStore(store))

    return subject_of, spec
