"""Everything that is computed from test results, before any of it is put into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from perfcast.studies.factors.aliases import Alias, find_aliases, overlaps
from perfcast.studies.factors.builds import Change, Step, build_changes, build_steps
from perfcast.studies.factors.effects import Model, model_of
from perfcast.studies.factors.gaps import Coverage, coverage
from perfcast.studies.factors.roles import PERFORMANCE
from perfcast.studies.factors.trade import trade_off

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.studies.factors.results import Results
    from perfcast.studies.factors.roles import Metric

_MIN_CONDITIONS = 3
"""Conditions, below which nothing is modelled."""


@dataclass(frozen=True)
class MetricAnalysis:
    """What was found of one metric.

    Attributes:
        metric: which.
        model: of its logarithm; None where too little was tested.
        changes: over the builds, by network.
        steps: each build against the one before.
        undecided: why changes cannot be found, in words.
    """

    metric: Metric
    model: Model | None
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    undecided: tuple[str, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """What was found.

    Attributes:
        results: what was read.
        aliases: factors that others determine.
        overlaps: how many times as wide the interval of each factor is as in a balanced design.
        metrics: one part per metric that has values.
        trade: time and memory of each condition; None without both.
        coverage: what was not tested.
    """

    results: Results
    aliases: tuple[Alias, ...]
    overlaps: dict[str, float]
    metrics: tuple[MetricAnalysis, ...]
    trade: pd.DataFrame | None
    coverage: Coverage

    def of(self, metric: Metric | None) -> MetricAnalysis | None:
        """Return what was found of a metric; None where it has no values."""
        return next((each for each in self.metrics if each.metric == metric), None)

    def alias_of(self, factor: str) -> Alias | None:
        """Return which factors determine one; None where none does, or it is a property of the network."""
        return next((each for each in self.aliases if each.factor == factor and not each.is_attribute), None)


def analyse(results: Results, *, suggestions: int, keep_outliers: bool) -> Analysis:
    """Return everything that is computed from test results.

    Args:
        results: what was read.
        suggestions: how many combinations to suggest.
        keep_outliers: whether conditions that contradict all others count in the models.
    """
    roles = results.roles
    aliases = find_aliases(results.conditions, roles)
    found: list[MetricAnalysis] = []
    for metric in results.usable():
        found.append(_of_metric(results, metric, aliases, found, keep_outliers=keep_outliers))
    return Analysis(
        results,
        aliases,
        overlaps(results.conditions, roles.without(tuple(each.factor for each in aliases if each.is_attribute))),
        tuple(found),
        trade_off(results),
        coverage(results.conditions, roles, aliases, suggestions),
    )


def _of_metric(
    results: Results,
    metric: Metric,
    aliases: Sequence[Alias],
    before: Sequence[MetricAnalysis],
    *,
    keep_outliers: bool,
) -> MetricAnalysis:
    cells = results.cells[metric.column]
    if len(cells.mean) < _MIN_CONDITIONS or not results.roles.factors:
        return MetricAnalysis(metric, None)
    if metric == PERFORMANCE:  # It follows from time and memory, and changes where they do.
        changes = tuple(change for each in before for change in each.changes)
        return MetricAnalysis(metric, model_of(cells, results.roles, aliases, changes, keep_outliers=keep_outliers))
    changes, undecided = build_changes(results, metric, aliases)
    model = model_of(cells, results.roles, aliases, changes, keep_outliers=keep_outliers)
    return MetricAnalysis(metric, model, changes, build_steps(results, metric, aliases, model.spread), undecided)


def effects_table(analysis: Analysis) -> pd.DataFrame:
    """Return one row per effect of a factor on a metric."""
    rows = [
        {
            "metric": each.metric.column,
            "factor": effect.factor,
            "from": effect.low,
            "to": effect.high,
            "network": effect.within,
            "ratio": effect.ratio,
            "ratio_low": effect.ratio_low,
            "ratio_high": effect.ratio_high,
            "p_value": effect.p_value,
            "unadjusted_ratio": effect.raw_ratio,
            "determined_by": ", ".join(alias.by) if (alias := analysis.alias_of(effect.factor)) else "",
        }
        for each in analysis.metrics
        if each.model is not None
        for effect in each.model.effects
    ]
    names = ("metric", "factor", "from", "to", "network", "ratio", "ratio_low", "ratio_high", "p_value")
    table = pd.DataFrame(rows, columns=[*names, "unadjusted_ratio", "determined_by"])
    return table.astype({"from": str, "to": str})
