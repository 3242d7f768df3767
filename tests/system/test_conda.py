"""`--software-deployment-method conda`: the environment's pins, and that a checkout needs nothing but them.

No conda is at hand: a stand-in that knows Snakemake's few questions makes an environment of the packages that are
installed here, without perfcast.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from tests.system.runs import snakemake
from tests.system.small_campaign import check_out

STAND_IN = """#!/bin/sh
echo "$@" >> {log}
case "$*" in
  "info --json") echo '{info}' ;;
  --version) echo "conda 25.1.1" ;;
  config*) echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
  clean*) ;;
  "env create"*) for last; do :; done; exec cp -a {template} "$last" ;;
  *) echo "unknown: $*" >&2; exit 1 ;;
esac
"""


@pytest.fixture(scope="module")
def environment(root):
    return yaml.safe_load((root / "envs/perfcast.yaml").read_text())


def pip_pins(root):
    """The pins of the hash-checked requirements, with their markers."""
    text = (root / "envs/requirements.txt").read_text()
    return [Requirement(line.rstrip(" \\")) for line in re.findall(r"^[a-z0-9].*$", text, re.MULTILINE)]


def test_the_conda_environment_has_the_pins_of_pip(root, environment):
    *conda, pip = environment["dependencies"]
    assert [re.split("=", pin)[0] for pin in conda] == ["python", "pip"]
    assert all(re.fullmatch(r"[a-z]+=\d+\.\d+\.\d+", pin) for pin in conda)
    python = conda[0].split("=")[1]
    here = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    wanted = {(p.name, str(p.specifier)) for p in pip_pins(root) if p.marker is None or p.marker.evaluate(here)}
    found = [Requirement(pin) for pin in pip["pip"]]
    assert {(p.name, str(p.specifier)) for p in found if p.marker is None or p.marker.evaluate(here)} == wanted
    assert len({p.name for p in found}) == len(found) > 50


def test_the_conda_environment_is_what_make_lock_writes(root, tmp_path):
    for name in ("lock_conda.py", "requirements.txt"):
        (tmp_path / name).write_bytes((root / "envs" / name).read_bytes())
    subprocess.run([sys.executable, tmp_path / "lock_conda.py"], check=True)
    assert (tmp_path / "perfcast.yaml").read_text() == (root / "envs/perfcast.yaml").read_text()
    assert "lock_conda.py" in (root / "Makefile").read_text()


def test_the_conda_environment_names_channels_and_no_host(root, environment):
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert "://" not in (root / "envs/perfcast.yaml").read_text()


def bare(folder: Path) -> Path:
    """Make an environment of all that is installed here but perfcast; return its Python."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/*/site-packages")
    # What a line of a .pth file names is searched, but .pth files in there are not read.
    (site / "all.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin/python"


def stand_in(folder: Path) -> Path:
    """Write a `conda` and its `activate` that answer Snakemake; return what it notes its calls in."""
    (folder / "bin").mkdir(parents=True)
    info = json.dumps({"conda_prefix": str(folder), "platform": "linux-64"})
    (folder / "bin/conda").write_text(STAND_IN.format(log=folder / "calls", info=info, template=folder / "template"))
    (folder / "bin/conda").chmod(0o755)
    (folder / "bin/activate").write_text('export PATH="$1/bin:$PATH" CONDA_PREFIX="$1"\n')
    return folder / "calls"


WITHOUT_ALL_BUT_SNAKEMAKE = """
import importlib.metadata, sys
absent = {absent}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ImportError(f"{{name}} was imported")
sys.meta_path.insert(0, Refuse())
found = importlib.metadata.version
def version(name):
    if name in absent:
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)
importlib.metadata.version = version
from snakemake.cli import main
main()
"""

HEAVY = (
    *("tensorflow", "keras", "numpy", "pandas", "scipy", "sklearn", "xgboost", "mapie"),
    *("pyarrow", "plotly", "rich", "onnx"),
)


def test_workflow_is_parsed_with_snakemake_alone(tmp_path, root):
    stand_in(tmp_path / "conda")
    folder = check_out(root, tmp_path / "checkout")
    command = [sys.executable, "-c", WITHOUT_ALL_BUT_SNAKEMAKE.format(absent=HEAVY)]
    command += ["-n", "--cores", "1", "--configfile", "config.yaml"]
    environment = os.environ | {"PATH": f"{tmp_path}/conda/bin:/usr/bin:/bin"}
    given = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "check": False}
    answer = subprocess.run([*command, "--software-deployment-method", "conda"], **given)
    assert answer.returncode == 0, answer.stderr + answer.stdout
    assert "export_shard" in answer.stdout
    without = subprocess.run(command, **given)
    assert without.returncode == 2
    assert "error: tensorflow is not installed; run `make setup`" in without.stderr


@pytest.mark.slow
def test_workflow_runs_in_conda_environments_without_perfcast(tmp_path, root):
    calls = stand_in(tmp_path / "conda")
    bare(tmp_path / "conda/template")
    python = bare(tmp_path / "host")
    assert subprocess.run([python, "-c", "import perfcast"], cwd=tmp_path, check=False, capture_output=True).returncode
    folder = check_out(root, tmp_path / "checkout")
    path = f"{tmp_path}/conda/bin:/usr/local/bin:/usr/bin:/bin"
    answer = snakemake(folder, "--software-deployment-method", "conda", python=str(python), PATH=path)
    assert answer.code == 0, answer.said
    assert (folder / "results/quick/report.html").exists()
    assert calls.read_text().count("env create") == 1
    used = {line for line in answer.said.splitlines() if "Activating conda environment" in line}
    assert len(used) == 1
