"""Fitted regressors in the units of the table: from features to milliseconds or megabytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from perfcast.features.plausible import OutlierBounds
    from perfcast.fit.encoding import Encoding
    from perfcast.fit.inputs import InputColumns
    from perfcast.fit.learners import Learner
    from perfcast.fit.linear import LinearModel
    from perfcast.fit.mixture import MixtureOfExperts


@dataclass(frozen=True)
class Fitted:
    """A learner with the encoding it was fitted in."""

    encoding: Encoding
    learner: Learner

    def predict(self, inputs: np.ndarray, family_codes: np.ndarray) -> np.ndarray:
        """Return one prediction per row of ``inputs`` (rows × features), in the target's unit; see `Ensemble`."""
        return self.encoding.decode(
            inputs, self.learner.predict(np.hstack([self.encoding.encode(inputs), family_codes]))
        )


class Prediction(NamedTuple):
    """Predictions in the target's unit, and the standard deviation of the members' logarithms, one number per row."""

    values: np.ndarray
    spreads: np.ndarray


@dataclass(frozen=True)
class Ensemble:
    """What an algorithm fits: one regressor or several, and a mixture of experts that may take precedence.

    Attributes:
        columns: of the inputs.
        outlier_bounds: what is plausible for the features; the rest is winsorized before anything else is done.
        members: regressors; the median of their logarithms counts, so that one member's error is outvoted.
        experts: of families, None where there are none; the gating weight is their share of the prediction.
    """

    columns: InputColumns
    outlier_bounds: OutlierBounds
    members: tuple[Fitted | LinearModel, ...]
    experts: MixtureOfExperts | None = None

    def predict(self, inputs: np.ndarray, family_codes: np.ndarray) -> Prediction:
        """Return predictions for ``inputs`` (rows × columns).

        ``family_codes`` is what `perfcast.fit.families.encode_families` makes of the rows' families.
        """
        inputs = self.columns.expanded(self.outlier_bounds.winsorized(inputs))
        logarithms = [np.log(member.predict(inputs, family_codes)) for member in self.members]
        combined = np.median(logarithms, axis=0)
        if self.experts is not None:
            by_experts, gating_weight = self.experts.predict(inputs)
            logarithms.append(np.log(by_experts))
            combined = gating_weight * logarithms[-1] + (1 - gating_weight) * combined
        return Prediction(np.exp(combined), np.std(logarithms, axis=0))
