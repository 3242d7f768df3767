"""The tables of results: what the predictor reaches, next to what the source document reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.fit.options import BASELINES, DEPLOYMENT_SCHEME, SCHEMES
from perfcast.pages import formatting as fmt
from perfcast.pages.tables import Cell, Column, Row, Table, number_cell, numbers, text_row, texts
from perfcast.studies.prediction import labels
from perfcast.studies.prediction.calibration import FIGURE_11, TABLE_1

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from perfcast.studies.prediction.calibration import PublishedRange
    from perfcast.studies.prediction.inputs import MetricResult, ReportData


def metric_of_unit(data: ReportData, unit: str) -> MetricResult | None:
    """Return the first metric measured in ``unit``: the document's time is in ms, its RAM in MB."""
    return next((result for result in data.metrics if result.unit.lower() == unit.lower()), None)


def results_table(data: ReportData) -> Table:
    """Return the document's Table 1 with this target's row first and a column of accuracies on held-out families."""
    columns = (
        *texts("Target"),
        *numbers("Number of inputs"),
        *texts("Time: algorithm"),
        *numbers("Time: accuracy", "Time: accuracy on held-out families"),
        *texts("RAM: algorithm"),
        *numbers("RAM: accuracy", "RAM: accuracy on held-out families"),
    )
    time, ram = metric_of_unit(data, "ms"), metric_of_unit(data, "MB")
    inputs = [int(result.values["rows"]) for result in (time, ram) if result and result.values.get("rows")]
    own = text_row(
        data.target,
        fmt.whole(max(inputs) if inputs else len(data.measured)),
        *_result_cells(time),
        *_result_cells(ram),
        mark="own",
    )
    calibration = [
        text_row(
            f"{row.target} (document)",
            fmt.whole(row.inputs),
            row.time_algorithm,
            labels.accuracy(row.time_accuracy),
            "not reported",
            row.ram_algorithm,
            labels.accuracy(row.ram_accuracy),
            "not reported",
            mark="muted",
        )
        for row in TABLE_1
    ]
    return Table("Predictive results, as the document's Table 1", columns, (own, *calibration))


def _result_cells(result: MetricResult | None) -> tuple[str, str, str]:
    if result is None:
        return fmt.MISSING, fmt.MISSING, fmt.MISSING
    best = result.best_published()
    held_out: Any = result.scheme(best, DEPLOYMENT_SCHEME).get("mape")
    return (
        labels.algorithm_label(best),
        labels.accuracy(result.published(best).get("best_accuracy")),
        labels.accuracy(100 - held_out) if fmt.is_number(held_out) else fmt.MISSING,
    )


def ranges_table(data: ReportData) -> Table:
    """Return the ranges of the features next to those of the document's Figure 11."""
    columns = (
        *texts("CNN feature"),
        *numbers("Here: from", "Here: to", "Document: range"),
        *texts("Within the document's range"),
    )
    rows = tuple(_range_row(entry, data.measured) for entry in FIGURE_11)
    return Table("Ranges of the features over the measured models", columns, rows)


def _range_row(entry: PublishedRange, models: pd.DataFrame) -> Row:
    printed = entry.printed or f"{fmt.whole(entry.low)} – {fmt.whole(entry.high)}"
    lacking = {entry.low_feature, entry.high_feature} - set(models)
    if lacking or not len(models):
        why = "not among this dataset's features" if lacking else "no model was measured"
        return text_row(entry.quantity, fmt.MISSING, fmt.MISSING, printed, why)
    low, high = float(models[entry.low_feature].min()), float(models[entry.high_feature].max())
    ends = (("below", low < entry.low), ("above", high > entry.high))
    beyond = [word for word, is_beyond in ends if is_beyond]
    status = f"reaches {' and '.join(beyond)}" if beyond else "yes"
    return text_row(entry.quantity, fmt.whole(low), fmt.whole(high), printed, status)


def algorithms_table(result: MetricResult) -> Table:
    """Return the errors of every algorithm under every scheme, with 95% intervals."""
    columns = (
        *texts("Algorithm"),
        *numbers("Published: best accuracy", "Published: median (5 % – 95 %)"),
        *numbers(*(f"{labels.scheme_label(scheme)}: MAPE [95 % interval], %" for scheme in SCHEMES)),
        *numbers("Leave one family out: median error, %"),
    )
    best = {scheme: _least_error(result, scheme) for scheme in SCHEMES}
    rows = [_algorithm_row(result, name, best) for name in result.algorithms]
    if rows and fmt.is_number(median := result.repeatability().get("median")):
        nothing = [fmt.MISSING] * (len(columns) - 2)
        rows.append(text_row("Noise floor (measured again)", *nothing, fmt.number(median), mark="muted"))
    return Table(
        f"{labels.metric_label(result.metric)}: errors of every algorithm under every scheme",
        columns,
        tuple(rows),
        "No algorithm was evaluated for this metric.",
    )


_SCHEME_ROWS = {
    "leave_one_family_out": "Held-out families",
    "unseen_network": "Held-out networks",
    "unseen_input_size": "Held-out input sizes",
    "random_folds": "Held-out random rows",
}
_DOMAIN_ROWS = {"inside": "Held-out families, within the domain", "outside": "Held-out families, outside the domain"}


