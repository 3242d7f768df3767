"""A target's devices, each a host with a shell: whichever is free takes a campaign."""

from __future__ import annotations

import contextlib
import platform
import tempfile
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.bench.device_lock import first_free, lock_of
from perfcast.bench.plans import probe_arguments, run_arguments
from perfcast.bench.remote import preflight
from perfcast.bench.remote.upload import KEEP_RUNNER, RUN, order_of, packed, send_files
from perfcast.bench.result_collector import say
from perfcast.bench.runner_file import RunnerFile
from perfcast.bench.runner_process import Ending, Runner
from perfcast.bench.transport import RUNNER, Probe, placed
from perfcast.errors import BenchmarkError, BusyError, LinkError, PerfcastError, UsageError
from perfcast.runner.protocol import BUSY, GONE, PROGRAMS, REFUSED
from perfcast.storage import digest_of
from perfcast.text import last_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from perfcast.bench.remote.connection import Connection, Host
    from perfcast.bench.remote.description import Remote
    from perfcast.bench.remote.upload import Sent
    from perfcast.bench.target import Target

KILLED = frozenset({128 + 9, 128 + 15})
"""Exit statuses of a runner that was killed, or its container."""


@dataclass(frozen=True)
class HostTransport:
    """Reaches a target's devices.

    Attributes:
        target: its name, for messages.
        hosts: devices of one kind.
        remote: how they are used.
        log: file for what runners print besides their answers.
    """

    target: str
    hosts: tuple[Host, ...]
    remote: Remote
    log: Path | None = None

    @contextlib.contextmanager
    def claim(self) -> Iterator[HostDevice]:
        """Hold the first device that is free here; while all are taken, wait.

        Raises:
            UsageError: a device lacks something; one message says all that is missing, and what to do.
        """
        locks = {lock_of(host.address): host for host in self.hosts}
        with contextlib.ExitStack() as held:
            yield self._first_ready(locks, held)

    def _first_ready(self, locks: dict[Path, Host], held: contextlib.ExitStack) -> HostDevice:
        """Return a device that is free and answers, and hold it in ``held``; the last one's failure is the error."""
        purpose = f"measuring on {' or '.join(host.name for host in self.hosts)}"
        while True:
            with contextlib.ExitStack() as trial:
                lock = trial.enter_context(first_free(list(locks), purpose))
                try:
                    device = self._device(locks.pop(lock), trial)
                    device.make_ready()
                except LinkError as error:
                    if not locks:
                        raise
                    say(f"{error}; trying another device")
                    continue
                held.enter_context(trial.pop_all())
                return device

    def _device(self, host: Host, held: contextlib.ExitStack) -> HostDevice:
        return HostDevice(self.target, held.enter_context(host.connected()), self.remote, self.log)

    def check(self) -> None:
        """See that all devices can be measured on.

        Raises:
            UsageError: some cannot; one message says all that is missing, and what to do.
        """
        problems = []
        for host in self.hosts:
            with contextlib.ExitStack() as held:
                try:
                    self._device(host, held).make_ready()
                except (LinkError, UsageError) as error:
                    problems.append(str(error))
        if problems:
            raise UsageError("\n".join(problems))

    def probe(self, target: Target, calibrated: bool = False) -> Probe:
        """Return what the first device that answers is with the settings applied.

        Raises:
            UsageError: it lacks something.
            BenchmarkError: none answers, or one something else.
        """
        for host in self.hosts[:-1]:
            with contextlib.suppress(LinkError):
                return self._probe(host, target)
        return self._probe(self.hosts[-1], target)

    def _probe(self, host: Host, target: Target) -> Probe:
        with contextlib.ExitStack() as held:
            return self._device(host, held).probe(target)


