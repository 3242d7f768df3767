"""The terms of a model of test results: main effects that can be told apart, steps at builds, and interactions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from perfcast.studies.factors.design import Coding, Term, codings, model_matrix, term_columns
from perfcast.studies.factors.roles import level_text
from perfcast.studies.statistics.regression import gain, is_exact, rank
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from perfcast.studies.factors.aliases import Alias
    from perfcast.studies.factors.builds import Change
    from perfcast.studies.factors.results import Cells
    from perfcast.studies.factors.roles import Roles

_ALPHA = 0.05
_MIN_LEFT = 5
"""Conditions beyond the model's columns, below which builds enter as a trend and nothing is added."""
_MAX_ADDED = 12
_NARROW = 4
_CONDITIONS_PER_COLUMN = 25
_MAX_INNER = 10


@dataclass(frozen=True)
class Setting:
    """What a model is made from: conditions, their roles and how their factors are coded."""

    cells: Cells
    roles: Roles
    coded: dict[str, Coding]

    def columns(self, term: Term) -> np.ndarray:
        """Return what a term adds to the model."""
        return term_columns(term, self.cells.conditions, self.coded, self.roles)

    def matrix(self, terms: Sequence[Term], table: pd.DataFrame | None = None) -> np.ndarray:
        """Return the columns of a model, for the conditions in ``table`` or these."""
        used = self.cells.conditions if table is None else table
        return model_matrix(terms, used, self.coded, self.roles)


@dataclass(frozen=True)
class Terms:
    """The terms that were chosen, and the factors that are in none of them, with the reason."""

    setting: Setting
    chosen: list[Term]
    left_out: dict[str, str]

    @cached_property
    def matrix(self) -> np.ndarray:
        """The columns of the model."""
        return self.setting.matrix(self.chosen)


def choose_terms(cells: Cells, roles: Roles, aliases: Sequence[Alias], changes: Sequence[Change]) -> Terms:
    """Return the terms of a metric's model.

    Args:
        cells: of the metric.
        roles: of the columns.
        aliases: properties of networks are left to the network.
        changes: the metric's change points over the builds.
    """
    varied = {name: cells.conditions[name].nunique() for name in roles.factors}
    left_out = {name: "the same wherever this was measured" for name, count in varied.items() if count < 2}
    left_out |= {
        alias.factor: f"a property of {escape_control(alias.by[0])}" for alias in aliases if alias.is_attribute
    }
    used = roles.without(tuple(left_out))
    setting, main = _main_terms(Setting(cells, used, codings(cells.conditions, used)), left_out)
    return Terms(setting, _extended(setting, main, changes), left_out)


def _main_terms(setting: Setting, left_out: dict[str, str]) -> tuple[Setting, list[Term]]:
    """Return the main effects that the conditions tell apart, the network first and the build last."""
    roles, size = setting.roles, len(setting.cells.mean)
    order = sorted(roles.factors, key=lambda name: (name == roles.build, name != roles.network))
    width = 1 + sum(setting.coded[name].width for name in order)
    if roles.build in roles.numeric and size - width < _MIN_LEFT:
        trend = replace(setting.coded[roles.build], kind="linear")
        setting = replace(setting, coded={**setting.coded, roles.build: trend})
    terms: list[Term] = []
    reached = 1
    for name in order:
        candidate = Term(escape_control(name), (name,))
        wanted = reached + setting.coded[name].width
        if wanted > size:
            left_out[name] = "too few conditions for its levels"
        elif rank(setting.matrix([*terms, candidate])) < wanted:
            left_out[name] = "the other factors determine it in what was tested"
        else:
            terms.append(candidate)
            reached = wanted
    return setting, terms


def _extended(setting: Setting, terms: list[Term], changes: Sequence[Change]) -> list[Term]:
    """Return the terms with those others that explain more than chance, the best first (Bonferroni)."""
    candidates = [*_steps(setting, terms, changes), *_pairs(setting, terms), *_curves(setting, terms)]
    size, values = len(setting.cells.mean), setting.cells.mean
    for _ in range(_MAX_ADDED):
        q = np.linalg.qr(setting.matrix(terms))[0]
        residuals = values - q @ (q.T @ values)
        if is_exact(residuals, values):
            break
        judged = [(_p_value(setting.columns(term), q, residuals, size), term) for term in candidates]
        p_value, best = min(judged, key=lambda each: each[0], default=(1.0, None))
        if best is None or p_value * len(candidates) > _ALPHA:
            break
        terms = [*terms, best]
        candidates.remove(best)
    return terms


def _steps(setting: Setting, terms: Sequence[Term], changes: Sequence[Change]) -> list[Term]:
    roles = setting.roles
    if not roles.network or not any(term.factors == (roles.build,) for term in terms):
        return []
    return [
        Term(
            f"{level_text(change.network)} from {escape_control(roles.build)} {level_text(change.builds[0])} on",
            (roles.network, roles.build),
            (change.network, change.builds),
        )
        for change in changes
    ]


def _pairs(setting: Setting, terms: Sequence[Term]) -> list[Term]:
    """Return the interactions that few coefficients describe; those of builds with networks are left to the steps."""
    names = [term.factors[0] for term in terms if term.factors[0] != setting.roles.build]
    widest = max(_NARROW, len(setting.cells.mean) // _CONDITIONS_PER_COLUMN)
    return [
        Term(f"{escape_control(one)} × {escape_control(other)}", (one, other))
        for one, other in itertools.combinations(names, 2)
        if setting.coded[one].width * setting.coded[other].width <= widest
    ]


def _curves(setting: Setting, terms: Sequence[Term]) -> list[Term]:
    names = [term.factors[0] for term in terms]
    return [
        Term(f"{escape_control(name)}, not a power law", (name,), is_curve=True)
        for name in names
        if setting.coded[name].kind != "levels" and len(setting.coded[name].levels) <= _MAX_INNER + 2
    ]


def _p_value(columns: np.ndarray, q: np.ndarray, residuals: np.ndarray, size: int) -> float:
    """Return the p-value of adding columns to a model; 1 where they are not all its own, or would leave too little."""
    explained, added = gain(q, residuals, columns)
    left = size - q.shape[1] - added
    if added < columns.shape[1] or left < _MIN_LEFT:
        return 1.0
    rest = float(residuals @ residuals) - explained
    if rest <= 1e-12 * float(residuals @ residuals):
        return 0.0
    return float(stats.f.sf(explained / added / (rest / left), added, left))
