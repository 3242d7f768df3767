"""All runs of a plan: each combination and seed in a process of its own, from the same weights for one seed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.bench.training_runs import (
    COLUMNS,
    COMPLETE,
    Job,
    Weights,
    in_process,
    keras_model,
    null_peak_bytes,
    train,
    weights_of,
)
from perfcast.errors import UsageError
from perfcast.training.importance import layers_by_importance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from perfcast.bench.profiling import Subject
    from perfcast.bench.training_runs import Run
    from perfcast.models.spec import ModelSpec
    from perfcast.training.data import Examples

_IMPORTANT = re.compile(r"important_([1-9][0-9]{0,2})")
_SAME = ("model", "data", "pretrained_on", "optimizer", "learning_rate", "trained", "batch", "threads", "seed")
"""What a run is known by in a file."""


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        spec: the network.
        examples: to train and evaluate on.
        before: to train on whole, first; None to begin from drawn weights.
        trained, optimizers: each with each.
        rates: the learning rate of each optimizer.
        seeds, epochs: how many.
    """

    spec: ModelSpec
    examples: Examples
    before: Examples | None
    trained: tuple[str, ...]
    optimizers: tuple[str, ...]
    rates: Mapping[str, float]
    seeds: int
    epochs: int

    def combinations(self) -> list[tuple[int, str, str]]:
        """Return (seed, trained, optimizer) of each run, in order."""
        return [(seed, what, how) for seed in range(self.seeds) for how in self.optimizers for what in self.trained]


def run_plan(plan: Plan, subject_of: Callable[[str, str], Subject], found: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the table with each further run.

    Args:
        plan: what to run.
        subject_of: returns the network's program for (trained, optimizer).
        found: runs of before, which are not run again.
    """
    starts: dict[tuple[int, str], Weights] = {}
    null: int | None = None
    for seed, trained, optimizer in plan.combinations():
        begun = subject_of("all", optimizer)
        about = _about(plan, begun, seed, trained, optimizer)
        if _is_done(found, about, plan.epochs):
            yield found
            continue
        key = (seed, optimizer if plan.before else "")
        if key not in starts:
            starts = {key: _start(plan, begun, seed, optimizer)}
        weights = starts[key]
        resolved = _resolved(plan, trained, weights)
        job = _job(plan, plan.examples, subject_of(resolved, optimizer), weights, (seed, optimizer))
        null = null if null is not None else in_process(null_peak_bytes, job)
        rows = _rows(in_process(train, job), about | {"trained_layers": resolved}, null)
        found = pd.concat([found[~_is_same(found, about)], rows], ignore_index=True) if len(found) else rows
        yield found


def _about(plan: Plan, subject: Subject, seed: int, trained: str, optimizer: str) -> dict[str, Any]:
    return {
        "model": plan.spec.model,
        "data": plan.examples.name,
        "pretrained_on": plan.before.name if plan.before else "",
        "optimizer": optimizer,
        "learning_rate": plan.rates[optimizer],
        "trained": trained,
        "batch": subject.factors["batch"],
        "threads": subject.factors["threads"],
        "seed": seed,
    }


def _is_same(found: pd.DataFrame, about: Mapping[str, Any]) -> pd.Series:
    return (found[list(_SAME)] == pd.Series({name: about[name] for name in _SAME})).all(axis=1)


def _is_done(found: pd.DataFrame, about: Mapping[str, Any], epochs: int) -> bool:
    if not len(found):
        return False
    own = found[_is_same(found, about)]
    return bool(len(own)) and (own["epoch"].max() == epochs or own["status"].iloc[0] != COMPLETE)


def _start(plan: Plan, subject: Subject, seed: int, optimizer: str) -> Weights:
    """Return the weights of a seed; after training on other data, with a new last layer."""
    drawn, last = in_process(_drawn, plan.spec, seed)
    if plan.before is None:
        return drawn
    before = in_process(train, _job(plan, plan.before, subject, drawn, (seed, optimizer)))
    if before.status != COMPLETE:
        raise UsageError(f"{plan.spec.model}: training on {plan.before.name} failed ({before.status})")
    return before.weights | {name: drawn[name] for name in last}


def _drawn(spec: ModelSpec, seed: int) -> tuple[Weights, list[str]]:
    """Return the weights that Keras draws, and the names of those of the last layer."""
    model = keras_model(spec, seed)
    last = next(layer for layer in reversed(model.layers) if layer.trainable_variables)
    own = {id(variable) for variable in last.variables}
    names = [f"weight_{place}" for place, variable in enumerate(model.variables) if id(variable) in own]
    return weights_of(model), names


def _resolved(plan: Plan, trained: str, weights: Weights) -> str:
    """Return what is trained, as a program knows it: the most important layers by their names."""
    important = _IMPORTANT.fullmatch(trained)
    if not important:
        return trained
    ranked = in_process(layers_by_importance, plan.spec, weights, plan.examples.images, plan.examples.labels)
    if int(important[1]) > len(ranked):
        raise UsageError(f"--trained {trained}: {plan.spec.model} has {len(ranked)} layers with weights")
    return "only_" + "+".join(ranked[: int(important[1])])


def _job(plan: Plan, examples: Examples, subject: Subject, weights: Weights, of: tuple[int, str]) -> Job:
    seed, optimizer = of
    if len(examples.labels) < subject.factors["batch"]:
        raise UsageError(f"--data {examples.name}: {len(examples.labels)} examples to train on do not fill a batch")
    return Job(
        plan.spec,
        subject.factors,
        subject.task | {"seed": seed},
        weights,
        examples.images,
        examples.labels,
        examples.held_images,
        examples.held_labels,
        plan.epochs,
        plan.rates[optimizer],
        seed,
    )


def _rows(run: Run, about: Mapping[str, Any], null: int) -> pd.DataFrame:
    walls = [time_s for epoch in run.epochs for time_s in epoch.wall_s]
    cpus = [time_s for epoch in run.epochs for time_s in epoch.cpu_s]
    shared = {
        "steps": len(walls) // max(1, len(run.epochs)),
        "step_ms": 1e3 * float(np.median(walls)) if walls else np.nan,
        "step_cpu_ms": 1e3 * float(np.median(cpus)) if cpus else np.nan,
        "peak_mb": (run.peak_bytes - null) * 1e-6 if run.peak_bytes else np.nan,
        "status": run.status,
    }
    totals = np.cumsum([(sum(epoch.wall_s), sum(epoch.cpu_s)) for epoch in run.epochs], axis=0)
    rows = [
        dict(about)
        | shared
        | {"epoch": number, "loss": epoch.loss, "accuracy": epoch.accuracy}
        | {"train_s": totals[number - 1][0], "train_cpu_s": totals[number - 1][1]}
        for number, epoch in enumerate(run.epochs, start=1)
    ]
    none = {"epoch": 0, "loss": np.nan, "accuracy": np.nan, "train_s": np.nan, "train_cpu_s": np.nan}
    return pd.DataFrame(rows or [dict(about) | shared | none])[list(COLUMNS)]
