"""The command `predict`: predictions for models, or for the rows of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.cli.factors import factor_options
from perfcast.cli.files import predictor_option
from perfcast.cli.options import Request, source_options
from perfcast.cli.output import check_ending, end, show_predictions
from perfcast.cli.speed import speed_here
from perfcast.default_predictor import PREDICTOR
from perfcast.errors import DataError, UsageError
from perfcast.storage import write_table
from perfcast.text import escape_control, format_list, format_number, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from perfcast.fit.predictor import Predictor

_LISTED = 3
_NO_QUANTITY = r"[+-]?(0[0-9]|[0-9]{16})"
"""Digits that numbers would not keep: zeros before others, or more than a float holds."""


@click.command()
@source_options
@predictor_option("Folder of a predictor, such as results/local/predictor.  [default: the default predictor]")
@click.option(
    "--mapping",
    type=click.Path(path_type=Path),
    help="What the columns of tables mean; SOURCEs are then tables (CSV or Parquet).",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write to instead of the terminal: .csv or .parquet.",
)
@click.option(
    "--memory-mb",
    type=click.FloatRange(min=0, min_open=True),
    help="Memory that there is, in MB: also print how likely it is exceeded, and the largest safe batch (95%).",
)
@factor_options
def predict(
    request: Request,
    folder: Path | None,
    mapping: Path | None,
    out: Path | None,
    memory_mb: float | None,
    factors: dict[str, Any],
) -> None:
    """Predict latency and memory, with prediction intervals.

    A SOURCE that fails is skipped. Without --predictor, the default predictor answers; the machine that it was trained
    on is printed.

    If the predictor was trained on several values of a factor, choose one with its option, such as --batch 8. A numeric
    factor must be chosen; of a categorical one, such as the toolchain, all values are predicted for otherwise.

    With --mapping, the SOURCEs are tables: --out has their rows, in order, with the predictions added.
    """
    from perfcast.fit.persistence.folder import load_predictor

    if out:
        check_ending(out)
    if mapping and memory_mb:
        raise UsageError("--memory-mb: is for models; predictions for tables have a column out_of_memory instead")
    if mapping:
        tables = [Path(source) for source in request.sources]
        into = _apart_from(tables, out)
        _predict_tables(tables, mapping, load_predictor(folder or PREDICTOR), into, factors)
        return
    loaded = load_predictor(folder or PREDICTOR)
    table, failures = request.features()
    if len(table):
        predictions = loaded.predict(table, factors)
        if out:
            write_table(out, predictions)
        else:
            show_predictions(predictions, loaded)
        if memory_mb:
            _show_fit(loaded, table, factors, memory_mb)
        _say_never_varied(loaded, [factors])
        if not folder:
            click.echo(f"predictions are for {loaded.label}; measure your own target for others", err=True)
        if differs := speed_here(loaded, is_for_here=not folder):
            click.echo(differs, err=True)
    end(failures, len(table))


def _show_fit(predictor: Predictor, table: pd.DataFrame, factors: Mapping[str, Any], memory_mb: float) -> None:
    """Print how likely models are to need more memory than there is, and their largest safe batches."""
    from perfcast.factors import NAMES
    from perfcast.fit.will_it_fit import SAFE, will_it_fit

    found = will_it_fit(predictor, table, factors, memory_mb)
    for row in found.to_dict("records"):
        chosen = ", ".join([row["metric"], *(f"{name} {row[name]}" for name in NAMES if name in row)])
        risk = f"needs more than {format_number(memory_mb)} MB with a probability of {row['exceeds_memory']:.1%}"
        click.echo(escape_control(f"{row['model']} ({chosen}): {risk}; {_safe_batches(row, SAFE)}"))


def _safe_batches(row: Mapping[str, Any], safe: float) -> str:
    import pandas as pd

    batch, most = row["largest_safe_batch"], row["largest_measured_batch"]
    if pd.isna(batch):
        return "its largest safe batch is unknown, since the predictor was trained on one batch size"
    if batch == 0:
        return f"no batch is safe at {safe:.0%}"
    return f"batches up to {batch} are safe at {safe:.0%}" + (
        " (larger ones were not measured)" if batch == most else ""
    )


def _apart_from(paths: list[Path], out: Path | None) -> Path:
    """Return the `--out` for predictions of the tables in ``paths``.

    Raises:
        UsageError: there is none, or it would replace a table.
    """
    if out is None:
        raise UsageError("--mapping: predictions for tables go to a file; name it with --out")
    if out.resolve() in [path.resolve() for path in paths]:
        raise UsageError(f"--out {out}: is one of the tables and would be overwritten; name another file")
    return out


def _predict_tables(
    paths: list[Path], mapping_file: Path, predictor: Predictor, out: Path, factors: dict[str, Any]
) -> None:
    import pandas as pd

    from perfcast.tables.checks import usable
    from perfcast.tables.dataset import features_of
    from perfcast.tables.factors import factors_of
    from perfcast.tables.identity import families_of
    from perfcast.tables.mapping import load_mapping
    from perfcast.tables.reading import TABLE, tables_as_they_stand, without_markers
    from perfcast.tables.text_tables import ROW

    mapping = load_mapping(mapping_file).without_factors(factors)
    wanted = list(dict.fromkeys(name for metric in predictor.metrics.values() for name in metric.features))
    try:
        needed = mapping.columns_of(wanted)
    except UsageError as error:
        raise UsageError(f"{mapping_file}: {error}") from error
    table = tables_as_they_stand(paths, mapping, needed, "the predictor was trained on")
    known = without_markers(table, mapping)
    features = features_of(known, mapping, wanted)
    asked = features.assign(family=families_of(known, mapping))
    known_factors = factors_of(known, mapping).assign(**factors)
    complete = usable(features) & known_factors.notna().all(axis=1).to_numpy()
    refused = _refused(predictor, known_factors[complete])
    can_predict = complete & ~known_factors.index.isin(list(refused))
    if refused and not can_predict.any():
        raise UsageError(next(iter(refused.values())))
    predictions = _wide(predictor, asked[can_predict], known_factors[can_predict]).reindex(range(len(table)))
    if taken := [name for name in predictions if name in table]:
        raise UsageError(f"{', '.join(map(str, paths))}: already has a column {taken[0]!r}; rename or drop it")
    shown = table.drop(columns=[ROW, TABLE])
    if out.suffix == ".parquet":
        shown = pd.DataFrame({name: _typed(shown[name]) for name in shown})
    write_table(out, pd.concat([shown, predictions], axis=1))
    click.echo(f"{out}: {pluralize(int(can_predict.sum()), 'prediction')} for {predictor.label}")
    _say_never_varied(predictor, known_factors[can_predict].drop_duplicates().to_dict("records"))
    if not can_predict.all():
        rows = table.loc[~can_predict]
        listed = format_list(
            [f"{path} row {row}" for path, row in rows[[TABLE, ROW]].head(_LISTED).to_numpy()], len(rows)
        )
        unknown = f" ({next(iter(refused.values()))})" if refused else ""
        raise DataError(
            f"no prediction for {listed}: a feature or factor there is missing, impossible or unknown{unknown}"
        )


def _refused(predictor: Predictor, factors: pd.DataFrame) -> dict[Any, str]:
    """Return why there can be no prediction for rows, by their index: the predictor does not know their factors."""
    refused: dict[Any, str] = {}
    for _, rows in factors.groupby(list(factors), sort=False) if len(factors.columns) else ():
        chosen = rows.iloc[0].to_dict()
        try:
            predictor.matching(chosen)
            predictor.numbers(chosen)
        except UsageError as error:
            refused |= dict.fromkeys(rows.index, str(error))
    return refused


def _say_never_varied(predictor: Predictor, chosen: Iterable[Mapping[Any, Any]]) -> None:
    for line in dict.fromkeys(line for factors in chosen for line in predictor.never_varied(factors)):
        click.echo(line, err=True)


def _typed(column: pd.Series) -> pd.Series:
    """Return a column for Parquet, where each has one type: numbers, where text or a mixture says nothing else.

    Text that would not be the same again, such as `007`, stays text.
    """
    import pandas as pd

    kind = pd.api.types.infer_dtype(column)
    if kind.startswith("mixed") and column.map(pd.api.types.is_scalar).all():
        column = column.astype("str")
    elif kind != "string":
        return column
    known = column[column.notna() & (column != "")]
    numbers = pd.to_numeric(known, errors="coerce", dtype_backend="numpy_nullable")
    if known.empty or numbers.isna().any() or known.str.match(_NO_QUANTITY).any():
        return column
    return numbers.reindex(column.index)


def _wide(predictor: Predictor, features: pd.DataFrame, factors: pd.DataFrame) -> pd.DataFrame:
    """Return predictions in columns, one row per row of ``features``; with several metrics each column has its metric.

    ``factors`` has a column for each factor that is chosen or that the table has.
    """
    import pandas as pd

    if not len(factors.columns):
        return _wide_alike(predictor, features, {})
    if factors.empty:
        raise DataError("no row has all its features and factors: there is nothing to predict")
    pieces = [
        _wide_alike(predictor, features.loc[rows.index], rows.iloc[0].to_dict())
        for _, rows in factors.groupby(list(factors), sort=False)
    ]
    return pd.concat(pieces).loc[features.index]


def _wide_alike(predictor: Predictor, features: pd.DataFrame, factors: dict[str, Any]) -> pd.DataFrame:
    """Return the same of rows under the same factors."""
    import pandas as pd

    parts, numbers, ratios = predictor.matching(factors), predictor.numbers(factors), predictor.ratios(factors)
    if len(parts) > 1:
        vary = ", ".join(name for name in parts[0].factors if name not in factors)
        raise UsageError(
            f"choose {vary}: the predictor was trained on several values, and a table's rows have one each"
        )
    columns = {}
    for name, metric in parts[0].metrics.items():
        prefix = f"{name}_" if len(parts[0].metrics) > 1 else ""
        found = metric.predict(features, numbers, ratios)
        for column in (name for name in found if name != "unit"):
            columns[prefix + column] = found[column].set_axis(features.index)
        # Of a row without a prediction nobody knows.
        columns[f"{prefix}in_domain"] = columns[f"{prefix}in_domain"].astype("boolean")
    return pd.DataFrame(columns)
