"""The command `measure`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.cli.config import DURATION, target_options
from perfcast.cli.options import Request, source_options
from perfcast.cli.output import check_ending, drawing_console, end
from perfcast.runner.protocol import BUDGET
from perfcast.runner.variables import THREADS
from perfcast.storage import write_json, write_table
from perfcast.text import format_number, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perfcast.bench.campaign import Campaign
    from perfcast.bench.target import Target
    from perfcast.export.exports import Export
    from perfcast.planning.settings import Settings

_ENDINGS = (".csv", ".json", ".parquet")
_INVALID = 1


@dataclass(frozen=True)
class Measured:
    """A measurement for the terminal: record, row of a dataset, environment and whether it was made now."""

    record: dict[str, Any]
    row: dict[str, Any]
    environment: dict[str, Any]
    is_new: bool

    @property
    def is_valid(self) -> bool:
        """Whether it was measured and is trusted, or noisy at worst."""
        return self.row["status"] == "measured" and self.row["trust"] != "rejected"


@click.command()
@source_options
@target_options
@click.option(
    "--budget",
    type=DURATION,
    help="How long to measure, such as 90s or 5m; each model is visited once at least, and the next call goes on.",
)
@click.option("--again", is_flag=True, help="Measure again what was measured before; both are kept.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the numbers to: .csv, .json, or .parquet, which studies read.",
)
def measure(request: Request, settings: Settings, budget: float | None, again: bool, out: Path | None) -> None:
    """Measure models now, on the target, and check the samples.

    Models that were measured before are shown, not measured again. Exit code 1: a model could not be measured, or its
    numbers cannot be trusted.
    """
    if out:
        check_ending(out, _ENDINGS)
    store = request.store or settings.store
    exports, failures = request.exports(store, settings.sheets, settings.target.formats)
    budget_s = settings.budget_s if budget is None else budget
    measured = _measured(settings, store, exports, budget_s, again) if exports else []
    if out and measured:
        _write(out, measured)
    for one in measured:
        _show(one)
    end(failures, len(measured))
    if not all(one.is_valid for one in measured):
        sys.exit(_INVALID)


def _measured(
    settings: Settings, store: Path, exports: list[Export], budget_s: float | None, again: bool
) -> list[Measured]:
    """Measure exports; return what became of each, in order."""
    from perfcast.bench.campaign import Campaign
    from perfcast.bench.factory import open_transport
    from perfcast.bench.record import MeasurementStore
    from perfcast.export.artifacts import ArtifactStore

    target = settings.target
    transport = open_transport(target, settings.config["hosts"])
    for line in ignored_threads(target, os.environ):
        click.echo(line, err=True)
    # Each factor set is measured by itself here, and has its share.
    share_s = None if budget_s is None else budget_s / len(target.factor_sets)
    campaign = Campaign(target, transport, ArtifactStore(store), MeasurementStore(store), share_s)
    return [
        one
        for part, environment in campaign.parts_in_environments()
        for one in _measured_part(part, environment, exports, again)
    ]


def ignored_threads(target: Target, environ: Mapping[str, str]) -> list[str]:
    """Return a line for each inherited number of threads that is not the target's: the runner sets its own."""
    threads = sorted({factors["threads"] for factors in target.factor_sets})
    names = [name for name in THREADS if name in environ and name not in target.environment_variables]
    return [
        f"{name}={one_line(environ[name], 20)} is not used: models run with the factor threads, "
        f"{', '.join(map(str, threads))}; environment_variables of a target may set another"
        for name in names
        if target.is_local and not target.in_container and environ[name] not in map(str, threads)
    ]


def _measured_part(
    campaign: Campaign, environment: dict[str, Any], exports: list[Export], again: bool
) -> list[Measured]:
    """Measure exports under one factor set; return what became of each, in order."""
    from perfcast.progress import track

    wanted = {export.artifact: _next_repetition(campaign, export, environment) if again else 0 for export in exports}
    found: dict[str, Measured] = {}
    # One campaign for all that have been repeated as often, so that their visits are interleaved.
    for count in sorted(set(wanted.values())):
        group = [export for export in exports if wanted[export.artifact] == count]
        part = _repeating(campaign, count, len(group) / len(exports))
        tasks = part.tasks(group, environment)
        new = {task.key for task in part.missing(tasks)}
        keys = (part.measure(group, track, "measuring") if new else [task.key for task in tasks])[-len(group) :]
        found |= {export.artifact: _one(part, key, key in new) for export, key in zip(group, keys, strict=True)}
    return [found[export.artifact] for export in exports]


def _repeating(campaign: Campaign, count: int, share: float = 1.0) -> Campaign:
    """Return the campaign that repeats each of its models so often, in its share of the budget."""
    from perfcast.bench.target import Replicates

    budget_s = None if campaign.budget_s is None else campaign.budget_s * share
    target = replace(campaign.target, replicates=Replicates(1.0, count))
    return replace(campaign, target=target, budget_s=budget_s, urgent_replicate=count)


