"""What a regressor must beat: a line in the operations, and the answer of the most similar network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.features.scale import signed_log
from perfcast.fit.encoding import fit_encoding
from perfcast.fit.learners import squared_distances

if TYPE_CHECKING:
    from perfcast.fit.options import FitOptions
    from perfcast.fit.training_data import TrainingData


def baseline_names(options: FitOptions) -> tuple[str, ...]:
    """Return the baselines that the features allow: `flops_only` needs a column of operations."""
    nearest = ("nearest_neighbour",)
    return ("flops_only", *nearest) if options.flops_column in options.features else nearest


def predict_baseline(name: str, train: TrainingData, inputs: np.ndarray, flops: int) -> np.ndarray:
    """Return what baseline ``name``, fitted on ``train``, predictions for ``inputs``.

    ``flops`` is the index of the column of operations.
    """
    if name == "flops_only":
        return flops_only(train.inputs[:, flops], train.target, inputs[:, flops])
    return nearest_neighbour(train, inputs)


def flops_only(train: np.ndarray, target: np.ndarray, flops: np.ndarray) -> np.ndarray:
    """Return a·(1 + flops)^b with a and b fitted by least squares of the logarithms of ``target``.

    Negative operations, such as the -1 of who does not know them, have the logarithms that `signed_log` gives them.
    """
    logarithm = signed_log(train)
    spread = logarithm - logarithm.mean()
    variance = (spread**2).sum()
    slope = (spread * np.log(target)).sum() / variance if variance else 0.0
    return np.exp(np.log(target).mean() + slope * (signed_log(flops) - logarithm.mean()))


def nearest_neighbour(train: TrainingData, inputs: np.ndarray) -> np.ndarray:
    """Return the target of the row of ``train`` nearest to each row of ``inputs`` in scaled logarithms."""
    encoding = fit_encoding(train, physical=0)
    # Not clipped to the range of training as a learner's inputs are: far away must stay far away.
    distances = squared_distances(encoding.scaled(inputs), encoding.scaled(train.inputs))
    return train.target[distances.argmin(axis=1)]
