"""Which build changed what, for which network: change points over all builds, and each build against the one before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from perfcast.studies.factors.design import ordered_levels
from perfcast.studies.factors.roles import level_text
from perfcast.studies.statistics.changepoints import find_breaks, undecided
from perfcast.studies.statistics.regression import student
from perfcast.studies.statistics.significance import adjusted, ratio_of
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from perfcast.studies.factors.aliases import Alias
    from perfcast.studies.factors.results import Cells, Results
    from perfcast.studies.factors.roles import Metric, Roles

ALPHA = 0.05
MAX_NETWORKS = 60
"""Beyond these, networks are not looked at one by one."""
_MIN_BUILDS = 3
_MAX_RUNS = 200


@dataclass(frozen=True)
class Change:
    """A build from which on a metric of a network is another.

    Attributes:
        network: which; empty where the table has none.
        metric: its column.
        builds: from this one on, in order, until the next change or the last build.
        low, high: between which builds the change is, with 95% confidence.
        ratio: after over before.
        p_value: of so clear a change without one.
        lines: how many settings of the other factors were followed.
        along: what else became another at exactly this build, in words; empty for nothing.
    """

    network: object
    metric: str
    builds: tuple[object, ...]
    low: object
    high: object
    ratio: float
    p_value: float
    lines: int
    along: str = ""


@dataclass(frozen=True)
class Step:
    """One build against the one before it.

    Attributes:
        network, metric: of what.
        before, after: the builds.
        ratio: after over before, with its 95% interval from `low` to `high`.
        p_value: over all steps together (Holm); NaN where nothing says how runs differ.
        by_replicates: whether the variance is that between runs of one condition, else that of the model's residuals.
    """

    network: object
    metric: str
    before: object
    after: object
    ratio: float
    low: float
    high: float
    p_value: float
    by_replicates: bool


@dataclass(frozen=True)
class Spread:
    """How far runs differ: the variance of the logarithm, with its degrees of freedom and where it is from."""

    variance: float
    dof: int
    by_replicates: bool


@dataclass(frozen=True)
class Followed:
    """Settings of one network that were tested with the same builds.

    Attributes:
        builds: in order.
        means: of the logarithm, one row per build and a column per setting.
        runs: the logarithms of single runs at each build where there is one setting and all rows are at hand.
        rows: the conditions behind it.
    """

    builds: tuple[object, ...]
    means: np.ndarray
    runs: tuple[np.ndarray, ...]
    rows: pd.DataFrame


def build_changes(
    results: Results, metric: Metric, aliases: Sequence[Alias]
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Return the change points of a metric over the builds, network by network, and why there is none to be found."""
    roles = results.roles
    if not roles.build:
        return (), ("No column says which build ran (--build names it).",)
    networks = networks_of(results.cells[metric.column], roles)
    if len(networks) > MAX_NETWORKS:
        return (), (f"More than {MAX_NETWORKS} networks: choose some to look at their builds one by one.",)
    found, reasons = [], []
    for network in networks:
        followed = follow(results, metric, network, aliases)
        reason = "" if followed else f"fewer than {_MIN_BUILDS} builds were tested under the same conditions"
        reason = reason or (_undecided(followed) if followed else "")
        if reason or followed is None:
            reasons.append(f"{level_text(network)}: {reason}" if roles.network else reason)
            continue
        found += _changes(followed, network, metric, ALPHA / len(networks), roles)
    return tuple(found), tuple(reasons)


def networks_of(cells: Cells, roles: Roles) -> tuple[object, ...]:
    """Return the networks; one without a name where the table has none."""
    return ordered_levels(cells.conditions[roles.network]) if roles.network else ("",)


def line_factors(roles: Roles, aliases: Sequence[Alias]) -> list[str]:
    """Return the factors that stay as they are along builds: not those that builds, or networks, determine."""
    follow_along = {alias.factor for alias in aliases if roles.build in alias.by or alias.is_attribute}
    return [name for name in roles.factors if name not in (roles.network, roles.build, *follow_along)]


def follow(results: Results, metric: Metric, network: object, aliases: Sequence[Alias]) -> Followed | None:
    """Return the settings with the most builds in common; None where none has three."""
    roles, cells = results.roles, _of_network(results.cells[metric.column], network, results.roles)
    lines = line_factors(roles, aliases)
    table = cells.conditions.assign(__mean__=cells.mean)
    names = [table[name] for name in lines] or [np.zeros(len(table))]
    grouped = [group for _, group in table.groupby(names, observed=True) if group[roles.build].is_unique]
    longest = max(grouped, key=len, default=None)
    if longest is None or len(longest) < _MIN_BUILDS:
        return None
    builds = ordered_levels(longest[roles.build])
    used = [group.set_index(roles.build) for group in grouped if set(builds) <= set(group[roles.build])]
    means = np.column_stack([group.loc[list(builds), "__mean__"].to_numpy(dtype=float) for group in used])
    rows = longest.set_index(roles.build, drop=False).loc[list(builds)]
    runs = _runs(results, metric, rows, roles) if means.shape[1] == 1 and not results.is_sampled else ()
    return Followed(builds, means, runs, rows)


