"""The rows that one metric is trained on, taken out of the dataset and checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from pandas.api.types import is_numeric_dtype

from perfcast.dataset.valid import measured_rows, replicates_of, valid_rows
from perfcast.errors import DataError
from perfcast.factors import NAMES as FACTORS
from perfcast.features.plausible import fit_outlier_bounds, rules_of
from perfcast.fit.options import MIN_ROWS
from perfcast.fit.selection import additive_features, cap_pairs, ratio_exponents
from perfcast.storage import digest_of

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.features.plausible import OutlierBounds
    from perfcast.fit.options import FitOptions, Metric


_PER_ROW = ("inputs", "target", "models", "networks", "families", "sizes")


@dataclass(frozen=True)
class TrainingData:
    """The rows that one metric is trained on.

    Attributes:
        features: names of the columns of ``inputs``.
        additive: for each feature, whether time and memory may be a sum of it (see `FitOptions.additive`).
        inputs: rows × features, finite.
        target: one positive number per row, in the metric's unit.
        models, networks, families, sizes: what each row is about; a network is a model whatever its input size.
        excluded: how many rows of the dataset were left out, by reason.
        implausible: see `FitOptions.implausible`; as `perfcast.features.plausible.fit_outlier_bounds` takes it.
    """

    features: tuple[str, ...]
    additive: np.ndarray
    inputs: np.ndarray
    target: np.ndarray
    models: np.ndarray
    networks: np.ndarray
    families: np.ndarray
    sizes: np.ndarray
    excluded: dict[str, int]
    implausible: tuple[np.ndarray, np.ndarray]

    def __len__(self) -> int:
        return len(self.target)

    @property
    def ratios(self) -> np.ndarray:
        """Exponents, ratios × features, see `perfcast.fit.selection.RATIOS`."""
        return ratio_exponents(self.features)

    @property
    def caps(self) -> np.ndarray:
        """Pairs of indices of features, see `perfcast.fit.selection.CAPS`."""
        return cap_pairs(self.features)

    @property
    def outlier_bounds(self) -> OutlierBounds:
        """What is plausible for the features, determined from these rows."""
        return fit_outlier_bounds(self.inputs, *self.implausible)

    def take(self, rows: np.ndarray) -> TrainingData:
        """Return the rows numbered ``rows``."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _PER_ROW})

    def winsorized(self, bounds: OutlierBounds) -> TrainingData:
        """Return the rows with usual values in place of those beyond ``bounds``."""
        return replace(self, inputs=bounds.winsorized(self.inputs))

    def digest(self) -> str:
        """Return the digest of all that is trained on."""
        names = "\n".join([*self.features, *map(str, self.models), *map(str, self.families)])
        return digest_of(names.encode() + self.inputs.tobytes() + self.target.tobytes())


def training_data(dataset: pd.DataFrame, metric: Metric, options: FitOptions) -> TrainingData:
    """Return the rows of ``dataset`` that ``metric`` is trained on: measured, not rejected, replicate 0, positive.

    A value may be zero or less where little is left after the null model's was taken off (a tiny model's
    memory): relative errors mean nothing for it, and it is no reason to learn nothing from all the others. Of more
    rows than `FitOptions.most_rows` so many are drawn at random.

    Raises:
        DataError: a column is missing or holds what cannot be trained on, or there are too few rows.
    """
    _require_columns(dataset, ("model", "family", "input_size", metric.column, *options.features))
    measured, valid = measured_rows(dataset), valid_rows(dataset)
    first = valid[replicates_of(valid) == 0]
    rows = first[first[metric.column].notna()]
    _refuse_mixed_factors(rows, options.features)
    values = number_columns(rows, (metric.column,))[:, 0]
    excluded = {
        "not_measured": len(dataset) - len(measured),
        "rejected": len(measured) - len(valid),
        "repetitions": len(valid) - len(first),
        "no_value": len(first) - len(rows),
        "not_positive": int((values <= 0).sum()),
    }
    drawn = _drawn(np.flatnonzero(values > 0), options)
    excluded["not_drawn"] = int((values > 0).sum()) - len(drawn)
    rows, target = rows.iloc[drawn], values[drawn]
    inputs = number_columns(rows, options.features)
    families = rows["family"].astype(str).to_numpy(dtype=object)
    _check_learnable(metric.column, target, families, excluded)
    additive = additive_features(options.features) if options.additive is None else options.additive
    return TrainingData(
        features=tuple(options.features),
        # What never differs costs the same in all rows, as running anything does.
        additive=np.isin(options.features, additive) & (inputs >= 0).all(axis=0) & (np.ptp(inputs, axis=0) > 0),
        inputs=inputs,
        target=target,
        models=rows["model"].astype(str).to_numpy(dtype=object),
        networks=_networks(rows),
        families=families,
        sizes=rows["input_size"].to_numpy(),
        excluded=excluded,
        implausible=rules_of(options.features, options.implausible),
    )


