"""Values that rows like them contradict by far: a microsecond among milliseconds."""

from __future__ import annotations

import numpy as np

from perfcast.features.scale import signed_log

FACTOR = 3.0
DEVIATIONS = 8.0
_FOLDS = 5
_MAX_TRAINING_ROWS = 10_000
_MIN_ROWS = 20
_MIN_TARGETS = 3
_LINE_ROWS = 1000
_NORMAL = 1.4826


def disagreeing(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return which values the others of their row contradict (rows × targets, booleans).

    For each target a straight line is laid through its logarithms over the row's usual level, the median of the other
    targets' (Theil and Sen's, which wrong values do not bend). What is off from it by a factor of 3, and by 8
    deviations, is contradicted: rows like it may all be wrong in the same way.

    Args:
        values: rows × targets of one unit, positive; NaN where there is none. Of fewer than three targets none is,
            and those with fewer than 20 values do not count.
        seed: of the rows that the line is laid through where there are many.
    """
    from scipy.stats import theilslopes

    found = np.zeros(values.shape, dtype=bool)
    told = np.flatnonzero((~np.isnan(values)).sum(axis=0) >= _MIN_ROWS)
    if len(told) < _MIN_TARGETS:
        return found
    logarithms = np.log(values[:, told])
    centred = logarithms - np.nanmedian(logarithms, axis=0)
    for place, target in enumerate(told):
        others = np.delete(centred, place, axis=1)
        known = np.flatnonzero(~np.isnan(centred[:, place]) & (~np.isnan(others)).any(axis=1))
        if len(known) < _MIN_ROWS:
            continue
        level = np.nanmedian(others[known], axis=1)
        some = np.random.default_rng(seed).permutation(len(known))[:_LINE_ROWS]
        # Where the others always say the same there is no slope.
        varies = np.ptp(level[some]) > 0
        slope = theilslopes(centred[known[some], place], level[some]).slope if varies else 0.0
        found[known, target] = _beyond(centred[known, place] - slope * level)
    return found


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
        if len(rows) < _MIN_ROWS:
            continue
        known = np.log(targets[np.ix_(rows, columns)])
        suspects = _far(known, inputs[rows], np.zeros(len(rows), dtype=bool), seed, jobs)
        # An outlier draws the predictions of rows like it to itself: they are judged again by a forest without any.
        if suspects.any():
            suspects = _judged_again(known, inputs[rows], suspects, seed, jobs)
        found[np.ix_(rows, columns)] = suspects
    return found


def _judged_again(known: np.ndarray, inputs: np.ndarray, suspects: np.ndarray, seed: int, jobs: int) -> np.ndarray:
    """Return which logarithms are far from predictions that learned from no suspect.

    One forest learns all targets from the rows without any; where these are the fewer, each target is learned by
    itself, from its own: of the values of one no more than half are suspect.
    """
    barred = np.asarray(suspects.any(axis=1))
    if 2 * barred.sum() <= len(known):
        return _far(known, inputs, barred, seed, jobs)
    columns = [_far(known[:, [place]], inputs, suspects[:, place], seed, jobs) for place in range(known.shape[1])]
    return np.hstack(columns)


def _far(known: np.ndarray, inputs: np.ndarray, barred: np.ndarray, seed: int, jobs: int) -> np.ndarray:
    """Return which logarithms (rows × targets) are far from all predictions trained on neither them nor ``barred``.

    A forest knows nothing beyond what it saw and a straight line no bends, so that each is far off where the other is
    not: only what both contradict, by a factor of 3, is an outlier.
    """
    forest, line = (known - made for made in _predictions(inputs, known, barred, seed, jobs))
    return _beyond(forest) & (np.abs(line) > np.log(FACTOR))


def _beyond(errors: np.ndarray) -> np.ndarray:
    """Return which errors, logarithms, are beyond a factor of 3 and 8 deviations around their median."""
    off = np.abs(errors - np.median(errors, axis=0))
    return off > np.maximum(np.log(FACTOR), DEVIATIONS * _NORMAL * np.median(off, axis=0))


def _alike(known: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the columns that are known in the same rows together: one forest learns them all."""
    patterns: dict[bytes, list[int]] = {}
    for column in range(known.shape[1]):
        patterns.setdefault(known[:, column].tobytes(), []).append(column)
    return [(np.flatnonzero(known[:, columns[0]]), np.array(columns)) for columns in patterns.values()]


def _predictions(
    inputs: np.ndarray, targets: np.ndarray, barred: np.ndarray, seed: int, jobs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions of ``targets`` (logarithms, rows × targets), each row's by a forest and a line without it."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(seed)
    fold = random.permutation(len(targets)) % _FOLDS
    spread = np.where(np.ptp(targets, axis=0) > 0, targets.std(axis=0), 1.0)
    logarithms = signed_log(inputs)
    made = np.empty((2, *targets.shape))
    wanted = np.squeeze(targets / spread, axis=() if targets.shape[1] > 1 else 1)
    for number in range(_FOLDS):
        train = random.permutation(np.flatnonzero((fold != number) & ~barred))[:_MAX_TRAINING_ROWS]
        # Leaves of several rows: an outlier's twin must not vouch for it.
        forest = ExtraTreesRegressor(50, min_samples_leaf=3, random_state=seed, n_jobs=jobs)
        line = make_pipeline(StandardScaler(), Ridge(1.0))
        tested = fold == number
        for learner, found in zip((forest, line), made, strict=True):
            learner.fit(logarithms[train], wanted[train])
            found[tested] = learner.predict(logarithms[tested]).reshape(-1, targets.shape[1]) * spread
    return made[0], made[1]
