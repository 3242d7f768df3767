"""Factors that cannot be told apart in what was tested, in words, and how far the others go together."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.studies.factors.design import Term, codings, ordered_levels, range_text, term_columns
from perfcast.studies.factors.roles import level_text
from perfcast.studies.statistics.regression import rank
from perfcast.studies.statistics.significance import ratio_of
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from perfcast.studies.factors.roles import Roles

_ENOUGH_PER_LEVEL = 1.5
"""Conditions per combination of two factors from which on what these determine is more than chance."""
_DESCRIBED = 6


@dataclass(frozen=True)
class Alias:
    """A factor that others determine in everything that was tested.

    Attributes:
        factor: which.
        by: one or two others: within each of their combinations it never varied.
        is_attribute: whether it is a property of the network, such as its family, and not varied by anyone.
        words: what follows what, in one sentence.
    """

    factor: str
    by: tuple[str, ...]
    is_attribute: bool
    words: str


def find_aliases(conditions: pd.DataFrame, roles: Roles) -> tuple[Alias, ...]:
    """Return the factors that one or two others determine.

    Of two that determine each other, the later one in the table is listed. Pairs count only where their combinations
    were tested under several conditions each: if all combinations are single, any factor is determined by them.
    """
    found: list[Alias] = []
    last_first = roles.factors[::-1]
    for factor in sorted(last_first, key=lambda name: name in (roles.network, roles.build)):
        if factor == roles.network:
            continue
        if by := _determined_by(conditions, factor, roles, {alias.factor: alias.by for alias in found}):
            words = _words(conditions, factor, by, roles)
            found.append(Alias(factor, by, by == (roles.network,), words))
    return tuple(found)


def _determined_by(
    conditions: pd.DataFrame, factor: str, roles: Roles, known: dict[str, tuple[str, ...]]
) -> tuple[str, ...]:
    others = [name for name in roles.factors if name != factor and factor not in known.get(name, ())]
    others.sort(key=lambda name: (name not in (roles.network, roles.build), name))
    for size, fewest in ((1, 1.0), (2, _ENOUGH_PER_LEVEL)):
        for names in itertools.combinations(others, size):
            groups = conditions.groupby(list(names), observed=True)
            if len(conditions) < max(fewest * groups.ngroups, groups.ngroups + 1):
                continue
            if (groups[factor].nunique() == 1).all():
                return names
    return ()


def _words(conditions: pd.DataFrame, factor: str, by: tuple[str, ...], roles: Roles) -> str:
    """Return which level goes with which, such as `within MobileNet, Optimised is N for Build 1 to 5`."""
    name = escape_control(factor)
    if len(by) == 1:
        return f"{name} follows {escape_control(by[0])}: {_mapping_text(conditions, factor, by[0])}"
    outer, inner = sorted(by, key=lambda each: conditions[each].nunique())
    parts = []
    for level, rows in conditions.groupby(outer, observed=True):
        seen = ordered_levels(rows[factor])
        within = f"within {level_text(level)}"
        if len(seen) == 1:
            parts.append(f"{within} {name} is always {level_text(seen[0])}")
        else:
            parts.append(f"{within} {name} follows {escape_control(inner)}: {_mapping_text(rows, factor, inner)}")
    more = f"; and {len(parts) - _DESCRIBED} more" if len(parts) > _DESCRIBED else ""
    return "; ".join(parts[:_DESCRIBED]) + more


def _mapping_text(rows: pd.DataFrame, factor: str, by: str) -> str:
    every = ordered_levels(rows[by])
    parts = [
        f"{level_text(level)} for {range_text(ordered_levels(rows.loc[rows[factor] == level, by]), every)}"
        for level in ordered_levels(rows[factor])
    ]
    more = f" and {len(parts) - _DESCRIBED} more" if len(parts) > _DESCRIBED else ""
    return ", ".join(parts[:_DESCRIBED]) + more


def overlaps(conditions: pd.DataFrame, roles: Roles) -> dict[str, float]:
    """Return how many times as wide the interval of each factor is as in a balanced design.

    It is the square root of the generalised variance inflation factor, per column (Fox and Monette 1992), of what the
    other factors' main effects explain of it; infinite where nothing of it is its own.
    """
    coded = codings(conditions, roles)
    parts = {name: term_columns(Term(name, (name,)), conditions, coded, roles) for name in roles.factors}
    centred = {name: part - part.mean(axis=0) for name, part in parts.items()}
    return {name: _inflation(name, centred) for name in roles.factors}


def _inflation(name: str, parts: dict[str, np.ndarray]) -> float:
    own = parts[name]
    others = [part for other, part in parts.items() if other != name]
    if not others or not own.shape[1]:
        return 1.0
    rest = np.column_stack(others)
    if rank(np.column_stack([own, rest])) < rank(own) + rank(rest):
        return float("inf")
    left = own - rest @ np.linalg.lstsq(rest, own, rcond=None)[0]
    _, whole = np.linalg.slogdet(own.T @ own)
    _, kept = np.linalg.slogdet(left.T @ left)
    return ratio_of(float(whole - kept) / (2 * own.shape[1]))


def never_together(conditions: pd.DataFrame, roles: Roles, names: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """Return for each two factors the combinations of their levels that no condition has, as texts."""
    found = []
    for one, other in itertools.combinations(names, 2):
        seen = set(zip(conditions[one], conditions[other], strict=True))
        every = itertools.product(ordered_levels(conditions[one]), ordered_levels(conditions[other]))
        missing = [f"{level_text(a)} with {level_text(b)}" for a, b in every if (a, b) not in seen]
        if missing:
            found.append((one, other, missing))
    return found
