"""A campaign whose steps take seconds: tiny networks, the toolchain that runs nothing, the real Snakefile."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

SHEET = """source,builder,input_size,parameters
dense,mlp,32,layers=1;units=64
dense,mlp,64,layers=1;units=64
dense,mlp,32,layers=2;units=64
dense,mlp,64,layers=2;units=32
dense,mlp,32,layers=3;units=16
synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=8;strides=2
synthetic,basic_model,64,conv_layers=1;filter_size=3;filters=16;strides=2
synthetic,basic_model,32,conv_layers=2;filter_size=3;filters=8;strides=1
synthetic,basic_model,64,conv_layers=2;filter_size=3;filters=4;strides=1
synthetic,basic_model,32,conv_layers=3;filter_size=1;filters=8;strides=1
"""

CONFIG = """
target: quick
shards: 3
models:
  sheets: [sheet.csv]
fit:
  splits: 1
"""

_JOB = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """What a run of Snakemake came to, and the jobs that it ran (or, dry, would run), as `rule` or `rule shard`."""

    code: int
    said: str

    @property
    def jobs(self) -> list[str]:
        found = []
        for rule, details in _JOB.findall(self.said):
            shard = re.search(r"^    wildcards: shard=(\d+)$", details, re.MULTILINE)
            found.append(f"{rule} {shard[1]}" if shard else rule)
        return sorted(found)


@dataclass(frozen=True)
class SmallCampaign:
    """A folder to run in, the tree whose Snakefile and package it runs, and a folder of installed plugs."""

    folder: Path
    tree: Path
    plugs: Path | None = None

    def prepare(self, iterations: int = 12, visits: int = 2, share: float = 0.5, replicates: int = 1) -> None:
        """Write the sheet, the configuration and the target."""
        (self.folder / "config/targets").mkdir(parents=True)
        target = yaml.safe_load((self.tree / "config/targets/local.yaml").read_text())
        target["factors"]["fixed"]["toolchain"] = "noop"
        target["protocol"] = {"name": "published", "iterations": iterations, "discard": 2 * visits, "visits": visits}
        target["replicates"] = {"share": share, "count": replicates}
        (self.folder / "config/targets/quick.yaml").write_text(yaml.safe_dump(target))
        (self.folder / "sheet.csv").write_text(SHEET)
        (self.folder / "config.yaml").write_text(CONFIG)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace what stands once in a file of the folder."""
        text = (self.folder / name).read_text()
        assert text.count(old) == 1, (name, old)
        (self.folder / name).write_text(text.replace(old, new))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake; everything that it says goes to the file `said`."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(self.tree / "Snakefile")]
        command += ["--directory", str(self.folder), "--configfile", str(self.folder / "config.yaml")]
        command += ["--cores", "2", "--resources", "device=1", "--rerun-incomplete", *arguments]
        paths = [str(path) for path in (self.tree, self.plugs) if path]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
        with (self.folder / "said").open("w") as said:
            return subprocess.Popen(command, cwd=self.folder, stdout=said, stderr=said, env=environment, text=True)

    def run(self, *arguments: str) -> Answer:
        """Run Snakemake to its end."""
        with self.start(*arguments) as process:
            try:
                code = process.wait(timeout=600)
            finally:
                process.kill()
        return Answer(code, (self.folder / "said").read_text())

    def records(self, status: str | None = None) -> dict[str, tuple[int, str]]:
        """Return the measurements' files by key, each with what would change were it written again.

        Those with a status where one is given.
        """
        files = (self.folder / "results/store/measurements").glob("[!.]*.json")
        return {
            path.stem: (path.stat().st_mtime_ns, sha256(path.read_bytes()).hexdigest())
            for path in files
            if status in (None, read_record(path)["status"])
        }

    def visits(self) -> dict[str, list[tuple[str, str]]]:
        """Return of each measurement its finished visits, those of models that are not done too.

        Each as what no two visits share: when it was started, and a digest of its samples.
        """
        store, found = self.folder / "results/store", {}
        for path in (store / "measurements").glob("[!.]*.json"):
            record = read_record(path)
            if record["samples"]:
                times = zip(record["samples"]["visit"], record["samples"]["wall_ns"], strict=True)
                made: list[list[int]] = [[] for _ in record["visits"]]
                for visit, wall_ns in times:
                    made[visit].append(wall_ns)
                starts = [visit["started_at"] for visit in record["visits"]]
                found[path.stem] = [identity(*visit) for visit in zip(starts, made, strict=True)]
        for path in (store / "visits").glob("[!.]*.json"):
            begun = read_record(path)["visits"]
            found[path.stem] = [identity(visit["started_at"], visit["samples"]["wall_ns"]) for visit in begun]
        return found

    def model_of(self, key: str) -> str:
        """Return the model of a measurement."""
        return str(read_record(self.folder / f"results/store/measurements/{key}.json")["model"])


def read_record(path: Path) -> dict[str, Any]:
    """Return what a checksummed file holds."""
    record: dict[str, Any] = json.loads(path.read_text())["record"]
    return record


def identity(started_at: str, wall_ns: list[int]) -> tuple[str, str]:
    """Return what no two visits share."""
    return started_at, sha256(json.dumps(wall_ns).encode()).hexdigest()
