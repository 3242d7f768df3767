"""The sections of operations: which ones a step's time goes to, by operation and by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from perfcast.pages import Figure, Section, Table, text_row
from perfcast.pages import formatting as fmt
from perfcast.pages.charts import Frame
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import COLOURS, GREY
from perfcast.pages.tables import numbers, texts
from perfcast.studies.statistics.claims import Claim, claims_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perfcast.studies.statistics.claims import Verdict
    from perfcast.studies.training.operations import Breakdown

_MAX_SHOWN = 12
"""Operations, or layers, of one table; the others are summed up."""
_MAX_COLOURS = len(COLOURS)
_MIN_LABELLED = 15
"""Share in % from which on a part of a bar has room for its name."""
_ROW, _AROUND = 52, 190
_ABSENT = "No input is a profile of operations; `perfcast profile MODEL --out profile.parquet` writes one."
_CONVOLUTION = "conv"
_NORMALIZATION = "batchnorm"
_AT_LEAST = 2


def operation_sections(breakdowns: Sequence[Breakdown]) -> Iterator[Section]:
    """Yield a section with all profiles side by side, and one for each of them."""
    if not breakdowns:
        yield Section("operations", "Operations", (_ABSENT,))
        return
    yield Section(
        "operations",
        "Operations",
        tuple(map(_dominant, breakdowns)),
        tables=(
            _reconciled(breakdowns),
            claims_table(tuple(map(convolutions_dominate, breakdowns)), "The document's claim, by profile"),
        ),
        figures=(share_figure(breakdowns, "operations-shares"),),
    )
    for number, each in enumerate(breakdowns, start=1):
        yield Section(f"operations-{number}", f"Operations: {each.label}", (f"On {each.place}.",), tables=_tables(each))


def operation_lines(breakdowns: Sequence[Breakdown]) -> tuple[str | Table, ...]:
    """Return what to print of profiles."""
    lines: list[str | Table] = []
    for each in breakdowns:
        lines += [_dominant(each), *_tables(each), str(convolutions_dominate(each))]
    return (*lines, *([_reconciled(breakdowns)] if breakdowns else []))


def _dominant(each: Breakdown) -> str:
    """Say what the time goes to: by kind, and which operation takes most."""
    kinds = {"convolutions": _CONVOLUTION, "batch normalisation": _NORMALIZATION}
    shares = {kind: 100 * _time_of(each.by_operation, word) / each.summed_ms for kind, word in kinds.items()}
    told = " and ".join(f"{kind} {fmt.percent(share)}" for kind, share in shares.items() if share)
    most = each.by_operation.iloc[0]
    takes = f"{told} of the time of all operations; the" if told else "the"
    return f"{each.label} on {each.place}: {takes} most expensive is {most['name']}, {fmt.percent(100 * most.share)}."


def _reconciled(breakdowns: Sequence[Breakdown]) -> Table:
    """Return how the operations add up to a step."""
    rows = (
        text_row(
            each.label,
            *map(fmt.number, (each.step_ms, each.traced_ms, each.summed_ms)),
            *(fmt.number(100 * part / each.traced_ms) for part in (each.busy_ms, each.idle_ms)),
            fmt.number(100 * each.parallel_ms / each.summed_ms, 2),
        )
        for each in breakdowns
    )
    columns = (
        *texts("Profile"),
        *numbers("Step without tracing, ms", "Traced step, ms", "Sum of its operations, ms"),
        *numbers("Of the step with an operation, %", "Without any, %", "Of the operations beside another, %"),
    )
    return Table("How the operations add up to the step", columns, tuple(rows))


def convolutions_dominate(each: Breakdown) -> Claim:
    """Return the document's claim about a profile: convolutions take twice as long as batch normalisation at least."""
    statement = f"Convolutions take at least twice as long as batch normalisation: {each.label}"
    normalizing = _time_of(each.by_operation, _NORMALIZATION)
    convolving = _time_of(each.by_operation, _CONVOLUTION)
    if not normalizing or not convolving:
        lacking = "convolution" if not convolving else "batch normalisation"
        return Claim(statement, "open", f"no operation is a {lacking}; it may be fused with others")
    ratio = convolving / normalizing
    verdict: Verdict = "confirmed" if ratio >= _AT_LEAST else "contradicted"
    return Claim(statement, verdict, f"{fmt.number(ratio)} times, mean of the faster half of {each.steps} steps")


