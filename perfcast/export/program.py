"""A program: what a toolchain runs of a model, in one format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import StoreError
from perfcast.storage import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGEST, _FORMAT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z0-9_+-]+)*")
_ENDING = re.compile(r"[a-z0-9_.]{1,60}")
"""What a device takes as the ending of a file's name; the names of layers in a format may be longer."""


@dataclass(frozen=True)
class Program:
    """A program of an artifact, or why it has none of a format.

    Attributes:
        format: such as `graph.pb`.
        key: stands for all that it is made from.
        digest: of its content, None where there is none.
        interface: how it is run: `inputs`, `outputs`, and what its converter adds.
        reason: why there is none; empty where there is one.
    """

    format: str
    key: str
    digest: str | None = None
    interface: dict[str, Any] | None = None
    reason: str = ""

    @property
    def file(self) -> str:
        """The name of its file: content and format."""
        if _ENDING.fullmatch(self.format):
            return f"{self.digest}.{self.format}"
        return f"{self.digest}.{digest_of(self.format.encode())[:16]}.{self.format.split('.', 1)[0]}"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Program:
        """Return the program that `dataclasses.asdict` described.

        Raises:
            StoreError: it is not one.
        """
        try:
            program = cls(**values)
            named = [program.key, *([program.digest] if program.digest else [])]
            if all(_DIGEST.fullmatch(name) for name in named) and _FORMAT.fullmatch(program.format):
                return program
        except TypeError:
            pass
        raise StoreError(f"not the description of a program: {str(values)[:200]}")
