"""The tables of models: all of them, the extremes, those that failed, and how series behave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.pages import formatting as fmt
from perfcast.pages.formatting import escape_control, words
from perfcast.pages.tables import Cell, Row, Table, number_cell, numbers, text_row, texts
from perfcast.studies.prediction.calibration import PATTERNS
from perfcast.studies.prediction.trust import half_widths, interval_text, mark_of, trust_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.studies.prediction.inputs import ReportData

_NUMBERS = (
    ("half_width", "± %"),
    ("latency_mean_ms", "Mean, ms"),
    ("latency_p50_ms", "Median, ms"),
    ("latency_p90_ms", "90th percentile, ms"),
    ("latency_min_ms", "Min, ms"),
    ("latency_max_ms", "Max, ms"),
    ("ram_run_peak_mb", "RAM inferring, MB"),
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
        *texts("Model"),
        *texts(*map(words, data.varied)),
        *texts("Family"),
        *numbers("Input, px"),
        *texts("Status", "Trust", "Pattern"),
        *numbers("Latency, ms", "95 % interval, ms"),
        *numbers(*(label for _, label in _NUMBERS)),
        *numbers("GFLOPs", "Parameters, million"),
    )
    models = data.first.assign(half_width=half_widths(data.first))
    rows = (_model_row(row, samples, data.varied) for row in models.to_dict("index").items())
    return Table(f"All {data.counted}s", columns, tuple(rows), "The dataset holds no model.")


def _model_row(item: tuple[Any, Mapping[str, Any]], samples: Mapping[int, int], varied: tuple[str, ...]) -> Row:
    index, row = item
    status, trust, pattern = str(row["status"]), trust_of(row), fmt.words(fmt.text(row["pattern"]))
    cells = (
        _linked(escape_control(row["model"]), samples.get(index)),
        *(Cell(escape_control(row[name])) for name in varied),
        Cell(str(row["family"])),
        Cell(str(row["input_size"])),
        Cell(status.replace("_", " ")),
        Cell(trust),
        Cell(pattern.replace(" ", fmt.SPACE)),
        number_cell(row["latency_ms"]),
        Cell(interval_text(row)),
        *(number_cell(row.get(name)) for name, _ in _NUMBERS),
        number_cell(_scaled(row, "flops", 1e-9)),
        number_cell(_scaled(row, "parameters", 1e-6)),
    )
    keys = {"family": str(row["family"]), "status": status, "trust": trust, "pattern": pattern}
    keys |= {name: escape_control(row[name]) for name in varied}
    return Row(cells, mark_of(row), keys)


def _linked(label: str, sample: int | None) -> Cell:
    return Cell(label) if sample is None else Cell(label, anchor="samples", item=sample)


def _scaled(row: Mapping[str, Any], name: str, factor: float) -> float | None:
    value = row.get(name)
    return float(value) * factor if value is not None and fmt.is_number(value) else None


def failed_table(data: ReportData) -> Table:
    """Return the models without numbers, with the reason of each."""
    columns = (*texts("Model", "Family", "What happened"), *numbers("Memory reached, MB"), *texts("Reason", wide=True))
    rows = (
        text_row(
            row["label"],
            str(row["family"]),
            str(row["status"]).replace("_", " "),
            fmt.number(row["unmeasured_peak_mb"]),
            fmt.text(row["reason"], "no reason recorded"),
        )
        for row in data.failed.to_dict("records")
    )
    return Table("Models without a measurement", columns, tuple(rows), "Every model was measured.")


def extremes_table(data: ReportData, title: str, column: str, heading: str) -> Table:
    """Return, under ``title``, the models with the largest ``column``; ``heading`` names it with its unit."""
    columns = (*texts("Model"), *numbers("Input, px", heading, "GFLOPs"))
    measured = data.measured
    known = measured[measured[column].notna()] if column in measured else measured.iloc[:0]
    largest = known.nlargest(_EXTREMES, column) if len(known) else known
    rows = (
        text_row(row["label"], str(row["input_size"]), fmt.number(row[column]), fmt.number(_scaled(row, "flops", 1e-9)))
        for row in largest.to_dict("records")
    )
    return Table(title, columns, tuple(rows), f"No measured model has {column}.")


def patterns_table(data: ReportData, examples: Mapping[str, int]) -> Table:
    """Return how many models show each pattern of the document.

    Args:
        data: the report's data.
        examples: the dataset's row that shows a pattern most clearly, by pattern.
    """
    columns = (
        *texts("Pattern", "In the document", "What it looks like"),
        *numbers(words(f"{data.counted}s")),
        *texts("Clearest example"),
    )
    counts = data.measured["pattern"].value_counts()
    rows = []
    for pattern in PATTERNS:
        example = data.dataset.loc[examples[pattern.key], "label"] if pattern.key in examples else fmt.MISSING
        count = fmt.whole(counts.get(pattern.key, 0))
        rows.append(text_row(pattern.title, pattern.figure, pattern.look, count, str(example)))
    return Table("The pattern that each model's samples show most", columns, tuple(rows))
