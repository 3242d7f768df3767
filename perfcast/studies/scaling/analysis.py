"""All that is found in one data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfcast.studies.scaling.claims import judged_claims
from perfcast.studies.scaling.consistency import outliers_of, without
from perfcast.studies.scaling.correlations import METHODS, correlations
from perfcast.studies.scaling.laws import laws_of
from perfcast.studies.scaling.spread import spreads_of
from perfcast.studies.scaling.thresholds import thresholds_of
from perfcast.studies.statistics.significance import adjusted
from perfcast.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from perfcast.studies.scaling.claims import Rules
    from perfcast.studies.scaling.consistency import Outlier
    from perfcast.studies.scaling.correlations import Method
    from perfcast.studies.scaling.laws import Laws
    from perfcast.studies.scaling.observations import Observations
    from perfcast.studies.scaling.spread import Spread
    from perfcast.studies.scaling.thresholds import Thresholds
    from perfcast.studies.statistics.claims import Claim


@dataclass(frozen=True)
class Analysis:
    """What one data set shows.

    Attributes:
        observations: the data set.
        correlations: a matrix by method.
        laws: how time grows with all factors at once.
        thresholds: where that changes, for each factor.
        spreads: how the scatter depends on each factor; p-values are adjusted over all of them (Holm).
        claims: the document's.
        outliers: combinations far off the others.
    """

    observations: Observations
    correlations: dict[Method, pd.DataFrame]
    laws: Laws
    thresholds: tuple[Thresholds, ...]
    spreads: tuple[Spread, ...]
    claims: tuple[Claim, ...]
    outliers: tuple[Outlier, ...]


def analyse(observations: Observations, rules: Rules) -> Analysis:
    """Return all that is found in a data set."""
    outliers = outliers_of(observations)
    spreads = spreads_of(observations)
    return Analysis(
        observations,
        {method: correlations(observations, method) for method in METHODS},
        laws_of(observations),
        thresholds_of(observations, rules.alpha),
        _adjusted(spreads),
        _claims(observations, spreads, outliers, rules),
        outliers,
    )


def _adjusted(spreads: Sequence[Spread]) -> tuple[Spread, ...]:
    """Return spreads with p-values adjusted over all of them: those of differences, and those of trends."""
    differs, trends = (
        adjusted(values) for values in ([each.differs_p for each in spreads], [each.trend_p for each in spreads])
    )
    return tuple(
        replace(each, differs_p=float(first), trend_p=float(second))
        for each, first, second in zip(spreads, differs, trends, strict=True)
    )


def _claims(
    observations: Observations, spreads: Sequence[Spread], outliers: tuple[Outlier, ...], rules: Rules
) -> tuple[Claim, ...]:
    """Return the claims, and for each whether it rests on combinations far off the others."""
    claims = judged_claims(observations, rules, spreads)
    if not outliers or not claims:
        return claims
    rest = without(observations, outliers)
    others = {claim.statement: claim.verdict for claim in judged_claims(rest, rules, spreads_of(rest))}
    what = pluralize(len(outliers), "combination", "combinations")
    return tuple(
        claim
        if others.get(claim.statement, claim.verdict) == claim.verdict
        else replace(claim, evidence=f"{claim.evidence}; {others[claim.statement]} without the {what} far off")
        for claim in claims
    )
