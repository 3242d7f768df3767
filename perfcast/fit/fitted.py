"""Fitted regressors in the units of the table: from features to milliseconds or megabytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from perfcast.features.plausible import OutlierBounds
    from perfcast.fit.encoding import Encoding
    from perfcast.fit.experts import Experts
    from perfcast.fit.learners import Learner


@dataclass(frozen=True)
class Fitted:
    """A learner with the encoding it was fitted in."""

    encoding: Encoding
    learner: Learner

    def predict(self, inputs: np.ndarray, kin: np.ndarray) -> np.ndarray:
        """Return one forecast a row of ``inputs`` (rows × features), in the target's unit; see `Forecaster`."""
        return self.encoding.decode(inputs, self.learner.predict(np.hstack([self.encoding.encode(inputs), kin])))


class Forecast(NamedTuple):
    """Forecasts in the target's unit, and the standard deviation of the logarithms of what voted, a number a row."""

    values: np.ndarray
    spreads: np.ndarray


@dataclass(frozen=True)
class Forecaster:
    """What an algorithm fits: regressors that vote, and experts that are heard before them.

    Attributes:
        fences: what of the features is plausible; the rest is repaired before anybody looks.
        members: regressors; the median of their logarithms counts, so that what one errs in alone is outvoted.
        experts: of families, None where there are none: they count for as much as they are certain.
    """

    fences: OutlierBounds
    members: tuple[Fitted, ...]
    experts: Experts | None = None

    def forecast(self, inputs: np.ndarray, kin: np.ndarray) -> Forecast:
        """Return forecasts for ``inputs`` (rows × features).

        ``kin`` is what `perfcast.fit.families.kinship` says of the rows' families, rows × families.
        """
        inputs = self.fences.repaired(inputs)
        votes = [np.log(member.predict(inputs, kin)) for member in self.members]
        answer = np.median(votes, axis=0)
        if self.experts is not None:
            told, certainty = self.experts.predict(inputs)
            votes.append(np.log(told))
            answer = certainty * votes[-1] + (1 - certainty) * answer
        return Forecast(np.exp(answer), np.std(votes, axis=0))
