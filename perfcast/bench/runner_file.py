"""The runner as one file: a zip archive that Python runs."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfcast.storage import digest_of

if TYPE_CHECKING:
    from pathlib import Path

_SHEBANG = b"#!/usr/bin/env python3\n"
_PLACE = "perfcast/runner"
_EXTRA = {
    "__main__.py": b"from perfcast.runner.command import main\n\nmain()\n",
    "perfcast/__init__.py": b"",  # The package's own is for newer Pythons.
}


@dataclass(frozen=True)
class RunnerFile:
    """The runner in one file: the same code gives the same bytes."""

    content: bytes

    @classmethod
    def of(cls, folder: Path) -> RunnerFile:
        """Return the runner whose modules lie in ``folder``."""
        buffer = io.BytesIO(_SHEBANG)
        buffer.seek(0, io.SEEK_END)
        with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
            modules = {f"{_PLACE}/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*.py")}
            for name, content in sorted((_EXTRA | modules).items()):
                # A ZipInfo made from a name alone has a fixed date.
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return cls(buffer.getvalue())

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return digest_of(self.content)

    @property
    def name(self) -> str:
        """What it is called on a device."""
        return f"{self.digest}.pyz"
