"""What was never tested, and which of it would tell most.

The value of a combination is the information that one run of it adds to a model with all main effects and all two-way
interactions: log₂ of how much smaller the volume of what the coefficients may be becomes (D-optimality). Interactions
are taken for small beforehand, main effects for unknown, so that the model can be larger than the data (W. DuMouchel,
B. Jones, "A simple Bayesian modification of D-optimal designs to reduce dependence on an assumed model", 1994).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.studies.factors.design import indicators, ordered_levels
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perfcast.studies.factors.aliases import Alias
    from perfcast.studies.factors.roles import Roles

MAX_CANDIDATES = 5000
_MAX_COLUMNS = 400
_UNKNOWN, _SMALL = 1e-3, 1.0
"""Prior precision of a main effect and of an interaction, relative to that of a run."""


@dataclass(frozen=True)
class Gap:
    """A combination to test next.

    Attributes:
        levels: of each factor.
        bits: information that it adds, given those before it.
        tells: what becomes known best by it, in words.
    """

    levels: dict[str, object]
    bits: float
    tells: str


@dataclass(frozen=True)
class Coverage:
    """What was tested of all that could be.

    Attributes:
        factors: that are combined.
        possible: number of combinations of their levels.
        tested: how many of these were.
        considered: how many of the others were weighed; fewer than there are where there are too many.
        gaps: those to test next, the best first.
        uncertainty_before, uncertainty_after: of a prediction for any combination, as multiples of a run's standard
            deviation, on average, before and after all of ``gaps``.
    """

    factors: tuple[str, ...]
    possible: int
    tested: int
    considered: int
    gaps: tuple[Gap, ...]
    uncertainty_before: float
    uncertainty_after: float


@dataclass(frozen=True)
class _Basis:
    """The columns of the model: of each, the factors it belongs to and its prior precision."""

    owners: tuple[tuple[str, ...], ...]
    levels: dict[str, tuple[object, ...]]
    roles: Roles

    def matrix(self, table: pd.DataFrame) -> np.ndarray:
        parts = {name: _contrasts(table[name], self.levels[name], name, self.roles) for name in self.levels}
        columns = [np.ones((len(table), 1))]
        for names in dict.fromkeys(self.owners[1:]):
            found = parts[names[0]]
            for name in names[1:]:
                found = np.einsum("ij,ik->ijk", found, parts[name]).reshape(len(table), -1)
            columns.append(found)
        return np.column_stack(columns)


def coverage(conditions: pd.DataFrame, roles: Roles, aliases: Sequence[Alias], count: int) -> Coverage:
    """Return what was tested of all combinations, and the ``count`` others that would tell most.

    Properties of networks are not combined with them.
    """
    own = {alias.factor for alias in aliases if alias.is_attribute}
    names = tuple(name for name in roles.factors if name not in own)
    levels = {name: ordered_levels(conditions[name]) for name in names}
    possible = math.prod(map(len, levels.values()))
    seen = set(conditions[list(names)].itertuples(index=False, name=None))
    candidates = _candidates(levels, seen, possible)
    if not names or candidates.empty:
        return Coverage(names, possible, len(seen), 0, (), float("nan"), float("nan"))
    basis = _basis(levels, roles)
    gaps, before, after = _chosen(basis, conditions, candidates, count)
    return Coverage(names, possible, len(seen), len(candidates), gaps, before, after)


def _candidates(levels: dict[str, tuple[object, ...]], seen: set[tuple[object, ...]], possible: int) -> pd.DataFrame:
    """Return combinations that were not tested: all, or a random sample where there are too many."""
    rows = itertools.product(*levels.values()) if possible <= MAX_CANDIDATES + len(seen) else _random(levels)
    untested = dict.fromkeys(row for row in rows if row not in seen)
    table = pd.DataFrame(list(untested), columns=list(levels))
    return table.astype({name: object for name in levels if isinstance(levels[name][0], str)})


def _random(levels: dict[str, tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    chance = np.random.default_rng(0)
    places = [chance.integers(0, len(each), MAX_CANDIDATES) for each in levels.values()]
    for row in zip(*places, strict=True):
        yield tuple(each[place] for each, place in zip(levels.values(), row, strict=True))


def _basis(levels: dict[str, tuple[object, ...]], roles: Roles) -> _Basis:
    widths = {name: 1 if _is_scale(levels[name], name, roles) else len(levels[name]) - 1 for name in levels}
    owners: list[tuple[str, ...]] = [(), *((name,) for name in levels for _ in range(widths[name]))]
    for one, other in sorted(itertools.combinations(levels, 2), key=lambda pair: widths[pair[0]] * widths[pair[1]]):
        width = widths[one] * widths[other]
        if len(owners) + width <= _MAX_COLUMNS:
            owners += [(one, other)] * width
    return _Basis(tuple(owners), levels, roles)


def _is_scale(levels: tuple[object, ...], name: str, roles: Roles) -> bool:
    return name in roles.numeric and name != roles.build and len(levels) > 2


def _contrasts(values: pd.Series, levels: tuple[object, ...], name: str, roles: Roles) -> np.ndarray:
    """Return a factor's columns, within -1 and 1: a number by its place between the ends, others against the mean."""
    if _is_scale(levels, name, roles):
        low, high = float(levels[0]), float(levels[-1])  # type: ignore[arg-type]
        return (2 * (values.to_numpy(dtype=float) - low) / (high - low) - 1)[:, None]
    return indicators(values, levels[:-1]) - indicators(values, levels[-1:])


def _chosen(
    basis: _Basis, conditions: pd.DataFrame, candidates: pd.DataFrame, count: int
) -> tuple[tuple[Gap, ...], float, float]:
    prior = np.array([_UNKNOWN if len(names) < 2 else _SMALL for names in basis.owners])
    tested, possible = basis.matrix(conditions), basis.matrix(candidates)
    everything = np.vstack([tested, possible])
    spread = np.linalg.inv(np.diag(prior) + tested.T @ tested)
    before, gaps, left = _uncertainty(spread, everything), [], np.ones(len(candidates), dtype=bool)
    for _ in range(min(count, len(candidates))):
        gains = np.where(left, np.einsum("ij,jk,ik->i", possible, spread, possible, optimize=True), -1)
        place = int(np.argmax(gains))
        left[place] = False
        learned = spread @ possible[place]
        reduced = learned**2 / (1 + gains[place]) / np.diag(spread)
        levels = candidates.iloc[place].to_dict()
        gaps.append(Gap(levels, float(np.log2(1 + gains[place]) / 2), _told(basis, reduced)))
        spread = spread - np.outer(learned, learned) / (1 + gains[place])
    return tuple(gaps), before, _uncertainty(spread, everything)


def _uncertainty(spread: np.ndarray, rows: np.ndarray) -> float:
    """Return the standard deviation of what the model says of a combination, on average over all (I-optimality)."""
    return float(np.sqrt(np.einsum("ij,jk,ik->i", rows, spread, rows, optimize=True).mean()))


def _told(basis: _Basis, reduced: np.ndarray) -> str:
    """Return the effect whose variance falls most."""
    names = basis.owners[1 + int(np.argmax(reduced[1:]))]
    return " × ".join(map(escape_control, names))