def _time_of(table: pd.DataFrame, word: str) -> float:
    return float(table.loc[table["name"].str.lower().str.contains(word), "time_ms"].sum())


def _tables(each: Breakdown) -> tuple[Table, Table]:
    return (
        _table("Time by operation", "Operation", each.by_operation, each.step_ms),
        _table("Time by layer", "Layer", each.by_layer, each.step_ms),
    )


def _table(caption: str, what: str, found: pd.DataFrame, step_ms: float) -> Table:
    shown, rest = found.head(_MAX_SHOWN), found.iloc[_MAX_SHOWN:]
    rows = [text_row(row.name or "outside of layers", *_cells(row)) for row in shown.itertuples()]
    if len(rest):
        rows.append(text_row(f"{len(rest)} others", *_cells(rest[["calls", "time_ms", "share"]].sum()), mark="muted"))
    columns = (*texts(what), *numbers("Calls per step", "Time per step, ms", "Share of all operations, %"))
    return Table(f"{caption} (step: {fmt.number(step_ms)} ms)", columns, tuple(rows))


def _cells(row: Any) -> tuple[str, ...]:
    return fmt.number(row.calls), fmt.number(row.time_ms), fmt.number(100 * row.share)


def share_figure(breakdowns: Sequence[Breakdown], key: str) -> Figure:
    """Return the share of each operation, a bar per profile; the operations are the most expensive over all."""
    frame = Frame(key, "Time by operation", "Share of the time of all operations, %", "Profile")
    sums = pd.concat([each.by_operation for each in breakdowns]).groupby("name")["share"].sum()
    names = list(sums.sort_values(ascending=False).index[:_MAX_COLOURS])
    shares = [dict(zip(each.by_operation["name"], each.by_operation["share"], strict=True)) for each in breakdowns]
    bars = [
        _bar(name, [100 * own.get(name, 0.0) for own in shares], COLOURS[place]) for place, name in enumerate(names)
    ]
    others = [100 * (1 - sum(own.get(name, 0.0) for name in names)) for own in shares]
    largest = [fmt.percent(100 * own.get(names[0], 0.0)) for own in shares]
    told = "; ".join(f"{each.label} {share}" for each, share in zip(breakdowns, largest, strict=True))
    labels = {"tickvals": list(range(len(breakdowns))), "ticktext": [_in_two_lines(each) for each in breakdowns]}
    layout = {
        "barmode": "stack",
        "height": _AROUND + _ROW * len(breakdowns),
        "xaxis": frame.axis("x", range=[0, 100]),
        "yaxis": frame.axis("y", autorange="reversed", automargin=True, showgrid=False, **labels),
    }
    alt = f"Stacked bars of shares by operation; {names[0]}: {told}."
    return Figure(key, frame.title, alt, (*bars, _bar("others", others, GREY)), layout)


def _in_two_lines(each: Breakdown) -> str:
    return f"{plot_text(each.model, 24)}<br>{plot_text(f'{each.workload}, batch {each.batch}', 36)}"


def _bar(name: str, shares: Sequence[float], colour: str) -> dict[str, Any]:
    shown = plot_text(name, 40)
    text = [shown if share >= _MIN_LABELLED else "" for share in shares]
    return {
        "type": "bar",
        "orientation": "h",
        "name": shown,
        "y": list(range(len(shares))),
        "x": finite(shares),
        "text": text,
        "textposition": "inside",
        "insidetextanchor": "middle",
        "marker": {"color": colour, "line": {"color": "#ffffff", "width": 1}},
        "hovertemplate": f"{shown}: %{{x:.3g}} %<extra></extra>",
    }
