"""The command `profile`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from perfcast.cli.config import target_options
from perfcast.cli.options import Request, source_options
from perfcast.cli.output import check_ending, end, native_libraries_silent
from perfcast.cli.study import show_lines
from perfcast.errors import PerfcastError, UsageError, naming
from perfcast.runner.workloads import WORKLOADS
from perfcast.runner.workloads.training_step import OPTIMIZERS
from perfcast.storage import write_table

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.bench.target import Target
    from perfcast.export.exports import Export
    from perfcast.planning.settings import Settings

_STEPS = 15
"""As many as the document on training on low-power devices adds up."""


class _Profiled(NamedTuple):
    """Tables of one model: of operations, and of memory where asked for; the split of training steps alone."""

    profile: pd.DataFrame
    trace: pd.DataFrame | None
    split: pd.DataFrame | None


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
@click.option(
    "--memory",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the memory over time, .csv or .parquet: each model also runs in a process of its own.",
)
@click.option(
    "--split",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for what a training step holds at its peak, by layer and kind, .csv or .parquet.",
)
def profile(
    request: Request,
    settings: Settings,
    steps: int,
    out: Path | None,
    memory: Path | None,
    split: Path | None,
    **factors: Any,
) -> None:
    """Profile a step of models on this machine: the time of each operation and each layer.

    `perfcast study training` reads what --out, --memory and --split write.
    """
    for file in filter(None, (out, memory, split)):
        check_ending(file)
    parts = parts_of(settings, {name: value for name, value in factors.items() if value is not None})
    if split:
        _check_split(parts)
    formats = tuple(dict.fromkeys(name for part in parts for name in part.formats))
    store = request.store or settings.store
    exports, failures = request.exports(store, settings.sheets, formats)
    found = []
    for export in exports:
        for part in parts:
            try:
                with naming(export.spec.model), native_libraries_silent():
                    found.append(_profiled(part, export, store, steps, with_memory=memory is not None))
            except PerfcastError as error:
                failures.append(error)
    if found:
        _show_and_write(found, out, memory, split)
    end(failures, len(found))


def _show_and_write(found: list[_Profiled], out: Path | None, memory: Path | None, split: Path | None) -> None:
    import pandas as pd

    from perfcast.studies.training.memory import traces_of
    from perfcast.studies.training.operation_page import operation_lines
    from perfcast.studies.training.operations import breakdowns_of
    from perfcast.studies.training.splits import kinds_table, layers_table, split_sentences, splits_of

    profiles = pd.concat([each.profile for each in found], ignore_index=True)
    show_lines(operation_lines(tuple(breakdowns_of(profiles))))
    traces = [each.trace for each in found if each.trace is not None]
    parts = [each.split for each in found if each.split is not None]
    if parts and (memory or split):
        measured = [trace for table in traces for trace in traces_of(table)]
        splits = [each for table in parts for each in splits_of(table)]
        show_lines((*split_sentences(splits), kinds_table(splits, measured), *map(layers_table, splits)))
    if out:
        write_table(out, profiles)
    if memory:
        write_table(memory, pd.concat(traces, ignore_index=True))
    if split and parts:
        write_table(split, pd.concat(parts, ignore_index=True))


def _check_split(parts: list[Target]) -> None:
    from perfcast.bench.memory_splits import has_split

    if not any(has_split(part.factors) for part in parts):
        raise UsageError("--split is of training steps of all weights; add --workload training_step")


def parts_of(settings: Settings, asked: dict[str, Any]) -> list[Target]:
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


def _profiled(part: Target, export: Export, store: Path, steps: int, *, with_memory: bool) -> _Profiled:
    from perfcast.bench.memory_splits import split_of
    from perfcast.bench.memory_traces import trace_memory
    from perfcast.bench.profiling import profile_steps, subject_of
    from perfcast.export.artifacts import ArtifactStore

    artifacts = ArtifactStore(store)
    subject = subject_of(part, export, artifacts)
    trace = trace_memory(subject, steps) if with_memory else None
    split = split_of(subject, artifacts.descriptor(export.artifact))
    return _Profiled(profile_steps(subject, steps), trace, split)
