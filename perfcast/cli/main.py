"""The command's group, and what it makes of errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from perfcast.cli.bundle import bundle
from perfcast.cli.fit import fit
from perfcast.cli.ingest import ingest
from perfcast.cli.measure import measure
from perfcast.cli.options import Request, source_options
from perfcast.cli.output import check_ending, end, say
from perfcast.cli.plan import plan
from perfcast.cli.predict import predict
from perfcast.cli.profile import profile
from perfcast.cli.study import study, study_command
from perfcast.cli.sweep import sweep
from perfcast.cli.train import train
from perfcast.errors import PerfcastError
from perfcast.models.external.kinds import ENDINGS
from perfcast.storage import write_table


class _Perfcast(click.Group):
    """Turns perfcast's own errors into one line each and an exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except PerfcastError as error:
            say(error)
            sys.exit(error.exit_code)


_HELP = f"""Predict how fast a neural network runs on a device, and how much memory it takes.

A SOURCE is a file ({", ".join(ENDINGS)}, or a descriptor model.json), the folder of a SavedModel, an address at
TensorFlow Hub, or the name of a model that a sheet lists, such as densenet121_224.
"""


@click.group(cls=_Perfcast, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="perfcast")
def main() -> None:
    """Hold the commands."""


main.add_command(plan)
main.add_command(measure)
main.add_command(profile)
main.add_command(study)
main.add_command(study_command("comparison", "compare"))
main.add_command(sweep)
main.add_command(train)
main.add_command(bundle)
main.add_command(ingest)
main.add_command(fit)
main.add_command(predict)


@main.command()
@source_options
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write: .csv or .parquet.",
)
def features(request: Request, out: Path) -> None:
    """Write the features of models to a file.

    It has one row per SOURCE, in order; a SOURCE that fails is skipped.
    """
    check_ending(out)
    table, failures = request.features()
    if len(table):
        write_table(out, table)
    end(failures, len(table))
