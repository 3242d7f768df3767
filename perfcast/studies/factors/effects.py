"""What each factor does to a metric with the others as they are: a model of its logarithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.studies.factors.builds import Change, Spread
from perfcast.studies.factors.roles import level_text
from perfcast.studies.factors.terms import Setting, Terms, choose_terms
from perfcast.studies.statistics.regression import Fit, estimate, fit, joint_p_value, studentised
from perfcast.studies.statistics.significance import ratio_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from perfcast.studies.factors.aliases import Alias
    from perfcast.studies.factors.design import Term
    from perfcast.studies.factors.results import Cells
    from perfcast.studies.factors.roles import Roles

ALPHA = 0.05
_SURE = 0.01
_SHARE_CONTRADICTING, _MAX_CONTRADICTING = 0.05, 20
"""Of the conditions: where more seem to contradict the model, the model is wrong."""
_MIN_CLUSTERS = 8
_MAX_COMPARED = 4
_NO_SHARE = 1e-12
_MAX_NETWORKS = 12


@dataclass(frozen=True)
class Effect:
    """What one factor does to a metric.

    Attributes:
        factor: which.
        low, high: the levels compared.
        within: the network that it holds for; empty for the average over all that was tested.
        ratio: of the metric at `high` over that at `low`, the other factors as they are.
        ratio_low, ratio_high: its 95% interval; NaN where it is unknown.
        p_value: of no effect, times the number of factors.
        raw_ratio: the same without adjustment: the ratio of the geometric means.
    """

    factor: str
    low: object
    high: object
    within: str
    ratio: float
    ratio_low: float
    ratio_high: float
    p_value: float
    raw_ratio: float

    @property
    def is_significant(self) -> bool:
        """Whether there is an effect beyond chance."""
        return self.p_value < ALPHA

    @property
    def reverses(self) -> bool:
        """Whether the effect and the unadjusted ratio point in opposite directions."""
        return (self.ratio - 1) * (self.raw_ratio - 1) < 0


@dataclass(frozen=True)
class Model:
    """A model of the logarithm of a metric.

    Attributes:
        terms: what is in it.
        effects: of its factors, the largest share first.
        shares: how much of the variance only this factor, and what interacts with it, explains.
        left_out: factors that are not in it, and why; properties of networks aside.
        fit: the least squares.
        runs: the spread of runs of one condition; None without replicates.
        clusters: what the intervals allow to differ together: `condition` or the network's column.
        contradicting: conditions that the model was made without.
        off_by: by which factor each of these is off.
    """

    terms: tuple[Term, ...]
    effects: tuple[Effect, ...]
    shares: dict[str, float]
    left_out: dict[str, str]
    fit: Fit
    runs: Spread | None
    clusters: str
    contradicting: pd.DataFrame
    off_by: tuple[float, ...]

    @property
    def headlines(self) -> tuple[Effect, ...]:
        """The effects by network where they differ by network, else those over all."""
        differing = {effect.factor for effect in self.effects if effect.within}
        return tuple(effect for effect in self.effects if effect.within or effect.factor not in differing)

    @property
    def spread(self) -> Spread | None:
        """How far runs differ: from replicates, else from what the model leaves; None where neither says it."""
        if self.runs is not None:
            return self.runs
        return Spread(self.fit.variance, self.fit.left, by_replicates=False) if self.fit.left > 0 else None


@dataclass(frozen=True)
class _Fitted:
    """A model with its coefficients, and all conditions, those that it was made without, too."""

    setting: Setting
    terms: Sequence[Term]
    fit: Fit
    every: Cells

    def places(self, name: str) -> list[int]:
        """Return the columns of a factor's main effect."""
        places, start = [], 1
        for term in self.terms:
            width = self.setting.columns(term).shape[1]
            if term.factors == (name,) and not term.is_curve:
                places = list(range(start, start + width))
            start += width
        return places


def model_of(
    cells: Cells, roles: Roles, aliases: Sequence[Alias], changes: Sequence[Change], *, keep_outliers: bool = False
) -> Model:
    """Return the model of a metric: main effects, the builds' changes in single networks, and justified interactions.

    Args:
        cells: of the metric.
        roles: of the columns.
        aliases: properties of networks are left to the network.
        changes: the metric's change points over the builds.
        keep_outliers: whether conditions that contradict all others count, too.
    """
    kept, terms = np.ones(len(cells.mean), dtype=bool), choose_terms(cells, roles, aliases, changes)
    off: dict[int, float] = {}
    if not keep_outliers:
        off = _contradicting(cells, terms)
        kept[list(off)] = False
    if off:
        terms = choose_terms(cells.where(kept), roles, aliases, changes)
    used = terms.setting.cells
    groups = _clusters(used, terms.setting.roles)
    found = fit(terms.matrix, used.mean, groups, _known_variance(used))
    fitted = _Fitted(terms.setting, terms.chosen, found, cells)
    runs = Spread(used.run_variance, used.replicates, by_replicates=True) if used.replicates else None
    factors = list(dict.fromkeys(name for term in terms.chosen for name in term.factors))
    shares = {name: _share(fitted, name) for name in factors}
    factors.sort(key=lambda name: -shares[name])
    return Model(
        tuple(terms.chosen),
        tuple(each for name in factors for each in _effects(fitted, name, len(factors))),
        shares,
        terms.left_out,
        found,
        runs,
        "condition" if groups is None else terms.setting.roles.network,
        cells.conditions.loc[list(off)].reset_index(drop=True),
        tuple(off.values()),
    )


