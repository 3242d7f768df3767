"""Which exports another version of TensorFlow runs: every architecture of Keras Applications, one by one.

    python benchmarks/compatibility.py PYTHON...

PYTHON is an interpreter that has another version, such as 3.7 with TensorFlow 2.7.0. Each architecture is exported
here at the smallest size of the project's own sheet, and inferred twice there, its weights as variables.
"""

import argparse
import collections
import tempfile
from pathlib import Path

from model_lists import ROOT, exported, task_of

from perfcast.bench.runner_process import Runner
from perfcast.bench.transport import RUNNER
from perfcast.errors import BenchmarkError
from perfcast.export.artifacts import ArtifactStore
from perfcast.models.sheet import read_sheet
from perfcast.runner.shapes import NOTHING_BEFORE, plan_with, task_with
from perfcast.storage import digest_of

FACTORS = {
    "toolchain": "tensorflow",
    "threads": 1,
    "batch": 1,
    "precision": "float32",
    "graph_optimizations": True,
    "weights_as": "variable",
    "workload": "inference",
    "device_kind": "cpu",
}
PROTOCOL = {"name": "published", "iterations": 2, "discard": 0, "visits": 1, "repeats": 0}


def one_of_each():
    """Return a spec of each architecture: the smallest one of the sheet."""
    smallest = {}
    for spec in read_sheet(ROOT / "config/models/keras_applications.csv"):
        known = smallest.get(spec.builder, spec)
        if not spec.parameters:
            smallest[spec.builder] = min(known, spec, key=lambda each: each.input_shape)
    return [smallest[builder] for builder in sorted(smallest)]


def plan_of(exports, artifacts):
    fresh = {"resume": None, "alone": False, "answered": False}
    tasks = [
        task_with(**task_of(artifacts, export), key=digest_of(export.artifact.encode()), **fresh) for export in exports
    ]
    return plan_with(
        factors=FACTORS,
        protocol=PROTOCOL,
        settings={},
        environment_variables={},
        power="off",
        soak_s=None,
        time_limit_s=600,
        seed=0,
        tasks=tasks,
        **NOTHING_BEFORE,
    )


def answers_of(python, plan, folder):
    """Return what an interpreter's software is, and the answer for each key."""
    runner = Runner([python, str(RUNNER), "-", "--wait"], folder / "log", BenchmarkError)
    software, found = {}, {}
    for answer in runner.answers(plan):
        if answer["event"] == "environment":
            software = answer["environment"]["software"]
        if answer["event"] == "measurement":
            found[answer["key"]] = answer
    return software, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pythons", metavar="PYTHON", nargs="+", help="another interpreter")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        artifacts = ArtifactStore(folder)
        exports = exported(one_of_each(), folder)
        plan = plan_of(exports, artifacts)
        for python in arguments.pythons:
            software, found = answers_of(python, plan, folder)
            print(f"Python {software['python']}, TensorFlow {software['tensorflow']}")
            for export, task in zip(exports, plan["tasks"], strict=True):
                answer = found[task["key"]]
                print(f"{export.spec.model:28}{answer['status']:14}{answer['reason'] or ''}")
            print(dict(collections.Counter(answer["status"] for answer in found.values())), flush=True)


if __name__ == "__main__":
    main()
