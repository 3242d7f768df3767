"""The command `bundle`: a campaign for a device that no network reaches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcast.cli.config import target_options
from perfcast.cli.output import native_libraries_silent
from perfcast.text import format_number

if TYPE_CHECKING:
    from perfcast.planning.settings import Settings

_MB = 1e-6


@click.command()
@target_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to write to, such as one on an external drive.",
)
def bundle(settings: Settings, out: Path) -> None:
    """Write an offline bundle, to measure a device without a network.

    On the device, `python3 run.py` in that folder measures; run again, it continues. Then `perfcast ingest` reads the
    measurements here.
    """
    from perfcast.bench.offline.bundle import write_bundle
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.stage import export_models
    from perfcast.models.collect import collect
    from perfcast.progress import track

    target = settings.target
    specs = collect(settings.sheets, settings.config["models"]["synthetic"]).specs
    artifacts = ArtifactStore(settings.store)
    with native_libraries_silent(), track(len(specs), "exporting") as advance:
        exports = export_models(specs, artifacts, advance, target.formats)
    packed = write_bundle(out, target, settings.description, exports, artifacts)
    click.echo(
        f"{out}: {packed.measurements} measurements of {packed.graphs} networks for {target.name}, "
        f"{format_number(packed.size_bytes * _MB)} MB; on the device: python3 run.py"
    )
