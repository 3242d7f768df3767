"""Checkouts of this project in temporary folders, with a campaign that takes seconds."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PARTS = ("Snakefile", "config", "envs", "perfcast", "profiles", "workflow")
LINKS = ("jetson_nano", "jetson_orin", "jetson_tx2", "raspberry_pi4")

SHEET = """source,builder,input_size,parameters
dense,mlp,32,layers=1;units=64
dense,mlp,32,layers=2;units=64
dense,mlp,64,layers=3;units=128
synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=16;strides=2
synthetic,basic_model,64,conv_layers=2;filter_size=3;filters=8;strides=2
synthetic,basic_model,64,conv_layers=3;filter_size=3;filters=16;strides=1
"""

CONFIG = """target: nothing
shards: 2
models:
  sheets: [sheet.csv]
fit:
  splits: 2
"""


def check_out(root: Path, folder: Path) -> Path:
    """Copy the project to a folder, beside a campaign of six models that run nothing."""
    for part in PARTS:
        if (root / part).is_dir():
            shutil.copytree(root / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(exist_ok=True)
            shutil.copy(root / part, folder / part)
    for link in LINKS:
        (folder / link).symlink_to((root / link).readlink())
    (folder / "sheet.csv").write_text(SHEET)
    (folder / "my.yaml").write_text(CONFIG)
    add_target(folder)
    return folder


def add_target(folder: Path) -> None:
    """Write the target `nothing`: a runtime that runs nothing, a few times."""
    local = (folder / "config/targets/local.yaml").read_text()
    for old, new in (
        ("toolchain: tensorflow", "toolchain: noop"),
        ("count: 1", "count: 0"),
    ):
        assert old in local
        local = local.replace(old, new)
    local = re.sub(r"protocol:\n(  .*\n)+", "protocol: {name: published, iterations: 10, discard: 5}\n", local)
    (folder / "config/targets/nothing.yaml").write_text(local)


def snakemake(
    folder: Path, *arguments: str, python: str = sys.executable, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder, as its users do."""
    command = [python, "-m", "snakemake", "--cores", "2", "--resources", "device=1", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def without_tensorflow(folder: Path) -> dict[str, str]:
    """Return an environment in which importing TensorFlow or Keras fails."""
    for name in ("tensorflow", "keras"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise RuntimeError('imported although nothing is to build')\n")
    return {"PYTHONPATH": str(folder)}
