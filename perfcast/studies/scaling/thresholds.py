"""Thresholds: beyond which range of a factor time grows otherwise than before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from perfcast.studies.scaling.profiles import Profile, profile_of
from perfcast.studies.statistics.changepoints import Break, detectable, find_breaks, undecided

if TYPE_CHECKING:
    from perfcast.studies.scaling.columns import Factor
    from perfcast.studies.scaling.observations import Observations


@dataclass(frozen=True)
class Thresholds:
    """Where scaling with one factor changes.

    Attributes:
        factor: the one.
        profile: what the answer rests on.
        breaks: changes of the exponent; levels are values of the factor, `before` and `after` exponents.
        undecided: why none can be found; empty where one could be.
        detectable: the smallest change of the exponent that would probably be found; NaN where breaks were found.
    """

    factor: Factor
    profile: Profile
    breaks: tuple[Break, ...] = ()
    undecided: str = ""
    detectable: float = np.nan


def thresholds_of(observations: Observations, alpha: float) -> tuple[Thresholds, ...]:
    """Return where scaling changes, for each factor with positive values.

    A false alarm has probability ``alpha`` over all factors: each is tested at its share (Bonferroni).
    """
    profiles = [profile_of(observations, factor) for factor in observations.scaled]
    reasons = [undecided(_logs(each), each.logs, replicates=each.replicates) for each in profiles]
    tested = reasons.count("")
    return tuple(
        Thresholds(each.factor, each, undecided=reason) if reason else _found(each, alpha / tested)
        for each, reason in zip(profiles, reasons, strict=True)
    )


def _found(profile: Profile, alpha: float) -> Thresholds:
    breaks = _breaks(profile, alpha)
    least = np.nan
    if not breaks:
        least = detectable(_logs(profile), profile.logs, alpha=alpha, replicates=profile.replicates)
    return Thresholds(profile.factor, profile, breaks, detectable=least)


def _breaks(profile: Profile, alpha: float) -> tuple[Break, ...]:
    found = find_breaks(_logs(profile), profile.logs, alpha=alpha, replicates=profile.replicates)
    return tuple(
        replace(each, level=float(np.exp(each.level)), low=float(np.exp(each.low)), high=float(np.exp(each.high)))
        for each in found
    )


def _logs(profile: Profile) -> list[float]:
    return [float(np.log(level)) for level in profile.levels]
