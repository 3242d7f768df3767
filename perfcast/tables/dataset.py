"""A table from elsewhere as a dataset that predictors are fitted on, and what was wrong with its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.errors import DataError
from perfcast.features.plausible import fit_outlier_bounds, rules_of
from perfcast.tables.checks import checked_values, usable, wrong_features
from perfcast.tables.factors import factor_codes, factors_of
from perfcast.tables.identity import identity, unknown
from perfcast.tables.names import SIZE
from perfcast.tables.numbers import encoded, feature_columns, numbers_of
from perfcast.tables.outliers import disagreeing, outliers
from perfcast.tables.problems import EXCLUDED, KEPT, REPLACED, Problem, at_rows, constant_columns, kinds, listed
from perfcast.tables.ran_out import ran_out
from perfcast.tables.reading import TABLE
from perfcast.tables.repeats import merged
from perfcast.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Mapping as Values

    from perfcast.tables.mapping import Mapping

_REASONS = 3


@dataclass(frozen=True)
class Imported:
    """What a table holds to learn from.

    Attributes:
        dataset: `network`, `model` (each name once), `family`, `input_size`, what else perfcast's own datasets say of a
            model measured once, the features, and a column for each metric, by its name, missing where there is none.
        features: to learn from; of one that never differs nothing but that another value is outside the domain.
        problems: a line for each thing that is wrong with a row (`perfcast.tables.problems.COLUMNS`).
    """

    dataset: pd.DataFrame
    features: tuple[str, ...]
    problems: pd.DataFrame


def import_table(table: pd.DataFrame, mapping: Mapping, *, keep_outliers: bool = False, jobs: int = 1) -> Imported:
    """Return what `perfcast.tables.reading.read_tables` has read, checked.

    Left out, and said so, are rows that do not count, that lack a name, a family, a size or a feature or have one that
    cannot be, values that are missing or cannot be, rows that repeat the features of one before, and outliers.

    Args:
        table: as read.
        mapping: what its columns mean.
        keep_outliers: True to learn from outliers too; they are said all the same.
        jobs: processors to use.

    Raises:
        UsageError: text stands where a number has to, or a column has a name that datasets need for something else.
        DataError: nothing is left to learn from; it says why.
    """
    if table.empty:
        raise DataError("there are no rows, so that 0 rows are left to learn from")
    several = table[TABLE].nunique() > 1
    table, features, lines = _valid(table, mapping)
    if table.empty:
        raise _nothing("0 rows are left", lines, several)
    out = ran_out(table, mapping)
    values, wrong = checked_values(table, mapping, out)
    lines += wrong
    factors = factors_of(table, mapping)
    inputs = pd.concat([features, factor_codes(factors)], axis=1)
    stays, values, wrong = merged(table, inputs, values, mapping, out)
    lines += wrong
    table, features, factors, values = table[stays], features[stays], factors[stays], values[stays]
    constant = [name for name in features if features[name].nunique() == 1]
    if len(constant) == features.shape[1]:
        raise _nothing(f"all features are the same in {pluralize(len(table), 'row')} left", lines, several)
    values, wrong = _without_outliers(table, inputs[stays], values, mapping, keep=keep_outliers, jobs=jobs)
    lines += wrong
    lines += _implausible(table, features, mapping)
    lines.append(constant_columns(constant))
    # Of a feature of that name the dataset has the column already: they are one.
    more = features.drop(columns=SIZE, errors="ignore")
    about = identity(table, mapping, factors).assign(status=np.where(out[stays], "out_of_memory", "measured"))
    dataset = pd.concat([about, factors, more, values], axis=1).reset_index(drop=True)
    return Imported(dataset, tuple(features), listed(lines))


def labelled(imported: Imported, mapping: Mapping, target: str) -> pd.DataFrame:
    """Return an imported dataset as one of a target's, which says itself what its features are."""
    dataset = imported.dataset.assign(target=target)
    dataset.attrs.update(
        features=list(imported.features), implausible=dict(mapping.implausible), held=dict(mapping.held)
    )
    return dataset


