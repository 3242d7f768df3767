"""Plans: what a runner is asked for, whichever way the plan gets there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from perfcast.runner.power import OFF
from perfcast.runner.shapes import NOTHING_BEFORE, plan_with, task_with
from perfcast.runner.variables import conditions_of
from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from perfcast.bench.target import Target
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.exports import Export
    from perfcast.export.program import Program


def plan_of(target: Target, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the plan of a target's tasks, as if nothing had been measured before.

    Args:
        target: what to measure on.
        entries: as `plan_entry` returns each.
    """
    return plan_with(
        factors=target.factors | {"device_kind": target.device_kind},
        protocol=target.protocol.to_dict(),
        settings=target.all_settings,
        environment_variables=target.environment_variables,
        power=target.power,
        soak_s=target.soak_s,
        time_limit_s=target.time_limit_s,
        seed=int(digest_of_json(sorted(entry["key"] for entry in entries))[:8], 16),
        tasks=entries,
        **NOTHING_BEFORE,
    )


def variable_arguments(factors: dict[str, Any], environment_variables: dict[str, str | None]) -> list[str]:
    """Return the runner's arguments that say which environment variables it runs under."""
    return ["--variables", json.dumps(conditions_of(factors, environment_variables))]


def probe_arguments(target: Target, calibrated: bool) -> list[str]:
    """Return the runner's arguments that have it say what a target's device is, and time the calibration workload."""
    factors = target.factors | {"device_kind": target.device_kind}
    calibrate = ["--calibrate", str(factors["threads"])] if calibrated else []
    power = {"asked": target.power, "device_kind": target.device_kind}
    read = ["--power", json.dumps(power)] if target.power != OFF else []
    asked = ["--probe", factors["toolchain"], "--settings", json.dumps(target.all_settings), *calibrate, *read]
    return asked + variable_arguments(factors, target.environment_variables)


def run_arguments(plan: dict[str, Any]) -> list[str]:
    """Return the runner's arguments that have it measure a plan that comes on its standard input."""
    return ["-", "--wait", *variable_arguments(plan["factors"], plan["environment_variables"])]


def plan_entry(key: str, export: Export, program: Program) -> dict[str, Any]:
    """Return a task as a plan has it, of a model that was not visited before; its program is named by the file."""
    interface = program.interface or {}
    return task_with(
        key=key,
        program=program.file,
        inputs=interface["inputs"],
        outputs=interface["outputs"],
        seed=export.spec.seed,
        resume=None,
        alone=False,
        answered=False,
        can_wait=False,
    )


def program_of(export: Export, target: Target) -> Program:
    """Return the program of an export that a target of one factor set runs, or why there is none."""
    return export.program(target.formats)


def programs_of(artifacts: ArtifactStore, exports: Iterable[Export], target: Target) -> dict[str, Path]:
    """Return the files of the programs that a plan of these exports names, by these names; where there are any.

    Raises:
        StoreError: an artifact or a program is missing or damaged.
    """
    found = {}
    for export in exports:
        program = program_of(export, target)
        artifacts.verify(export.artifact, [program])
        if program.digest:
            found[program.file] = artifacts.program_path(export.artifact, program)
    return dict(sorted(found.items()))
