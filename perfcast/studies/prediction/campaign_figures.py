"""The figures about the measuring itself: how sure latencies are, and the machine along the campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.pages import formatting as fmt
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import GREEN, GREY, ORANGE, SKY, VERMILLION, Figure, markers
from perfcast.studies.prediction.trust import TRUSTS, half_widths

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.studies.prediction.inputs import ReportData

_TRUST_COLOURS = dict(zip(TRUSTS, (GREEN, ORANGE, VERMILLION), strict=True))
_TRUST_SYMBOLS = dict(zip(TRUSTS, ("circle", "diamond", "x"), strict=True))
_MAX_POINTS = 2000


def interval_figure(data: ReportData) -> Figure:
    """Return half the width of each model's interval over its latency."""
    widths = half_widths(data.measured)
    return _over_latency(
        data,
        ("intervals", "How sure each latency is: half the 95 % interval"),
        widths,
        (" ± %{y} %", {"title": {"text": "± % of the latency"}, "rangemode": "tozero"}),
        f"the median interval is ± {fmt.percent(widths.median())}.",
    )


def mean_figure(data: ReportData) -> Figure:
    """Return how far the published mean of each model is from its estimated latency."""
    off = 100 * (data.measured["latency_mean_ms"] / data.measured["latency_ms"] - 1)
    return _over_latency(
        data,
        ("means", "The published mean against the estimated latency"),
        off,
        (", mean %{y} % off", {"title": {"text": "Mean is larger by, %"}, "zeroline": True}),
        f"the mean is off by up to {fmt.percent(off.abs().max())}.",
    )


def _over_latency(
    data: ReportData, names: tuple[str, str], values: pd.Series, shown: tuple[str, dict[str, Any]], finding: str
) -> Figure:
    (key, title), (hover, yaxis), measured = names, shown, data.measured
    if not len(measured):
        return Figure(key, title, title, missing="No model was measured.")
    traces = _by_trust(measured, values, f"%{{text}}<br>%{{x}} ms{hover}")
    alt = f"Scatter of {fmt.pluralize(len(measured), data.counted)}; {finding}"
    return Figure(key, title, alt, traces, _latency_layout(yaxis))


def _by_trust(rows: pd.DataFrame, values: pd.Series, hover: str) -> tuple[dict[str, Any], ...]:
    traces = []
    for trust, colour in _TRUST_COLOURS.items():
        chosen = rows["trust"] == trust
        if not chosen.any():
            continue
        places = finite(rows.loc[chosen, "latency_ms"]), finite(values[chosen], 3)
        marker = {"color": colour, "symbol": _TRUST_SYMBOLS[trust], "size": 7, "opacity": 0.75}
        names = [plot_text(name) for name in rows.loc[chosen, "label"]]
        traces.append(markers(*places, marker, hover, name=trust, text=names))
    return tuple(traces)


def _latency_layout(yaxis: dict[str, Any]) -> dict[str, Any]:
    return {
        "height": 320,
        "showlegend": True,
        "xaxis": {"type": "log", "title": {"text": "Estimated latency, ms"}},
        "yaxis": yaxis,
    }


def reference_figure(data: ReportData, visits: pd.DataFrame) -> Figure:
    """Return the calibration workload's time over the campaign: it shows when the machine itself was slow.

    Args:
        data: the report's data.
        visits: of `series.visit_table`.
    """
    key, title = "calibration", "The calibration workload over the campaign"
    known = visits[visits["calibration_ms"].notna()]
    if not len(known):
        return Figure(key, title, title, missing="No calibration workload was timed around the measurements.")
    relative = 100 * (known["calibration_ms"] / known["calibration_ms"].median() - 1)
    worst = float(relative.abs().max())
    text = f"The same work, timed around every visit, was at most {fmt.percent(worst)} off its median."
    layout = _time_layout({"title": {"text": "Difference from its median, %"}, "zeroline": True})
    return Figure(key, title, text, _over_time(data, known, relative, "% from the median"), layout, text)


def state_figure(data: ReportData, visits: pd.DataFrame, column: str) -> Figure:
    """Return the temperature or the clock at every visit.

    Args:
        data: the report's data.
        visits: of `series.visit_table`.
        column: `temperature_c` or `cpu_mhz`.
    """
    title, unit = _STATES[column]
    known = visits[visits[column].notna()]
    if not len(known):
        return Figure(column, title, title, missing=f"The platform does not report its {title.split()[0].lower()}.")
    reach = f"from {fmt.number(known[column].min())} to {fmt.number(known[column].max())} {unit}"
    layout = _time_layout({"title": {"text": f"{title.split()[0]}, {unit}"}})
    alt = f"Scatter over {len(known)} visits, {reach}."
    return Figure(column, title, alt, _over_time(data, known, known[column], unit), layout)


_STATES = {
    "temperature_c": ("Temperature over the campaign", "°C"),
    "cpu_mhz": ("Clock over the campaign", "MHz"),
}


def _over_time(data: ReportData, visits: pd.DataFrame, values: pd.Series, unit: str) -> tuple[dict[str, Any], ...]:
    step = -(-len(visits) // _MAX_POINTS)
    drawn, shown = visits.iloc[::step], values.iloc[::step]
    labels = data.dataset["label"].loc[drawn["row"]].to_numpy()
    disturbed = drawn["disturbed"].to_numpy(dtype=bool)
    traces = []
    for name, chosen, colour, symbol in (
        ("calm visit", ~disturbed, SKY, "circle"),
        ("disturbed visit", disturbed, GREY, "x"),
    ):
        if chosen.any():
            moments = [moment.isoformat() for moment in drawn["at"][chosen]]
            marker = {"color": colour, "symbol": symbol, "size": 5}
            names = [plot_text(label) for label in labels[chosen]]
            hover = f"around %{{text}}<br>%{{y}} {unit}"
            traces.append(markers(moments, finite(shown[chosen], 4), marker, hover, name=name, text=names))
    return tuple(traces)


def _time_layout(yaxis: dict[str, Any]) -> dict[str, Any]:
    return {
        "height": 320,
        "showlegend": True,
        "xaxis": {"type": "date", "title": {"text": "Start of the visit, UTC"}},
        "yaxis": yaxis,
    }