def _contradicting(cells: Cells, terms: Terms) -> dict[int, float]:
    """Return the conditions that all others contradict, and by which factor each is off them.

    The worst is taken out, and the rest is looked at again: two of them could hide each other.
    """
    matrix, rows, found = terms.matrix, np.arange(len(cells.mean)), dict[int, float]()
    most = min(_MAX_CONTRADICTING, max(1, int(_SHARE_CONTRADICTING * len(cells.mean))))
    while len(found) < most:
        p_values, differences = studentised(matrix[rows], cells.mean[rows])
        if not len(p_values) or len(rows) * p_values.min() > _SURE:
            break
        worst = int(np.argmin(p_values))
        found[int(rows[worst])] = ratio_of(float(differences[worst]))
        rows = np.delete(rows, worst)
    return found


def _clusters(cells: Cells, roles: Roles) -> np.ndarray | None:
    """Return the network of each condition where there are enough of them to let their errors go together."""
    if not roles.network:
        return None
    codes = cells.conditions[roles.network].factorize()[0]
    several = len(codes) > len(np.unique(codes))
    return codes if several and len(np.unique(codes)) >= _MIN_CLUSTERS else None


def _known_variance(cells: Cells) -> tuple[np.ndarray, int] | None:
    if not cells.replicates or not cells.run_variance > 0:
        return None
    return cells.run_variance / cells.count, cells.replicates


def _share(fitted: _Fitted, name: str) -> float:
    """Return the share of the variance that is lost without a factor."""
    setting, values = fitted.setting, fitted.setting.cells.mean
    matrix = setting.matrix([term for term in fitted.terms if name not in term.factors])
    left = values - matrix @ np.linalg.lstsq(matrix, values, rcond=None)[0]
    if not fitted.fit.total > 0:
        return 0.0
    share = float(left @ left - fitted.fit.residuals @ fitted.fit.residuals) / fitted.fit.total
    return share if share > _NO_SHARE else 0.0


def _effects(fitted: _Fitted, name: str, count: int) -> list[Effect]:
    """Return the effects of a factor: over all, and by network where these differ in it."""
    pairs, is_joint = _compared(fitted, name)
    joint = joint_p_value(fitted.fit, fitted.places(name)) if is_joint else None
    effects = [_effect(fitted, name, pair, count, joint=joint) for pair in pairs]
    network, table = fitted.setting.roles.network, fitted.setting.cells.conditions
    differs = any(set(term.factors) == {name, network} for term in fitted.terms)
    if name != network and differs and table[network].nunique() <= _MAX_NETWORKS:
        for level in fitted.setting.coded[network].levels:
            if table.loc[table[network] == level, name].nunique() > 1:
                effects += [_effect(fitted, name, pair, count, network=level) for pair in pairs]
    return effects


def _compared(fitted: _Fitted, name: str) -> tuple[list[tuple[object, object]], bool]:
    """Return the levels to compare, and whether the p-value is that of all levels' being equal.

    Two to four levels are compared with the first; numbers and builds from first to last; many names by the two that
    differ most, which is no comparison that was chosen beforehand.
    """
    roles, coding = fitted.setting.roles, fitted.setting.coded[name]
    levels = coding.levels
    if coding.kind != "levels" or (len(levels) > _MAX_COMPARED and name in (roles.build, *roles.numeric)):
        return [(levels[0], levels[-1])], False
    if len(levels) <= _MAX_COMPARED:
        return [(levels[0], level) for level in levels[1:]], False
    values = [0.0, *(fitted.fit.coefficients[place] for place in fitted.places(name))]
    return [(levels[int(np.argmin(values))], levels[int(np.argmax(values))])], True


def _effect(
    fitted: _Fitted,
    name: str,
    pair: tuple[object, object],
    count: int,
    *,
    joint: float | None = None,
    network: object = None,
) -> Effect:
    setting = fitted.setting
    table, where = setting.cells.conditions, np.ones(len(setting.cells.mean), dtype=bool)
    if network is not None:
        where = (table[setting.roles.network] == network).to_numpy()
    same = [table[where].assign(**{name: np.full(int(where.sum()), level)}) for level in pair]
    low, high = (setting.matrix(fitted.terms, rows).mean(axis=0) for rows in same)
    compared = estimate(fitted.fit, high - low)
    p_value = compared.p_value if joint is None else joint
    within = "" if network is None else level_text(network)
    ratio, low_bound, high_bound = map(ratio_of, (compared.value, compared.low, compared.high))
    raw = _raw_ratio(fitted, name, pair, network)
    return Effect(name, *pair, within, ratio, low_bound, high_bound, min(1.0, count * p_value), raw)


def _raw_ratio(fitted: _Fitted, name: str, pair: tuple[object, object], network: object) -> float:
    """Return the ratio of the geometric means at two levels, over all conditions."""
    table, where = fitted.every.conditions, np.ones(len(fitted.every.mean), dtype=bool)
    if network is not None:
        where = (table[fitted.setting.roles.network] == network).to_numpy()
    low, high = (fitted.every.mean[where & (table[name] == level).to_numpy()] for level in pair)
    return ratio_of(float(high.mean() - low.mean())) if len(low) and len(high) else float("nan")
