"""A campaign whose steps take seconds: tiny networks, the toolchain that runs nothing, the real Snakefile."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import yaml

from tests.system.runs import Answer, snakemake, start

if TYPE_CHECKING:
    import subprocess
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
shards: 2
models:
  sheets: [sheet.csv]
fit:
  splits: 1
  algorithms: [poly]
"""

ONE_PROCESS = ("--set-threads", "fit_predictor=1", "export_shard=1")
"""Ten models need no second process, which takes longer to start than they take."""
PARTS = ("Snakefile", "config", "envs", "perfcast", "profiles", "workflow")
LINKS = ("jetson_nano", "jetson_orin", "jetson_tx2", "raspberry_pi4")
DATASET = "results/quick/dataset.parquet"
SHARDS = range(2)
VISITS = 3
UNDISTURBED = {"iterations": VISITS * 150, "visits": VISITS, "share": 0.5, "replicates": 1}
"""The campaign that tests share: one that measures for some seconds, to be killed in the midst of it."""


def check_out(root: Path, folder: Path) -> Path:
    """Copy the project to a folder, beside a small campaign."""
    copy_project(root, folder)
    SmallCampaign(folder, folder).prepare()
    return folder


def copy_project(root: Path, folder: Path) -> Path:
    """Copy what a checkout needs to run."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        if (root / part).is_dir():
            shutil.copytree(root / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(root / part, folder / part)
    for link in LINKS:
        (folder / link).symlink_to((root / link).readlink())
    return folder


@dataclass(frozen=True)
class SmallCampaign:
    """A folder to run in, the tree whose Snakefile and package it runs, and a folder of installed plugs."""

    folder: Path
    tree: Path
    plugs: Path | None = None

    def prepare(self, iterations: int = 12, visits: int = 2, share: float = 0.5, replicates: int = 1) -> None:
        """Write the sheet, the configuration and the target."""
        (self.folder / "config/targets").mkdir(parents=True, exist_ok=True)
        target = yaml.safe_load((self.tree / "config/targets/local.yaml").read_text())
        target["factors"]["fixed"]["toolchain"] = "noop"
        target["protocol"] = {"name": "published", "iterations": iterations, "discard": 2 * visits, "visits": visits}
        target["replicates"] = {"share": share, "count": replicates}
        (self.folder / "config/targets/quick.yaml").write_text(yaml.safe_dump(target))
        (self.folder / "sheet.csv").write_text(SHEET)
        (self.folder / "config.yaml").write_text(CONFIG)

    def take_exports(self, other: SmallCampaign) -> None:
        """Have all models exported already, as another campaign has them: building them takes TensorFlow seconds."""
        for part in ("artifacts", "exports"):
            shutil.copytree(other.folder / "results/store" / part, self.folder / "results/store" / part)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace what stands once in a file of the folder, or of the tree where the folder has none."""
        path = next(path for place in (self.folder, self.tree) if (path := place / name).exists())
        text = path.read_text()
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))

    @property
    def said(self) -> Path:
        """The file of all that the last run printed."""
        return self.folder / "said"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake."""
        return start(self.folder, *ONE_PROCESS, "--rerun-incomplete", *arguments, said=self.said, **self._code)

    def run(self, *arguments: str) -> Answer:
        """Run Snakemake to its end."""
        return snakemake(self.folder, *ONE_PROCESS, "--rerun-incomplete", *arguments, **self._code)

    @property
    def _code(self) -> dict[str, Any]:
        """Whose code runs."""
        paths = [str(path) for path in (self.tree, self.plugs) if path]
        return {"tree": self.tree, "PYTHONPATH": os.pathsep.join(paths)}

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
