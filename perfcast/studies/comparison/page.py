"""The page of a comparison: what follows, the models' ratios as figures and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.pages import Figure, Page, Section
from perfcast.pages import formatting as fmt
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import GREEN, GREY, VERMILLION
from perfcast.studies.comparison.comparison import FASTER, SAME, SLOWER
from perfcast.studies.comparison.summary import conclusions, models_table, preface, unit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    import pandas as pd

    from perfcast.studies.comparison.comparison import Comparison

_LOOKS = {SLOWER: (VERMILLION, "diamond"), SAME: (GREY, "circle"), FASTER: (GREEN, "square")}
_DRAWN = 40
_ROW = 22
_AXIS = "Net change from A to B, %"


def comparison_page(comparison: Comparison) -> Page:
    """Return the page of a comparison."""
    pairs = comparison.pairs
    return Page(
        f"Comparison by {pairs.column}",
        lead=f"{fmt.pluralize(len(pairs.a), 'model')} measured in both datasets: A, the first, and B, the second.",
        facts=_facts(comparison),
        sections=(
            Section("answer", "The answer", _sentences(conclusions(comparison)), warnings=_warnings(comparison)),
            Section("datasets", "What was compared", _sentences(preface(comparison))),
            *(() if comparison.undecided else _drawn(comparison)),
            Section("models", "Models", tables=(models_table(comparison),)),
        ),
    )


def _facts(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    options = comparison.options
    facts = (
        ("threshold", fmt.percent(100 * options.threshold)),
        ("probability of a false alarm", fmt.percent(100 * options.alpha)),
    )
    return facts if comparison.undecided else (*facts, ("likely found from", fmt.percent(100 * comparison.detectable)))


def _warnings(comparison: Comparison) -> tuple[str, ...]:
    if comparison.undecided:
        return ("These datasets do not show whether anything became slower.",)
    if not comparison.has_regressed:
        return ()
    count = len(comparison.regressions)
    who = fmt.pluralize(count, "model") if count else "All models together"
    return (f"{who} became slower, or larger, beyond the threshold.",)


def _drawn(comparison: Comparison) -> tuple[Section, ...]:
    return (
        Section("changes", "Changes", figures=(_changes_figure(comparison),)),
        Section("size", "By size", figures=(_sizes_figure(comparison),)),
    )


def _sentences(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{line[:1].upper()}{line[1:]}." for line in lines)


def _changes_figure(comparison: Comparison) -> Figure:
    """Return the net change of each model with its interval; of many models of those that changed most."""
    models = comparison.labelled
    half = _DRAWN // 2
    drawn = models if len(models) <= _DRAWN else models.iloc[[*range(half), *range(len(models) - half, len(models))]]
    caption = "Net change: from A to B, without what is the machine's. Bars: 95 % intervals. Dotted: the threshold."
    if len(drawn) < len(models):
        caption += f" Shown are the {half} largest and the {half} smallest of {len(models):,} changes."
    layout = {
        "height": 150 + _ROW * len(drawn),
        "xaxis": {"title": {"text": _AXIS}},
        "yaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [plot_text(name) for name in drawn["label"][::-1]],
            "automargin": True,
            "dtick": 1,
        },
        "shapes": [_line("x", level) for level in _levels(comparison)],
    }
    worst = models.iloc[0]
    alt = (
        f"Net changes of {len(drawn)} models; the largest is a factor of {worst['net_ratio']:.3f} of {worst['label']}."
    )
    traces = _traces(drawn, "x", "y", lambda rows: [plot_text(name) for name in rows["label"]])
    return Figure("net-changes", "Net change of each model", alt, traces, layout, caption)


def _sizes_figure(comparison: Comparison) -> Figure:
    """Return the net change over the value in the first dataset: whether small models change as large ones do."""
    unit = unit_of(comparison)
    layout = {
        "xaxis": {"type": "log", "title": {"text": f"A, {unit}"}},
        "yaxis": {"title": {"text": _AXIS}},
        "shapes": [_line("y", level) for level in _levels(comparison)],
    }
    traces = _traces(comparison.labelled, "y", "x", lambda rows: finite(rows["a"]))
    alt = f"Scatter of the net change over {comparison.pairs.column} in A, of {len(comparison.models)} models."
    caption = "Where small models change more than large ones, what differs costs a fixed amount per run."
    return Figure("changes-by-size", "Net change over size", alt, traces, layout, caption)


def _traces(
    models: pd.DataFrame, axis: str, other: str, values: Callable[[pd.DataFrame], list[Any]]
) -> tuple[dict[str, Any], ...]:
    """Return one trace per outcome, with the change along ``axis`` and ``values`` along the ``other`` one."""
    found = []
    for outcome, (colour, symbol) in _LOOKS.items():
        rows = models[models["outcome"] == outcome]
        if not len(rows):
            continue
        bars = {
            "type": "data",
            "symmetric": False,
            "array": finite(100 * (rows["high"] - rows["net_ratio"])),
            "arrayminus": finite(100 * (rows["net_ratio"] - rows["low"])),
            "thickness": 1.2,
            "width": 0,
        }
        found.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": outcome,
                axis: finite(100 * (rows["net_ratio"] - 1)),
                other: values(rows),
                f"error_{axis}": bars,
                "text": [plot_text(name) for name in rows["label"]],
                "marker": {"color": colour, "symbol": symbol, "size": 8},
                "hovertemplate": f"%{{text}}: %{{{axis}}} %<extra></extra>",
            }
        )
    return tuple(found)


def _levels(comparison: Comparison) -> tuple[float, ...]:
    """Return no change and the thresholds of a regression and of an improvement, in %."""
    limit = 1 + comparison.options.threshold
    return (0.0, 100 * (limit - 1), 100 * (1 / limit - 1))


def _line(axis: str, level: float) -> dict[str, Any]:
    across = "y" if axis == "x" else "x"
    return {
        "type": "line",
        f"{axis}0": level,
        f"{axis}1": level,
        f"{across}ref": "paper",
        f"{across}0": 0,
        f"{across}1": 1,
        "line": {"color": GREY, "width": 1, "dash": "dot" if level else "solid"},
    }
