"""How far the measurements are to be trusted: tables and sentences made of what was judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.pages import formatting as fmt
from perfcast.pages.tables import Cell, Row, Table, number_cell, numbers, text_row, texts
from perfcast.studies.factor_sets import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from perfcast.studies.prediction.inputs import ReportData

TRUSTS = {
    "trusted": "The latency is valid, within its interval.",
    "noisy": "The latency is valid but less certain than it should be: see the reason. Used for training.",
    "rejected": "The latency is not valid. Kept in the dataset, not used for training.",
}
_IMPOSSIBLE = "Faster than the device can compute or read its weights. Not used for training."
_MISLEADING = 0.05
_NORMAL = 0.05


def trust_counts(dataset: pd.DataFrame) -> dict[str, int]:
    """Return how many models of replicate 0 are `trusted`, `noisy`, `rejected` and `impossible`."""
    first = dataset[dataset["replicate"] == 0]
    measured = first[first["status"] == "measured"]
    counts = {trust: int((measured["trust"] == trust).sum()) for trust in TRUSTS}
    return counts | {"impossible": int((first["status"] == "impossible").sum())}


def trust_sentence(dataset: pd.DataFrame) -> str:
    """Return how many models are trusted and how many are not: `36 of 40 models trusted (90.0 %), 3 noisy, …`."""
    counts = trust_counts(dataset)
    known = sum(counts.values())
    if not known:
        return "no model was measured"
    share = fmt.percent(100 * counts["trusted"] / known)
    others = ", ".join(f"{counts[name]:,} {name}" for name in counts if name != "trusted")
    return f"{counts['trusted']:,} of {fmt.pluralize(known, counted(dataset))} trusted ({share}), {others}"


def trust_table(data: ReportData) -> Table:
    """Return how many models each trust has, with how narrow their intervals are."""
    columns = (
        *texts("Trust"),
        *numbers(fmt.words(f"{data.counted}s"), "Share", "Interval, median ± %"),
        *texts("What it means", wide=True),
    )
    counts = trust_counts(data.dataset)
    known = sum(counts.values())
    widths = half_widths(data.measured)
    rows = []
    for name, count in counts.items():
        width = widths[data.measured["trust"] == name].median() if name in TRUSTS else None
        rows.append(
            text_row(
                name,
                fmt.whole(count),
                fmt.percent(100 * count / known) if known else fmt.MISSING,
                fmt.number(width),
                TRUSTS.get(name, _IMPOSSIBLE),
                mark=_MARKS.get(name, "") if count else "",
            )
        )
    return Table("Trust in the models' latencies", columns, tuple(rows))


_MARKS = {"noisy": "warn", "rejected": "bad", "impossible": "bad"}


def trust_of(row: Mapping[str, Any]) -> str:
    """Return what a row's trust is called: `impossible` where its status says so, a dash where not measured."""
    if row["status"] == "impossible":
        return "impossible"
    return str(row["trust"]) if row["status"] == "measured" else fmt.MISSING


def mark_of(row: Mapping[str, Any]) -> str:
    """Return what sets a model's row apart: `bad` where no latency can be relied on, `warn` where it is noisy."""
    if row["status"] not in {"measured", "impossible"}:
        return "bad"
    return _MARKS.get(trust_of(row), "")


def half_widths(rows: pd.DataFrame) -> pd.Series:
    """Return half the width of each row's 95% interval, in % of its latency."""
    return 50 * (rows["latency_high_ms"] - rows["latency_low_ms"]) / rows["latency_ms"]


def interval_text(row: Mapping[str, Any]) -> str:
    """Return a row's 95% interval in ms, a dash where there is none."""
    return fmt.span(row["latency_low_ms"], row["latency_high_ms"], digits=4)


def doubtful_table(data: ReportData) -> Table:
    """Return every model whose latency is not fully trusted, with the reason."""
    columns = (
        *texts("Model", "Trust"),
        *numbers("Latency, ms", "± %"),
        *texts("Pattern"),
        *numbers("Visits", "Disturbed"),
        *texts("Reason", wide=True),
    )
    first = data.first
    known = first["status"].isin(["measured", "impossible"])
    doubtful = first[known & ((first["trust"] != "trusted") | (first["status"] == "impossible"))]
    doubtful = doubtful.assign(width=half_widths(doubtful))
    rows = tuple(_doubtful_row(row) for row in doubtful.to_dict("records"))
    return Table("Models whose latency is not fully trusted", columns, rows, "Every measured latency is trusted.")


