"""Snakemake, started as its users start it: the one place that does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_JOB = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """What a run came to.

    Attributes:
        code: its exit status.
        said: all that it printed.
    """

    code: int
    said: str

    @property
    def jobs(self) -> list[str]:
        """The jobs that it ran (or, dry, would run), each as `rule` or `rule shard`."""
        found = []
        for rule, details in _JOB.findall(self.said):
            shard = re.search(r"^    wildcards: shard=(\d+)$", details, re.MULTILINE)
            found.append(f"{rule} {shard[1]}" if shard else rule)
        return sorted(found)

    @property
    def errors(self) -> list[str]:
        """The lines that name an error."""
        return [line for line in self.said.splitlines() if line.startswith("error: ")]

    def refused(self, words: str, code: int = 2) -> bool:
        """Say whether it failed as it should: this exit status, one line with these words, no traceback."""
        return self.code == code and len(self.errors) == 1 and words in self.errors[0] and "Traceback" not in self.said


def start(
    folder: Path,
    *arguments: str,
    said: Path,
    tree: Path | None = None,
    python: str = sys.executable,
    config: str | None = "config.yaml",
    **environment: str,
) -> subprocess.Popen[str]:
    """Start Snakemake in a folder.

    Args:
        folder: its working directory.
        arguments: more of the command line; targets come after `--`.
        said: the file that all it prints goes to.
        tree: the checkout whose Snakefile and package it runs; None where that is the folder.
        python: the interpreter.
        config: the configuration, a file of the folder; None where the arguments name it.
        environment: variables that it finds besides those here.
    """
    command = [python, "-m", "snakemake"]
    if tree:
        command += ["--snakefile", str(tree / "Snakefile"), "--directory", str(folder)]
        environment = {"PYTHONPATH": str(tree)} | environment
    if config:
        command += ["--configfile", config]
    command += ["--resources", "device=1", "--cores", "2"]
    known = os.environ | environment
    with said.open("w") as file:
        return subprocess.Popen([*command, *arguments], cwd=folder, stdout=file, stderr=file, env=known, text=True)


def snakemake(folder: Path, *arguments: str, **how: str | Path | None) -> Answer:
    """Run Snakemake in a folder to its end; how, see `start`."""
    said = folder.with_name(f".{folder.name}.said")
    with start(folder, *arguments, said=said, **how) as process:  # type: ignore[arg-type]
        try:
            code = process.wait()
        finally:
            process.kill()
    return Answer(code, said.read_text())


def without(folder: Path, *packages: str) -> dict[str, str]:
    """Return an environment in which importing these packages fails."""
    for name in packages or ("tensorflow", "keras"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise RuntimeError('{name} was imported')\n")
    return {"PYTHONPATH": str(folder)}