def intervals_table(result: MetricResult) -> Table:
    """Return how often and how wide the deployed algorithm's intervals hold, and what plain ones would do."""
    columns = (
        *texts("Predicted"),
        *numbers(fmt.words(f"{result.counted}s"), "MAPE, %", "Coverage", "Upper end / lower end, median"),
    )
    schemes, domain = result.values.get("schemes") or {}, result.values.get("domain") or {}
    rows = [_interval_row(label, schemes.get(key)) for key, label in _SCHEME_ROWS.items()]
    rows += [_interval_row(label, domain.get(key)) for key, label in _DOMAIN_ROWS.items()]
    if plain := result.values.get("split_conformal"):
        rows.append(
            text_row(
                "Plain split conformal (calibrated on random rows), on held-out families",
                fmt.MISSING,
                fmt.MISSING,
                fmt.percent(100 * plain["coverage"]),
                fmt.number(plain["width_factor"]),
                mark="muted",
            )
        )
    caption = f"{labels.metric_label(result.metric)}: {result.interval:.0%} intervals"
    return Table(caption, columns, tuple(rows) if schemes else (), "No intervals were evaluated.")


def _interval_row(label: str, found: Mapping[str, Any] | None) -> Row:
    if not found:
        return text_row(label, "0", fmt.MISSING, fmt.MISSING, fmt.MISSING)
    cells = (fmt.number(found["mape"]), fmt.percent(100 * found["coverage"]), fmt.number(found["width_factor"]))
    return text_row(label, fmt.whole(found["models"]), *cells)


def _least_error(result: MetricResult, scheme: str) -> str | None:
    errors = {name: result.scheme(name, scheme).get("mape") for name in result.algorithms}
    known = {name: value for name, value in errors.items() if value is not None}
    return min(known, key=lambda name: known[name]) if known else None


def _algorithm_row(result: MetricResult, algorithm: str, best: Mapping[str, str | None]) -> Row:
    published = result.published(algorithm)
    name = labels.algorithm_label(algorithm) + (" – deployed" if algorithm == result.deployed else "")
    spread = fmt.MISSING
    if fmt.is_number(published.get("median_accuracy")):
        low, high = published.get("p05_accuracy"), published.get("p95_accuracy")
        spread = f"{labels.accuracy(published['median_accuracy'])} ({fmt.span(low, high)})"
    cells = [
        Cell(name, strong=algorithm == result.deployed),
        Cell(labels.accuracy(published.get("best_accuracy"))),
        Cell(spread),
        *(_error_cell(result, algorithm, scheme, best[scheme] == algorithm) for scheme in SCHEMES),
        number_cell(result.scheme(algorithm, DEPLOYMENT_SCHEME).get("median_ape")),
    ]
    mark = "own" if algorithm == result.deployed else "muted" if algorithm in BASELINES else ""
    return Row(tuple(cells), mark)


def _error_cell(result: MetricResult, algorithm: str, scheme: str, best: bool) -> Cell:
    errors = result.scheme(algorithm, scheme)
    if not fmt.is_number(errors.get("mape")):
        return Cell(fmt.MISSING)
    interval = fmt.span(errors.get("mape_low"), errors.get("mape_high"))
    return Cell(f"{fmt.number(errors['mape'])} [{interval}]", strong=best)


def group_errors_table(result: MetricResult, errors: pd.DataFrame, by: str, heading: str) -> Table:
    """Return mean and median error of the deployed algorithm for each value of the column ``by``.

    Args:
        result: the metric.
        errors: rows of one scheme and algorithm with the column `ape`, in %.
        by: the column to group by.
        heading: what the groups are called.
    """
    columns = (
        Column(heading, numeric=by != "family"),
        *numbers(fmt.words(f"{result.counted}s"), "MAPE, %", "Median error, %", "Largest error, %"),
    )
    rows = []
    groups = errors.groupby(by) if len(errors) else ()
    for key, group in sorted(groups, key=lambda item: _natural(item[0])):
        ape = group["ape"]
        errors_of_group = map(fmt.number, (ape.mean(), ape.median(), ape.max()))
        rows.append(text_row(str(key), fmt.whole(len(group)), *errors_of_group))
    return Table(
        f"{labels.metric_label(result.metric)}: error by {heading.lower()}",
        columns,
        tuple(rows),
        "No predictions of the deployed algorithm under this scheme.",
    )


def _natural(key: Any) -> tuple[float, str]:
    return float(key) if fmt.is_number(key) else 0.0, str(key)


def importance_table(result: MetricResult, importance: pd.DataFrame) -> Table:
    """Return both importances of the features of one metric."""
    columns = (
        *texts("Feature"),
        *numbers("F-score (splits that use it)", "Permutation: growth of MAPE, percentage points"),
    )
    rows = (
        text_row(str(row.feature), fmt.whole(row.split_count), fmt.number(row.mape_increase))
        for row in importance.itertuples()
    )
    caption = f"{labels.metric_label(result.metric)}: feature importance"
    return Table(caption, columns, tuple(rows), "No feature importance was computed for this metric.")


def noise_table(data: ReportData) -> Table:
    """Return how far repeated measurements differ, for each column of the dataset that has pairs."""
    columns = (*texts("Column of the dataset"), *numbers("Pairs", "|a − b| / mean, median %", "95th percentile, %"))
    rows = (
        text_row(name, fmt.whole(floor["pairs"]), fmt.number(floor["median"]), fmt.number(floor["p95"]))
        for name, floor in data.noise_floor.items()
    )
    empty = "No model was measured twice, so the noise floor is unknown."
    return Table("Noise floor: how far a measurement repeats itself", columns, tuple(rows), empty)
