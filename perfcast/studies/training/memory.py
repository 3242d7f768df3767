"""Memory over time, as `perfcast profile --memory` writes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.bench.memory_traces import COLUMNS, PHASES
from perfcast.bench.profiles import KEYS
from perfcast.errors import UsageError
from perfcast.pages import Figure, Section, Table, text_row
from perfcast.pages import formatting as fmt
from perfcast.pages.charts import Frame
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import COLOURS
from perfcast.pages.tables import numbers, texts
from perfcast.studies.statistics.claims import Claim, claims_table
from perfcast.studies.training.operations import place_of, read_table, workload_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ABSENT = "No input holds memory over time; `perfcast profile MODEL --memory memory.parquet` writes it."
_COMPARED = ("mobilenet_", "resnet18_")
"""How the names of the document's networks begin in perfcast's catalogues."""
_MARK = 10
_DASHES = ("solid", "dash", "dot", "dashdot")
"""So that a colour is never the only mark."""


@dataclass(frozen=True)
class MemoryTrace:
    """What a process held while it loaded a model and ran steps.

    Attributes:
        model, place, workload, batch: as of a `Breakdown`.
        moments: columns `phase`, `at_s` and `resident_mb` (more than before the model was loaded), in order of time.
    """

    model: str
    place: str
    workload: str
    batch: int
    moments: pd.DataFrame

    @property
    def label(self) -> str:
        """What ran, in words."""
        return f"{self.model}, {self.workload}, batch {self.batch}"

    def peak_mb(self, *phases: str) -> float:
        """Return the peak over phases; NaN where there is no moment of them."""
        return float(self.moments.loc[self.moments["phase"].isin(phases), "resident_mb"].max())


def read_traces(path: Path) -> tuple[MemoryTrace, ...] | None:
    """Return the memory traces of a file, None of a folder or file that holds something else.

    Raises:
        UsageError: it holds a moment without a number.
    """
    table = read_table(path, COLUMNS)
    if table is None:
        return None
    numbers_of = table[["at_s", "resident_mb"]].apply(pd.to_numeric, errors="coerce")
    if not len(table) or not np.isfinite(numbers_of.to_numpy(float)).all():
        raise UsageError(f"{path}: no trace of memory: it has no rows, or a time or size that is not a number")
    return traces_of(table)


def traces_of(table: pd.DataFrame) -> tuple[MemoryTrace, ...]:
    """Return the memory traces of a table (`COLUMNS`)."""
    groups = table.fillna({"optimizer": ""}).groupby(list(KEYS), sort=False)
    return tuple(_trace(dict(zip(KEYS, values, strict=True)), rows) for values, rows in groups)


def _trace(about: dict[str, Any], rows: pd.DataFrame) -> MemoryTrace:
    moments = rows[["phase", "at_s", "resident_mb"]].sort_values("at_s", ignore_index=True)
    model = fmt.escape_control(about["model"])
    return MemoryTrace(model, place_of(about), workload_of(about), int(about["batch"]), moments)


def memory_section(traces: Sequence[MemoryTrace]) -> Section:
    """Return the section of memory over time."""
    if not traces:
        return Section("memory", "Memory over time", (_ABSENT,))
    kinds = dict.fromkeys((each.workload, each.batch) for each in traces)
    figures = (
        _figure([each for each in traces if (each.workload, each.batch) == kind], f"memory-{number}")
        for number, kind in enumerate(kinds, start=1)
    )
    tables = (peaks_table(traces), claims_table(claims_of(traces), "The document's claim, by workload and batch"))
    return Section("memory", "Memory over time", memory_sentences(traces), tables, tuple(figures))


def claims_of(traces: Sequence[MemoryTrace]) -> tuple[Claim, ...]:
    """Return the document's claim for each place, workload and batch that has both of its networks."""
    found = []
    for key in dict.fromkeys((each.place, each.workload, each.batch) for each in traces):
        own = [each for each in traces if (each.place, each.workload, each.batch) == key]
        small, large = (next((each for each in own if each.model.startswith(name)), None) for name in _COMPARED)
        if small and large:
            ratio = _steps_peak(small) / _steps_peak(large)
            statement = f"MobileNetV1 takes more memory than ResNet-18: {key[1]}, batch {key[2]}, {key[0]}"
            evidence = f"peak of {small.model} {fmt.number(ratio)} times that of {large.model}, one run each"
            found.append(Claim(statement, "confirmed" if ratio > 1 else "contradicted", evidence))
    return tuple(found)


def memory_sentences(traces: Sequence[MemoryTrace]) -> tuple[str, ...]:
    """Return which model takes most and least memory, for each workload and batch with several."""
    found = []
    for workload, batch in dict.fromkeys((each.workload, each.batch) for each in traces):
        own = sorted(
            (each for each in traces if (each.workload, each.batch) == (workload, batch)), key=_steps_peak, reverse=True
        )
        if len({each.model for each in own}) > 1:
            told = ", ".join(f"{each.model} {fmt.number(_steps_peak(each))} MB" for each in own)
            found.append(f"Peak while running, {workload}, batch {batch}: {told}.")
    return tuple(found)


def _steps_peak(trace: MemoryTrace) -> float:
    return trace.peak_mb("first step", "steps")


def peaks_table(traces: Sequence[MemoryTrace]) -> Table:
    """Return the peaks of each trace."""
    rows = tuple(
        text_row(each.label, each.place, *(fmt.number(each.peak_mb(phase)) for phase in PHASES)) for each in traces
    )
    columns = (*texts("Model", "Place"), *numbers("Loading, MB", "First step, MB", "Steps, MB"))
    return Table("Peaks of the resident set, above that of the runtime alone", columns, rows)


def _figure(traces: Sequence[MemoryTrace], key: str) -> Figure:
    first = traces[0]
    title = f"Memory over time: {first.workload}, batch {first.batch}"
    frame = Frame(key, title, "Time since loading began, s", "Resident set above the runtime's, MB")
    several = len({each.place for each in traces}) > 1
    named = [replace(each, model=f"{each.model} on {each.place}") if several else each for each in traces]
    lines = tuple(_line(each, place) for place, each in enumerate(named))
    peaks = ", ".join(f"{each.model} {fmt.number(_steps_peak(each))} MB" for each in named)
    layout = {"xaxis": frame.axis("x"), "yaxis": frame.axis("y", rangemode="tozero"), "showlegend": True}
    caption = "The mark on each line is where the first step begins."
    return Figure(key, title, f"Lines of memory over time; peaks while running: {peaks}.", lines, layout, caption)


def _line(trace: MemoryTrace, place: int) -> dict[str, Any]:
    """Return a trace of plotly with a marker where loading ends."""
    moments = trace.moments
    begin = int((moments["phase"] != "load").to_numpy().argmax())
    colour = COLOURS[place % len(COLOURS)]
    sizes = [_MARK if at == begin else 0 for at in range(len(moments))]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plot_text(trace.model, 40),
        "x": finite(moments["at_s"]),
        "y": finite(moments["resident_mb"]),
        "line": {"color": colour, "width": 1.5, "dash": _DASHES[place % len(_DASHES)]},
        "marker": {"color": colour, "size": sizes, "line": {"width": 0}},
        "hovertemplate": f"{plot_text(trace.model)}, %{{x:.3g}} s: %{{y:.4g}} MB<extra></extra>",
    }
