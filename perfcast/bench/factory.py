"""Which transport a target has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.bench.target import Target, runs_apart
from perfcast.bench.transport import LocalTransport, Transport
from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def open_transport(target: Target, hosts: Sequence[str] | None = None, log: Path | None = None) -> Transport:
    """Return the transport of a target.

    Args:
        target: whose description names the kind.
        hosts: its devices, as OpenSSH knows them; None for one of the target's own name.
        log: file for what runners print besides their answers.

    Raises:
        UsageError: there are hosts for a target that is this machine.
    """
    if target.is_local:
        if hosts:
            raise UsageError(f"hosts: {target.name} measures this machine; remove hosts, or choose another target")
        if not runs_apart(target.transport):
            return LocalTransport(log)
    from perfcast.bench.remote.description import Remote
    from perfcast.bench.remote.shell import ThisMachine
    from perfcast.bench.remote.ssh import SshHost
    from perfcast.bench.remote.transport import HostTransport

    there = (ThisMachine(),) if target.is_local else tuple(SshHost(name) for name in hosts or [target.name])
    return HostTransport(target.name, there, Remote.of_target(target.transport, target.architecture), log)
