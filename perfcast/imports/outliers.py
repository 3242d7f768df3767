"""Values that rows like them contradict by far: a microsecond among milliseconds."""

from __future__ import annotations

import numpy as np

FACTOR = 3.0
DEVIATIONS = 8.0
_FOLDS = 5
_MOST_LEARNED = 10_000
_FEWEST = 20
_NORMAL = 1.4826


def outliers(inputs: np.ndarray, targets: np.ndarray, seed: int = 0, jobs: int = 1) -> np.ndarray:
    """Return which values are outliers (rows × targets, booleans).

    One is a value that a forest which did not learn from its row is off from by a factor of 3, and by 8 deviations
    (the median absolute deviation, scaled to a normal distribution's). Of a target with fewer than 20 values none is.

    Args:
        inputs: rows × features, finite.
        targets: rows × targets, positive; NaN where there is no value.
        seed: of the forest and the folds.
        jobs: processors to use.
    """
    found = np.zeros(targets.shape, dtype=bool)
    for rows, columns in _alike(~np.isnan(targets)):
        if len(rows) < _FEWEST:
            continue
        known = np.log(targets[np.ix_(rows, columns)])
        suspects = _far(known, inputs[rows], np.zeros(len(rows), dtype=bool), seed, jobs)
        # An outlier draws the forecasts of rows like it to itself: they are judged again by a forest without any.
        if suspects.any():
            suspects = _far(known, inputs[rows], np.asarray(suspects.any(axis=1)), seed, jobs)
        found[np.ix_(rows, columns)] = suspects
    return found


def _far(known: np.ndarray, inputs: np.ndarray, barred: np.ndarray, seed: int, jobs: int) -> np.ndarray:
    """Return which logarithms (rows × targets) are far from forecasts that learned of neither them nor ``barred``."""
    errors = known - _forecasts(inputs, known, barred, seed, jobs)
    errors -= np.median(errors, axis=0)
    deviation = _NORMAL * np.median(np.abs(errors), axis=0)
    return np.abs(errors) > np.maximum(np.log(FACTOR), DEVIATIONS * deviation)


def _alike(known: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the columns that are known in the same rows together: one forest learns them all."""
    patterns: dict[bytes, list[int]] = {}
    for column in range(known.shape[1]):
        patterns.setdefault(known[:, column].tobytes(), []).append(column)
    return [(np.flatnonzero(known[:, columns[0]]), np.array(columns)) for columns in patterns.values()]


def _forecasts(inputs: np.ndarray, targets: np.ndarray, barred: np.ndarray, seed: int, jobs: int) -> np.ndarray:
    """Return forecasts of the logarithms ``targets`` (rows × targets), each row's by a forest without it."""
    from sklearn.ensemble import ExtraTreesRegressor

    random = np.random.default_rng(seed)
    fold = random.permutation(len(targets)) % _FOLDS
    spread = np.maximum(targets.std(axis=0), np.finfo(float).tiny)
    forecasts = np.empty(targets.shape)
    for number in range(_FOLDS):
        train = random.permutation(np.flatnonzero((fold != number) & ~barred))[:_MOST_LEARNED]
        # Leaves of several rows: an outlier's twin must not vouch for it.
        forest = ExtraTreesRegressor(50, min_samples_leaf=3, random_state=seed, n_jobs=jobs)
        forest.fit(inputs[train], np.squeeze(targets[train] / spread, axis=1 if targets.shape[1] == 1 else ()))
        tested = fold == number
        forecasts[tested] = forest.predict(inputs[tested]).reshape(-1, targets.shape[1]) * spread
    return forecasts
