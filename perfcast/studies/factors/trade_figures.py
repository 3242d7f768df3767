"""Memory against time: by device and clock as tested, and the front of what nothing beats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.pages import Figure
from perfcast.pages.charts import Frame
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import GREY, SYMBOLS, category_styles, lines, markers
from perfcast.studies.factors.design import ordered_levels
from perfcast.studies.factors.figures import condition_hover
from perfcast.studies.factors.roles import factor_name, level_text
from perfcast.studies.factors.wording import condition_text, level_with_unit

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.studies.factors.analysis import Analysis
    from perfcast.studies.factors.roles import Roles

_MAX_PANELS = 8
_MAX_DRAWN = 2000
_MAX_NETWORKS = 12


def marked_factors(analysis: Analysis) -> tuple[str, str]:
    """Return the factors that points are marked with: by colour the number with most levels, by shape a name.

    For the latter a factor that others determine is taken first, such as an optimisation that came with a build.
    """
    roles, conditions = analysis.results.roles, analysis.results.conditions
    counts = {name: conditions[name].nunique() for name in roles.factors}
    numbers = [name for name in roles.numeric if name != roles.build and counts[name] > 2]
    colour = max(numbers, key=lambda name: counts[name], default="")
    own = {alias.factor for alias in analysis.aliases if alias.is_attribute}
    names = [
        name
        for name in roles.factors
        if name not in (roles.network, roles.build, colour, *own) and counts[name] <= len(SYMBOLS)
    ]
    names.sort(key=lambda name: (analysis.alias_of(name) is None, -roles.factors.index(name)))
    return colour, names[0] if names and (names[0] not in roles.numeric) else ""


def panel_figures(analysis: Analysis) -> tuple[Figure, ...]:
    """Return memory against time, a figure for each network and setting of the factors that are not marked."""
    table = analysis.trade
    if table is None:
        return ()
    marks = marked_factors(analysis)
    panel = _panel_factors(analysis, marks)
    groups = list(table.groupby(panel, observed=True)) if panel else [((), table)]
    groups.sort(key=lambda group: -len(group[1]))
    return tuple(
        _panel(analysis, dict(zip(panel, key, strict=True)), rows, marks, number)
        for number, (key, rows) in enumerate(groups[:_MAX_PANELS])
    )


def _panel_factors(analysis: Analysis, marks: tuple[str, str]) -> list[str]:
    """Return the factors that are alike in all points of a figure: not marked, no network's own, not the build."""
    roles = analysis.results.roles
    own = {alias.factor for alias in analysis.aliases if alias.is_attribute}
    return [name for name in roles.factors if name not in (*marks, roles.build, *own)]


def panels_left_out(analysis: Analysis) -> int:
    """Return how many settings have no figure of their own."""
    table = analysis.trade
    if table is None:
        return 0
    panel = _panel_factors(analysis, marked_factors(analysis))
    return max(0, len(table[panel].drop_duplicates()) - _MAX_PANELS) if panel else 0


def _panel(
    analysis: Analysis, setting: dict[str, object], rows: pd.DataFrame, marks: tuple[str, str], number: int
) -> Figure:
    roles = analysis.results.roles
    title = condition_text(setting) or "All conditions"
    traces = []
    for levels, chosen in _marked(rows, marks):
        style = _style(analysis, levels, marks)
        name = ", ".join(f"{factor_name(mark)} {level_with_unit(mark, level)}" for mark, level in levels.items())
        traces.append(_points(chosen, roles, {**style, "size": 9}, name or title))
    alt = f"Memory against time of {len(rows)} conditions: {title}."
    axes = {name: {"title": axis["title"]} for name, axis in _axes(roles).items()}
    return Figure(f"memory-time-{number}", title, alt, tuple(traces), {**axes, "showlegend": bool(any(marks))})


def _marked(rows: pd.DataFrame, marks: tuple[str, str]) -> list[tuple[dict[str, object], pd.DataFrame]]:
    names = [name for name in marks if name]
    if not names:
        return [({}, rows)]
    return [(dict(zip(names, key, strict=True)), group) for key, group in rows.groupby(names, observed=True)]


def _style(analysis: Analysis, levels: dict[str, object], marks: tuple[str, str]) -> dict[str, Any]:
    """Return the colour of the first factor's level, and the shape of the second one's."""
    conditions = analysis.results.conditions
    found = {"color": GREY, "symbol": SYMBOLS[0]}
    colour, shape = marks
    if colour:
        every = [level_text(level) for level in ordered_levels(conditions[colour])]
        found["color"] = category_styles(every)[level_text(levels[colour])]["color"]
    if shape:
        found["symbol"] = SYMBOLS[ordered_levels(conditions[shape]).index(levels[shape]) % len(SYMBOLS)]
    return found


def _points(rows: pd.DataFrame, roles: Roles, marker: dict[str, Any], name: str) -> dict[str, Any]:
    time, memory = roles.first("time"), roles.first("memory")
    drawn = rows.head(_MAX_DRAWN)
    texts = [condition_hover(row, roles.factors) for _, row in drawn.iterrows()]
    return markers(
        finite(drawn[memory.column] if memory else []),
        finite(drawn[time.column] if time else []),
        marker,
        "%{text}: %{x}, %{y}",
        name=plot_text(name, 40),
        text=texts,
    )


def _axes(roles: Roles) -> dict[str, Any]:
    time, memory = roles.first("time"), roles.first("memory")
    return {
        "xaxis": {"type": "log", "title": {"text": memory.label if memory else ""}},
        "yaxis": {"type": "log", "title": {"text": time.label if time else ""}},
    }


def front_figure(analysis: Analysis) -> Figure:
    """Return time against memory of all conditions, with a line through those that nothing beats."""
    frame = Frame("front", "What nothing beats in both time and memory")
    roles, table = analysis.results.roles, analysis.trade
    time, memory = roles.first("time"), roles.first("memory")
    if table is None or time is None or memory is None:
        return frame.without("There is no condition with both a time and a memory.")
    networks = table[roles.network].map(level_text) if roles.network else table[time.column].map(lambda _: "")
    if networks.nunique() > _MAX_NETWORKS:
        networks = networks.map(lambda _: "all networks")
    styles = category_styles(list(networks))
    traces = [
        _points(table[(networks == name).to_numpy()], roles, {**style, "size": 7}, name or "conditions")
        for name, style in styles.items()
    ]
    front = table[table["front"]].sort_values(memory.column)
    look = {"color": GREY, "width": 2, "dash": "dot", "shape": "hv"}
    line = lines(finite(front[memory.column]), finite(front[time.column]), look, name="Pareto front")
    alt = f"Time against memory of {len(table)} conditions; {len(front)} are on the front."
    caption = "Down and left is better. Dotted: for each memory, the least time that was reached with it."
    return Figure(frame.key, frame.title, alt, (*traces, line), _axes(roles), caption)
