"""The comparison of two datasets, model by model and as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.studies.comparison.changes import Change, Changes, changes_of
from perfcast.studies.comparison.significance import adjusted
from perfcast.studies.factor_sets import labels

if TYPE_CHECKING:
    from perfcast.studies.comparison.pairs import Pairs

SLOWER, FASTER, SAME = "slower", "faster", "same"
CONFIDENCE = 0.95
POWER = 0.8
_REFINEMENTS = 4
_SHARE_TOGETHER = 0.2
"""Of alpha: for the change that all models have in common."""


@dataclass(frozen=True)
class Options:
    """What counts.

    Attributes:
        threshold: by how much more a value must be to count as a regression, as a share of it.
        alpha: the probability of one false regression or more where nothing changed; as much for improvements.
    """

    threshold: float = 0.05
    alpha: float = 0.05


@dataclass(frozen=True)
class Together:
    """What all models have in common.

    Attributes:
        ratio: of the typical model, second over first.
        net, low, high: that over the calibration workload's ratio, with its 95% interval; NaN where nothing shows its
            noise.
        outcome: `slower`, `faster` or `same`.
    """

    ratio: float
    net: float
    low: float
    high: float
    outcome: str


@dataclass(frozen=True)
class Comparison:
    """What changed from the first dataset to the second.

    Attributes:
        pairs: what was compared.
        options: what counts.
        models: one row per model and varied factors, sorted by `net_ratio`, the worst
            first; docs/data-model.md lists the columns.
        calibration: how much slower the calibration workload was, NaN where it was not timed.
        together: what all models have in common, None where there are too few, or the metric has none.
        detectable: by which share one model has to regress to be likely found.
    """

    pairs: Pairs
    options: Options
    models: pd.DataFrame
    calibration: float
    together: Together | None
    detectable: float

    @property
    def labelled(self) -> pd.DataFrame:
        """The models with their names in the column `label`, which says under which factors where these are varied."""
        return self.models.assign(label=labels(self.models, self.pairs.varied))

    @property
    def regressions(self) -> list[str]:
        """The models that became significantly slower, or larger, by more than the threshold."""
        return self._with_outcome(SLOWER)

    @property
    def improvements(self) -> list[str]:
        """The models that became significantly faster, or smaller, by more than the threshold."""
        return self._with_outcome(FASTER)

    def _with_outcome(self, outcome: str) -> list[str]:
        return list(self.labelled.loc[self.models["outcome"] == outcome, "label"])


def compare(pairs: Pairs, options: Options) -> Comparison:
    """Compare the models of two datasets.

    Regressions and improvements are each tested one-sided, at the family-wise level alpha. Half of alpha is for the
    change that all models share, half for the models; `adjusted` hands on what one of them does not need.

    Raises:
        UsageError: the datasets cannot separate noise from change.
    """
    changes = changes_of(pairs, pairs.log_ratios)
    shares = _shares(changes)
    slower, faster = (_adjusted(changes, sign, shares) for sign in (1, -1))
    together = _judged(changes, float(slower[0]), float(faster[0]), options)
    direction = together.outcome if together else SAME
    table = _table(pairs, _net(changes, direction != SAME), (slower[1:], faster[1:]), options, direction)
    detectable = _detectable(pairs, changes, options.alpha * float(shares[1] / shares.sum()))
    return Comparison(pairs, options, table, float(np.exp(changes.calibration)), together, detectable)


def _detectable(pairs: Pairs, changes: Changes, level: float) -> float:
    """Return by which share the model of median noise has to regress to be likely found.

    The probability is 80% where the noise is known; as it is estimated, some 70%.
    """
    ratios = pairs.log_ratios
    at = int(np.argsort(changes.models.variance)[len(ratios) // 2])
    models = changes.models
    for _ in range(_REFINEMENTS):  # What is seen makes the noise look larger.
        seen = float(models.margin(1 - level)[at])
        planted = np.where(np.arange(len(ratios)) == at, changes.machine + seen, ratios)
        models = changes_of(pairs, planted).models
    return float(np.expm1(models.margin(1 - level)[at] + models.margin(POWER)[at]))


def _shares(changes: Changes) -> np.ndarray:
    """Return with which weight the shared change, first, and each model are tested."""
    count = len(changes.models.log)
    if changes.together is None:
        return np.array([0.0, *np.full(count, 1 / count)])
    return np.array([_SHARE_TOGETHER, *np.full(count, (1 - _SHARE_TOGETHER) / count)])


def _adjusted(changes: Changes, sign: int, shares: np.ndarray) -> np.ndarray:
    """Return the adjusted p-values of the shared change, NaN where it is not judged, and of each model's."""
    tested = [change for change in (changes.together, changes.models) if change is not None]
    p_values = np.concatenate([Change(sign * c.log, c.variance, c.dof).slower_p() for c in tested])
    found = adjusted(p_values, shares[shares > 0])
    return found if changes.together is not None else np.array([np.nan, *found])


def _judged(changes: Changes, slower_p: float, faster_p: float, options: Options) -> Together | None:
    """Judge the typical change; its whole interval must be beyond the threshold.

    A machine may be slower by a little without the calibration workload seeing it, which nothing in the data shows.
    """
    if changes.typical is None:
        return None
    ratio = float(np.exp(changes.typical))
    if changes.together is None:
        return Together(ratio, np.nan, np.nan, np.nan, SAME)
    log, margin = float(changes.together.log[0]), float(changes.together.margin((1 + CONFIDENCE) / 2)[0])
    least = np.log1p(options.threshold)
    outcome = SAME
    if slower_p <= options.alpha and log - margin > least:
        outcome = SLOWER
    elif faster_p <= options.alpha and log + margin < -least:
        outcome = FASTER
    net, low, high = (float(np.exp(value)) for value in (log, log - margin, log + margin))
    return Together(ratio, net, low, high, outcome)


def _net(changes: Changes, moved: bool) -> Change:
    """Return the models' changes; where all models moved, with that, since then it is not the machine's."""
    if not moved or changes.together is None:
        return changes.models
    models, together = changes.models, changes.together
    variance = models.variance + together.variance
    dof = variance**2 / (models.variance**2 / models.dof + together.variance**2 / together.dof)
    return Change(models.log + together.log, variance, dof)


def _table(
    pairs: Pairs, net: Change, p_values: tuple[np.ndarray, np.ndarray], options: Options, together: str
) -> pd.DataFrame:
    slower, faster = p_values
    margin = net.margin((1 + CONFIDENCE) / 2)
    least = np.log1p(options.threshold)
    worse = (net.log > least) & ((slower <= options.alpha) | (together == SLOWER))
    better = (net.log < -least) & ((faster <= options.alpha) | (together == FASTER))
    table = pd.DataFrame(
        {
            "model": pairs.a["model"],
            "batch": pairs.a["batch"],
            "workload": pairs.a["workload"],
            **{name: pairs.a[name] for name in pairs.varied},
            "metric": pairs.column,
            "a": pairs.values[0],
            "b": pairs.values[1],
            "ratio": np.exp(pairs.log_ratios),
            "net_ratio": np.exp(net.log),
            "low": np.exp(net.log - margin),
            "high": np.exp(net.log + margin),
            "slower_p": slower,
            "faster_p": faster,
            "outcome": np.select([worse, better], [SLOWER, FASTER], SAME),
        }
    )
    return table.sort_values(["net_ratio", "model"], ascending=[False, True], ignore_index=True)
