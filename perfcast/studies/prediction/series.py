"""The raw series of the measurements: packed for the page, searched for patterns, paired by replicate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.dataset import noise
from perfcast.dataset.columns import VISIT_LISTS
from perfcast.pages import formatting as fmt
from perfcast.pages.embed import finite, packed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.studies.prediction.inputs import MetricResult, ReportData

BUDGET = 2_000_000
"""Characters that all packed series may take: with plotly's 4.9 MB, 1,600 models make a page of 9.3 MB."""


@dataclass(frozen=True)
class SampleBrowser:
    """What the page needs to draw any model's series.

    Attributes:
        choices: the label of each series, in the order of `series`, grouped by family.
        series: packed series; JSON-ready.
        positions: where a row of the dataset is in `series`, by the row's index.
        left_out: how many measurements did not fit into the page.
    """

    choices: tuple[tuple[str, tuple[tuple[int, str], ...]], ...]
    series: tuple[dict[str, Any], ...]
    positions: Mapping[int, int]
    left_out: int


def sample_browser(data: ReportData) -> SampleBrowser:
    """Pack the samples of every measurement, replicates last, as far as the budget goes."""
    rows = data.dataset[data.dataset["status"] == "measured"]
    order = rows.sort_values(["replicate", "family", "label"], kind="stable") if len(rows) else rows
    series: list[dict[str, Any]] = []
    positions: dict[int, int] = {}
    names: dict[str, list[tuple[int, str]]] = {}
    spent = 0
    for index, row in order.to_dict("index").items():
        entry = _packed_row(row)
        spent += _size(entry)
        if entry is None or spent > BUDGET:
            continue
        positions[index] = len(series)
        suffix = f" (replicate {row['replicate']})" if row["replicate"] else ""
        names.setdefault(str(row["family"]), []).append((len(series), f"{row['label']}{suffix}"))
        series.append(entry)
    choices = tuple((family, tuple(entries)) for family, entries in sorted(names.items()))
    return SampleBrowser(choices, tuple(series), positions, len(rows) - len(series))


def _packed_row(row: Mapping[str, Any]) -> dict[str, Any] | None:
    wall = packed(_floats(row.get("wall_samples_ms")))
    if wall is None:
        return None
    warmup, process = (packed(_floats(row.get(name))) for name in ("warmup_samples_ms", "process_samples_ms"))
    judged = finite([row["latency_low_ms"], row["latency_ms"], row["latency_high_ms"]])
    said = ": ".join(filter(None, (str(row["trust"]), fmt.text(row["trust_reason"], ""))))
    parts = {"wall": wall, "warmup": warmup, "process": process}
    return parts | {"visits": visit_starts(row), "judged": judged, "trust": said}


def _size(entry: Mapping[str, Any] | None) -> int:
    parts = (entry or {}).values()
    texts = len((entry or {}).get("trust", ""))
    return texts + sum(80 + len(part["steps"]) for part in parts if isinstance(part, dict))


def _floats(values: Any) -> np.ndarray:
    if values is None or np.isscalar(values):
        return np.empty(0)
    return np.asarray([np.nan if value is None else value for value in values], dtype=float)


def visit_starts(row: Mapping[str, Any]) -> list[tuple[int, int, int, int]]:
    """Return (sample, round, visit, disturbed) wherever a new visit starts; empty where there is but one."""
    rounds, visits = _floats(row.get("round")), _floats(row.get("visit"))
    if not len(rounds) or len(rounds) != len(visits):
        return []
    pairs = np.stack([rounds, visits], axis=1)
    starts = np.flatnonzero(np.any(pairs[1:] != pairs[:-1], axis=1)) + 1
    if not len(starts):
        return []
    disturbed = list(row["visit_disturbed"])
    return [
        (int(start), int(rounds[start]), int(visits[start]), int(disturbed[int(visits[start])]))
        for start in (0, *starts)
    ]


def pattern_examples(data: ReportData) -> dict[str, int]:
    """Return the dataset's row that shows each pattern most clearly; a pattern that no model shows is absent.

    The clearest is the series that varies most for its latency; of white noise the one that varies least.
    """
    measured = data.measured
    variation = measured["latency_std_ms"] / measured["latency_mean_ms"]
    examples = {}
    for key, values in variation.groupby(measured["pattern"]):
        examples[str(key)] = int(values.idxmin() if key == "white_noise" else values.idxmax())
    return examples


def replicate_pairs(data: ReportData, result: MetricResult) -> pd.DataFrame:
    """Return one row a pair of repeated measurements: `label`, `mean`, `percent` by which the two differ."""
    if result.column not in data.dataset:
        return pd.DataFrame(columns=["label", "mean", "percent"])
    first, second = noise.replicate_pairs(data.dataset, result.column)
    values = data.dataset[result.column].to_numpy(dtype=float)
    a, b = values[first], values[second]
    labels = data.dataset["label"].to_numpy()[first]
    return pd.DataFrame({"label": labels, "mean": (a + b) / 2, "percent": 200 * np.abs(a - b) / (a + b)})


def visit_table(dataset: pd.DataFrame) -> pd.DataFrame:
    """Return one row a visit in the order of time: `row` of the dataset, `at`, `disturbed`, `calibration_ms`, …

    `at` is the moment it started, in UTC; a number that the platform does not report is NaN.
    """
    made = dataset.loc[dataset["visits"] > 0, list(VISIT_LISTS)]
    rows = made.explode(list(VISIT_LISTS)).rename_axis("row").reset_index()
    rows = rows.rename(columns=lambda name: name.removeprefix("visit_"))
    numbers = {name: pd.to_numeric(rows[name]) for name in ("calibration_ms", "temperature_c", "cpu_mhz")}
    moments = pd.to_datetime(rows["started_at"], utc=True, format="ISO8601")
    return rows.assign(**numbers, at=moments).sort_values("at", kind="stable", ignore_index=True)