def _of_network(cells: Cells, network: object, roles: Roles) -> Cells:
    return cells.where((cells.conditions[roles.network] == network).to_numpy()) if roles.network else cells


def _runs(results: Results, metric: Metric, rows: pd.DataFrame, roles: Roles) -> tuple[np.ndarray, ...]:
    """Return the logarithms of the runs at each of the conditions ``rows``, at most 200 at each."""
    names = list(roles.factors)
    known = results.rows[results.rows[metric.column].notna()]
    groups = {
        key: np.log(values.to_numpy(dtype=float)[:_MAX_RUNS])
        for key, values in known.groupby(names, observed=True)[metric.column]
    }
    return tuple(groups[tuple(row)] for row in rows[names].itertuples(index=False))


def _values(followed: Followed) -> tuple[list[list[float]], str]:
    if followed.runs:
        return [list(runs) for runs in followed.runs], "independent"
    return followed.means.tolist(), "paired" if followed.means.shape[1] > 1 else "shared"


def _undecided(followed: Followed) -> str:
    values, replicates = _values(followed)
    return undecided(range(len(values)), values, kind="level", replicates=replicates)  # type: ignore[arg-type]


def _changes(followed: Followed, network: object, metric: Metric, alpha: float, roles: Roles) -> list[Change]:
    values, replicates = _values(followed)
    breaks = find_breaks(range(len(values)), values, alpha=alpha, kind="level", replicates=replicates)  # type: ignore[arg-type]
    found = []
    for each in breaks:
        place = round(each.level)
        found.append(
            Change(
                network,
                metric.column,
                followed.builds[place:],
                followed.builds[round(each.low)],
                followed.builds[round(each.high)],
                ratio_of(each.after - each.before),
                each.p_value,
                followed.means.shape[1],
                _along(followed.rows, place, roles),
            )
        )
    return found


def _along(rows: pd.DataFrame, place: int, roles: Roles) -> str:
    """Return the other factors that became another at a build, such as `Optimised from N to Y`."""
    texts = []
    for name in roles.factors:
        values = list(rows[name])
        if name not in (roles.build, roles.network) and values[place - 1] != values[place]:
            change = f"{level_text(values[place - 1])} to {level_text(values[place])}"
            texts.append(f"{escape_control(name)} from {change}")
    return " and ".join(texts)


def build_steps(results: Results, metric: Metric, aliases: Sequence[Alias], spread: Spread | None) -> tuple[Step, ...]:
    """Return each build against the one before it, network by network, over all settings that ran both.

    Args:
        results: with builds.
        metric: what to compare.
        aliases: factors that builds determine may change along.
        spread: how far runs differ; None where nothing says so.
    """
    roles, cells = results.roles, results.cells[metric.column]
    networks = networks_of(cells, roles)
    if not roles.build or len(networks) > MAX_NETWORKS:
        return ()
    lines = line_factors(roles, aliases)
    found = []
    for network in networks:
        own = _of_network(cells, network, roles)
        for before, after in pairwise(ordered_levels(own.conditions[roles.build])):
            log, inverse = _difference(own, lines, roles.build, (before, after))
            if inverse:
                judged = _judged(log, inverse, spread)
                found.append(Step(network, metric.column, before, after, ratio_of(log), *judged))
    together = adjusted([step.p_value for step in found])
    return tuple(replace(step, p_value=float(each)) for step, each in zip(found, together, strict=True))


def _difference(cells: Cells, lines: list[str], build: str, pair: tuple[object, object]) -> tuple[float, float]:
    """Return the mean change of the logarithm over the settings that have both builds, and its variance.

    The latter is a multiple of that of a run; 0 where no setting has both.
    """
    table = cells.conditions.assign(__mean__=cells.mean, __count__=cells.count)
    before, after = (table[table[build] == each] for each in pair)
    both = before.merge(after, on=lines) if lines else before.merge(after, how="cross")
    if both.empty:
        return 0.0, 0.0
    inverse = float((1 / both["__count___x"] + 1 / both["__count___y"]).sum())
    return float((both["__mean___y"] - both["__mean___x"]).mean()), inverse / len(both) ** 2


def _judged(log: float, inverse: float, spread: Spread | None) -> tuple[float, float, float, bool]:
    """Return the interval of a ratio and the p-value of its being 1, and whether replicates say how runs differ."""
    if spread is None or not spread.variance > 0:
        return np.nan, np.nan, np.nan, False
    found = student(log, float(np.sqrt(spread.variance * inverse)), spread.dof)
    return ratio_of(found.low), ratio_of(found.high), found.p_value, spread.by_replicates
