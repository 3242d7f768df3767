"""Transports: how a plan reaches the runner on a target, and how its answers come back."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from perfcast import runner
from perfcast.bench.device_lock import exclusive, lock_of
from perfcast.bench.plans import probe_arguments, run_arguments
from perfcast.bench.runner_process import Ending, Runner
from perfcast.errors import BenchmarkError, PerfcastError, UsageError
from perfcast.runner.locks import this_machine
from perfcast.runner.protocol import ENVIRONMENT, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from perfcast.bench.target import Target

RUNNER = Path(runner.__file__).parent


@dataclass(frozen=True)
class Probe:
    """What a device says of itself.

    Attributes:
        environment: its machine, software and settings.
        boot: what names its start, another one after each; None where it does not say.
        calibration_ns: times of the calibration workload, where they were asked for.
    """

    environment: dict[str, Any]
    boot: str | None
    calibration_ns: tuple[int, ...] = ()

    @classmethod
    def of_answers(cls, answers: Iterator[dict[str, Any]]) -> Probe:
        """Return what a runner answers that is asked what its device is.

        Raises:
            BenchmarkError: it did not answer, or something else.
        """
        for answer in answers:
            if answer["event"] != ENVIRONMENT:
                raise BenchmarkError(f"the runner answered {answer['event']!r} instead of its environment")
            return cls(answer["environment"], answer["boot"], tuple(answer["calibration_ns"] or ()))
        raise BenchmarkError("the runner did not report the machine's environment")


class Device(Protocol):
    """A device that plans can be brought to."""

    @property
    def name(self) -> str:
        """Its name, for files: the same for all targets on one device."""

    def probe(self, target: Target, calibrated: bool = False) -> Probe:
        """Return what it is with the target's settings applied, without measuring; ``calibrated``: how fast, too."""

    def run(self, plan: dict[str, Any], graphs: Mapping[str, Path]) -> Iterator[dict[str, Any]]:
        """Yield the runner's answers to a plan as they are made; ``graphs`` are the files that tasks name."""


class Transport(Protocol):
    """Brings plans to a target's runner."""

    def claim(self) -> AbstractContextManager[Device]:
        """Hold a device of the target; while all are taken, wait."""

    def probe(self, target: Target, calibrated: bool = False) -> Probe:
        """Return what the target is with its settings applied, without measuring or waiting for a device."""

    def check(self) -> None:
        """See that all its devices can be measured on."""


@dataclass(frozen=True)
class LocalTransport:
    """Runs the runner on this machine, with this Python."""

    log: Path | None = None

    @property
    def name(self) -> str:
        """This machine, by its name on the network."""
        return str(this_machine())

    @contextlib.contextmanager
    def claim(self) -> Iterator[LocalTransport]:
        """Hold this machine."""
        with exclusive(lock_of(self.name), f"measuring on {self.name}"):
            yield self

    def check(self) -> None:
        """See nothing: this machine is there."""

    def probe(self, target: Target, calibrated: bool = False) -> Probe:
        """Return what this machine is with the settings applied.

        Raises:
            BenchmarkError: the runner did not answer, or something else.
        """
        return Probe.of_answers(self._runner(probe_arguments(target, calibrated)).answers())

    def run(self, plan: dict[str, Any], graphs: Mapping[str, Path]) -> Iterator[dict[str, Any]]:
        """Yield the runner's answers to ``plan``, as they are made.

        Raises:
            BenchmarkError: the runner ended early or answered what it should not.
        """
        places = {name: str(path.resolve()) for name, path in graphs.items()}
        yield from self._runner(run_arguments(plan)).answers(placed(plan, places))

    def _runner(self, arguments: list[str]) -> Runner:
        return Runner([sys.executable, str(RUNNER), "--die-with-parent", *arguments], self.log, _ended)


def placed(plan: dict[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    """Return a plan whose tasks name their programs by where they lie on the device."""
    return plan | {"tasks": [task | {"program": places[task["program"]]} for task in plan["tasks"]]}


def _ended(ending: Ending) -> PerfcastError:
    status, last_words = ending
    if status == REFUSED:
        return UsageError(last_words)
    if status < 0:
        return BenchmarkError(f"the runner was killed by signal {-status}; run again to go on")
    return BenchmarkError(f"the runner ended with status {status}: {last_words}")
