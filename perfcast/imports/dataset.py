"""A table from elsewhere as a dataset that predictors are fitted on, and what was wrong with its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.errors import DataError
from perfcast.features.plausible import fit_fences, rules_of
from perfcast.imports.mapping import Grouping
from perfcast.imports.numbers import encoded, feature_columns, numbers_of
from perfcast.imports.outliers import disagreeing, outliers
from perfcast.imports.problems import KEPT, LEFT_OUT, REPLACED, Problem, at_rows, constant_columns, listed

if TYPE_CHECKING:
    from perfcast.imports.mapping import Mapping

_DIFFERENT = 1e-9
_INCOMPLETE = Problem("", "a feature is missing or infinite", LEFT_OUT)
_REPEATED = Problem("", "repeats a row before", LEFT_OUT)
_CONTRADICTED = Problem("", "has the features of a row before, and another value", LEFT_OUT)


@dataclass(frozen=True)
class Imported:
    """What a table holds to learn from.

    Attributes:
        dataset: `network`, `model` (each name once), `family`, `input_size`, what else perfcast's own datasets say of a
            model measured once, the features, and a column for each metric, by its name, missing where there is none.
        features: to learn from, without those that never differ.
        problems: a line for each thing that is wrong with a row (`perfcast.imports.problems.COLUMNS`).
    """

    dataset: pd.DataFrame
    features: tuple[str, ...]
    problems: pd.DataFrame


def import_table(table: pd.DataFrame, mapping: Mapping, *, keep_outliers: bool = False, jobs: int = 1) -> Imported:
    """Return what `perfcast.imports.reading.read_tables` has read, checked.

    Left out, and said so, are rows that do not count, that lack a feature or have an infinite one, values that are
    missing, infinite, zero or negative, rows that repeat the features of one before, and outliers.

    Args:
        table: as read.
        mapping: what its columns mean.
        keep_outliers: True to learn from outliers too; they are said all the same.
        jobs: processors to use.

    Raises:
        UsageError: text stands where a number has to.
        DataError: nothing is left to learn from.
    """
    table, lines = _counting(table, mapping)
    features = features_of(table, mapping)
    whole = np.isfinite(features).all(axis=1).to_numpy()
    lines.append(at_rows(table, ~whole, _INCOMPLETE))
    table, features = table[whole], features[whole]
    values, wrong = _values(table, mapping)
    lines += wrong
    repeated, wrong = _repeated(table, features, values)
    lines += wrong
    table, features, values = table[~repeated], features[~repeated], values[~repeated]
    values, wrong = _without_outliers(table, features, values, mapping, keep=keep_outliers, jobs=jobs)
    lines += wrong
    varying = [name for name in features if features[name].nunique() > 1]
    if not varying:
        raise DataError(f"{len(table)} rows are left, whose features all are the same: there is nothing to learn from")
    lines += _implausible(table, features, mapping)
    lines.append(constant_columns([name for name in features if name not in varying]))
    dataset = pd.concat([_identity(table, mapping), features, values], axis=1).reset_index(drop=True)
    return Imported(dataset, tuple(varying), listed(lines))


def features_of(table: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """Return the features of a table's rows, NaN where one is missing or none that the mapping knows.

    Raises:
        UsageError: text stands where a number has to, or there is no feature.
    """
    names = feature_columns(table, mapping)
    return pd.concat([numbers_of(table, names), *(encoded(table, each) for each in mapping.one_hot)], axis=1)


def _counting(table: pd.DataFrame, mapping: Mapping) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    lines = []
    for column, texts in mapping.only.items():
        counts = table[column].astype("str").isin(texts).to_numpy()
        lines.append(at_rows(table, ~counts, Problem(column, f"is not {' or '.join(texts)}", LEFT_OUT)))
        table = table[counts]
    return table, lines


def _values(table: pd.DataFrame, mapping: Mapping) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Return the metrics' values, NaN where they cannot be, and what is wrong with them."""
    numbers = numbers_of(table, [metric.column for metric in mapping.metrics.values()])
    found, lines = {}, []
    for name, metric in mapping.metrics.items():
        value = numbers[metric.column].to_numpy()
        for wrong, what in (
            (np.isnan(value), "is missing"),
            (np.isinf(value), "is infinite"),
            (value == 0, "is zero"),
            ((value < 0) & np.isfinite(value), "is negative"),
        ):
            lines.append(at_rows(table, wrong, Problem(metric.column, what, LEFT_OUT)))
        found[name] = np.where(np.isfinite(value) & (value > 0), value, np.nan)
    return pd.DataFrame(found, index=table.index), lines


