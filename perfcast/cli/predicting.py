"""The command `predict`: forecasts for models, or for the rows of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcast.catalog.naming import counted, few
from perfcast.cli.asking import Request, asking
from perfcast.cli.output import check_ending, end, show_forecasts
from perfcast.errors import DataError, UsageError
from perfcast.starter import PREDICTOR
from perfcast.storage import write_table

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.fit.predictor import Predictor

_LISTED = 3


@click.command()
@asking
@click.option(
    "--predictor",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of a predictor, such as results/local/predictor.  [default: the one that perfcast brings]",
)
@click.option(
    "--mapping",
    type=click.Path(path_type=Path),
    help="What the columns of tables mean: SOURCEs are then tables, CSV or Parquet, and --out has all their columns.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write instead: .csv or .parquet.")
def predict(request: Request, folder: Path | None, mapping: Path | None, out: Path | None) -> None:
    """Forecast latency and memory of models, with prediction intervals; SOURCEs that fail are left out.

    Without --predictor the machine that forecasts are for is the one where perfcast's own predictor was measured,
    which is said with them. Of tables each row is kept, in order, and its forecast added to it.
    """
    from perfcast.fit.predictor import load_predictor

    if out:
        check_ending(out)
    loaded = load_predictor(folder or PREDICTOR)
    if mapping:
        _predict_tables([Path(source) for source in request.sources], mapping, loaded, out)
        return
    answer = request.features()
    if len(answer.table):
        forecasts = loaded.predict(answer.table)
        if out:
            write_table(out, forecasts)
        else:
            show_forecasts(forecasts, loaded)
        if not folder:
            click.echo(f"forecasts are for {loaded.label}; measure your own target for others", err=True)
    end(answer.failures, len(answer.table))


def _predict_tables(paths: list[Path], mapping_file: Path, predictor: Predictor, out: Path | None) -> None:
    import numpy as np
    import pandas as pd

    from perfcast.imports.dataset import families_of, features_of
    from perfcast.imports.mapping import load_mapping
    from perfcast.imports.reading import ROW, TABLE, read_tables

    if out is None:
        raise UsageError("--mapping: forecasts for tables go to a file; name it with --out")
    mapping = load_mapping(mapping_file)
    table = read_tables(paths, mapping, columns=mapping.asked)
    features = features_of(table, mapping)
    usable = np.isfinite(features).all(axis=1).to_numpy()
    try:
        asked = features.assign(family=families_of(table, mapping))
        forecasts = _wide(predictor, asked[usable]).reindex(range(len(table)))
    except DataError as error:
        raise UsageError(f"{', '.join(map(str, paths))}: {error}, which the predictor learned from") from error
    if taken := [name for name in forecasts if name in table]:
        raise UsageError(f"{', '.join(map(str, paths))}: has a column {taken[0]!r} already; rename or drop it")
    write_table(out, pd.concat([table.drop(columns=[ROW, TABLE]).reset_index(drop=True), forecasts], axis=1))
    click.echo(f"{out}: {counted(int(usable.sum()), 'forecast')} for {predictor.label}")
    if not usable.all():
        rows = table.loc[~usable]
        listed = few([f"{path} row {row}" for path, row in rows[[TABLE, ROW]].head(_LISTED).to_numpy()], len(rows))
        raise DataError(f"no forecast for {listed}: a feature is missing, infinite or unknown there")


def _wide(predictor: Predictor, features: pd.DataFrame) -> pd.DataFrame:
    """Return forecasts in columns, a row a row of ``features``; with several metrics each column bears its metric."""
    import pandas as pd

    columns = {}
    for name, metric in predictor.metrics.items():
        prefix = f"{name}_" if len(predictor.metrics) > 1 else ""
        found = metric.predict(features)
        for column in ("prediction", "lower", "upper", "in_domain"):
            columns[prefix + column] = found[column].set_axis(features.index)
    return pd.DataFrame(columns)