def _valid(table: pd.DataFrame, mapping: Mapping) -> tuple[pd.DataFrame, pd.DataFrame, list[pd.DataFrame]]:
    """Return the rows that count and can be learned from, their features, and what is wrong with the others."""
    table, lines = _counting(table, mapping)
    nameless, wrong = unknown(table, mapping)
    table = table[~nameless]
    if table.empty:
        return table, pd.DataFrame(), [*lines, *wrong]
    factors = factors_of(table, mapping)
    lacking = factors.isna().any(axis=1).to_numpy()
    lines += [
        at_rows(table, factors[name].isna().to_numpy(), Problem(mapping.factors[name], "is missing", EXCLUDED))
        for name in factors
    ]
    table = table[~lacking]
    features = features_of(table, mapping)
    whole = usable(features)
    return table[whole], features[whole], [*lines, *wrong, *wrong_features(table, features)]


def features_of(table: pd.DataFrame, mapping: Mapping, wanted: Collection[str] | None = None) -> pd.DataFrame:
    """Return the features of a table's rows, NaN where one is missing or none that the mapping knows.

    Args:
        table: without markers.
        mapping: what its columns mean.
        wanted: the features to return; all that the mapping learns from where not given.

    Raises:
        UsageError: text stands where a number has to, or there is no feature.
    """
    one_hot = [each for each in mapping.one_hot if wanted is None or set(each.features) & set(wanted)]
    texts = [encoded(table, each) for each in one_hot]
    if wanted is None:
        return pd.concat([_named_numbers(table, feature_columns(table, mapping)), *texts], axis=1)
    columns = mapping.features or {}
    plain = {name: columns.get(name, name) for name in wanted if not any(name in each for each in texts)}
    return pd.concat([_named_numbers(table, plain), *texts], axis=1)[list(wanted)]


def _named_numbers(table: pd.DataFrame, columns: Values[str, str]) -> pd.DataFrame:
    """Return features by their names, of the columns that hold them."""
    return numbers_of(table, list(columns.values())).set_axis(list(columns), axis=1)


def _nothing(what: str, lines: list[pd.DataFrame], several: bool) -> DataError:
    """Return the error that says that nothing can be learned, and the commonest of the reasons."""
    found = kinds(listed(lines), several=several)
    commonest = sorted(found, key=lambda line: -found[line])[:_REASONS]
    return DataError("; ".join([f"{what}: there is nothing to learn from", *commonest]))


def _counting(table: pd.DataFrame, mapping: Mapping) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    lines = []
    for column, texts in mapping.only.items():
        counts = table[column].astype("str").isin(texts).to_numpy()
        lines.append(at_rows(table, ~counts, Problem(column, f"is not {' or '.join(texts)}", EXCLUDED)))
        table = table[counts]
    return table, lines


def _without_outliers(
    table: pd.DataFrame, features: pd.DataFrame, values: pd.DataFrame, mapping: Mapping, *, keep: bool, jobs: int
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Return the values without outliers, unless they are kept, and which they are."""
    contradicted = np.zeros(values.shape, dtype=bool)
    for positions in _by_unit(mapping):
        contradicted[:, positions] = disagreeing(values.to_numpy()[:, positions])
    far = outliers(features.to_numpy(), values.mask(contradicted).to_numpy(), jobs=jobs)
    shown = table.assign(**{name: values[name] for name in values})
    done = KEPT if keep else EXCLUDED
    lines = [
        at_rows(shown, wrong[:, position], Problem(name, what, done))
        for position, name in enumerate(values)
        for wrong, what in ((contradicted, "contradicts the row's other values"), (far, "is far from similar rows"))
    ]
    return values if keep else values.mask(contradicted | far), lines


def _by_unit(mapping: Mapping) -> list[list[int]]:
    """Return the positions of the metrics that share a unit."""
    units = [metric.unit for metric in mapping.metrics.values()]
    return [[at for at, unit in enumerate(units) if unit == each] for each in dict.fromkeys(units)]


def _implausible(table: pd.DataFrame, features: pd.DataFrame, mapping: Mapping) -> list[pd.DataFrame]:
    """Return which features are implausible; they are winsorized in training."""
    names = tuple(features)
    bounds = fit_outlier_bounds(features.to_numpy(), *rules_of(names, mapping.implausible))
    wrong = bounds.exceeded(features.to_numpy())
    return [
        at_rows(table, wrong[:, rule], Problem(names[feature], "is far larger than usual relative to others", REPLACED))
        for rule, feature in enumerate(bounds.features)
    ]
