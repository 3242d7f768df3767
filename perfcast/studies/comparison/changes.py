"""How much each model changed from one dataset to the other, and how sure that is, as the kind of metric allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from perfcast.studies.comparison.variance import SMALLEST, between_models

if TYPE_CHECKING:
    from perfcast.studies.comparison.evidence import Evidence, Machine

_EFFICIENCY = 0.6
"""Degrees of freedom a model of the robust scale Qn: 0.8 by its variance, less for the tails of that of few."""


@dataclass(frozen=True)
class Change:
    """Changes of log values, as arrays: estimates, their variances and degrees of freedom.

    What of a change is the machine's may be known no better than to a range, whatever the noise: the change is then
    somewhere from `below` under the estimate to `above` over it. Intervals hold that whole range, and the tests are
    against its nearer end (Imbens and Manski 2004, "Confidence intervals for partially identified parameters",
    Econometrica 72(6)).
    """

    log: np.ndarray
    variance: np.ndarray
    dof: np.ndarray
    below: float = 0.0
    above: float = 0.0

    def slower_p(self) -> np.ndarray:
        """Return the one-sided p-values of an increase."""
        return np.asarray(stats.t.sf((self.log - self.below) / np.sqrt(self.variance), self.dof))

    def faster_p(self) -> np.ndarray:
        """Return the one-sided p-values of a decrease."""
        return np.asarray(stats.t.cdf((self.log + self.above) / np.sqrt(self.variance), self.dof))

    def margin(self, probability: float) -> np.ndarray:
        """Return how far from an estimate the one-sided bound of this probability is, by noise alone."""
        return np.asarray(stats.t.ppf(probability, self.dof) * np.sqrt(self.variance))

    def interval(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds of the two-sided interval."""
        margin = self.margin((1 + confidence) / 2)
        return self.log - self.below - margin, self.log + self.above + margin

    def and_all(self, shared: Change) -> Change:
        """Return these changes and the one that all models share, together."""
        variance = self.variance + shared.variance
        dof = variance**2 / (self.variance**2 / self.dof + shared.variance**2 / shared.dof)
        return Change(self.log + shared.log, variance, dof, shared.below, shared.above)


@dataclass(frozen=True)
class Changes:
    """What changed.

    Attributes:
        models: of each model, without what all have in common if that may be the machine's.
        together: what all models have in common beyond the machine's part; None where that is not judged.
    """

    models: Change
    together: Change | None = None


def changes_of(evidence: Evidence, ratios: np.ndarray) -> Changes:
    """Return what changed.

    A metric that the machine's load does not touch, such as memory, is compared as it is. Of others each model's ratio
    is taken over the typical one, which holds how the machine was, and that one is judged by itself.

    Noise of a model: how far its visits differ, and how far models, or repetitions, differ beyond that. It is known no
    better than the models' number allows: where machines are busy, its tails are heavier than normal ones.

    Args:
        evidence: what is known of the noise.
        ratios: the logarithm of second over first, one number per model.
    """
    if evidence.machine is None:
        return Changes(_steady(evidence, ratios))
    own, own_dof = evidence.own, evidence.own_dof
    extra, extra_dof = between_models(ratios, own), _EFFICIENCY * (len(ratios) - 1)
    if (beyond := evidence.repeats - float(own.mean())) > extra:
        extra, extra_dof = beyond, float(evidence.repeats_count)
    noise = own + extra
    dof = np.minimum(noise**2 / (own**2 / own_dof + extra**2 / extra_dof), float(len(ratios) - 1))
    typical = float(np.median(ratios))
    shared = _together(evidence.machine, typical, float(np.pi / 2 / np.sum(1 / noise)))
    return Changes(Change(ratios - typical, noise, dof), shared)


def _steady(evidence: Evidence, ratios: np.ndarray) -> Change:
    """Take noise for how far repetitions differ, else for how far the models' ratios do."""
    if evidence.repeats_count:
        variance, dof = evidence.repeats, float(evidence.repeats_count)
    else:
        variance, dof = between_models(ratios, np.full(len(ratios), SMALLEST**2)), _EFFICIENCY * (len(ratios) - 1)
    return Change(ratios, np.full(len(ratios), variance + SMALLEST**2), np.full(len(ratios), dof))


def _together(machine: Machine, typical: float, of_typical: float) -> Change | None:
    """Judge the typical change beyond what the calibration workload's change may have brought about.

    Noise is how far single rounds differ, not their mean: two campaigns may differ as two rounds of one do, and rounds
    that follow each other see the same machine. None where no campaign had two rounds of enough models.
    """
    if not machine.dof:
        return None
    variance = 2 * machine.variance + of_typical + SMALLEST**2
    dof = np.array([float(machine.dof)])
    return Change(np.array([typical]), np.array([variance]), dof, below=machine.below, above=machine.above)
