"""The figures of test results: effects, builds, performance by factor, and coverage."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.pages import Figure
from perfcast.pages import formatting as fmt
from perfcast.pages.charts import Frame, box_with_points, heatmap
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import BLUE, GREY, category_styles, lines, markers
from perfcast.pages.scatter_matrix import scatter_matrix
from perfcast.studies.factors.builds import follow, networks_of
from perfcast.studies.factors.description import coded_columns
from perfcast.studies.factors.design import ordered_levels
from perfcast.studies.factors.roles import PERFORMANCE, factor_name, level_text
from perfcast.studies.factors.wording import compared, condition_text, level_with_unit

if TYPE_CHECKING:
    from perfcast.studies.factors.analysis import Analysis, MetricAnalysis
    from perfcast.studies.factors.builds import Followed
    from perfcast.studies.factors.effects import Effect
    from perfcast.studies.factors.results import Results

_ROW = 46
_LABEL = 22
_MATRIX = 6
_MAX_NETWORKS = 12
_MAX_FACTORS = 12


def correlation_figures(results: Results) -> tuple[Figure, ...]:
    """Return the heatmap of correlations, and the scatter matrix of metrics and numbers."""
    table, labels = coded_columns(results)
    matrix = table.corr().rename(index=labels, columns=labels)
    heat = heatmap(
        Frame("correlations", "Pearson's correlations", caption="Unadjusted: one factor may stand for another."),
        matrix,
        diverging=True,
        reach=1.0,
    )
    numbers = [name for name in results.roles.numeric if name in table]
    metrics = [metric.column for metric in results.usable()]
    shown = [*metrics, *numbers][:_MATRIX]
    network = results.roles.network
    is_few = bool(network) and results.conditions[network].nunique() <= _MAX_NETWORKS
    coloured = table.assign(**{network: results.rows[network].map(level_text)}) if is_few else table
    frame = Frame("scatter-matrix", "Scatter matrix")
    return heat, scatter_matrix(frame, coloured, {name: labels[name] for name in shown}, network if is_few else None)


def effects_figure(each: MetricAnalysis, number: int) -> Figure:
    """Return the effects of all factors on a metric, adjusted and not."""
    frame = Frame(f"effects-{number}", f"Effects on {each.metric.name}")
    effects = each.model.effects if each.model else ()
    if not effects:
        return frame.without("Nothing can be compared.")
    labels = [_label(effect) for effect in effects]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": finite([effect.ratio_high - effect.ratio for effect in effects]),
        "arrayminus": finite([effect.ratio - effect.ratio_low for effect in effects]),
        "thickness": 1.4,
        "width": 0,
    }
    adjusted = markers(
        finite([effect.ratio for effect in effects]),
        labels,
        {"color": BLUE, "size": 9},
        "%{y}: ×%{x}",
        name="other factors as they are",
        error_x=bars,
    )
    raw = markers(
        finite([effect.raw_ratio for effect in effects]),
        labels,
        {"color": GREY, "size": 9, "symbol": "diamond-open"},
        "%{y}, unadjusted: ×%{x}",
        name="unadjusted",
    )
    layout = {
        "height": 150 + _ROW * len(effects),
        "xaxis": {"type": "log", "title": {"text": f"{each.metric.name}: ratio"}},
        "yaxis": {"type": "category", "automargin": True, "autorange": "reversed", "dtick": 1},
        "shapes": [_line(1.0)],
    }
    alt = f"Ratios of {each.metric.name} by factor with 95 % intervals; {compared(effects[0])}: {effects[0].ratio:.3g}."
    caption = "Bars: 95 % intervals. Where a diamond is far from its dot, other factors differed, too."
    return Figure(frame.key, frame.title, alt, (raw, adjusted), layout, caption)


def _label(effect: Effect) -> str:
    """Return what an effect compares, in lines that fit beside a plot on a phone."""
    levels = f"{level_text(effect.low)} → {level_with_unit(effect.factor, effect.high)}"
    parts = [factor_name(effect.factor), levels, *([f"in {effect.within}"] if effect.within else [])]
    return "<br>".join(plot_text(part, _LABEL) for part in parts)


def _line(at: float) -> dict[str, Any]:
    return {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": GREY, "width": 1}}


def builds_figure(analysis: Analysis, each: MetricAnalysis, number: int) -> Figure:
    """Return a metric over the builds, one line per network under conditions that did not change."""
    roles, results = analysis.results.roles, analysis.results
    frame = Frame(f"builds-{number}", f"{each.metric.name} over builds")
    followed = {
        network: found
        for network in networks_of(results.cells[each.metric.column], roles)
        if (found := follow(results, each.metric, network, analysis.aliases))
    }
    shown = dict(itertools.islice(followed.items(), _MAX_NETWORKS))
    if not shown:
        return frame.without("No network was tested with three builds under the same conditions.")
    styles = category_styles([level_text(network) for network in shown])
    every = ordered_levels(results.conditions[roles.build])
    traces = [
        trace for network, found in shown.items() for trace in _lines(each, network, found, styles[level_text(network)])
    ]
    layout = {
        "xaxis": {
            "title": {"text": roles.label_of(roles.build)},
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [level_text(build) for build in every],
        },
        "yaxis": {"type": "log", "title": {"text": each.metric.label}},
    }
    caption = "One line per setting of the other factors. Large marks: builds that changed the metric beyond chance."
    more = f" Shown are {len(shown)} of {len(followed)} networks." if len(shown) < len(followed) else ""
    alt = f"{each.metric.name} of {fmt.pluralize(len(shown), 'network')} over {len(every)} builds."
    return Figure(frame.key, frame.title, alt, tuple(traces), layout, caption + more)


def _lines(each: MetricAnalysis, network: object, found: Followed, style: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a line over the builds for each setting of a network, with large marks where it changed."""
    changed = {change.builds[0] for change in each.changes if change.network == network}
    name = plot_text(level_text(network) or each.metric.name)
    return [
        lines(
            [level_text(build) for build in found.builds],
            finite(line),
            {"color": style["color"], "width": 1.5},
            mode="lines+markers",
            name=name,
            legendgroup=name,
            showlegend=place == 0,
            marker={**style, "size": [14 if build in changed else 7 for build in found.builds]},
            hovertemplate="%{x}: %{y}<extra></extra>",
        )
        for place, line in enumerate(np.exp(found.means).T)
    ]


