"""The command `ingest`: what an offline bundle's device has measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcast.cli.config import target_options

if TYPE_CHECKING:
    from perfcast.planning.settings import Settings


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@target_options
def ingest(folder: Path, settings: Settings) -> None:
    """Read the measurements of an offline bundle back in.

    FOLDER is what `perfcast bundle` wrote, after `python3 run.py` on the device.
    """
    from perfcast.bench.offline.ingest import ingest as ingest_folder
    from perfcast.bench.record import MeasurementStore
    from perfcast.export.artifacts import ArtifactStore

    store = settings.store
    found = ingest_folder(folder, ArtifactStore(store), MeasurementStore(store))
    left = f"; {found.missing} are not measured yet" if found.missing else ""
    click.echo(f"{folder}: {found.new} new measurements, {found.measured} in all{left}")
