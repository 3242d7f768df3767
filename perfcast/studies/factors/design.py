"""The design of test results: what each factor adds to a model, and which factors cannot be told apart in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.studies.factors.roles import level_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from perfcast.studies.factors.roles import Roles

_MAX_LINEAR = 6
_ENOUGH = 2
"""Levels from which on a number is taken as a number."""


@dataclass(frozen=True)
class Coding:
    """How the levels of a factor enter a model.

    Attributes:
        factor: its column.
        levels: in order.
        kind: `levels` (each has a value of its own, relative to the first), `log` (a power law) or `linear`.
    """

    factor: str
    levels: tuple[object, ...]
    kind: str

    def columns(self, values: pd.Series) -> np.ndarray:
        """Return what the factor adds to a model where it has these values, a column each."""
        if self.kind == "levels":
            return indicators(values, self.levels[1:])
        numbers = values.to_numpy(dtype=float)
        return (np.log2(numbers) if self.kind == "log" else numbers / self._step)[:, None]

    @property
    def _step(self) -> float:
        return float(np.ptp(np.asarray(self.levels, dtype=float)))

    @property
    def width(self) -> int:
        """The number of its columns."""
        return len(self.levels) - 1 if self.kind == "levels" else 1


@dataclass(frozen=True)
class Term:
    """Part of a model: a factor, two that interact, or a step at a build of one network.

    Attributes:
        label: in words.
        factors: that it involves.
        step: of a step, the network and the builds from which on it holds; None for the others.
        is_curve: whether it is how far a number's inner levels are off the power law or line through its ends.
    """

    label: str
    factors: tuple[str, ...]
    step: tuple[object, tuple[object, ...]] | None = None
    is_curve: bool = False


def codings(conditions: pd.DataFrame, roles: Roles) -> dict[str, Coding]:
    """Return how each factor enters a model: numbers by a power law where they can, the others by their levels."""
    return {name: _coding(conditions[name], name, roles) for name in roles.factors}


def _coding(column: pd.Series, name: str, roles: Roles) -> Coding:
    levels = ordered_levels(column)
    is_number = name in roles.numeric and name != roles.build and len(levels) > _ENOUGH
    if not is_number:
        return Coding(name, levels, "levels")
    return Coding(name, levels, "log" if min(levels) > 0 else "linear")  # type: ignore[type-var,operator]


def indicators(values: pd.Series, levels: Sequence[object]) -> np.ndarray:
    """Return a column for each level, 1 where it is and else 0."""
    columns = [(values == level).to_numpy(dtype=float) for level in levels]
    return np.column_stack(columns) if columns else np.empty((len(values), 0))


def ordered_levels(column: pd.Series) -> tuple[object, ...]:
    """Return the levels of a factor in the order of people: build 9 before build 10, version 2.9 before 2.21."""
    return tuple(sorted(column.unique(), key=natural_key))


def natural_key(level: object) -> tuple[tuple[int, float, str], ...]:
    """Return a key that orders numbers by size and texts by their pieces, numbers in them by size."""
    if isinstance(level, int | float | np.number):
        return ((0, float(level), ""),)
    pieces: list[tuple[int, float, str]] = []
    for piece in _pieces(str(level)):
        pieces.append((0, float(piece), "") if piece.isdecimal() and piece.isascii() else (1, 0.0, piece))
    return tuple(pieces)


def _pieces(text: str) -> list[str]:
    pieces = [""]
    for character in text:
        if pieces[-1] and (character.isdecimal() != pieces[-1][-1].isdecimal()):
            pieces.append("")
        pieces[-1] += character
    return pieces


def term_columns(term: Term, table: pd.DataFrame, coded: dict[str, Coding], roles: Roles) -> np.ndarray:
    """Return what a term adds to a model of the conditions in ``table``."""
    if term.step is not None:
        network, builds = term.step
        inside = table[roles.build].isin(builds)
        return (inside & ((table[roles.network] == network) if roles.network else True)).to_numpy(dtype=float)[:, None]
    if term.is_curve:
        (name,) = term.factors
        return indicators(table[name], coded[name].levels[1:-1])
    parts = [coded[name].columns(table[name]) for name in term.factors]
    found = parts[0]
    for part in parts[1:]:
        found = np.einsum("ij,ik->ijk", found, part).reshape(len(table), -1)
    return found


def model_matrix(terms: Sequence[Term], table: pd.DataFrame, coded: dict[str, Coding], roles: Roles) -> np.ndarray:
    """Return the columns of a model with a constant, one row per condition in ``table``."""
    return np.column_stack([np.ones(len(table)), *(term_columns(term, table, coded, roles) for term in terms)])


def range_text(levels: Sequence[object], among: Sequence[object]) -> str:
    """Return levels of a factor in words: `1 to 5` where they are next to each other ``among`` all."""
    places = sorted(among.index(level) for level in levels)
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    texts = [_run_text([level_text(among[place]) for place in run]) for run in runs]
    shown = texts[:_MAX_LINEAR]
    more = f" and {len(texts) - len(shown)} more" if len(texts) > len(shown) else ""
    return ", ".join(shown) + more


def _run_text(levels: list[str]) -> str:
    return levels[0] if len(levels) == 1 else f"{levels[0]} {'and' if len(levels) == 2 else 'to'} {levels[-1]}"
