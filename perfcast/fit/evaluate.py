"""Evaluation of all algorithms on a dataset: the published protocol and grouped cross-validation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from perfcast.fit.baselines import baseline_names
from perfcast.fit.choice import most_accurate
from perfcast.fit.cross_validation import CrossValidation
from perfcast.fit.evaluation import Evaluation, importance_table, predictions_table, splits_table
from perfcast.fit.feature_importance import error_growth, split_counts
from perfcast.fit.intervals import half_widths_without_family
from perfcast.fit.mixture import has_large_family
from perfcast.fit.options import ALGORITHMS, DEPLOYMENT_SCHEME, ENSEMBLE, MIXTURE, PUBLISHED_ALGORITHMS, SCHEMES
from perfcast.fit.splits import equivalent_scheme, scheme_folds, scheme_groups
from perfcast.fit.summary import summarise
from perfcast.fit.tasks import locate_fold, predict_fold, run_on_one_thread, split_errors
from perfcast.fit.training_data import tables_of
from perfcast.progress import quiet
from perfcast.workers import run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from perfcast.fit.options import FitOptions
    from perfcast.fit.training_data import TrainingData
    from perfcast.progress import Progress

    Task = tuple[Any, Callable[[], Any]]

SPLITS_A_TASK = 10


def evaluate(dataset: pd.DataFrame, options: FitOptions, progress: Progress = quiet) -> Evaluation:
    """Evaluate every algorithm and baseline on each metric of ``dataset``.

    Args:
        dataset: as `dataset.parquet`.
        options: what to predict and from what.
        progress: shows how far it is, as `perfcast.progress.track`.

    Raises:
        DataError: the dataset cannot be trained on.
    """
    tables = tables_of(dataset, options)
    plan = [task for name, table in tables.items() for task in _algorithm_tasks(name, table, options)]
    done = _run(plan, options.jobs, progress, "evaluate algorithms")
    splits = splits_table(
        [
            (part.metric, part.algorithm, split, error)
            for part, errors in done
            if isinstance(part, _Splits)
            for split, error in zip(part.splits, errors, strict=True)
        ]
    )
    validations = {name: _validation(name, table, done) for name, table in tables.items()}
    deployed = {name: most_accurate(validation) for name, validation in validations.items()}
    widths = {
        name: half_widths_without_family(validation, deployed[name], options.interval)
        for name, validation in validations.items()
    }
    importance = _feature_importance(tables, deployed, options, progress)
    return Evaluation(
        splits=splits,
        predictions=predictions_table(validations, widths, deployed),
        feature_importance=importance,
        summary=summarise(dataset, validations, widths, splits, deployed, options),
    )


class _Splits(NamedTuple):
    """What was asked of some splits of the published protocol."""

    metric: str
    algorithm: str
    splits: range


class _HeldOut(NamedTuple):
    """What was asked of a fold of grouped cross-validation; no algorithm: where its test rows are."""

    metric: str
    scheme: str
    test: np.ndarray
    algorithm: str | None = None


def _algorithm_tasks(metric: str, table: TrainingData, options: FitOptions) -> Iterator[Task]:
    chosen = [name for name in ALGORITHMS if name in (options.algorithms or ALGORITHMS)]
    for algorithm in (name for name in PUBLISHED_ALGORITHMS if name in chosen):
        for first in range(0, options.splits, SPLITS_A_TASK):
            splits = range(first, min(first + SPLITS_A_TASK, options.splits))
            yield (
                _Splits(metric, algorithm, splits),
                partial(split_errors, table, algorithm, splits, options.test_share),
            )
    # Without experts these are the ensemble again.
    apart = [name for name in chosen if name != MIXTURE or ENSEMBLE not in chosen or has_large_family(table)]
    algorithms = (*apart, *baseline_names(options))
    flops = options.features.index(options.flops_column) if options.flops_column in options.features else -1
    for scheme in dict.fromkeys(equivalent_scheme(table, scheme) for scheme in SCHEMES):
        groups = scheme_groups(table, scheme)
        for fold in scheme_folds(table, scheme, options.seed):
            held_out = _HeldOut(metric, scheme, fold.test)
            yield held_out, partial(locate_fold, table, fold)
            for algorithm in algorithms:
                task = partial(predict_fold, table, fold, algorithm, groups, flops, options.seed)
                yield held_out._replace(algorithm=algorithm), task


def _run(tasks: Sequence[Task], jobs: int, progress: Progress, description: str) -> list[tuple[Any, Any]]:
    """Return what each task was asked, and its result."""
    done = []
    calls = [partial(run_on_one_thread, task) for _, task in tasks]
    with progress(len(tasks), description) as advance:
        for (part, _), result in zip(tasks, run_all(calls, jobs), strict=True):
            done.append((part, result))
            advance()
    return done


def _validation(metric: str, table: TrainingData, done: Sequence[tuple[Any, Any]]) -> CrossValidation:
    predictions: dict[tuple[str, str], np.ndarray] = {}
    spreads: dict[tuple[str, str], np.ndarray] = {}
    distances: dict[str, np.ndarray] = {}
    inside: dict[str, np.ndarray] = {}
    censored: dict[tuple[str, str], np.ndarray] = {}
    made = {scheme: equivalent_scheme(table, scheme) for scheme in SCHEMES}
    for part, result in done:
        if not isinstance(part, _HeldOut) or part.metric != metric:
            continue
        for scheme in (scheme for scheme, source in made.items() if source == part.scheme):
            if part.algorithm:
                key = part.algorithm, scheme
                predictions.setdefault(key, np.empty(len(table)))[part.test] = result.measured.values
                spreads.setdefault(key, np.empty(len(table)))[part.test] = result.measured.spreads
                ran_out = table.censored.are_of(table.models[part.test])
                censored.setdefault(key, np.full(len(table.censored), np.nan))[ran_out] = result.censored
            else:
                distances.setdefault(scheme, np.empty(len(table)))[part.test] = result.distances
                inside.setdefault(scheme, np.empty(len(table), dtype=bool))[part.test] = result.inside
    return CrossValidation(table, predictions, spreads, distances, inside, censored)


def _feature_importance(
    tables: Mapping[str, TrainingData], deployed: Mapping[str, str], options: FitOptions, progress: Progress
) -> pd.DataFrame:
    counting: list[Task] = [(name, partial(split_counts, table, options.seed)) for name, table in tables.items()]
    growing: list[Task] = [
        (name, partial(error_growth, table, fold, deployed[name], options.seed))
        for name, table in tables.items()
        for fold in scheme_folds(table, DEPLOYMENT_SCHEME, options.seed)
    ]
    done = _run([*counting, *growing], options.jobs, progress, "measure feature importance")
    counts = dict(done[: len(counting)])
    growth = {
        name: sum(errors for part, errors in done[len(counting) :] if part == name) / len(table)
        for name, table in tables.items()
    }
    return importance_table(tables, counts, growth)
