"""What a row is about: network, model, family and input size."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.tables.mapping import Grouping
from perfcast.tables.names import SIZE
from perfcast.tables.numbers import numbers_of
from perfcast.tables.patterns import MAX_LENGTH
from perfcast.tables.problems import EXCLUDED, Problem, at_rows

if TYPE_CHECKING:
    from perfcast.tables.mapping import Mapping

_MAX_INPUT_SIZE = 1e9


def unknown(table: pd.DataFrame, mapping: Mapping) -> tuple[np.ndarray, list[pd.DataFrame]]:
    """Return the rows that cannot be identified (booleans), and why.

    A row without a name, a family or a size cannot be left out together with those of its kind: a validation that
    learned from it would be too good.

    Raises:
        UsageError: text stands where the size has to.
    """
    texts = [mapping.model, *([mapping.family.column] if mapping.family else [])]
    found = [(name, "is missing", table[name].isna().to_numpy()) for name in dict.fromkeys(texts)]
    if mapping.family and mapping.family.pattern:
        long = table[mapping.family.column].astype("str").str.len().to_numpy(dtype=float, na_value=0) > MAX_LENGTH
        found.append((mapping.family.column, f"is longer than {MAX_LENGTH:,} characters", long))
    if mapping.input_size:
        size = numbers_of(table, [mapping.input_size])[mapping.input_size].to_numpy()
        found += [(mapping.input_size, what, wrong) for what, wrong in _wrong_sizes(size).items()]
    lines = [at_rows(table, wrong, Problem(name, what, EXCLUDED)) for name, what, wrong in found]
    return np.any([wrong for *_, wrong in found], axis=0), lines


def _wrong_sizes(size: np.ndarray) -> dict[str, np.ndarray]:
    infinite = np.isinf(size)
    return {
        "is missing": np.isnan(size),
        "is infinite": infinite,
        "is not a size of an input": ~infinite & ((size < 0) | (size > _MAX_INPUT_SIZE)),
    }


def identity(table: pd.DataFrame, mapping: Mapping, factors: pd.DataFrame) -> pd.DataFrame:
    """Return the columns `perfcast.tables.names.RESERVED` of rows that are not `unknown`.

    A name of `model` stands once for each combination of ``factors``, which has a column for each factor.
    """
    name = table[mapping.model].astype("str")
    size = _sizes(table, mapping)
    # A network is the same at any size: names may end in it.
    ends = [f"_{each:.15g}" if mapping.input_size else "" for each in size]
    return pd.DataFrame(
        {
            "network": [each.removesuffix(end) for each, end in zip(name, ends, strict=True)],
            "model": _unique_per_combination(name, factors),
            "family": families_of(table, mapping),
            SIZE: size,
            "replicate": 0,
            "status": "measured",
            "target": mapping.description,
        },
        index=table.index,
    )


def _sizes(table: pd.DataFrame, mapping: Mapping) -> np.ndarray:
    if mapping.input_size is None:
        return np.zeros(len(table), dtype=int)
    size = numbers_of(table, [mapping.input_size])[mapping.input_size].to_numpy()
    return size.astype(int) if (size % 1 == 0).all() else size


def _unique_per_combination(names: pd.Series, factors: pd.DataFrame) -> pd.Series:
    if factors.empty:
        return pd.Series(_unique(list(names)), index=names.index)
    return names.groupby([factors[name] for name in factors], sort=False).transform(lambda own: _unique(list(own)))


def _unique(names: list[str]) -> list[str]:
    """Return names each of which is there once: `a`, `a#2`, `a#3`, past those that there are already."""
    taken, last, found = set(names), Counter[str](), []
    for name in names:
        number = last[name] + 1
        while number > 1 and f"{name}#{number}" in taken:
            number += 1
        last[name] = number
        found.append(name if number == 1 else f"{name}#{number}")
    return found


def families_of(table: pd.DataFrame, mapping: Mapping) -> pd.Series:
    """Return the family of each row, empty where nothing says it: the mapping's or, without one, the model's name."""
    family = mapping.family or Grouping(mapping.model, None)
    if family.column not in table:
        return pd.Series("", index=table.index)
    text = table[family.column].astype("str").fillna("")
    if family.pattern is None:
        return text
    short = [each for each in text.unique() if len(each) <= MAX_LENGTH]
    found = {each: match for each in short if (match := family.pattern.search(each))}
    return text.map({each: match[1] if match.re.groups else match[0] for each, match in found.items()}).fillna(text)
