"""The rows of a table as numbers, and what had to be left out of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.dataset.valid import valid_rows
from perfcast.studies.scaling.columns import shown
from perfcast.studies.scaling.numbers import Numbers, numbers_in, times_in
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perfcast.studies.scaling.columns import Factor, Form
    from perfcast.studies.scaling.reading import Source

_STATUS, _TRUST = "status", "trust"
_MIN_TIME, _MAX_TIME = 1e-12, 1e12
"""In s: what is beyond is no time of a computation."""
_MAX_SIZE = 1e30
_USABLE = ("trusted", "noisy")
"""Statuses of a sweep's rows; the others were rejected or not measured."""


@dataclass
class Removed:
    """What was left out or noticed while a table was read; filled piece by piece.

    Attributes:
        reasons: how many rows were left out for which reason.
        with_units: how many times carry their unit.
        noisy: how many times are kept although their measurement was noisy.
        examples: the first value that is not a number, by reason.
    """

    reasons: Counter[str] = field(default_factory=Counter)
    with_units: int = 0
    noisy: int = 0
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def in_words(self) -> str:
        """How many rows were left out for which reason; empty for none."""
        examples = {reason: f" ({escape_control(text)!r})" for reason, text in self.examples.items()}
        found = {reason: count for reason, count in self.reasons.items() if count}
        return ", ".join(f"{count:,} {reason}{examples.get(reason, '')}" for reason, count in found.items())


def prepared_rows(source: Source, form: Form, factors: tuple[Factor, ...], removed: Removed) -> Iterator[pd.DataFrame]:
    """Yield the valid rows of a table: numbers in factors, times in s."""
    judged = (_STATUS, _TRUST) if form.kind in ("dataset", "sweep") else ()
    inputs = (form.inputs,) if isinstance(form.inputs, str) and form.inputs in source.numeric else ()
    names = (*(f.column for f in factors), *form.splits, form.time, *filter(None, (form.total,)), *inputs)
    wanted = [*names, *(name for name in judged if name in source.numeric)]
    for piece in source.pieces(list(dict.fromkeys(wanted))):
        valid = _valid(piece, form)
        removed.reasons["not measured, or rejected"] += len(piece) - len(valid)
        removed.noisy += int(sum((valid[name] == "noisy").sum() for name in judged if name in valid))
        yield _converted(valid, form, factors, removed)


def _valid(piece: pd.DataFrame, form: Form) -> pd.DataFrame:
    if form.kind == "dataset":
        return valid_rows(piece)
    return piece[piece[_STATUS].isin(_USABLE)] if form.kind == "sweep" and _STATUS in piece else piece


def _converted(piece: pd.DataFrame, form: Form, factors: tuple[Factor, ...], removed: Removed) -> pd.DataFrame:
    numbers = {factor.column: numbers_in(piece[factor.column]) for factor in factors}
    times = times_in(piece[form.time], form.seconds)
    total = times_in(piece[form.total], form.seconds).values if form.total else np.full(len(piece), np.nan)
    frame = {name: found.values for name, found in numbers.items()}
    frame |= {name: piece[name].map(escape_control).astype(str).to_numpy() for name in form.splits}
    frame |= {"time": times.values, "total": total, "inputs": _inputs(piece, form)}
    removed.with_units += times.with_units
    keep = _kept(times, form.time, removed)
    for column, found in numbers.items():
        name = shown(column)
        keep &= _without(found.wrong, keep, f"with something else than a number in {name}", removed, found.example)
        keep &= _without(np.abs(found.values) > _MAX_SIZE, keep, f"with an impossible value in {name}", removed)
    return pd.DataFrame(frame, index=piece.index)[keep]


def _kept(times: Numbers, column: str, removed: Removed) -> np.ndarray:
    """Return which rows have a usable time, and count the others by reason."""
    keep, name = np.ones(len(times.values), bool), shown(column)
    keep &= _without(times.wrong, keep, f"with something else than a number in {name}", removed, times.example)
    keep &= _without(times.bare, keep, f"with no unit in {name}, beside times with one", removed)
    keep &= _without(np.isnan(times.values), keep, f"with no value in {name}", removed)
    keep &= _without(times.values <= 0, keep, f"with no positive {name}", removed)
    impossible = (times.values < _MIN_TIME) | (times.values > _MAX_TIME)
    return keep & _without(impossible, keep, f"with an impossible value in {name}", removed)


def _without(wrong: np.ndarray, keep: np.ndarray, reason: str, removed: Removed, example: str = "") -> np.ndarray:
    removed.reasons[reason] += int((wrong & keep).sum())
    if example:
        removed.examples.setdefault(reason, example)
    return ~wrong


def _inputs(piece: pd.DataFrame, form: Form) -> np.ndarray:
    if isinstance(form.inputs, str):
        return numbers_in(piece[form.inputs]).values if form.inputs in piece else np.full(len(piece), np.nan)
    return np.full(len(piece), np.nan if form.inputs is None else float(form.inputs))