def _doubtful_row(row: Mapping[str, Any]) -> Row:
    trust, pattern = trust_of(row), fmt.words(str(row["pattern"]))
    cells = (
        Cell(row["label"]),
        Cell(trust),
        number_cell(row["latency_ms"]),
        number_cell(row["width"]),
        Cell(pattern.replace(" ", fmt.SPACE)),
        Cell(fmt.whole(row["visits"])),
        Cell(fmt.whole(row["disturbed_visits"])),
        Cell(fmt.text(row["reason" if trust == "impossible" else "trust_reason"], "no reason recorded")),
    )
    return Row(cells, mark_of(row), {"trust": trust, "pattern": pattern})


def trust_notes(data: ReportData) -> tuple[str, ...]:
    """Return what else to know of the samples, in sentences."""
    return tuple(_sample_notes(data)) if len(data.measured) else ()


def _sample_notes(data: ReportData) -> Iterator[str]:
    measured = data.measured
    count = len(measured)
    gap = (measured["latency_mean_ms"] / measured["latency_ms"] - 1).abs()
    yield (
        f"In {int((gap > _MISLEADING).sum()):,} of {fmt.pluralize(count, data.counted)} the published mean is more "
        f"than 5{fmt.SPACE}% away from the estimated latency; the median difference is "
        f"{fmt.percent(100 * gap.median())}."
    )
    tested = measured["normality_p"].dropna()
    if len(tested):
        yield (
            f"The document assumes normally distributed samples: D'Agostino and Pearson's test rejects this "
            f"(p < {_NORMAL}) for {int((tested < _NORMAL).sum()):,} of {fmt.pluralize(len(tested), data.counted)}."
        )
    if len(found := measured["warmup"].dropna().astype(float)):
        yield (
            f"The median warm-up of a visit took {fmt.pluralize(int(found.median()), 'inference')}, "
            f"{int(found.max()):,} at most."
        )
    dropped = measured["proven_outliers"].fillna(0)
    if (dropped > 0).any():
        gain = measured.loc[dropped > 0, "outlier_gain_percent"].median()
        yield (
            f"{fmt.pluralize(int(dropped.sum()), 'sample')} of {fmt.pluralize(int((dropped > 0).sum()), data.counted)} "
            "were slow for a recorded cause, such as a context switch, and do not count for the "
            f"estimated latency: the median interval became {fmt.percent(gain)} narrower."
        )


def cost_notes(data: ReportData) -> tuple[str, ...]:
    """Return what measuring cost and what stopping early saved, in sentences; all measurements count."""
    rows = data.dataset[data.dataset["runs"] > 0]
    return tuple(_cost_notes(rows)) if len(rows) else ()


def _cost_notes(rows: pd.DataFrame) -> Iterator[str]:
    timed, overhead = float(rows["timed_s"].sum()), float(rows["overhead_s"].sum())
    yield (
        f"Measuring took {fmt.duration(timed + overhead)}: {fmt.duration(timed)} of timed inferences and "
        f"{fmt.duration(overhead)} of overhead for loading, checking and the calibration workload."
    )
    each = rows["timed_s"] / rows["runs"]
    spared = (rows["iterations"] - rows["runs"]).clip(lower=0)
    repeated = (rows["runs"] - rows["iterations"]).clip(lower=0)
    if (rows["protocol"] == "adaptive").any():
        share = fmt.percent(100 * spared.sum() / rows["iterations"].sum())
        yield (
            f"The protocol is adaptive: {int((spared > 0).sum()):,} of {fmt.pluralize(len(rows), 'measurement')} "
            f"stopped early. Of the {int(rows['iterations'].sum()):,} inferences that it makes at most, "
            f"{int(spared.sum()):,} ({share}) were not needed, which saved about {fmt.duration((spared * each).sum())}."
        )
    disturbed, visits = int(rows["disturbed_visits"].sum()), int(rows["visits"].sum())
    again = f"; repeating visits cost {fmt.duration((repeated * each).sum())}" if repeated.any() else ""
    yield f"{disturbed:,} of {fmt.pluralize(visits, 'visit')} were disturbed{again}."
