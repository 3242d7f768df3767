"""Real models under a real limit of memory: what needs more is told from what crashed, and the others are measured."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from perfcast.models.classic import make_spec as classic
from perfcast.models.spec import ModelSpec
from perfcast.runner.cgroups import folders
from perfcast.runner.memory import SystemMemory
from perfcast.runner.memory_budget import available_bytes
from perfcast.runner.workloads.training_step import TrainingStep
from tests.unit.runner.runs import GOOD, PUBLISHED, SLOW_TO_LOAD, coded, plan_of, run, task

pytestmark = pytest.mark.heavy

MB = 1_000_000
LIMIT = 800 * MB
FEW = PUBLISHED | {"iterations": 4, "discard": 0, "visits": 2}
SPECS = [
    ModelSpec("vgg16", "vgg16", "keras_applications", "VGG16", (64, 64, 3)),
    *(
        ModelSpec(f"basic_model_{n}_3_8_2", "basic_model", "synthetic", "basic_model", (32, 32, 3),
                  {"conv_layers": n, "filter_size": 3, "filters": 8, "strides": 2})
        for n in (1, 2)
    ),
]  # fmt: skip


@pytest.fixture
def limited():
    """Return what has a process, and all that it starts, share so many bytes at most."""
    made = []

    def limit_to(size):
        group = Path(folders("memory")[0]) / f"perfcast-test-{os.getpid()}"
        try:
            group.mkdir()
            made.append(group)
            name = "memory.limit_in_bytes" if (group / "memory.limit_in_bytes").exists() else "memory.max"
            (group / name).write_text(str(size))
        except (OSError, IndexError) as error:
            pytest.skip(f"no control group can be made here: {error}")
        return lambda: (group / "cgroup.procs").write_text(str(os.getpid()))

    yield limit_to
    for group in made:
        group.rmdir()


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("store"))
    found = []
    for export in export_models(SPECS, store):
        graph = export.programs[0].interface
        path = store.program_path(export.artifact, export.programs[0])
        found.append(task(export.spec.model, path, inputs=graph["inputs"], outputs=graph["outputs"]))
    return found


def test_model_above_memory_limit_fails_and_the_next_is_measured(limited, tasks, tmp_path):
    large, first, second = tasks
    plan = plan_of([first, large, second], FEW, {"toolchain": "tensorflow"})
    done = run(plan, tmp_path, enter=limited(LIMIT))
    assert done.status == 0, done.said
    assert done.environment["settings"]["memory_limit_bytes"] <= LIMIT
    assert done.outcome("vgg16_64") == ("out_of_memory", "the system killed it for lack of memory")
    (answer,) = done.of("measurement", "vgg16_64")
    assert 0.5 * LIMIT < answer["memory"]["peak_bytes"] < 1.5 * LIMIT
    for spec in SPECS[1:]:
        assert done.outcome(spec.model) == ("measured", None)
        assert len(done.of("visit", spec.model)) == 2


@pytest.mark.slow
def test_without_the_limit_it_is_measured(tasks, tmp_path):
    once = PUBLISHED | {"iterations": 2, "discard": 0, "visits": 1}
    done = run(plan_of(tasks[:1], once, {"toolchain": "tensorflow"}), tmp_path)
    assert done.outcome("vgg16_64") == ("measured", None)
    memory = done.of("measurement", "vgg16_64")[0]["memory"]
    assert memory["load_peak_bytes"] > LIMIT


@pytest.mark.slow
def test_campaign_continues_after_out_of_memory(limited, tmp_path):
    factors = {"toolchain": "tensorflow", "workload": "training_step", "batch": 512}
    factors |= {"optimizer": "adam", "trained": "all", "learning_rate": 0.001}
    specs = [classic("resnet18", (64, 64, 3), {"classes": 10}), classic("lenet", (28, 28, 3), {})]
    store, formats = ArtifactStore(tmp_path), [TrainingStep.program_format(factors, "graph.pb")]
    found = []
    for export in export_models(specs, store, formats=formats):
        program = export.program(formats)
        ports = {name: program.interface[name] for name in ("inputs", "outputs")}
        found.append(task(export.spec.model, store.program_path(export.artifact, program), **ports))
    done = run(plan_of(found, FEW, factors), tmp_path, enter=limited(LIMIT))
    status, _ = done.outcome("resnet18_classes10_64")
    assert status == "out_of_memory"
    assert done.of("measurement", "resnet18_classes10_64")[0]["memory"]["peak_bytes"] > 0.5 * LIMIT
    assert done.outcome("lenet_28") == ("measured", None)


def test_inference_above_memory_limit_is_out_of_memory(limited, tmp_path):
    """It takes too much in the second visit of a process: first beside another model, then alone."""
    code = SLOW_TO_LOAD + "calls, held = [], []\ndef infer(x):\n    calls.append(1)\n    if len(calls) > 8:\n"
    code += "        held.append(bytearray(b'x') * 300_000_000)\n    return [x[:, :2] + 1]\n"
    done = run(plan_of(coded(tmp_path, a=code, b=GOOD)), tmp_path, enter=limited(200 * MB))
    assert done.outcome("a") == ("out_of_memory", "the system killed it for lack of memory")
    assert [visit["visit"] for visit in done.of("visit", "a")] == [0, 1]
    assert 100 * MB < done.of("measurement", "a")[0]["memory"]["peak_bytes"] < 300 * MB
    assert done.outcome("b") == ("measured", None)


def test_memory_of_an_ended_process_is_available_at_once():
    """Kernels keep freed pages aside for seconds, by the gigabyte, and do not count them as available."""
    before = SystemMemory.available()
    subprocess.run([sys.executable, "-c", "held = bytearray(b'x') * 900_000_000"], check=True)
    assert SystemMemory.available() > before - 300 * MB


def test_available_memory_respects_the_cgroup(limited):
    enter = limited(300 * MB)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            enter()
            held = bytearray(b"x") * (100 * MB)
            os.write(writer, str(available_bytes()).encode())
            del held
        os._exit(0)
    os.waitpid(pid, 0)
    left = int(os.read(reader, 20))
    os.close(reader)
    os.close(writer)
    assert 150 * MB < left < 201 * MB < available_bytes()
