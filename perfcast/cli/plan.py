"""The command `plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcast.cli.config import target_options
from perfcast.cli.files import predictor_option
from perfcast.cli.output import check_ending, native_libraries_silent, show_table
from perfcast.factors import in_words
from perfcast.storage import write_table
from perfcast.text import format_duration, format_number

if TYPE_CHECKING:
    from perfcast.bench.target import Target
    from perfcast.fit.predictor import Predictor
    from perfcast.planning.plan import Plan
    from perfcast.planning.settings import Settings

_LISTED = 20
_MB = 1e-6


@click.command()
@target_options
@predictor_option("Predictor to estimate latencies with.  [default: the target's own, if it has one]")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write, one row per model: .csv or .parquet."
)
def plan(settings: Settings, folder: Path | None, out: Path | None) -> None:
    """Estimate a campaign before it runs.

    Printed are the number of models, the bytes to send, the time, and the models that will not fit into memory.

    Models that were never exported are exported; the campaign reuses them.
    """
    from perfcast.bench.factory import open_transport
    from perfcast.models.collect import collect
    from perfcast.planning.plan import make_plan
    from perfcast.progress import track

    if out:
        check_ending(out)
    target = settings.target
    predictor = _predictor(folder, Path(settings.target_results) / "predictor")
    specs = collect(settings.sheets, settings.config["models"]["synthetic"]).specs
    with native_libraries_silent():
        made = make_plan(settings, specs, open_transport(target, settings.config["hosts"]), predictor, track)
    if out:
        write_table(out, made.models)
    _show(made, target)


def _predictor(named: Path | None, own: Path) -> Predictor | None:
    from perfcast.fit.persistence.folder import load_predictor

    if named:
        return load_predictor(named)
    return load_predictor(own) if (own / "manifest.json").exists() else None


def _show(plan: Plan, target: Target) -> None:
    families = plan.families()
    total = families.sum()
    rows = [
        (
            str(name),
            f"{row.models:.0f}",
            f"{row.measurements:.0f}",
            format_number(row.graph_bytes * _MB),
            format_duration(row.time_s),
            f"{row.warnings:.0f}" if row.warnings else "",
        )
        for name, row in [*families.iterrows(), ("in all", total)]
    ]
    headings = ("models", "to measure", "graphs, MB", "expected time", "will likely fail")
    show_table({"family": "left", **dict.fromkeys(headings, "right")}, rows)
    if not total.measurements:
        click.echo(f"{target.name}: everything is measured already")
    else:
        _show_sums(plan, target)
    flagged = plan.models[plan.models["warning"] != ""]
    for row in flagged.head(_LISTED).to_dict("records"):
        chosen = {name: row[name] for name in target.factor_sets[0]}
        under = in_words(chosen, target.factor_sets)
        click.echo(f"{row['model']}{f' ({under})' if under else ''}: {row['warning']}")
    if len(flagged) > _LISTED:
        click.echo(f"… and {len(flagged) - _LISTED} more; --out FILE lists all")


def _show_sums(plan: Plan, target: Target) -> None:
    pending = plan.models[plan.models["measurements"] > 0].drop_duplicates("model")
    raw, packed = (format_number(pending[name].sum() * _MB) for name in ("graph_bytes", "packed_bytes"))
    click.echo(
        f"{target.name}: measuring takes about {format_duration(plan.time_s)}, "
        f"{format_duration(plan.start_s)} of it for starting the runtime; latencies estimated from {plan.predicted_by}"
    )
    where = ", if it were another machine" if target.is_local else ""
    click.echo(f"to send to the device{where}: {raw} MB of graphs, {packed} MB compressed")
