"""The pieces that an evaluation consists of, independent of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.fit.splits import Fold
    from perfcast.fit.training_data import TrainingData


def split_errors(rows: TrainingData, algorithm: str, splits: range, test_share: float) -> list[float]:
    """Return the MAPE on the test part of each of some splits of the published protocol."""
    return [_split_error(rows, algorithm, split, test_share) for split in splits]


def _split_error(rows: TrainingData, algorithm: str, split: int, test_share: float) -> float:
    training, test = _parted(rows, published_split(rows.groups, test_share, split))
    bounds = training.outlier_bounds
    training, test = training.winsorized(bounds).expanded(), test.winsorized(bounds).expanded()
    # No setting may be chosen by looking at a test part. Cheap algorithms are tuned inside each split's
    # training part; tuning the others ten thousand times would take days: they keep their first settings.
    settings = GRIDS[algorithm][0]
    if algorithm in CHEAP:
        settings = tune(algorithm, training, training.groups, seed=split)
    fitted = fit(algorithm, settings, training, seed=split)
    return mape(test.target, fitted.predict(test.inputs, encode_families(test.families, ())))


class FoldPredictions(NamedTuple):
    """Predictions of the rows that a fold holds out, and of the censored ones of their models."""

    measured: Prediction
    censored: np.ndarray


def predict_fold(
    rows: TrainingData, fold: Fold, algorithm: str, groups: np.ndarray, flops: int, seed: int
) -> FoldPredictions:
    """Return predictions of the test rows of one fold of grouped cross-validation.

    Args:
        rows: of the metric.
        fold: which of them are trained on.
        algorithm: or a baseline.
        groups: of each row; what the scheme does not part, tuning does not part either.
        flops: index of the column that the baseline `flops_only` reads.
        seed: of all that is random.
    """
    training, test = _parted(rows, fold)
    if algorithm in BASELINES:
        inputs, count = np.vstack([test.expanded().inputs, test.expanded().censored.inputs]), len(test)
        made = predict_baseline(algorithm, training.expanded(), inputs, flops)
        return FoldPredictions(Prediction(made[:count], np.zeros(count)), made[count:])
    trained = train(algorithm, training, groups[fold.train], seed)
    return FoldPredictions(trained.predict(test), trained.predict(test.censored).values)


def locate_fold(rows: TrainingData, fold: Fold) -> Location:
    """Return where the test rows of a fold are, seen from its training rows."""
    training, test = _parted(rows, fold)
    bounds = training.outlier_bounds
    features = test.winsorized(bounds).inputs[:, : len(test.columns.features)]
    return fit_domain(training.winsorized(bounds).per_model).locate(features)


def _parted(rows: TrainingData, fold: Fold) -> tuple[TrainingData, TrainingData]:
    return rows.take(fold.train), rows.take(fold.test)


def run_on_one_thread(task: Callable[[], Any]) -> Any:
    """Return the result of a task: the matrices are small, and sums would depend on the number of threads."""
    with threadpool_limits(limits=1):
        return task()
