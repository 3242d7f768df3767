"""The raw series of the measurements: packed for the page, searched for patterns, paired by replicate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.report.embed import packed
from perfcast.report.patterns import PATTERNS, pattern_scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.report.inputs import MetricResult, ReportData

BUDGET = 2_000_000
"""Characters that all packed series may take: with plotly's 4.9 MB, 1,600 models make a page of 8.6 MB."""


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
    rows = data.dataset[data.dataset["verdict"] == "measured"]
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
    return {"wall": wall, "warmup": warmup, "process": process, "visits": visit_starts(row)}


def _size(entry: Mapping[str, Any] | None) -> int:
    parts = (entry or {}).values()
    return sum(80 + len(part["steps"]) for part in parts if isinstance(part, dict))


def _floats(values: Any) -> np.ndarray:
    if values is None or np.isscalar(values):
        return np.empty(0)
    return np.asarray([np.nan if value is None else value for value in values], dtype=float)


def visit_starts(row: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """Return (sample, round, visit) wherever a new round or visit starts; empty where there is but one."""
    rounds, visits = _floats(row.get("round")), _floats(row.get("visit"))
    if not len(rounds) or len(rounds) != len(visits):
        return []
    pairs = np.stack([rounds, visits], axis=1)
    starts = np.flatnonzero(np.any(pairs[1:] != pairs[:-1], axis=1)) + 1
    if not len(starts):
        return []
    return [(int(start), int(rounds[start]), int(visits[start])) for start in (0, *starts)]


def found_patterns(data: ReportData) -> pd.DataFrame:
    """Return the scores of each pattern (columns) of each measured model (dataset row)."""
    measured = data.measured
    samples = measured["wall_samples_ms"] if "wall_samples_ms" in measured else pd.Series(dtype=object)
    scores = {index: pattern_scores(_floats(values)) for index, values in samples.items()}
    return pd.DataFrame.from_dict(scores, orient="index", columns=[pattern.key for pattern in PATTERNS], dtype=float)


def misleading_means(data: ReportData) -> int:
    """Return how many models have a mean latency over 5% away from their median."""
    measured = data.measured
    if "latency_p50_ms" not in measured:
        return 0
    gap = (measured["latency_mean_ms"] / measured["latency_p50_ms"] - 1).abs()
    return int((gap > 0.05).sum())


def replicate_pairs(data: ReportData, result: MetricResult) -> pd.DataFrame:
    """Return one row a repeated measurement: `label`, `replicate`, `first`, `again`, `mean`, `percent`."""
    empty = pd.DataFrame(columns=["label", "replicate", "first", "again", "mean", "percent"])
    if result.column not in data.dataset:
        return empty
    rows = data.dataset[(data.dataset["verdict"] == "measured") & data.dataset[result.column].notna()]
    columns = ["label", "replicate", result.column]
    first = rows.loc[rows["replicate"] == 0, columns].drop_duplicates("label")
    again = rows.loc[rows["replicate"] > 0, columns]
    joined = again.merge(first, on="label", suffixes=("", "_first"))
    a, b = joined[f"{result.column}_first"], joined[result.column]
    mean = (a + b) / 2
    pairs = joined[["label", "replicate"]].assign(first=a, again=b, mean=mean, percent=(a - b).abs() / mean * 100)
    return pairs[pairs["mean"] > 0].reset_index(drop=True) if len(pairs) else empty
