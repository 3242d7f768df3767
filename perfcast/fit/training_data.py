"""The rows that one metric is trained on, taken out of the dataset and checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from perfcast.dataset.valid import measured_rows, replicates_of, valid_rows
from perfcast.errors import DataError
from perfcast.factors import CATEGORICAL, NAMES, NUMERIC, varying
from perfcast.features.plausible import fit_outlier_bounds, rules_of
from perfcast.fit.censored import STATUS, Censored, lower_bounds
from perfcast.fit.inputs import InputColumns, combinations
from perfcast.fit.options import MIN_ROWS
from perfcast.fit.selection import additive_features, cap_pairs, ratio_exponents
from perfcast.storage import digest_of
from perfcast.tables.units import is_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.factors import FactorSet
    from perfcast.features.plausible import OutlierBounds
    from perfcast.fit.options import FitOptions, Metric


_PER_ROW = ("inputs", "target", "models", "networks", "families", "sizes")


@dataclass(frozen=True)
class TrainingData:
    """The rows that one metric is trained on.

    Attributes:
        metric: what is predicted.
        part: the values of the categorical factors that vary in the dataset, all rows' alike.
        columns: of ``inputs``: features of one sample and the numeric factors that vary.
        additive: for each column, whether time and memory may be a sum of it (see `FitOptions.additive`).
        inputs: rows × columns, finite.
        target: one positive number per row, in the metric's unit.
        models, networks, families, sizes: what each row is about; a network is a model whatever its input size.
        excluded: how many rows of the dataset were left out, by reason.
        implausible: see `FitOptions.implausible`; as `perfcast.features.plausible.fit_outlier_bounds` takes it.
        censored: rows that ran out of memory; of another metric than memory none.
        held: see `FitOptions.held`; of another metric than memory nothing.
    """

    metric: Metric
    part: FactorSet
    columns: InputColumns
    additive: np.ndarray
    inputs: np.ndarray
    target: np.ndarray
    models: np.ndarray
    networks: np.ndarray
    families: np.ndarray
    sizes: np.ndarray
    excluded: dict[str, int]
    implausible: tuple[np.ndarray, np.ndarray]
    censored: Censored
    held: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.target)

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return self.columns.names

    @property
    def groups(self) -> np.ndarray:
        """The number of the first row of each row's model: a model under other factors is the same model."""
        return first_rows(self.models)

    @property
    def factors(self) -> dict[str, np.ndarray]:
        """The values of the numeric factors that vary, by name."""
        start = len(self.columns.features)
        return {name: self.inputs[:, start + index] for index, name in enumerate(self.columns.factors)}

    @property
    def combinations(self) -> np.ndarray:
        """The distinct combinations of numeric factors that vary, combinations × factors."""
        return combinations(self.inputs[:, len(self.columns.features) :])

    @property
    def per_model(self) -> np.ndarray:
        """The features of each model once, whatever its factors: models × features."""
        features, first = self.inputs[:, : len(self.columns.features)], np.unique(self.groups)
        return features if len(first) == len(features) else features[first]

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
        """Return the rows numbered ``rows``, and the censored ones of their models."""
        taken = {name: getattr(self, name)[rows] for name in _PER_ROW}
        return replace(self, **taken, censored=self.censored.take(self.censored.are_of(taken["models"])))

    def with_bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return inputs and target with the bounds of censored rows after them, and which of all these are bounds."""
        known = self.censored.take(self.censored.bounds > 0)
        bounded = np.repeat([False, True], [len(self), len(known)])
        return np.vstack([self.inputs, known.inputs]), np.r_[self.target, known.bounds], bounded

    def expanded(self) -> TrainingData:
        """Return the rows with the inputs that learners see, see `InputColumns.expanded`."""
        if not self.columns.factors:
            return self
        return replace(
            self,
            columns=InputColumns(self.columns.expanded_names),
            additive=np.r_[self.additive, self.additive[self.columns.work]],
            inputs=self.columns.expanded(self.inputs),
            censored=self.censored.changed(self.columns.expanded),
        )

    def winsorized(self, bounds: OutlierBounds) -> TrainingData:
        """Return the rows with usual values in place of those beyond ``bounds``."""
        return replace(self, inputs=bounds.winsorized(self.inputs), censored=self.censored.changed(bounds.winsorized))

    def digest(self) -> str:
        """Return the digest of all that is trained on."""
        held = (f"{name}={count}" for name, count in self.held.items())
        names = "\n".join([*self.features, *map(str, self.models), *map(str, self.families), *held])
        measured = names.encode() + self.inputs.tobytes() + self.target.tobytes()
        return digest_of(measured + self.censored.inputs.tobytes() + self.censored.bounds.tobytes())


def tables_of(dataset: pd.DataFrame, options: FitOptions) -> dict[str, TrainingData]:
    """Return the training data of each metric, by the name that evaluations have for it.

    Categorical factors that vary part the dataset: the name is then the metric's and the part's, such as
    `latency_ms[toolchain=tensorflow]`.

    Raises:
        DataError: as `training_data`.
    """
    parts = parts_of(dataset, options.features)
    return {
        name + part_label(part): training_data(rows, metric, options, part, numeric_factors(dataset, options.features))
        for part, rows in parts
        for name, metric in options.metrics.items()
    }


def part_label(part: FactorSet) -> str:
    """Return what a part adds to the name of a metric; nothing where no categorical factor varies."""
    return f"[{','.join(f'{name}={value}' for name, value in part.items())}]" if part else ""


def parts_of(dataset: pd.DataFrame, features: tuple[str, ...]) -> list[tuple[FactorSet, pd.DataFrame]]:
    """Return the parts of a dataset: values of the categorical factors that vary in it, and the rows that have them.

    ``features`` part nothing: they are learned from.
    """
    names = [name for name in varying(_usable_rows(dataset)) if name in CATEGORICAL and name not in features]
    if not names:
        return [({}, dataset)]
    known = _usable_rows(dataset)[names].drop_duplicates().sort_values(names, key=lambda column: column.astype(str))
    # A workload without this option has no value of it: None, as JSON writes it, whatever the column has.
    plain = known.astype(object).where(known.notna(), None)
    parts = [dict(zip(names, values, strict=True)) for values in plain.itertuples(index=False)]
    return [(part, rows_of_part(dataset, part)) for part in parts]


def rows_of_part(dataset: pd.DataFrame, part: FactorSet) -> pd.DataFrame:
    """Return the rows of ``dataset`` that have the categorical factors of ``part``."""
    has = np.ones(len(dataset), dtype=bool)
    for name, value in part.items():
        has &= (dataset[name].isna() if pd.isna(value) else dataset[name] == value).to_numpy()
    return dataset[has]


def numeric_factors(dataset: pd.DataFrame, features: tuple[str, ...]) -> tuple[str, ...]:
    """Return the numeric factors that vary in a dataset and are not among its ``features``."""
    rows = _usable_rows(dataset)
    # A workload without this option has no value of it, which is not another number.
    varied = (name for name in varying(rows) if rows[name].nunique() > 1)
    return tuple(name for name in varied if name in NUMERIC and name not in features)


def _usable_rows(dataset: pd.DataFrame) -> pd.DataFrame:
    rows = valid_rows(dataset)
    return rows[replicates_of(rows) == 0]


def training_data(
    dataset: pd.DataFrame,
    metric: Metric,
    options: FitOptions,
    part: FactorSet | None = None,
    factors: tuple[str, ...] | None = None,
) -> TrainingData:
    """Return the rows of ``dataset`` that ``metric`` is trained on: measured, not rejected, replicate 0, positive.

    A value may be zero or less where little is left after the null model's was taken off (a tiny model's
    memory): relative errors mean nothing for it, and it is no reason to learn nothing from all the others. Of more
    rows than `FitOptions.most_rows` so many are drawn at random.

    Args:
        dataset: of one part.
        metric: what is predicted.
        options: the features, and how many rows there may be.
        part: the categorical factors that the rows share and others do not have.
        factors: numeric factors that vary; those that vary in ``dataset`` unless given.

    Raises:
        DataError: a column is missing or holds what cannot be trained on, or there are too few rows.
    """
    _require_columns(dataset, ("model", "family", "input_size", metric.column, *options.features))
    measured, valid = measured_rows(dataset), valid_rows(dataset)
    first = valid[replicates_of(valid) == 0]
    rows = first[first[metric.column].notna()]
    columns = InputColumns(
        tuple(options.features), numeric_factors(dataset, options.features) if factors is None else factors
    )
    _refuse_repeated(rows, columns.names)
    values = number_columns(rows, (metric.column,))[:, 0]
    ran_out = _ran_out(dataset, metric)
    excluded = {
        "not_measured": len(dataset) - len(measured) - len(ran_out),
        "rejected": len(measured) - len(valid),
        "repetitions": len(valid) - len(first),
        "no_value": len(first) - len(rows),
        "not_positive": int((values <= 0).sum()),
    }
    drawn = _drawn(np.flatnonzero(values > 0), options)
    excluded["not_drawn"] = int((values > 0).sum()) - len(drawn)
    rows, target = rows.iloc[drawn], values[drawn]
    inputs = number_columns(rows, columns.names)
    families = rows["family"].astype(str).to_numpy(dtype=object)
    additive = additive_features(options.features) if options.additive is None else options.additive
    _check_learnable(metric.column + part_label(part or {}), target, families, excluded)
    models = rows["model"].astype(str).to_numpy(dtype=object)
    return TrainingData(
        metric=metric,
        part=part or {},
        columns=columns,
        # What never differs costs the same in all rows, as running anything does.
        additive=np.isin(columns.names, additive) & (inputs >= 0).all(axis=0) & (np.ptp(inputs, axis=0) > 0),
        inputs=inputs,
        target=target,
        models=models,
        networks=_networks(rows),
        families=families,
        sizes=rows["input_size"].to_numpy(),
        excluded=excluded,
        implausible=rules_of(options.features, options.implausible),
        censored=_censored(ran_out, columns, inputs, target, models),
        held=options.held if is_memory(metric.unit) else {},
    )


def _ran_out(dataset: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return the rows that ran out of memory; none for a metric that this says nothing of."""
    if "status" not in dataset or not is_memory(metric.unit):
        return dataset.iloc[:0]
    rows = dataset[dataset["status"] == STATUS]
    return rows[replicates_of(rows) == 0]


