"""The commands `bundle` and `ingest`: a campaign on an external drive."""

from __future__ import annotations

from pathlib import Path

import click

from perfcast.cli.config import choosing, chosen
from perfcast.cli.output import native_libraries_silent
from perfcast.text import format_number

_MB = 1e-6


@click.command()
@choosing
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to write, such as one on the drive.",
)
def bundle(target: str | None, files: tuple[Path, ...], out: Path) -> None:
    """Write a campaign to a drive, for a device that no network reaches.

    On the device `python3 run.py` measures, and goes on where it was interrupted; `perfcast ingest` brings the
    measurements back.
    """
    from perfcast.bench.offline.bundle import write_drive
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.stage import export_models
    from perfcast.models.collect import collect
    from perfcast.progress import track

    settings = chosen(target, files)
    specs = collect(settings.sheets, settings.synthetic).specs
    artifacts = ArtifactStore(settings.store)
    with native_libraries_silent(), track(len(specs), "exporting") as advance:
        exports = export_models(specs, artifacts, advance)
    packed = write_drive(out, settings.target, settings.description, exports, artifacts)
    click.echo(
        f"{out}: {packed.measurements} measurements of {packed.graphs} networks for {settings.target.name}, "
        f"{format_number(packed.size_bytes * _MB)} MB; on the device: python3 run.py"
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@choosing
def ingest(folder: Path, target: str | None, files: tuple[Path, ...]) -> None:
    """Bring back what a device has measured from FOLDER, which `perfcast bundle` wrote."""
    from perfcast.bench.offline.ingest import ingest as bring_back
    from perfcast.bench.record import MeasurementStore
    from perfcast.export.artifacts import ArtifactStore

    store = chosen(target, files).store
    found = bring_back(folder, ArtifactStore(store), MeasurementStore(store))
    left = f"; {found.missing} are not measured yet" if found.missing else ""
    click.echo(f"{folder}: {found.new} new measurements, {found.measured} in all{left}")
