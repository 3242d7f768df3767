"""Fitted regressors in the units of the table: from features to milliseconds or megabytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.fit.encoding import Encoding
    from perfcast.fit.learners import Learner


@dataclass(frozen=True)
class Fitted:
    """A learner with the encoding it was fitted in."""

    encoding: Encoding
    learner: Learner

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return one forecast a row of ``inputs`` (rows × features), in the target's unit."""
        return self.encoding.decode(inputs, self.learner.predict(self.encoding.encode(inputs)))


@dataclass(frozen=True)
class Ensemble:
    """Regressors that vote; one alone has its way."""

    members: tuple[Fitted, ...]

    def votes(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Return each member's forecasts for ``inputs`` (rows × features), in the target's unit."""
        return [member.predict(inputs) for member in self.members]

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return one forecast a row of ``inputs`` (rows × features), in the target's unit."""
        return median_vote(self.votes(inputs))


def median_vote(forecasts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the median of forecasts, taken of their logarithms."""
    return forecasts[0] if len(forecasts) == 1 else np.exp(np.median(np.log(forecasts), axis=0))


def spread(forecasts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the standard deviation of the forecasts' logarithms, one number a row."""
    return np.std(np.log(forecasts), axis=0)