def _censored(
    rows: pd.DataFrame, columns: InputColumns, measured: np.ndarray, values: np.ndarray, names: np.ndarray
) -> Censored:
    # What was never started may lack factors.
    rows = rows[rows[list(columns.names)].notna().all(axis=1)]
    inputs = number_columns(rows, columns.names)
    models = rows["model"].astype(str).to_numpy(dtype=object)
    factors = slice(len(columns.features), None)
    bounds = lower_bounds(inputs[:, factors], models, measured[:, factors], values, names)
    return Censored(inputs, bounds, models, rows["family"].astype(str).to_numpy(dtype=object))


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


def _refuse_repeated(rows: pd.DataFrame, inputs: tuple[str, ...]) -> None:
    identity = ["model", *(name for name in NAMES if name in inputs)]
    repeated = rows[rows.duplicated(identity, keep=False)]
    if repeated.empty:
        return
    model = repeated["model"].iloc[0]
    count = (repeated["model"] == model).sum()
    raise DataError(f"model '{model}' has {count} rows with the same factors; keep one of them")


def first_rows(groups: np.ndarray) -> np.ndarray:
    """Return for each row the first row of its group."""
    _, first, members = np.unique(groups, return_index=True, return_inverse=True)
    return first[members]


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
        raise DataError(f"'{column}': all {len(target)} values are {target[0]:g}: nothing can be learned")
    if len(set(families)) < 2:
        raise DataError(f"'{column}': all rows are of family '{families[0]}'; validation needs at least two")