def _networks(rows: pd.DataFrame) -> np.ndarray:
    """Return the column `network` or, in a table without it, the models' names without their sizes."""
    if "network" in rows:
        return rows["network"].astype(str).to_numpy(dtype=object)
    pairs = zip(rows["model"].astype(str), rows["input_size"], strict=True)
    return np.array([model.removesuffix(f"_{size}") for model, size in pairs], dtype=object)


def _drawn(rows: np.ndarray, options: FitOptions) -> np.ndarray:
    if len(rows) <= options.most_rows:
        return rows
    return np.sort(np.random.default_rng(options.seed).choice(rows, options.most_rows, replace=False))


def number_columns(rows: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Return the columns ``names`` of ``rows`` as a matrix of finite floats.

    Raises:
        DataError: a column is missing, or holds text, a missing or an infinite value (it says where).
    """
    _require_columns(rows, names)
    if all(is_numeric_dtype(rows[name]) for name in names):
        numbers = rows[list(names)].to_numpy(dtype=float, na_value=np.nan)
        if np.isfinite(numbers).all():
            return numbers
    matrix = np.empty((len(rows), len(names)))
    for position, name in enumerate(names):
        values = rows[name].to_numpy(dtype=object, na_value=np.nan)
        for row, value in enumerate(values):
            matrix[row, position] = _number(value, name, _row_name(rows, row))
    return matrix


def _number(value: object, column: str, row: str) -> float:
    if not isinstance(value, (int, float, np.number, np.bool_)):
        raise DataError(f"column '{column}', {row}: expected a number, not {value!r}")
    if not np.isfinite(value):
        raise DataError(f"column '{column}', {row}: the value is missing or not finite ({value})")
    return float(value)


def _row_name(rows: pd.DataFrame, position: int) -> str:
    return f"row {position} ({rows['model'].iloc[position]})" if "model" in rows else f"row {position}"


def _require_columns(table: pd.DataFrame, names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in table]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing)
        raise DataError(f"the table lacks the column{'s' * (len(missing) > 1)} {listed}")


def _refuse_mixed_factors(rows: pd.DataFrame, features: tuple[str, ...]) -> None:
    identity = ["model", *(name for name in FACTORS if name in features)]
    repeated = rows[rows.duplicated(identity, keep=False)]
    if repeated.empty:
        return
    model = repeated["model"].iloc[0]
    same = repeated[repeated["model"] == model]
    varying = [name for name in FACTORS if name in same and same[name].nunique(dropna=False) > 1]
    because = f"they differ in {', '.join(varying)}" if varying else "they have the same factors"
    raise DataError(
        f"model '{model}' has {len(same)} rows to learn from ({because}): keep one of them, "
        "or make what they differ in a feature"
    )


def _check_learnable(column: str, target: np.ndarray, families: np.ndarray, excluded: dict[str, int]) -> None:
    if len(target) < MIN_ROWS:
        more = {
            "are not positive": excluded["not_positive"],
            "were rejected as not to be trusted": excluded["rejected"],
        }
        besides = "".join(f"; {count} more {why}" for why, count in more.items() if count)
        raise DataError(
            f"'{column}': {len(target)} measured rows are too few to learn from (at least {MIN_ROWS}{besides})"
        )
    if np.ptp(target) == 0:
        raise DataError(f"'{column}': all {len(target)} values are {target[0]:g}, so there is nothing to learn")
    if len(set(families)) < 2:
        raise DataError(f"'{column}': all rows are of family '{families[0]}'; validation needs at least two")