def performance_figures(analysis: Analysis) -> tuple[Figure, ...]:
    """Return the performance, or the first metric without one, against each factor by network."""
    results = analysis.results
    roles = results.roles
    usable = results.usable()
    if not usable:
        return ()
    metric = PERFORMANCE if PERFORMANCE in usable else usable[0]
    is_few = bool(roles.network) and results.conditions[roles.network].nunique() <= _MAX_NETWORKS
    table = results.rows.assign(**{name: results.rows[name].map(level_text) for name in roles.factors})
    found = []
    for number, name in enumerate(roles.factors[:_MAX_FACTORS]):
        if results.conditions[name].nunique() > 2 * _MAX_NETWORKS:
            continue
        title = f"{metric.name} against {factor_name(name)}"
        frame = Frame(f"performance-{number}", title, roles.label_of(name), metric.label, log="y")
        colour = roles.network if is_few and name != roles.network else None
        found.append(box_with_points(frame, table, metric.column, name, colour))
    return tuple(found)


def coverage_figure(analysis: Analysis) -> Figure:
    """Return which share of the level pairs of each two factors was tested."""
    names = list(analysis.coverage.factors)[:_MAX_FACTORS]
    conditions = analysis.results.conditions
    frame = Frame(
        "coverage",
        "Pairs of levels that were tested, %",
        caption="100: each level of one was tested with each of the other.",
    )
    if len(names) < 2:
        return frame.without("Fewer than two factors varied.")
    labels = [factor_name(name) for name in names]
    table = pd.DataFrame(np.nan, index=labels, columns=labels)
    for (one, first), (other, second) in itertools.combinations(zip(names, labels, strict=True), 2):
        possible = conditions[one].nunique() * conditions[other].nunique()
        tested = len(conditions[[one, other]].drop_duplicates())
        table.loc[first, second] = table.loc[second, first] = 100 * tested / possible
    return heatmap(frame, table, reach=100.0)


def condition_hover(row: pd.Series, names: tuple[str, ...]) -> str:
    """Return a condition for the hover text of a point."""
    return plot_text(condition_text({name: row[name] for name in names}), 120)
