"""Conditions as the runner finds them: environment variables, the machine's identity, what computes, the clock."""

import json
import os
import subprocess
import sys

import pytest

from perfcast.bench.transport import RUNNER
from perfcast.runner.clocks import resolution_ns
from perfcast.runner.identity import identity
from perfcast.runner.offline import why_ended
from perfcast.runner.protocol import REFUSED
from tests.unit.runner.runs import GOOD, coded, plan_of, run

ID = "0123456789abcdef0123456789abcdef"
ECHO = "import os\ndef infer(x):\n    return [x[:, :2] + float(os.environ.get('TF_SHIFT', 'nan'))]\n"


def named(device):
    return identity(str(device.root))


def test_models_run_under_the_targets_variables(tmp_path):
    variables = {"TF_SHIFT": "2", "TF_GONE": None}
    plan = plan_of(coded(tmp_path, a=ECHO), environment_variables=variables)
    done = run(plan, tmp_path, environment={"TF_GONE": "1", "TF_SHIFT": "nan", "TF_STAYS": "3"})
    assert done.outcome("a") == ("measured", None)
    found = done.environment["variables"]
    assert {name: found.get(name) for name in ("TF_SHIFT", "TF_GONE", "TF_STAYS")} == {
        "TF_SHIFT": "2", "TF_GONE": None, "TF_STAYS": "3",
    }  # fmt: skip


def test_probe_and_run_find_the_same_environment(tmp_path):
    conditions = {"threads": 1, "device_kind": "cpu", "set": {"MALLOC_ARENA_MAX": "1"}}
    command = [sys.executable, str(RUNNER), "--probe", "noop", "--variables", json.dumps(conditions)]
    said = subprocess.run(command, capture_output=True, check=True, env=os.environ | {"TF_A": "1"}).stdout
    plan = plan_of(coded(tmp_path, a=GOOD), environment_variables=conditions["set"])
    done = run(plan, tmp_path, environment={"TF_A": "1"})
    assert json.loads(said)["environment"]["variables"] == done.environment["variables"]
    assert done.environment["variables"]["MALLOC_ARENA_MAX"] == "1"


def test_machine_identity_does_not_reveal_its_sources(bare):
    bare.write("etc/machine-id", ID)
    plain = named(bare)
    assert plain["identity_from"] == "machine-id"
    assert len(plain["identity"]) == 16
    assert plain["identity"] not in ID
    bare.write("proc/sys/kernel/random/boot_id", "another start")
    assert named(bare) == plain
    bare.write("sys/class/dmi/id/product_uuid", "4C4C4544-0031-3010-8054-B4C04F4E4632")
    both = named(bare)
    assert both["identity_from"] == "machine-id, product_uuid"
    assert both["identity"] != plain["identity"]


@pytest.mark.parametrize("junk", ["00000000-0000-0000-0000-000000000000", "To be filled by O.E.M.", ""])
def test_placeholder_ids_identify_no_machine(bare, junk):
    bare.write("sys/class/dmi/id/product_uuid", junk)
    bare.write("etc/machine-id", "uninitialized")
    assert named(bare)["identity_from"] == "boot id"


@pytest.mark.parametrize("sign", [".dockerenv", "run/.containerenv", "proc/self/mountinfo"])
def test_container_id_is_not_the_machine_id(bare, sign):
    bare.write("etc/machine-id", ID)
    bare.write(sign, "22 27 0:21 / / rw,relatime - overlay overlay rw")
    before = named(bare)
    assert before["identity_from"] == "boot id"
    bare.write("proc/sys/kernel/random/boot_id", "another start")
    assert named(bare)["identity"] != before["identity"]
    bare.write("proc/device-tree/serial-number", "1421319012345\0")
    assert named(bare)["identity_from"] == "serial-number"


def test_campaign_on_the_wrong_kind_of_device_is_refused(tmp_path):
    plan = plan_of(coded(tmp_path, a=GOOD), factors={"device_kind": "gpu"})
    done = run(plan, tmp_path, environment={"COMPUTED_ON": '{"cpu": 3}'})
    assert done.status == REFUSED
    assert not done.of("visit")
    words = "coded computes on a cpu, not on a gpu: install the driver, and a build of the runtime for it, "
    assert done.said.splitlines()[-1] == words + "or set device.kind of the target"


def test_computing_device_is_recorded(tmp_path):
    plan = plan_of(coded(tmp_path, a=GOOD), factors={"device_kind": "gpu"})
    done = run(plan, tmp_path, environment={"COMPUTED_ON": '{"cpu": 1, "gpu": 7}'})
    assert done.of("peaks")[0]["computed_on"] == {"cpu": 1, "gpu": 7}
    assert done.of("measurement", "a")[0]["computed_on"] == {"cpu": 1, "gpu": 7}


def test_runtime_without_computed_on_cannot_serve_a_gpu(tmp_path):
    plan = plan_of(coded(tmp_path, a=GOOD), factors={"device_kind": "gpu"})
    done = run(plan, tmp_path, environment={"COMPUTED_ON": "null"})
    assert done.status == REFUSED
    assert "coded does not report that it computes on a gpu" in done.said


def test_clock_resolution_is_its_smallest_step():
    ticks = iter(range(10**6))

    def coarse():
        return next(ticks) // 100 * 15_625_000

    assert resolution_ns(coarse, reported=1e-9) == 15_625_000
    assert resolution_ns(reported=1e-3) == 1_000_000
    assert 1 <= resolution_ns() < 1_000_000


def test_offline_bundle_reports_why_its_device_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.txt").write_text("first\ncoded computes on a cpu, \x1bnot on a gpu\n")
    assert why_ended(REFUSED) == "coded computes on a cpu, not on a gpu"
    assert why_ended(1) == "see log.txt"
