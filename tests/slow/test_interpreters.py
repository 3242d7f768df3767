"""The runner as one file, on each interpreter that boards have: 3.6 to 3.13, with whatever NumPy there is for it."""

import hashlib
import json
import os
import subprocess

import pytest

from perfcast.bench.offline.bundle import write_bundle
from perfcast.bench.offline.ingest import ingest
from perfcast.bench.record import MeasurementStore
from perfcast.bench.runner_file import RunnerFile
from perfcast.bench.runner_process import parse_answer
from perfcast.bench.target import Target, read_description
from perfcast.bench.transport import RUNNER
from perfcast.export.artifacts import ArtifactStore
from tests.interpreters import VERSIONS, interpreter
from tests.unit.campaigns import hostile_export
from tests.unit.runner.runs import PUBLISHED, plan_of, task

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", params=VERSIONS)
def python(request, tmp_path_factory):
    """An interpreter with NumPy."""
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"there is no Python {request.param} here")
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([found, "-m", "venv", folder], check=True, timeout=300)
    pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "numpy"]
    subprocess.run(pip, check=True, timeout=600, capture_output=True)
    return folder / "bin/python"


def test_the_runner_measures(python, tmp_path):
    file = RunnerFile.of(RUNNER)
    (tmp_path / file.name).write_bytes(file.content)
    (tmp_path / "graph.pb").write_bytes(b"graph")
    inputs = [{"node": "x", "shape": [4], "dtype": "float32"}]
    outputs = [{"tensor": "y:0", "shape": [2], "dtype": "float32"}]
    tasks = [task(name, "graph.pb", inputs=inputs, outputs=outputs) for name in ("a", "b")]
    plan = plan_of(tasks, PUBLISHED, {"toolchain": "noop"})
    order = {"token": hashlib.sha256(b"test").hexdigest(), "settings": {}, "container": None}
    command = [python, file.name, "--keep", json.dumps(order), "-"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        input=json.dumps(plan) + "\n",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PERFCAST_LOCKS": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        parse_answer(json.dumps(answer))
    assert [answer["status"] for answer in answers if answer["event"] == "measurement"] == ["measured"] * 2
    assert sum(answer["event"] == "visit" for answer in answers) == 8


def test_a_power_source_is_found(python, tmp_path):
    file = RunnerFile.of(RUNNER)
    (tmp_path / file.name).write_bytes(file.content)
    tool = tmp_path / "tegrastats"
    tool.write_text("#!/bin/sh\nwhile :; do echo 'RAM 1/2MB VDD_IN 5080mW/5080mW'; sleep 0.05; done\n")
    tool.chmod(0o755)
    asked = json.dumps({"asked": "auto", "device_kind": "gpu"})
    command = [python, file.name, "--probe", "noop", "--power", asked]
    path = f"{tmp_path}:{os.environ['PATH']}"
    answer = subprocess.run(
        command, cwd=tmp_path, capture_output=True, check=True, timeout=60, env=os.environ | {"PATH": path}
    )
    power = json.loads(answer.stdout)["environment"]["settings"]["power"]
    assert power == "tegrastats (the board's input), 10 readings a second for 2 s"


def test_offline_bundle_measures(python, tmp_path, root):
    """Where the terminal knows no letters but ASCII, and a model's name is none."""
    description = read_description(root / "config/targets/raspberry_pi4.yaml")
    description["factors"]["fixed"] |= {"toolchain": "noop", "threads": 1}
    protocol = {"name": "published", "iterations": 8, "discard": 2, "visits": 2}
    description |= {"protocol": protocol, "settings": {}, "replicates": {"share": 0.0, "count": 0}}
    target = Target.from_dict("raspberry_pi4", description)
    artifacts = ArtifactStore(tmp_path)
    write_bundle(tmp_path / "bundle", target, description, [hostile_export(tmp_path)], artifacts)
    done = subprocess.run(
        [python, tmp_path / "bundle/run.py"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PERFCAST_LOCKS": str(tmp_path), "LC_ALL": "C"},
    )
    assert done.returncode == 0, done.stderr
    found = ingest(tmp_path / "bundle", artifacts, MeasurementStore(tmp_path))
    assert (found.new, found.missing) == (1, 0)
