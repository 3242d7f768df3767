"""Running the runner on plans, as a host does."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from perfcast.bench.runner_process import parse_answer
from perfcast.runner.shapes import NOTHING_BEFORE

CODED = Path(__file__).with_name("coded_runner.py")
FACTORS = {
    "toolchain": "coded",
    "threads": 1,
    "batch": 1,
    "precision": "float32",
    "graph_optimizations": True,
    "weights_as": "constant",
    "workload": "inference",
    "device_kind": "cpu",
}
PUBLISHED = {"name": "published", "version": 3, "iterations": 20, "discard": 4, "visits": 4, "repeats": 0}
ADAPTIVE = dict(PUBLISHED, name="adaptive", min_visits=2, rel_ci_half_width=0.02)
SLOW_TO_LOAD = "import time\ntime.sleep(0.2)\n"  # It is not loaded again for each visit.
GOOD = "def infer(x):\n    return [x[:, :2] + 1]\n"


def key_of(name):
    return hashlib.sha256(name.encode()).hexdigest()


def task(name, graph, **changes):
    """Return a task of a plan, whose key comes from its name."""
    inputs = [{"node": "x", "shape": [4], "dtype": "float32"}]
    outputs = [{"tensor": "y:0", "shape": [2], "dtype": "float32"}]
    entry = {
        "key": key_of(name),
        "program": str(graph),
        "inputs": inputs,
        "outputs": outputs,
        "seed": 1,
        "resume": None,
        "alone": False,
        "answered": False,
        "can_wait": False,
    }
    return entry | changes


def plan_of(tasks, protocol=PUBLISHED, factors=None, **changes):
    plan = {
        "factors": FACTORS | (factors or {}),
        "protocol": protocol,
        "settings": {},
        "environment_variables": {},
        "power": "off",
        "soak_s": None,
        "time_limit_s": 60,
        "seed": 7,
        "tasks": tasks,
        **NOTHING_BEFORE,
    }
    return plan | changes


def coded(folder, **models):
    """Return a task for each model, given by its code."""
    tasks = []
    for name, code in models.items():
        path = folder / f"{name}.py"
        path.write_text(code)
        tasks.append(task(name, path))
    return tasks


@dataclass
class Run:
    """What came of a plan."""

    answers: list
    said: str
    status: int

    def of(self, event, name=None):
        found = [answer for answer in self.answers if answer["event"] == event]
        return [answer for answer in found if name is None or answer["key"] == key_of(name)]

    def outcome(self, name):
        (answer,) = self.of("measurement", name)
        return answer["status"], answer["reason"]

    @property
    def environment(self):
        return self.of("environment")[0]["environment"]


def run(plan, folder, runner=CODED, environment=None, enter=None):
    """Run a plan to its end; each answer must look like the schema says. `enter` is called in the runner's process."""
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    done = subprocess.run(
        [sys.executable, runner, path],
        capture_output=True,
        text=True,
        env=os.environ | (environment or {}),
        preexec_fn=enter,
        timeout=300,
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        parse_answer(json.dumps(answer))
    return Run(answers, done.stderr, done.returncode)
