"""Where test results come from: perfcast's own datasets, or tables from anywhere."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.dataset.valid import valid_rows
from perfcast.errors import UsageError
from perfcast.factors import NAMES
from perfcast.studies.factors.merge import merge
from perfcast.studies.factors.results import Results, collect
from perfcast.studies.factors.roles import Asked, Roles, find_roles
from perfcast.studies.results import DATASET, read_results, results_folder
from perfcast.tables.files import table_parts
from perfcast.tables.problems import EXCLUDED, Problem, at_rows
from perfcast.tables.reading import TABLE
from perfcast.tables.text_tables import ROW
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_MERGED_ROWS = 1_000_000
"""Of each of several tables, which are held in memory to be merged; one table alone may have any number."""
MODELS = "models.csv"
_OWN_METRICS = ("latency_ms", "ram_run_peak_mb", "energy_run_mj")
_NETWORK, _BUILD, _TARGET = "model", "toolchain_version", "target"
_ENVIRONMENTS = ("fingerprint", "environment")
"""What says where something was measured: the part of it that changes numbers, else all of it."""
NOT_SET = "not set"
_SHOWN_DIGEST = 8


@dataclass(frozen=True)
class Source:
    """What was read, and of perfcast's datasets their rows, with the model database beside them."""

    results: Results
    dataset: pd.DataFrame | None = None
    models: pd.DataFrame | None = None


def read_source(paths: Sequence[Path], asked: Asked) -> Source:
    """Return the test results in tables or datasets.

    Raises:
        UsageError: one cannot be read, they do not go together, or nothing in them was measured.
    """
    own = [_is_dataset(path) for path in paths]
    if all(own):
        return _of_datasets(paths, asked)
    if any(own):
        raise UsageError(f"{paths[own.index(False)]}: not a dataset of perfcast, as others are; study them apart")
    if len(paths) == 1:
        return Source(_of_one_table(paths[0], asked))
    return Source(_merged([_whole(path) for path in paths], asked))


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


def _of_datasets(paths: Sequence[Path], asked: Asked) -> Source:
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
    return Source(collect([table], _own_roles(table, asked), problems), table, _model_database(paths))


def _model_database(paths: Sequence[Path]) -> pd.DataFrame | None:
    """Return how each model is made, from the database beside the results; None without it."""
    files = [file for path in paths if (file := results_folder(path).parent / MODELS).is_file()]
    tables = [pd.concat(table_parts(file), ignore_index=True) for file in files]
    return pd.concat(tables).drop_duplicates("model") if tables and all("model" in table for table in tables) else None


def _with_levels(table: pd.DataFrame) -> pd.DataFrame:
    """Return datasets with a level for each factor where a target did not set it, and short names of environments."""
    filled = {
        name: table[name].astype(object).where(table[name].notna(), NOT_SET)
        for name in NAMES
        if name in table and table[name].isna().any()
    }
    for name in _ENVIRONMENTS:
        if name in table:
            filled[name] = table[name].map(lambda digest: str(digest)[:_SHOWN_DIGEST])
    return table.assign(**filled)


def _own_roles(table: pd.DataFrame, asked: Asked) -> Roles:
    """Return the roles of a dataset's columns: its factors and metrics are known by name."""
    varied = [name for name in _candidates(table, asked) if name in table and table[name].nunique(dropna=False) > 1]
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


def _candidates(table: pd.DataFrame, asked: Asked) -> tuple[str, ...]:
    """Return the columns that may be factors; that of a target's name only where nothing says where it was measured."""
    where = [name for name in (*_ENVIRONMENTS, _TARGET) if name in table]
    return asked.factors or (*NAMES, *where[:1])


def _is_constant(table: pd.DataFrame, name: str) -> bool:
    return name in table and table[name].nunique(dropna=False) == 1


def _without_doubles(table: pd.DataFrame, names: list[str]) -> list[str]:
    """Return the names without environments that only repeat what another factor says."""
    kept: list[str] = []
    for name in names:
        codes = [table[other].astype(str) for other in kept]
        repeats = [other for other, values in zip(kept, codes, strict=True) if _same_parts(values, table[name])]
        if name in NAMES or not repeats:
            kept.append(name)
    return kept


def _same_parts(one: pd.Series, other: pd.Series) -> bool:
    pairs = pd.DataFrame({"one": one, "other": other.astype(str)}).drop_duplicates()
    return bool(pairs["one"].is_unique and pairs["other"].is_unique)
