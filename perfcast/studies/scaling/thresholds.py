"""Thresholds: beyond which range of a factor time grows otherwise than before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.studies.scaling.profiles import Profile, profile_of
from perfcast.studies.statistics.growth import Growth, growths_of

if TYPE_CHECKING:
    from perfcast.studies.scaling.observations import Observations

Thresholds = Growth[Profile]
"""Where scaling with one factor, `curve.factor`, changes."""


def thresholds_of(observations: Observations, alpha: float) -> tuple[Thresholds, ...]:
    """Return where scaling changes, for each factor with positive values.

    A false alarm has probability ``alpha`` over all factors.
    """
    return growths_of([profile_of(observations, factor) for factor in observations.scaled], alpha)
