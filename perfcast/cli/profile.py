"""The command `profile`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.cli.config import target_options
from perfcast.cli.options import Request, source_options
from perfcast.cli.output import check_ending, end, native_libraries_silent
from perfcast.cli.study import show_lines
from perfcast.errors import PerfcastError, naming
from perfcast.runner.workloads import WORKLOADS
from perfcast.runner.workloads.training_step import OPTIMIZERS
from perfcast.storage import write_table

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.bench.target import Target
    from perfcast.planning.settings import Settings

_STEPS = 15
"""As many as the document on training on low-power devices adds up."""


@click.command()
@source_options
@target_options
@click.option("--workload", type=click.Choice(list(WORKLOADS)), help="Instead of the target's.")
@click.option("--optimizer", type=click.Choice(OPTIMIZERS), help="Of --workload training_step.")
@click.option("--batch", type=click.IntRange(1, 65536), help="Batch size instead of the target's.")
@click.option("--steps", type=click.IntRange(1, 1000), default=_STEPS, show_default=True, help="How many to trace.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write the profiles to: .csv or .parquet."
)
def profile(request: Request, settings: Settings, steps: int, out: Path | None, **factors: Any) -> None:
    """Profile a step of models on this machine: the time of each operation and each layer.

    `perfcast study training` reads what --out writes.
    """
    if out:
        check_ending(out)
    parts = _parts(settings, {name: value for name, value in factors.items() if value is not None})
    formats = tuple(dict.fromkeys(name for part in parts for name in part.formats))
    store = request.store or settings.store
    exports, failures = request.exports(store, settings.sheets, formats)
    tables = []
    for export in exports:
        for part in parts:
            try:
                with naming(export.spec.model):
                    tables.append(_profiled(part, export, store, steps))
            except PerfcastError as error:
                failures.append(error)
    if tables:
        import pandas as pd

        _show(pd.concat(tables, ignore_index=True), out)
    end(failures, len(tables))


def _show(table: pd.DataFrame, out: Path | None) -> None:
    from perfcast.studies.training.operation_page import operation_lines
    from perfcast.studies.training.operations import breakdowns_of

    show_lines(operation_lines(tuple(breakdowns_of(table))))
    if out:
        write_table(out, table)


def _parts(settings: Settings, asked: dict[str, Any]) -> list[Target]:
    """Return the target once per factor set, with the factors asked for in place of its own.

    Raises:
        UsageError: the target has no device, or an option is one of another workload.
    """
    from perfcast.bench.target import Target
    from perfcast.config import check

    factors = settings.description["factors"]
    own = {
        part: {name: value for name, value in (factors.get(part) or {}).items() if name not in asked}
        for part in ("fixed", "vary")
    }
    described = settings.description | {"factors": {"fixed": own["fixed"] | asked, "vary": own["vary"]}}
    check(described, "target", settings.target.name)
    return Target.from_dict(settings.target.name, described).parts()


def _profiled(part: Target, export: Any, store: Path, steps: int) -> pd.DataFrame:
    from perfcast.bench.profiling import profile_model
    from perfcast.export.artifacts import ArtifactStore

    with native_libraries_silent():
        return profile_model(part, export, ArtifactStore(store), steps)