@dataclass(frozen=True)
class HostDevice:
    """One device, as long as it is held."""

    target: str
    link: Connection
    remote: Remote
    log: Path | None
    runner: RunnerFile = field(default_factory=lambda: RunnerFile.of(RUNNER))

    @property
    def name(self) -> str:
        """The device, by its address."""
        return self.link.host.address

    @property
    def host(self) -> str:
        """What the user calls it."""
        return self.link.host.name

    def make_ready(self) -> None:
        """See what the device lacks, and bring the runner there.

        Raises:
            UsageError: something is missing.
            LinkError: it cannot be reached.
        """
        try:
            found = preflight.look(self.link, self.remote, self.runner.name)
        except LinkError as error:
            raise LinkError(f"{self.target} cannot be measured: {error}") from error
        if problems := preflight.problems_of(found, self.remote):
            listed = "".join(f"\n  - {problem}" for problem in problems)
            raise UsageError(f"{self.target} cannot be measured on {self.host}; fix this first:{listed}")
        if not found.has_runner:
            place = self.remote.folder, self.remote.python, self.runner.name
            said = self.link.run(KEEP_RUNNER, *place, content=self.runner.content)
            if said.status:
                why = last_line(said.errors)
                raise BenchmarkError(f"{self.host}: the runner could not be stored in {self.remote.folder} ({why})")

    def probe(self, target: Target, calibrated: bool = False) -> Probe:
        """Return what the device is with the settings applied; bring the runner there first, where it is not.

        Raises:
            UsageError: something is missing there.
            LinkError: it cannot be reached.
            BusyError: somebody else measures there.
            BenchmarkError: the runner ended early or answered what it should not.
        """
        self.make_ready()
        return Probe.of_answers(self._keeping(target.all_settings, probe_arguments(target, calibrated)).answers())

    def run(self, plan: dict[str, Any], graphs: Mapping[str, Path]) -> Iterator[dict[str, Any]]:
        """Bring the graphs there that the device lacks, then yield the runner's answers as they are made.

        Raises:
            LinkError: the link was cut, or the runner killed; what was answered is stored, and another start goes on.
            BusyError: somebody else measures there.
            BenchmarkError: the runner ended early or answered what it should not.
        """
        places, sent = self.ship(graphs)
        if sent.files:
            say(f"{self.host}: {sent.files} graphs sent, {sent.size_bytes * 1e-6:.1f} MB in {sent.seconds:.1f} s")
        yield from self._keeping(plan["settings"], run_arguments(plan)).answers(placed(plan, places))

    def ship(self, graphs: Mapping[str, Path]) -> tuple[dict[str, str], Sent]:
        """Bring those graphs there that the device lacks.

        Returns:
            where each graph lies in the runner's folder, by the name that tasks have for it; and what was sent.

        Raises:
            LinkError: the link was cut; what arrived whole stays.
            BenchmarkError: the device cannot store them, or answered something else than what it lacks.
        """
        files = packed(graphs)
        with tempfile.TemporaryFile() as errors:
            status, sent = send_files(self._command(["--receive", PROGRAMS]), dict(files.values()), errors)
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace")
        if status:
            raise self._error((status, last_line(said)))
        return {name: f"{PROGRAMS}/{file}" for name, (file, _) in files.items()}, sent

    def _keeping(self, settings: Mapping[str, Any], arguments: Sequence[str]) -> Runner:
        container = self.remote.container
        # Machines may share a name. Of one machine a device's lock here lets one run at a time through.
        token = digest_of(f"{platform.node()} {_hardware()} {lock_of(self.name)}".encode())
        order = order_of(token, settings, container.to_order() if container else None)
        return Runner(self._command(["--keep", order, *arguments]), self.log, self._error)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return self.link.command(RUN, self.remote.folder, self.remote.python, self.runner.name, *arguments)

    def _error(self, ending: Ending) -> PerfcastError:
        status, last_words = ending
        if reason := self.link.cut(status, last_words):
            return LinkError(f"{self.host}: the link was cut ({reason})")
        if status == REFUSED:
            return UsageError(f"{self.host}: {last_words}")
        if status == BUSY:
            return BusyError(f"{self.host}: {last_words}")
        if status == GONE:
            return LinkError(f"{self.host}: the runner is not there any more")
        if status in KILLED:
            return LinkError(f"{self.host}: the runner was killed (status {status}: {last_words})")
        return BenchmarkError(f"{self.host}: the runner ended with status {status}: {last_words}")


def _hardware() -> int:
    """Return this machine's network address, 0 where it has none: the library then draws one, each time another."""
    address = uuid.getnode()
    return 0 if address >> 40 & 1 else address
