"""The runner as one file, on each interpreter that boards have: 3.6 to 3.13, with whatever NumPy there is for it."""

import hashlib
import json
import os
import subprocess

import pytest

from perfcast.bench.runner_file import RunnerFile
from perfcast.bench.transport import RUNNER
from perfcast.config import check
from tests.interpreters import VERSIONS, interpreter
from tests.unit.board.runs import PUBLISHED, key_of, plan_of

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(params=VERSIONS)
def python(request, tmp_path):
    """An interpreter with NumPy."""
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"there is no Python {request.param} here")
    subprocess.run([found, "-m", "venv", tmp_path / "venv"], check=True, timeout=300)
    pip = [tmp_path / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "numpy"]
    subprocess.run(pip, check=True, timeout=600, capture_output=True)
    return tmp_path / "venv/bin/python"


def test_the_runner_measures(python, tmp_path):
    file = RunnerFile.of(RUNNER)
    (tmp_path / file.name).write_bytes(file.content)
    (tmp_path / "graph.pb").write_bytes(b"graph")
    inputs = [{"node": "x", "shape": [4], "dtype": "float32"}]
    outputs = [{"tensor": "y:0", "shape": [2], "dtype": "float32"}]
    tasks = [
        {"key": key_of(name), "graph": "graph.pb", "inputs": inputs, "outputs": outputs, "seed": 1, "resume": None}
        for name in ("a", "b")
    ]
    plan = plan_of(tasks, PUBLISHED, {"toolchain": "null"})
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
        check(answer, "answer", "the runner")
    assert [answer["verdict"] for answer in answers if answer["event"] == "measurement"] == ["measured"] * 2
    assert sum(answer["event"] == "visit" for answer in answers) == 8
