"""The comparison of two datasets, model by model and as a whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.studies.comparison.changes import Change, Changes, changes_of
from perfcast.studies.comparison.evidence import Evidence, evidence_of, undecided
from perfcast.studies.factor_sets import labels
from perfcast.studies.statistics.significance import adjusted

if TYPE_CHECKING:
    from perfcast.studies.comparison.pairs import Pairs

SLOWER, FASTER, SAME, UNDECIDED = "slower", "faster", "same", "undecided"
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
        low, high: 95% interval of what of that is not the machine's; NaN where nothing shows its noise.
        outcome: `slower`, `faster` or `same`.
    """

    ratio: float
    low: float
    high: float
    outcome: str


@dataclass(frozen=True)
class Comparison:
    """What changed from the first dataset to the second.

    Attributes:
        pairs: what was compared.
        options: what counts.
        models: one row per model and varied factors, the worst first; docs/data-model.md lists the columns.
        calibration: how much slower the calibration workload was, NaN where it was not timed.
        together: what all models have in common; None if undecided, or the metric has none.
        detectable: by which share one model has to regress to be likely found, NaN if undecided.
        undecided: why nothing can be decided, in words; empty where it can.
    """

    pairs: Pairs
    options: Options
    models: pd.DataFrame
    calibration: float
    together: Together | None
    detectable: float
    undecided: str = ""

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

    @property
    def has_regressed(self) -> bool:
        """Whether a model, or all models together, became significantly slower, or larger, beyond the threshold."""
        return bool(self.regressions) or (self.together is not None and self.together.outcome == SLOWER)

    def _with_outcome(self, outcome: str) -> list[str]:
        return list(self.labelled.loc[self.models["outcome"] == outcome, "label"])


def compare(pairs: Pairs, options: Options) -> Comparison:
    """Compare the models of two datasets.

    Regressions and improvements are each tested one-sided, at the family-wise level alpha. A fifth of alpha is for the
    change that all models share, the rest for the models; `adjusted` passes on what one of them does not need. Where
    all models moved, that is not the machine's, and belongs to each model's change.
    """
    if reason := undecided(pairs):
        return Comparison(pairs, options, _undecided_table(pairs), np.nan, None, np.nan, reason)
    evidence = evidence_of(pairs)
    changes = changes_of(evidence, evidence.ratios)
    together = _judged(pairs, changes, options)
    if changes.together is not None and together is not None and together.outcome != SAME:
        changes = replace(changes, models=changes.models.and_all(changes.together))
    slower, faster = _adjusted(changes)
    table = _table(pairs, changes.models, (slower[-len(pairs.a) :], faster[-len(pairs.a) :]), options)
    calibration = np.nan if evidence.machine is None else float(np.exp(evidence.machine.calibration))
    return Comparison(pairs, options, table, calibration, together, _detectable(evidence, options))


def _detectable(evidence: Evidence, options: Options) -> float:
    """Return by which share the model of median noise has to regress to be likely found.

    The probability is 80% where the noise is known; as it is estimated, some 70%.
    """
    ratios = evidence.ratios
    changes = changes_of(evidence, ratios)
    models, shares = changes.models, _shares(changes)
    level = options.alpha * float(shares[-1] / shares.sum())
    at = int(np.argsort(models.variance)[len(ratios) // 2])
    unchanged = ratios[at] - models.log[at]
    for _ in range(_REFINEMENTS):  # What is seen makes the noise look larger.
        seen = float(models.margin(1 - level)[at])
        planted = np.where(np.arange(len(ratios)) == at, unchanged + seen, ratios)
        models = changes_of(evidence, planted).models
    return float(np.expm1(models.margin(1 - level)[at] + models.margin(POWER)[at]))


def _shares(changes: Changes) -> np.ndarray:
    """Return with which weight the shared change, first where it is judged, and each model are tested."""
    count = len(changes.models.log)
    if changes.together is None:
        return np.full(count, 1 / count)
    return np.array([_SHARE_TOGETHER, *np.full(count, (1 - _SHARE_TOGETHER) / count)])


def _adjusted(changes: Changes) -> tuple[np.ndarray, np.ndarray]:
    """Return the adjusted p-values of an increase and of a decrease: of the shared change if judged, of each model."""
    tested = [change for change in (changes.together, changes.models) if change is not None]
    slower, faster = (
        adjusted(np.concatenate(found), _shares(changes))
        for found in ([change.slower_p() for change in tested], [change.faster_p() for change in tested])
    )
    return slower, faster


def _judged(pairs: Pairs, changes: Changes, options: Options) -> Together | None:
    """Judge the shared change; its whole interval must be beyond the threshold.

    A machine may be slower by a little without the calibration workload seeing it, which nothing in the data shows.
    """
    if changes.together is None:
        return None
    low, high = (float(bound[0]) for bound in changes.together.interval(CONFIDENCE))
    least = np.log1p(options.threshold)
    slower, faster = (p_values[0] <= options.alpha for p_values in _adjusted(changes))
    outcome = SLOWER if slower and low > least else FASTER if faster and high < -least else SAME
    return Together(
        float(np.median(pairs.values[1] / pairs.values[0])), float(np.exp(low)), float(np.exp(high)), outcome
    )


def _table(pairs: Pairs, net: Change, p_values: tuple[np.ndarray, np.ndarray], options: Options) -> pd.DataFrame:
    slower, faster = p_values
    low, high = net.interval(CONFIDENCE)
    least = np.log1p(options.threshold)
    worse, better = (net.log > least) & (slower <= options.alpha), (net.log < -least) & (faster <= options.alpha)
    found = {
        "net_ratio": np.exp(net.log),
        "low": np.exp(low),
        "high": np.exp(high),
        "slower_p": slower,
        "faster_p": faster,
    }
    table = _compared(pairs).assign(**found, outcome=np.select([worse, better], [SLOWER, FASTER], SAME))
    return table.sort_values(["net_ratio", "model"], ascending=[False, True], ignore_index=True)


def _undecided_table(pairs: Pairs) -> pd.DataFrame:
    unknown = dict.fromkeys(("net_ratio", "low", "high", "slower_p", "faster_p"), np.nan)
    table = _compared(pairs).assign(**unknown, outcome=UNDECIDED)
    return table.sort_values(["ratio", "model"], ascending=[False, True], ignore_index=True)


def _compared(pairs: Pairs) -> pd.DataFrame:
    first, second = pairs.values
    identity = {name: pairs.a[name] for name in ("model", "batch", "workload", *pairs.varied)}
    return pd.DataFrame({**identity, "metric": pairs.column, "a": first, "b": second, "ratio": second / first})
