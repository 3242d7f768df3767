"""The pieces that an evaluation consists of, independent of each other, and running them side by side."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from perfcast.fit.baselines import predict_baseline
from perfcast.fit.domain import Location, fit_domain
from perfcast.fit.families import encode_families
from perfcast.fit.fitted import Prediction
from perfcast.fit.fitting import fit, train, tune
from perfcast.fit.measures import mape
from perfcast.fit.options import BASELINES
from perfcast.fit.regressors import CHEAP, GRIDS
from perfcast.fit.splits import published_split
from perfcast.fit.workers import end_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perfcast.fit.splits import Fold
    from perfcast.fit.training_data import TrainingData


class Task(Protocol):
    """A piece of work that can be sent to another process."""

    def run(self) -> Any:
        """Do it, and return its result."""
        ...


@dataclass(frozen=True)
class PublishedSplits:
    """Some splits of the published protocol, with one algorithm."""

    metric: str
    algorithm: str
    rows: TrainingData
    splits: range
    test_share: float

    def run(self) -> list[float]:
        """Return each split's MAPE on its test part."""
        return [self._mape(split) for split in self.splits]

    def _mape(self, split: int) -> float:
        fold = published_split(self.rows.groups, self.test_share, split)
        training, test = self.rows.take(fold.train), self.rows.take(fold.test)
        bounds = training.outlier_bounds
        training, test = training.winsorized(bounds).expanded(), test.winsorized(bounds).expanded()
        # No setting may be chosen by looking at a test part. Cheap algorithms are tuned inside each split's
        # training part; tuning the others ten thousand times would take days: they keep their first settings.
        settings = GRIDS[self.algorithm][0]
        if self.algorithm in CHEAP:
            settings = tune(self.algorithm, training, training.groups, seed=split)
        fitted = fit(self.algorithm, settings, training, seed=split)
        return mape(test.target, fitted.predict(test.inputs, encode_families(test.families, ())))


@dataclass(frozen=True)
class GroupedFold:
    """One fold of grouped cross-validation, with one algorithm or baseline.

    Attributes:
        groups: of each row; what the scheme does not part, tuning does not part either.
        flops: index of the column that the baseline `flops_only` reads.
    """

    metric: str
    algorithm: str
    scheme: str
    rows: TrainingData
    groups: np.ndarray
    fold: Fold
    flops: int
    seed: int

    def run(self) -> Prediction:
        """Return the predictions of the fold's test rows."""
        training, test = self.rows.take(self.fold.train), self.rows.take(self.fold.test)
        if self.algorithm in BASELINES:
            made = predict_baseline(self.algorithm, training.expanded(), test.expanded().inputs, self.flops)
            return Prediction(made, np.zeros(len(made)))
        return train(self.algorithm, training, self.groups[self.fold.train], self.seed).predict(test)


@dataclass(frozen=True)
class FoldDomain:
    """How far the test rows of one fold of grouped cross-validation are from its training rows."""

    metric: str
    scheme: str
    rows: TrainingData
    fold: Fold

    def run(self) -> Location:
        """Return where the test rows are, seen from the training rows."""
        training, test = self.rows.take(self.fold.train), self.rows.take(self.fold.test)
        bounds = training.outlier_bounds
        features = test.winsorized(bounds).inputs[:, : len(test.columns.features)]
        return fit_domain(training.winsorized(bounds).per_model).locate(features)


def run_all(tasks: Sequence[Task], jobs: int) -> Iterator[Any]:
    """Yield the results of ``tasks`` in order, from ``jobs`` processes; how many does not change them."""
    # Workers of a process that is killed would wait for more to do for minutes.
    with joblib.parallel_config("loky", initializer=end_with, initargs=(os.getpid(),)):
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator")
    return parallel(joblib.delayed(_run)(task) for task in tasks)


def _run(task: Task) -> Any:
    # One thread a process: the matrices are small, and sums would depend on the number of threads.
    with threadpool_limits(limits=1):
        return task.run()
