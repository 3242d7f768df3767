"""The tables of models: all of them, the extremes, those that failed, and how series behave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.report import formatting as fmt
from perfcast.report.patterns import PATTERNS
from perfcast.report.tables import Cell, Column, Row, Table, number_cell, text_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from perfcast.report.inputs import ReportData

_NUMBERS = (
    ("latency_mean_ms", "Mean, ms"),
    ("latency_p50_ms", "Median, ms"),
    ("latency_p90_ms", "90th percentile, ms"),
    ("latency_min_ms", "Min, ms"),
    ("latency_max_ms", "Max, ms"),
    ("ram_inference_peak_mb", "RAM inferring, MB"),
    ("ram_load_peak_mb", "RAM loading, MB"),
)
_EXTREMES = 10


def models_table(data: ReportData, samples: Mapping[int, int]) -> Table:
    """Return every model of replicate 0, failed ones included.

    Args:
        data: the report's data.
        samples: where the sample browser holds a row of the dataset, by the row's index.
    """
    columns = (
        Column("Model", numeric=False),
        Column("Family", numeric=False),
        Column("Input, px"),
        Column("Verdict", numeric=False),
        *(Column(label) for _, label in _NUMBERS),
        Column("GFLOPs"),
        Column("Parameters, million"),
    )
    rows = (_model_row(row, samples) for row in data.first.to_dict("index").items())
    return Table("All models", columns, tuple(rows), "The dataset holds no model.")


def _model_row(item: tuple[Any, Mapping[str, Any]], samples: Mapping[int, int]) -> Row:
    index, row = item
    verdict = str(row["verdict"])
    cells = (
        Cell(row["label"], sample=samples.get(index)),
        Cell(str(row["family"])),
        Cell(str(row["input_size"])),
        Cell(verdict.replace("_", " ")),
        *(number_cell(row.get(name)) for name, _ in _NUMBERS),
        number_cell(_scaled(row, "flops", 1e-9)),
        number_cell(_scaled(row, "parameters", 1e-6)),
    )
    mark = "" if verdict == "measured" else "failed"
    return Row(cells, mark, {"family": str(row["family"]), "verdict": verdict})


def _scaled(row: Mapping[str, Any], name: str, factor: float) -> float | None:
    value = row.get(name)
    return float(value) * factor if value is not None and fmt.is_number(value) else None


def failed_table(data: ReportData) -> Table:
    """Return the models without numbers, with the reason of each."""
    columns = (
        Column("Model", numeric=False),
        Column("Family", numeric=False),
        Column("What happened", numeric=False),
        Column("Reason", numeric=False),
    )
    rows = (
        text_row(
            row["label"],
            str(row["family"]),
            str(row["verdict"]).replace("_", " "),
            _reason(row.get("reason")),
        )
        for row in data.failed.to_dict("records")
    )
    return Table("Models without a measurement", columns, tuple(rows), "Every model was measured.")


def _reason(value: Any) -> str:
    return value if isinstance(value, str) and value else "no reason recorded"


def extremes_table(data: ReportData, title: str, column: str, heading: str) -> Table:
    """Return, under ``title``, the models with the largest ``column``; ``heading`` names it with its unit."""
    columns = (Column("Model", numeric=False), Column("Input, px"), Column(heading), Column("GFLOPs"))
    measured = data.measured
    known = measured[measured[column].notna()] if column in measured else measured.iloc[:0]
    largest = known.nlargest(_EXTREMES, column) if len(known) else known
    rows = (
        Row(
            (
                Cell(row["label"]),
                Cell(str(row["input_size"])),
                number_cell(row[column]),
                number_cell(_scaled(row, "flops", 1e-9)),
            )
        )
        for row in largest.to_dict("records")
    )
    return Table(title, columns, tuple(rows), f"No measured model has {column}.")


def patterns_table(data: ReportData, patterns: pd.DataFrame) -> Table:
    """Return how many models show each pattern of the document.

    Args:
        data: the report's data.
        patterns: scores by pattern (columns) and dataset row (index), missing where a pattern is not shown.
    """
    columns = (
        Column("Pattern", numeric=False),
        Column("In the document", numeric=False),
        Column("Recognised by", numeric=False),
        Column("Models"),
        Column("Clearest example", numeric=False),
    )
    rows = []
    for pattern in PATTERNS:
        scores = patterns[pattern.key].dropna() if pattern.key in patterns else patterns.iloc[:, :0].sum(axis=1)[:0]
        example = data.dataset.loc[scores.idxmax(), "label"] if len(scores) else fmt.MISSING
        rows.append(text_row(pattern.title, pattern.figure, pattern.rule, fmt.whole(len(scores)), str(example)))
    return Table("Patterns of variation over the iterations; a model can show several", columns, tuple(rows))
