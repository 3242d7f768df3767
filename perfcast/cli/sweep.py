"""The command `sweep`."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.cli.config import target_options
from perfcast.cli.files import PROJECT_FILE
from perfcast.cli.output import native_libraries_silent, show_table
from perfcast.models.scaling import CLASSIFIERS
from perfcast.text import escape_control, format_number, pluralize

if TYPE_CHECKING:
    from perfcast.bench.campaign import Campaign
    from perfcast.planning.settings import Settings
    from perfcast.sweeps.config import SweepConfig
    from perfcast.sweeps.sweep import Result, Sweep

_SHOWN = 10
_INVALID = 1


@click.command()
@click.argument("configuration", metavar="CONFIG", type=PROJECT_FILE)
@target_options
@click.option("--family", type=click.Choice(list(CLASSIFIERS)), help="One family.  [default: CONFIG's, else both]")
@click.option(
    "--data",
    multiple=True,
    metavar="FOLDER",
    help="Folder with IDX files or movie reviews, or `keras`, or `builtin`; can be repeated.  "
    "[default: keras, and builtin where it cannot download]",
)
@click.option(
    "--inference-batch",
    "batches",
    type=click.IntRange(min=1),
    multiple=True,
    help="Batch size of evaluation; can be repeated.  [default: CONFIG's, else that of training]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for tables and dataset.  [default: results/sweeps/<name of CONFIG>]",
)
def sweep(
    configuration: Path,
    settings: Settings,
    family: str | None,
    data: tuple[str, ...],
    batches: tuple[int, ...],
    out: Path | None,
) -> None:
    """Train and evaluate a family of networks over layers, filter sizes and batch sizes.

    CONFIG is an INI file or YAML. Every combination is trained, then all are evaluated in one campaign on the target.
    What was done before is not done again. Exit code 1: a combination could not be measured, or its numbers cannot be
    trusted.
    """
    from perfcast.sweeps.combinations import families_of
    from perfcast.sweeps.config import read_config
    from perfcast.sweeps.output import DATASET, dataset_of, write_family
    from perfcast.sweeps.sweep import Sweep

    given: dict[str, Any] = {"family": family} if family else {}
    config = read_config(configuration, given | ({"inference_batch": list(dict.fromkeys(batches))} if batches else {}))
    campaign = _campaign(settings, config)
    folder = out or Path(settings.results) / "sweeps" / configuration.stem
    begun = [Sweep.begun(config, name, data, _say) for name in families_of(config)]
    swept = []
    for one in begun:
        results = _results(one, campaign, settings.store)
        _show(one, results, folder)
        swept.append((one, results))
        for path in write_family(folder, one, results):
            click.echo(f"wrote {path}")
    _write_dataset(folder / DATASET, dataset_of(swept))
    if any(result.evaluated.status not in ("trusted", "noisy") for _, results in swept for result in results):
        sys.exit(_INVALID)


def _say(line: str) -> None:
    click.echo(escape_control(line), err=True)


def _campaign(settings: Settings, config: SweepConfig) -> Campaign:
    from perfcast.bench.campaign import Campaign
    from perfcast.bench.factory import open_transport
    from perfcast.bench.record import MeasurementStore
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.sweeps.measuring import sweep_target

    target = sweep_target(settings.target, config, config.inference_batch or config.batch)
    transport = open_transport(target, settings.config["hosts"])
    return Campaign(target, transport, ArtifactStore(settings.store), MeasurementStore(settings.store))


def _results(one: Sweep, campaign: Campaign, store: Path) -> list[Result]:
    from perfcast.progress import track
    from perfcast.sweeps.training import training_store

    click.echo(f"{one.family}: {pluralize(len(one.combinations), 'combination')}; data: {one.corpus.source}")
    with native_libraries_silent():
        exports = one.export(campaign.artifacts, track)
        trained = one.train(training_store(store), track)
    return one.evaluate(campaign, exports, trained, track)


def _show(one: Sweep, results: list[Result], folder: Path) -> None:
    """Print each combination as the document does, with its first predictions; then a table of all."""
    from perfcast.sweeps.report import heading_of, predictions_of, structure_of

    structures = {spec.model: structure_of(spec) for spec in one.specs}
    for result in results:
        click.echo()
        for line in heading_of(one, result, structures[result.combination.spec.model]):
            click.echo(escape_control(line))
        for prediction in itertools.islice(predictions_of(one, result), _SHOWN):
            click.echo("\n" + "\n".join(prediction))
        if (left := len(result.trained.predicted) - _SHOWN) > 0:
            click.echo(f"\n… and {left:,} more in {folder / one.family}.txt")
    click.echo()
    _show_table(results)


def _show_table(results: list[Result]) -> None:
    headings = ("layers", "filter size", "training batch", "batch", "mean, s", "95% interval, s", "accuracy")
    rows = []
    for result in results:
        combination, found = result.combination, result.evaluated
        values = [combination.spec.parameters[name] for name in ("layers", "filter_size")]
        interval = f"{format_number(found.low_s)} to {format_number(found.high_s)}" if found.samples_s else ""
        mean = format_number(found.mean_s) if found.samples_s else ""
        accuracy = f"{result.trained.accuracy:.3f}"
        counts = [*values, combination.training_batch, combination.batch]
        rows.append((*map(str, counts), mean, interval, accuracy, found.status))
    show_table({**dict.fromkeys(headings, "right"), "status": "left"}, rows)


def _write_dataset(path: Path, dataset: Any) -> None:
    from perfcast.storage import write_table

    write_table(path, dataset)
    click.echo(f"wrote {path}")
