"""Other interpreters than the one that runs the tests, as pyenv installs them."""

import shutil
import subprocess
from pathlib import Path

VERSIONS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.12", "3.13")


def interpreter(version: str) -> Path | None:
    """Return the interpreter of a version such as `3.7`, None where there is none."""
    if named := shutil.which(f"python{version}"):
        works = subprocess.run([named, "-c", ""], capture_output=True, check=False).returncode == 0
        if works:  # A shim of pyenv may stand for nothing.
            return Path(named)
    if not shutil.which("pyenv"):
        return None
    root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout.strip()
    found = sorted(Path(root).glob(f"versions/{version}.*/bin/python"))
    return found[-1] if found else None
