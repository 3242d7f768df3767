"""Measurements of convolutions: one cell per place, convolution, workload and batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from perfcast.dataset.valid import measured_rows, valid_rows
from perfcast.errors import UsageError
from perfcast.pages.formatting import escape_control
from perfcast.studies.factor_sets import varied_factors
from perfcast.studies.results import read_results
from perfcast.studies.training.convolutions import FEATURES, Convolution, convolution_of
from perfcast.text import format_list, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FORWARD, TRAINED = "inference", ("forward_backward", "training_step")
"""Workloads that are compared: forward alone, and forward and backward."""

_REQUIRED = ("model", "target", "workload", "batch", "latency_ms", *FEATURES)
_OWN = ("workload", "batch", "optimizer", "learning_rate", "trained")
_QUANTILE = float(stats.norm.ppf(0.975))
_MIN_FREEDOM = 3
"""Of fewer repetitions, their scatter is not known."""
_PEAKS = ("peak_flops_per_s", "peak_bytes_per_s")


@dataclass(frozen=True)
class Cell:
    """What one convolution takes.

    Attributes:
        place: the target, and the values of factors that vary on it.
        convolution: which one.
        workload: with its optimizer, where it has one.
        is_trained: whether it goes backward, too.
        batch: images per run.
        time_ms: of a run; of several measurements their geometric mean.
        error: standard deviation of its logarithm; NaN where unknown.
        freedom: degrees of freedom of the error.
        peak_flops_per_s, peak_bytes_per_s: measured peaks of the device; NaN where unknown.
    """

    place: str
    convolution: Convolution
    workload: str
    is_trained: bool
    batch: int
    time_ms: float
    error: float
    freedom: float
    peak_flops_per_s: float
    peak_bytes_per_s: float

    @property
    def image_ms(self) -> float:
        """The time per image."""
        return self.time_ms / self.batch

    @property
    def macs(self) -> int:
        """The multiply-accumulates of a run."""
        return self.batch * self.convolution.macs(trained=self.is_trained)

    @property
    def flops_per_s(self) -> float:
        """What it achieves; a multiply-accumulate is two operations."""
        return 2 * self.macs / (self.time_ms * 1e-3)

    @property
    def intensity(self) -> float:
        """Operations per byte moved."""
        return 2 * self.macs / self.convolution.moved_bytes(self.batch, trained=self.is_trained)


def read_cells(paths: Sequence[Path]) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """Return the cells of datasets, in order, and notes on what was left out; no cells where none has a convolution.

    Raises:
        UsageError: a file is missing or not a dataset with the columns that it takes.
    """
    cells: list[Cell] = []
    notes: list[str] = []
    places: set[str] = set()
    for path in paths:
        rows, found = _convolutions(read_results(path, _REQUIRED), str(path))
        notes += found
        for place, part in _by_place(rows):
            name, number = place, 2
            while name in places:
                name, number = f"{place} ({number})", number + 1
            places.add(name)
            cells += _cells_of(name, part)
    return tuple(cells), tuple(notes)


def _convolutions(table: pd.DataFrame, origin: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the valid rows of convolutions, each with its `convolution`, and what was left out."""
    features = table[list(FEATURES)].apply(pd.to_numeric, errors="coerce").fillna(np.inf)
    kinds = list(features.itertuples(index=False, name=None))
    known = {kind: convolution_of(dict(zip(FEATURES, kind, strict=True))) for kind in set(kinds)}
    rows = table.assign(convolution=pd.Series([known[kind] for kind in kinds], index=table.index, dtype=object))
    rows = rows[rows["convolution"].notna() & rows["workload"].isin((FORWARD, *TRAINED))]
    valid = valid_rows(rows)
    notes = []
    if len(valid) < len(rows):
        unmeasured = len(rows) - len(measured_rows(rows))
        untrusted = len(rows) - unmeasured - len(valid)
        counts = [text for count, text in ((unmeasured, "not measured"), (untrusted, "rejected")) if count]
        what = pluralize(len(rows) - len(valid), "measurement")
        notes.append(f"{origin}: {what} of convolutions left out ({format_list(counts, len(counts))}).")
    if "trained" in valid and (part := ~valid["trained"].fillna("all").isin(["all"])).any():
        notes.append(f"{origin}: {pluralize(int(part.sum()), 'measurement')} that train only a part are left out.")
        valid = valid[~part]
    _refuse_impossible(valid, origin)
    return valid, notes


def _refuse_impossible(rows: pd.DataFrame, origin: str) -> None:
    for name in ("latency_ms", "batch"):
        numbers = pd.to_numeric(rows[name], errors="coerce").to_numpy(float)
        wrong = np.flatnonzero(~((numbers > 0) & np.isfinite(numbers)))
        if len(wrong):
            model = escape_control(rows["model"].iloc[wrong[0]])
            raise UsageError(f"{origin}: {model}: {name} must be a positive number; build the dataset again")


def _by_place(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    factors = [name for name in varied_factors(rows) if name not in _OWN] if len(rows) else []
    for values, part in rows.groupby(["target", *factors], dropna=False, sort=True):
        named = (f"{name.replace('_', ' ')} {value}" for name, value in zip(factors, values[1:], strict=True))
        yield escape_control(" · ".join((str(values[0]), *named))), part


def _cells_of(place: str, rows: pd.DataFrame) -> Iterator[Cell]:
    optimizer = rows["optimizer"] if "optimizer" in rows else pd.Series(None, index=rows.index, dtype=object)
    keyed = rows.assign(optimizer=optimizer.fillna("").astype(str), log=np.log(rows["latency_ms"].astype(float)))
    groups = keyed.groupby(["convolution", "workload", "optimizer", "batch"], sort=True)
    scatter, freedom = _repeatability(groups["log"])
    for (convolution, workload, optimizer, batch), group in groups:
        yield Cell(
            place,
            convolution,
            escape_control(f"{workload} · {optimizer}" if optimizer else workload),
            workload in TRAINED,
            int(batch),
            float(np.exp(group["log"].mean())),
            float(np.fmax(_own_error(group), scatter) / np.sqrt(len(group))),
            freedom,
            *(float(group[name].max()) if name in group else np.nan for name in _PEAKS),
        )


def _own_error(group: pd.DataFrame) -> float:
    """Return the standard deviation of the logarithm of one latency, from the 95% intervals of several."""
    if not {"latency_low_ms", "latency_high_ms"} <= set(group.columns):
        return np.nan
    low, high = (np.log(group[f"latency_{end}_ms"].to_numpy(float)) for end in ("low", "high"))
    known = (high - low)[np.isfinite(high - low)] / (2 * _QUANTILE)
    return float(np.sqrt(np.mean(known**2))) if len(known) else np.nan


def _repeatability(logs: Any) -> tuple[float, float]:
    """Return the standard deviation of repeated measurements around their mean, and its degrees of freedom.

    The latter are infinite where too little was repeated: the interval of a measurement is all that is known then.
    """
    freedom = float((logs.count() - 1).sum())
    if freedom < _MIN_FREEDOM:
        return np.nan, np.inf
    return float(np.sqrt((logs.var(ddof=1) * (logs.count() - 1)).sum() / freedom)), freedom
