"""Power and energy: where they were read, or why not, and what nothing beats in energy, memory and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.dataset.valid import valid_rows
from perfcast.pages import Figure, Table
from perfcast.pages import formatting as fmt
from perfcast.pages.charts import Frame
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import GREY, SYMBOLS, VERMILLION, markers
from perfcast.pages.tables import numbers, text_row, texts
from perfcast.studies.statistics.fronts import unbeaten

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.studies.prediction.inputs import ReportData

_MAX_LISTED = 50
_MEMORY = "ram_run_peak_mb"


def power_sentence(dataset: pd.DataFrame) -> str:
    """Return where power was read and what it typically was, or why it was not measured."""
    known = _with_energy(dataset)
    if known.empty:
        return f"not measured: {_why_not(dataset)}"
    sources = ", ".join(sorted(set(known["power_source"].dropna())))
    idle, mean, energy = (known[name].median() for name in ("power_idle_w", "power_mean_w", "energy_run_mj"))
    return (
        f"read from {sources} for {fmt.pluralize(len(known), 'measurement')}; medians: {fmt.number(idle)} W at rest, "
        f"{fmt.number(mean)} W under load, {fmt.number(energy)} mJ per run"
    )


def _why_not(dataset: pd.DataFrame) -> str:
    for column, words in (("power_reason", "{}"), ("power_source", "{} gave no usable reading; the log says why")):
        if column in dataset and dataset[column].notna().any():
            return words.format(dataset[column].dropna().mode()[0])
    return "not asked for"


def energy_figures(data: ReportData) -> tuple[Figure, ...]:
    """Return energy against time with the Pareto front of energy, memory and time; nothing where none has an energy."""
    if _with_energy(data.first).empty:
        return ()
    rows = _comparable(data)
    return (_front_figure(rows, _on_front(data, rows), _rivals(data)),)


def front_table(data: ReportData) -> Table:
    """Return what is on the Pareto front of energy, memory and time, the least energy first."""
    rows = _comparable(data)
    return _front_table(rows[_on_front(data, rows)], _memory_of(data))


def _comparable(data: ReportData) -> pd.DataFrame:
    rows = _with_energy(data.first)
    return rows.dropna(subset=[name for name in ("energy_run_mj", _memory_of(data), "latency_ms") if name in rows])


def _memory_of(data: ReportData) -> str:
    """Return the column of memory that the target learns."""
    return next((result.column for result in data.metrics if result.unit == "MB"), _MEMORY)


def _rivals(data: ReportData) -> str:
    """Return what a measurement is compared with: where factors vary, with its model under others of their values."""
    return "no other measurement of the same model" if data.varied else "no other model"


def _on_front(data: ReportData, rows: pd.DataFrame) -> np.ndarray:
    found = np.zeros(len(rows), dtype=bool)
    if len(rows):
        values = rows[["energy_run_mj", _memory_of(data), "latency_ms"]].to_numpy(dtype=float)
        groups = rows.groupby("model").indices if data.varied else {"": np.arange(len(rows))}
        for places in groups.values():
            found[places] = unbeaten(values[places])
    return found


def _with_energy(dataset: pd.DataFrame) -> pd.DataFrame:
    rows = valid_rows(dataset)
    return rows[rows["energy_run_mj"].notna()] if "energy_run_mj" in rows else rows.iloc[:0]


def _front_figure(rows: pd.DataFrame, front: np.ndarray, rivals: str) -> Figure:
    caption = (
        "Down and left is better. Bars: the 95 % interval of the energy over the visits. On the Pareto front: "
        f"{rivals} has less of energy, memory or time, and no more of the two others."
    )
    frame = Frame("energy", "Energy against time", "Latency, ms", "Energy per run, mJ", caption, log="xy")
    if not len(rows):
        return frame.without("No measurement has energy, memory and latency.")
    traces = []
    for name, chosen, colour, symbol in (
        ("on the front", front, VERMILLION, SYMBOLS[1]),
        ("beaten", ~front, GREY, SYMBOLS[0]),
    ):
        drawn = rows[chosen]
        places = finite(drawn["latency_ms"]), finite(drawn["energy_run_mj"])
        bars = finite((drawn["energy_run_high_mj"] - drawn["energy_run_mj"]).fillna(0.0))
        marker = {"color": colour, "symbol": symbol, "size": 8}
        labels = [plot_text(label) for label in drawn["label"]]
        trace = markers(*places, marker, "%{text}: %{x} ms, %{y} mJ", name=name, text=labels)
        traces.append(trace | {"error_y": {"type": "data", "array": bars, "thickness": 1}})
    alt = f"Energy against latency of {fmt.pluralize(len(rows), 'measurement')}; {int(front.sum())} are on the front."
    layout = {"xaxis": frame.axis("x"), "yaxis": frame.axis("y"), "showlegend": True}
    return Figure(frame.key, frame.title, alt, tuple(traces), layout, frame.caption)


def _front_table(rows: pd.DataFrame, memory: str) -> Table:
    columns = (
        *texts("Model"),
        *numbers("Energy per run, mJ", "95 % interval, mJ", "above rest, mJ"),
        *numbers("Power, W", "at rest, W", "Memory, MB", "Latency, ms"),
    )
    shown = rows.sort_values("energy_run_mj").head(_MAX_LISTED)
    left = len(rows) - len(shown)
    more = f"; {fmt.pluralize(left, 'more is', 'more are')} in the dataset" if left else ""
    return Table(
        f"On the Pareto front of energy, memory and time{more}",
        columns,
        tuple(
            text_row(
                row["label"],
                fmt.number(row["energy_run_mj"]),
                fmt.span(row["energy_run_low_mj"], row["energy_run_high_mj"]),
                *(
                    fmt.number(row[name])
                    for name in ("energy_run_above_idle_mj", "power_mean_w", "power_idle_w", memory, "latency_ms")
                ),
            )
            for row in shown.to_dict("records")
        ),
    )