def _repeated(
    table: pd.DataFrame, features: pd.DataFrame, values: pd.DataFrame
) -> tuple[np.ndarray, list[pd.DataFrame]]:
    """Return which rows repeat the features of one before, and what they say: the same, or something else."""
    again = features.duplicated(keep="first").to_numpy()
    first = values.groupby([features[name] for name in features], sort=False).transform("first")
    other = ((values / first - 1).abs() > _DIFFERENT).any(axis=1).to_numpy()
    return again, [
        at_rows(table, again & ~other, _REPEATED),
        at_rows(table, again & other, _CONTRADICTED),
    ]


def _without_outliers(
    table: pd.DataFrame, features: pd.DataFrame, values: pd.DataFrame, mapping: Mapping, *, keep: bool, jobs: int
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Return the values without outliers, unless they are kept, and which they are."""
    contradicted = np.zeros(values.shape, dtype=bool)
    for positions in _by_unit(mapping):
        contradicted[:, positions] = disagreeing(values.to_numpy()[:, positions])
    far = outliers(features.to_numpy(), values.mask(contradicted).to_numpy(), jobs=jobs)
    shown = table.assign(**{name: values[name] for name in values})
    done = KEPT if keep else LEFT_OUT
    lines = [
        at_rows(shown, wrong[:, position], Problem(name, what, done))
        for position, name in enumerate(values)
        for wrong, what in ((contradicted, "is far from what the row's others say"), (far, "is far from rows like it"))
    ]
    return values if keep else values.mask(contradicted | far), lines


def _by_unit(mapping: Mapping) -> list[list[int]]:
    """Return the positions of the metrics that share a unit."""
    units = [metric.unit for metric in mapping.metrics.values()]
    return [[at for at, unit in enumerate(units) if unit == each] for each in dict.fromkeys(units)]


def _implausible(table: pd.DataFrame, features: pd.DataFrame, mapping: Mapping) -> list[pd.DataFrame]:
    """Return which features are not believed; they are repaired by whoever learns from them."""
    names = tuple(features)
    fences = fit_fences(features.to_numpy(), *rules_of(names, mapping.implausible))
    wrong = fences.exceeded(features.to_numpy())
    return [
        at_rows(table, wrong[:, rule], Problem(names[feature], "is far more than usual beside others", REPLACED))
        for rule, feature in enumerate(fences.features)
    ]


def _identity(table: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    name = table[mapping.model].astype("str").fillna("?")
    count = name.groupby(name).cumcount()
    size = numbers_of(table, [mapping.input_size])[mapping.input_size] if mapping.input_size else 0
    if np.equal(np.mod(size, 1), 0).all():
        size = np.asarray(size, dtype=int)
    return pd.DataFrame(
        {
            "network": _network(name, size),
            "model": name.where(count == 0, name + "#" + (count + 1).astype("str")),
            "family": families_of(table, mapping),
            "input_size": size,
            "replicate": 0,
            "verdict": "measured",
            "target": mapping.description,
        },
        index=table.index,
    )


def _network(name: pd.Series, size: pd.Series | np.ndarray | int) -> pd.Series:
    """Return names without the input size that ends them: a network is the same at any."""
    sizes = np.broadcast_to(np.asarray(size), len(name))
    return pd.Series([each.removesuffix(f"_{end}") for each, end in zip(name, sizes, strict=True)], index=name.index)


def families_of(table: pd.DataFrame, mapping: Mapping) -> pd.Series:
    """Return the family of each row; what says it is the mapping's column or, without one, the model's name."""
    family = mapping.family or Grouping(mapping.model, None)
    text = table[family.column].astype("str").fillna("?")
    if family.pattern is None:
        return text
    found = {each: match for each in text.unique() if (match := family.pattern.search(each))}
    return text.map({each: match[1] if match.re.groups else match[0] for each, match in found.items()}).fillna(text)