def _next_repetition(campaign: Campaign, export: Export, environment: dict[str, Any]) -> int:
    """Return the first repetition of a model that the store lacks; 0 is its first measurement."""
    count = 0
    while not (part := _repeating(campaign, count)).missing(part.tasks([export], environment)[-1:]):
        count += 1
    return count


def _one(campaign: Campaign, key: str, is_new: bool) -> Measured:
    """Return a measurement with its row as a dataset would have it."""
    from perfcast.dataset.measured import measured_dataset

    record = campaign.measurements.measurement(key)
    environment = campaign.measurements.environment(record["environment"])
    table = measured_dataset(campaign.measurements, campaign.artifacts, [key])
    row = {str(name): _plain(value) for name, value in table.iloc[0].items()}
    return Measured(record, row, environment, is_new)


def _plain(value: Any) -> Any:
    """Return a value of a table as JSON knows it; what is missing as None."""
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    import pandas as pd

    return None if pd.isna(value) else getattr(value, "item", lambda: value)()


def _write(out: Path, measured: Sequence[Measured]) -> None:
    import pandas as pd

    rows = [one.row for one in measured]
    if out.suffix == ".csv":
        write_table(out, pd.DataFrame([{k: v for k, v in row.items() if not isinstance(v, list)} for row in rows]))
        return
    if out.suffix == ".parquet":
        write_table(out, pd.DataFrame(rows))
    else:
        write_json(out, rows)


def _show(measured: Measured) -> None:
    row = measured.row
    factors = measured.record["factors"]
    when = "measured now" if measured.is_new else f"measured {row['started_at']}; --again measures it again"
    if measured.record.get("stopped_by") == BUDGET:
        when += "; the budget ended before the protocol: measure once more for a narrower interval"
    repetition = f", repetition {row['replicate']}" if row["replicate"] else ""
    click.echo(f"{row['model']} on {row['target']}{repetition}: {when}")
    facts = _facts(row) if row["status"] == "measured" else {"status": f"{row['status']}: {row['reason']}"}
    facts["machine"] = _machine(measured.environment, factors)
    for name, text in facts.items():
        click.echo(f"  {name:<13}{text}")
    if measured.record["samples"]:
        click.echo()
        _draw(measured)


def _facts(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what is said of a measurement, by its heading."""
    low, high = format_number(row["latency_low_ms"]), format_number(row["latency_high_ms"])
    trust = f"{row['trust']}: {row['trust_reason']}" if row["trust_reason"] else row["trust"]
    disturbed = f", {row['disturbed_visits']} of them disturbed" if row["disturbed_visits"] else ""
    percentiles = (f"p{at} {format_number(row[f'latency_p{at}_ms'])}" for at in (50, 90, 99))
    return {
        "latency": f"{format_number(row['latency_ms'])} ms, 95% interval {low} to {high}",
        "status": trust,
        "pattern": f"{row['pattern'].replace('_', ' ')}; {row['visits']} visits{disturbed}",
        "percentiles": f"{', '.join(percentiles)} ms of all samples",
        "memory": f"{_mb(row, 'run')} running, {_mb(row, 'load')} loading, above the null model",
        **({"energy": _energy(row)} if row["energy_run_mj"] is not None else {}),
        "includes": row["includes"],
    }


def _energy(row: Mapping[str, Any]) -> str:
    run, above, mean, idle = (
        format_number(row[name])
        for name in ("energy_run_mj", "energy_run_above_idle_mj", "power_mean_w", "power_idle_w")
    )
    return f"{run} mJ per run, {above} of it above rest; {mean} W, at rest {idle} W, read from {row['power_source']}"


def _mb(row: Mapping[str, Any], name: str) -> str:
    value = row[f"ram_{name}_peak_mb"]
    return "unknown" if value is None else f"{format_number(value)} MB"


def _machine(environment: Mapping[str, Any], factors: Mapping[str, Any]) -> str:
    machine, threads = environment["machine"], factors["threads"]
    runtime = f"{factors['toolchain']} {factors['toolchain_version']}, {threads} thread{'s' if threads > 1 else ''}"
    return f"{factors['device']}, {machine['cpus']} CPUs; {runtime}, batch {factors['batch']}"


def _draw(measured: Measured) -> None:
    from perfcast.cli.plot import Samples, draw, styled
    from perfcast.stability import Series

    series = Series.of_record(measured.record)
    samples = Samples(series.wall_ms, series.visit, series.discarded, series.disturbed, measured.row["latency_ms"])
    console, pretty = drawing_console()
    for line in draw(samples, console.width, pretty):
        console.print(styled(line), soft_wrap=True)
