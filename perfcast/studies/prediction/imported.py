"""The report of a dataset that was measured elsewhere: its rows and what was learned from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.pages import formatting as fmt
from perfcast.pages.tables import Table, numbers, text_row, texts
from perfcast.studies.prediction import tables
from perfcast.studies.prediction.inputs import ReportData, metric_results
from perfcast.studies.prediction.page import prediction_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from perfcast.fit.evaluation import Evaluation
    from perfcast.pages import Page

_MAX_SHOWN = 500


def imported_page(
    dataset: pd.DataFrame,
    problems: pd.DataFrame,
    evaluation: Evaluation,
    manifest: Mapping[str, Any] | None,
    *,
    target: str,
) -> Page:
    """Return the report of an imported dataset.

    Args:
        dataset: as imported.
        problems: what was wrong with the rows of its tables.
        evaluation: the target's evaluation tables.
        manifest: the predictor's, None where nothing was fitted.
        target: the target's name.
    """
    data = ReportData(target, dataset, {}, evaluation, metric_results(evaluation), {}, manifest)
    return prediction_page(
        "imported.html.j2",
        f"{target}: predicted from measurements made elsewhere",
        data,
        measured=imported_sentence(dataset, problems),
        tables={
            "results": tables.results_table(data),
            "ranges": _ranges_table(dataset),
            "problems": _problems_table(problems),
            "rows": _rows_table(problems),
        },
    )


def imported_sentence(dataset: pd.DataFrame, problems: pd.DataFrame) -> str:
    """Return how many rows were imported, and how many problems were found in them."""
    families = fmt.pluralize(dataset["family"].nunique(), "family", "families")
    wrong = fmt.pluralize(len(problems), "problem") if len(problems) else "no problem"
    return f"{fmt.pluralize(len(dataset), 'row')} in {families}, {wrong} found in them"


def _ranges_table(dataset: pd.DataFrame) -> Table:
    """Return the range of each feature."""
    columns = (*texts("Feature"), *numbers("From", "To", "Distinct values"))
    rows = tuple(
        text_row(name, *map(fmt.whole, (dataset[name].min(), dataset[name].max(), dataset[name].nunique())))
        for name in dataset.attrs.get("features", ())
    )
    return Table("Ranges of the features", columns, rows)


def _problems_table(problems: pd.DataFrame) -> Table:
    """Return how many rows have each problem."""
    columns = (*texts("Problem", "Column"), *numbers("Rows"), *texts("Done"))
    groups = problems.groupby(["problem", "column", "done"], sort=False) if len(problems) else ()
    rows = tuple(
        text_row(fmt.escape_control(problem), fmt.escape_control(column or "all"), fmt.whole(len(group)), done)
        for (problem, column, done), group in groups
    )
    return Table("What was wrong", columns, rows, "Every row is used for training.")


def _rows_table(problems: pd.DataFrame) -> Table:
    """Return the rows with problems, the first 500 of them."""
    columns = (
        *texts("Table"),
        *numbers("Row"),
        *texts("Column", "Value"),
        *texts("Problem", wide=True),
        *texts("Done"),
    )
    rows = tuple(
        text_row(*(fmt.escape_control(value) for value in row))
        for row in problems[problems["row"] > 0].head(_MAX_SHOWN).itertuples(index=False)
    )
    more = f", the first {_MAX_SHOWN} of {len(problems):,}" if len(problems) > _MAX_SHOWN else ""
    return Table(f"Row by row{more}", columns, rows, "There is no such row.")
