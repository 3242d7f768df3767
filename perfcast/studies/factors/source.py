"""Where test results come from: perfcast's own datasets, or tables from anywhere."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.dataset.valid import valid_rows
from perfcast.errors import UsageError
from perfcast.factors import NAMES
from perfcast.studies.factors.merge import merge
from perfcast.studies.factors.results import Results, collect
from perfcast.studies.factors.roles import Asked, Roles, find_roles
from perfcast.studies.results import DATASET, read_results
from perfcast.tables.files import table_parts
from perfcast.tables.problems import EXCLUDED, Problem, at_rows
from perfcast.tables.reading import ROW, TABLE
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_MERGED_ROWS = 1_000_000
"""Of each of several tables, which are held in memory to be merged; one table alone may have any number."""
_OWN_METRICS = ("latency_ms", "ram_run_peak_mb")
_NETWORK, _BUILD, _TARGET, _ENVIRONMENT = "model", "toolchain_version", "target", "environment"
_NONE = "not set"
_SHOWN_DIGEST = 8


def read_results_of(paths: Sequence[Path], asked: Asked) -> Results:
    """Return the test results in tables or datasets.

    Raises:
        UsageError: one cannot be read, they do not go together, or nothing in them was measured.
    """
    own = [_is_dataset(path) for path in paths]
    if all(own):
        return _of_datasets(paths, asked)
    if any(own):
        raise UsageError(f"{paths[own.index(False)]}: not a dataset of perfcast, as others are; study them apart")
    return _of_one_table(paths[0], asked) if len(paths) == 1 else _merged([_whole(path) for path in paths], asked)


def _merged(tables: Sequence[pd.DataFrame], asked: Asked) -> Results:
    merged, problems, row_id = merge(tables, asked.id)
    roles = find_roles(merged, replace(asked, id=row_id))
    if not row_id and roles.id:  # One table, or several below each other: a row may still be there twice.
        merged, problems, _ = merge([merged], roles.id)
    return collect([merged], roles, problems)


def _is_dataset(path: Path) -> bool:
    return path.is_dir() or path.name == DATASET


def _of_one_table(path: Path, asked: Asked) -> Results:
    """Return the results in one table, read part by part; the first part says which column is what."""
    parts = table_parts(path)
    first = next(parts, None)
    if first is None or first.empty:
        raise UsageError(f"{path}: has no rows")
    second = next(parts, None)
    if second is None:
        return _merged([first], asked)
    return collect(itertools.chain([first, second], parts), find_roles(first, asked))


def _whole(path: Path) -> pd.DataFrame:
    parts, count = [], 0
    for part in table_parts(path):
        parts.append(part)
        count += len(part)
        if count > MAX_MERGED_ROWS:
            raise UsageError(f"{path}: has more than {MAX_MERGED_ROWS:,} rows; merge the tables before, and name one")
    if not count:
        raise UsageError(f"{path}: has no rows")
    return pd.concat(parts, ignore_index=True)


def _of_datasets(paths: Sequence[Path], asked: Asked) -> Results:
    tables, problems = [], []
    for path in paths:
        dataset = read_results(path, (_NETWORK,)).reset_index(drop=True)
        dataset = dataset.assign(**{ROW: np.arange(1, len(dataset) + 1), TABLE: str(path)})
        kept = valid_rows(dataset)
        without = ~dataset.index.isin(kept.index)
        problems.append(at_rows(dataset, without, Problem(_NETWORK, "was not measured, or was rejected", EXCLUDED)))
        tables.append(kept)
    table = _with_levels(pd.concat(tables, ignore_index=True))
    if table.empty:
        raise UsageError(f"{paths[0]}: nothing in it was measured")
    return collect([table], _own_roles(table, asked), problems)


def _with_levels(table: pd.DataFrame) -> pd.DataFrame:
    """Return datasets with a level for each factor where a target did not set it, and short names of environments."""
    filled = {
        name: table[name].astype(object).where(table[name].notna(), _NONE)
        for name in NAMES
        if name in table and table[name].isna().any()
    }
    if _ENVIRONMENT in table:
        filled[_ENVIRONMENT] = table[_ENVIRONMENT].map(lambda digest: str(digest)[:_SHOWN_DIGEST])
    return table.assign(**filled)


def _own_roles(table: pd.DataFrame, asked: Asked) -> Roles:
    """Return the roles of a dataset's columns: its factors and metrics are known by name."""
    varied = [name for name in _candidates(asked) if name in table and table[name].nunique(dropna=False) > 1]
    if not asked.factors:
        varied = _without_doubles(table, varied)
    metrics = asked.metrics or tuple(name for name in _OWN_METRICS if name in table and table[name].notna().any())
    if not metrics:
        raise UsageError("the dataset has neither latency_ms nor ram_run_peak_mb; name a column with --metrics")
    network = asked.network or _NETWORK
    build = asked.build or (_BUILD if _BUILD in varied else "")
    roles = find_roles(table, Asked(metrics, tuple(dict.fromkeys((network, *varied))), network, build))
    constant = tuple((name, escape_control(table[name].iloc[0])) for name in NAMES if _is_constant(table, name))
    return replace(roles, build=build, constant=constant, notes=())


def _candidates(asked: Asked) -> Iterator[str]:
    yield from asked.factors or (*NAMES, _TARGET, _ENVIRONMENT)


def _is_constant(table: pd.DataFrame, name: str) -> bool:
    return name in table and table[name].nunique(dropna=False) == 1


def _without_doubles(table: pd.DataFrame, names: list[str]) -> list[str]:
    """Return the names without targets and environments that only repeat what another factor says."""
    kept: list[str] = []
    for name in names:
        codes = [table[other].astype(str) for other in kept]
        repeats = [other for other, values in zip(kept, codes, strict=True) if _same_parts(values, table[name])]
        if name not in (_TARGET, _ENVIRONMENT) or not repeats:
            kept.append(name)
    return kept


def _same_parts(one: pd.Series, other: pd.Series) -> bool:
    pairs = pd.DataFrame({"one": one, "other": other.astype(str)}).drop_duplicates()
    return bool(pairs["one"].is_unique and pairs["other"].is_unique)
