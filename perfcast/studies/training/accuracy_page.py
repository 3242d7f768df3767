"""The section of training runs: tables, the document's claims, accuracy against time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from perfcast.bench.training_runs import COMPLETE
from perfcast.pages import Figure, Section
from perfcast.pages.charts import Frame
from perfcast.pages.embed import plot_text
from perfcast.pages.figures import COLOURS, SYMBOLS
from perfcast.studies.statistics.claims import claims_table
from perfcast.studies.training.accuracy import Interval, accuracy_lines, claims_of, groups_of, runs_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KEYS = ["optimizer", "learning_rate", "trained"]
_FIGURES = (("step_cpu_ms", "CPU time of a step, ms"), ("peak_mb", "Peak memory above a null process, MB"))


def accuracy_sections(files: Sequence[pd.DataFrame]) -> Iterator[Section]:
    """Yield the section of training runs; none without any."""
    if not files:
        return
    runs = pd.concat(files, ignore_index=True).drop_duplicates(ignore_index=True)
    groups = groups_of(runs)
    tables = [runs_table(rows, name) for name, rows in groups]
    claims = claims_table(claims_of(runs), "The document's claims about partial training")
    figures = [
        _figure(rows, name, column, label, f"accuracy-{number}-{column}")
        for number, (name, rows) in enumerate(groups, start=1)
        for column, label in _FIGURES
        if rows["accuracy"].notna().any()
    ]
    notes = tuple(line for line in accuracy_lines(runs) if isinstance(line, str) and "generated" in line)
    yield Section("accuracy", "Accuracy, by what is trained", notes, (*tables, claims), tuple(figures))


def _figure(rows: pd.DataFrame, name: str, column: str, label: str, key: str) -> Figure:
    frame = Frame(key, f"{name}: accuracy against {label}", label, "Accuracy, %")
    last = rows[rows["status"] == COMPLETE].sort_values("epoch").groupby([*_KEYS, "seed"]).last()
    traces = tuple(
        _point(own, f"{optimizer}, {rate:g}, {trained}", column, place)
        for place, ((optimizer, rate, trained), own) in enumerate(last.groupby(level=_KEYS, sort=False))
    )
    layout = {"xaxis": frame.axis("x"), "yaxis": frame.axis("y"), "showlegend": True}
    caption = "Means over seeds after the last epoch; bars are 95% intervals."
    return Figure(key, frame.title, f"{frame.title}, a point for each.", traces, layout, caption)


def _point(own: pd.DataFrame, name: str, column: str, place: int) -> dict[str, Any]:
    x, y = Interval.of(own[column]), Interval.of(100 * own["accuracy"])
    style = {"color": COLOURS[place % len(COLOURS)], "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 9}
    bars = {
        f"error_{letter}": {"type": "constant", "value": each.high - each.mean}
        for letter, each in (("x", x), ("y", y))
        if len(own) > 1
    }
    point = {"type": "scatter", "mode": "markers", "name": plot_text(name, 40), "x": [x.mean], "y": [y.mean]}
    return point | {"marker": style} | bars
