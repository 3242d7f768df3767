"""The data sets of a study: times over factors, from whatever table they stand in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from perfcast.errors import UsageError
from perfcast.studies.scaling import columns
from perfcast.studies.scaling.cells import MAX_ROWS, Tally, regrouped, tally
from perfcast.studies.scaling.reading import open_source
from perfcast.studies.scaling.rows import Removed, prepared_rows
from perfcast.text import format_list, pluralize

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from perfcast.studies.scaling.columns import Choices, Factor, Form
    from perfcast.studies.scaling.reading import Source

MAX_DATA_SETS = 12
"""Of one table; a page of more cannot be read."""
_MAX_MISSING = 0.5
_ALIKE, _SAME = 0.98, 0.9999
"""Rank correlations from which on two features, or any two factors, cannot be told apart."""
_MIXED = 300.0
"""Times of one combination that differ by more than this are probably in ms and s."""


@dataclass(frozen=True)
class Observations:
    """Times over factors.

    Attributes:
        label: what the data set is called.
        kind: whose table it comes from.
        factors: those that take several values.
        cells: one row per combination: the factors' columns, `count`, `time` (mean, in s), `log_time` (mean of the
            natural logarithms), `total` (mean, in s; NaN for none), `inputs` (that a time covers; NaN where unknown).
        rows: single measurements, a sample of each combination where there are many: factors, `time`, `total`,
            `inputs`.
        seen: how many measurements there are.
        time: the name of the time's column.
        total: the name of the column of total times; empty for none.
        has_unit: whether times are in s; else they are in a unit that nothing names.
        notes: what was left out, converted, sampled or constant, a sentence each.
    """

    label: str
    kind: columns.Kind
    factors: tuple[Factor, ...]
    cells: pd.DataFrame
    rows: pd.DataFrame
    seen: int
    time: str
    total: str
    has_unit: bool
    notes: tuple[str, ...] = ()

    @property
    def scaled(self) -> tuple[Factor, ...]:
        """The factors with a logarithm: all values are above zero."""
        return tuple(factor for factor in self.factors if (self.cells[factor.column] > 0).all())

    def levels(self, factor: Factor) -> np.ndarray:
        """Return the values of a factor, in ascending order."""
        return np.unique(self.cells[factor.column].to_numpy(float))


def observe(path: Path, choices: Choices) -> tuple[Observations, ...]:
    """Return the data sets of the table at ``path``: one, or one for each value of the columns that part it.

    Raises:
        UsageError: it cannot be read, or has no times or no factor that varies: one line that says what to do.
    """
    source = open_source(path)
    form = columns.form_of(source.numeric, choices, source.origin)
    factors = tuple(factor for factor in form.factors if source.numeric[factor.column])
    texts = [factor.column for factor in form.factors if not source.numeric[factor.column]]
    _refuse_useless(source, form, factors)
    removed = Removed()
    keys = [*(factor.column for factor in factors), *form.splits]
    found = tally(prepared_rows(source, form, factors, removed), keys)
    if not found.seen:
        raise UsageError(
            f"{source.origin}: no row has a time in {columns.shown(form.time)}; {removed.in_words or 'it has no rows'}"
        )
    notes = _notes_on_columns(source, form, texts) + _notes_on_rows(found, removed, form)
    return _parted(source, form, factors, found, notes)


def _refuse_useless(source: Source, form: Form, factors: tuple[Factor, ...]) -> None:
    if not source.numeric[form.time]:
        raise UsageError(
            f"{source.origin}: column {columns.shown(form.time)} holds no numbers; name that of the times with --time"
        )
    if not factors:
        raise UsageError(f"{source.origin}: no column of numbers besides the times; name factors with --factors")


def _notes_on_columns(source: Source, form: Form, texts: list[str]) -> tuple[str, ...]:
    notes = []
    if texts:
        named = ", ".join(map(columns.shown, texts))
        notes.append(f"Left out as factors, since they hold something else than numbers: {named}.")
    if form.kind == "other":
        unused = [
            name for name, numeric in source.numeric.items() if not numeric and name not in (*texts, *form.splits)
        ]
        if unused:
            shown = format_list([columns.shown(name) for name in unused[:5]], len(unused))
            notes.append(f"Columns without numbers are not used: {shown}; --by COLUMN parts the table by one.")
    if form.seconds is None:
        notes.append(f"Nothing says which unit {columns.shown(form.time)} has; --unit does.")
    if form.kind == "document":
        notes.append("The batch size is probably that of training: the document varies it for training alone.")
    return tuple(notes)


def _notes_on_rows(found: Tally, removed: Removed, form: Form) -> tuple[str, ...]:
    notes = []
    if listed := removed.in_words:
        notes.append(f"Rows left out: {listed}.")
    if removed.with_units:
        what = pluralize(removed.with_units, "time carries its unit", "times carry their unit")
        notes.append(f"{what}, and was converted." if removed.with_units == 1 else f"{what}, and were converted.")
    if removed.noisy:
        notes.append(f"{removed.noisy:,} of {found.seen:,} times are of noisy measurements, and used.")
    if found.share < 1:
        notes.append(
            f"There are too many combinations: a random {found.share:.2%} of them are analysed, {len(found.sums):,}."
        )
    if found.sampled:
        notes.append(
            f"{found.seen:,} rows were added up by combination; figures of single rows and tests of spread use "
            f"{len(found.rows):,} of them, drawn at random from each combination (at most {MAX_ROWS:,})."
        )
    return (*notes, *_mixed_units(found, form))


def _mixed_units(found: Tally, form: Form) -> tuple[str, ...]:
    """Say so where times of one combination differ as s and ms do."""
    grouped = found.rows.groupby(list(found.keys), dropna=False, sort=False)["time"]
    apart = int((grouped.max() / grouped.min() > _MIXED).sum())
    if not apart:
        return ()
    where = pluralize(apart, "combination")
    return (f"Times in {columns.shown(form.time)} differ by more than {_MIXED:.0f} within {where}: mixed units?",)


def _parted(
    source: Source, form: Form, factors: tuple[Factor, ...], found: Tally, notes: tuple[str, ...]
) -> tuple[Observations, ...]:
    """Return one data set for each combination of the columns that part the table and vary in it."""
    splits = [name for name in form.splits if found.sums[name].nunique() > 1]
    if not splits:
        return (_observations(source, form, factors, found, notes),)
    names = list(found.sums[splits].drop_duplicates().sort_values(splits).itertuples(index=False, name=None))
    if len(names) > MAX_DATA_SETS:
        note = f"Of {len(names)} data sets by {', '.join(splits)}, the first {MAX_DATA_SETS} are analysed."
        notes = (*notes, note)
    sets: list[Observations] = []
    problems: list[str] = []
    for name in names[:MAX_DATA_SETS]:
        sums, rows = (_where(table, splits, name) for table in (found.sums, found.rows))
        part = replace(found, sums=sums, rows=rows, seen=int(sums["count"].sum()))
        try:
            label = " · ".join((source.label, *map(_part_label, splits, name)))
            sets.append(_observations(source, form, factors, part, notes, label))
        except UsageError as error:
            problems.append(f"{error}.")
    if not sets:
        raise UsageError(problems[0].removesuffix("."))
    return (replace(sets[0], notes=(*sets[0].notes, *problems)), *sets[1:])


def _part_label(column: str, value: str) -> str:
    return columns.shown(value if column == "family" else f"{column.replace('_', ' ')} {value}")


def _where(table: pd.DataFrame, names: list[str], values: tuple) -> pd.DataFrame:
    return table[(table[names] == list(values)).all(axis=1)]


def _observations(
    source: Source, form: Form, factors: tuple[Factor, ...], found: Tally, notes: tuple[str, ...], label: str = ""
) -> Observations:
    name = label or source.label
    chosen, sums, left_out = _chosen(found.sums, factors, form)
    if not chosen:
        constant = ", ".join(factor.name for factor in factors)
        raise UsageError(f"{source.origin}: {name}: no factor varies ({constant}); give a table in which one does")
    cells = regrouped(sums, [factor.column for factor in chosen])
    means = {column: cells[column] / cells["count"] for column in ("time", "log_time", "total", "inputs")}
    known = found.rows[[factor.column for factor in chosen]].notna().all(axis=1)
    return Observations(
        label=columns.shown(name),
        kind=form.kind,
        factors=chosen,
        cells=cells.assign(**means),
        rows=found.rows[known].reset_index(drop=True),
        seen=int(cells["count"].sum()),
        time=columns.shown(form.time),
        total=columns.shown(form.total),
        has_unit=form.seconds is not None,
        notes=(*notes, *left_out),
    )


def _chosen(
    sums: pd.DataFrame, factors: tuple[Factor, ...], form: Form
) -> tuple[tuple[Factor, ...], pd.DataFrame, tuple[str, ...]]:
    """Return the factors to analyse, the combinations where all of them are known, and what was left out."""
    missing = {factor.column: float(sums[factor.column].isna().mean()) for factor in factors}
    unknown = [factor for factor in factors if missing[factor.column] > _MAX_MISSING]
    known = sums[sums[[f.column for f in factors if f not in unknown]].notna().all(axis=1)]
    constant = [f for f in factors if f not in unknown and known[f.column].nunique() < 2]
    varying = [factor for factor in factors if factor not in unknown and factor not in constant]
    alike = _alike(known, varying, _ALIKE if form.kind == "dataset" else _SAME)
    kept = columns.kept_factors([factor for factor in varying if factor not in alike], form.kind)
    beyond = [factor for factor in varying if factor not in alike and factor not in kept]
    absent = [factor for factor in unknown if missing[factor.column] == 1 and form.kind in ("sweep", "dataset")]
    said = (
        ([factor for factor in unknown if factor not in absent], "missing in most rows"),
        ([] if form.kind == "dataset" else constant, "of one level only, so nothing can be said about them"),
        (alike, "they vary along with another factor"),
        (beyond, "more than one page can show; --factors chooses"),
    )
    notes = tuple(f"Factors left out: {', '.join(f.name for f in found)} ({why})." for found, why in said if found)
    lost = int(sums["count"].sum() - known["count"].sum())
    return kept, known, (*notes, *((f"Rows left out: {lost:,} without a value of a factor.",) if lost else ()))


def _alike(cells: pd.DataFrame, factors: list[Factor], bound: float) -> list[Factor]:
    """Return the factors whose ranks say what those of an earlier one say."""
    ranks = cells[[factor.column for factor in factors]].corr(method="spearman").abs()
    kept: list[Factor] = []
    for factor in factors:
        if all(ranks.loc[factor.column, other.column] < bound for other in kept):
            kept.append(factor)
    return [factor for factor in factors if factor not in kept]
