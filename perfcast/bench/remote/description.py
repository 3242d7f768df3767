"""What a target's description says of a device that is reached by a shell."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MB = 1e6


@dataclass(frozen=True)
class Container:
    """The container that the runner runs in.

    Attributes:
        engine: the command: `docker` or `podman`.
        image: its name on the device.
        python: the interpreter in the image.
        memory_mb: how much memory it has, in MB of 10^6 bytes; it cannot swap. None for no limit.
        runtime: such as `nvidia`; None for the engine's own.
    """

    engine: str
    image: str
    python: str
    memory_mb: float | None
    runtime: str | None

    def to_order(self) -> dict[str, Any]:
        """Return it as the runner takes it."""
        limit = None if self.memory_mb is None else int(self.memory_mb * _MB)
        names = ("engine", "image", "python", "runtime")
        return {name: getattr(self, name) for name in names} | {"memory_bytes": limit}


@dataclass(frozen=True)
class Remote:
    """How a device is used.

    Attributes:
        folder: where runner and graphs are kept there, from the home folder on.
        python: its interpreter.
        container: None for none.
        architecture: what `uname -m` must say, None for anything.
    """

    folder: str
    python: str
    container: Container | None
    architecture: str | None

    @classmethod
    def of_target(cls, transport: Mapping[str, Any], architecture: str | None) -> Remote:
        """Return what a checked description says."""
        container = transport["container"]
        own_python = sys.executable if transport["kind"] == "local" else "python3"
        return cls(
            folder=transport["folder"],
            python=transport.get("python", own_python),
            container=Container(
                engine=container["engine"],
                image=container["image"],
                python=container["python"],
                memory_mb=container["memory_mb"],
                runtime=container["runtime"],
            )
            if container
            else None,
            architecture=architecture,
        )
