"""What numbers depend on besides the model: environment variables and which machine it is."""

import json
import math
import subprocess
import sys

import pytest

from perfcast.bench.calibrations import Speed, ratio_in_words
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Target, read_description
from perfcast.checksummed import ChecksummedStore
from perfcast.cli.measure import ignored_threads
from perfcast.config import read_yaml
from perfcast.errors import UsageError
from perfcast.runner.variables import GPU_VARIABLES, VARIABLES, applied, conditions_of, recorded
from tests.unit.campaigns import idle_campaign, measure

SWITCH = "TF_ENABLE_ONEDNN_OPTS"


def conditions(kind="cpu", **variables):
    return conditions_of({"threads": 2, "device_kind": kind}, variables)


def test_only_variables_that_matter_are_recorded():
    environ = {
        SWITCH: "0", "KMP_BLOCKTIME": "0", "MALLOC_ARENA_MAX": "1", "LD_PRELOAD": "/lib/jemalloc.so",
        "CUDA_VISIBLE_DEVICES": "0", "HOME": "/root", "AWS_SECRET_ACCESS_KEY": "s", "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_TOKEN_app_terraform_io": "s", "TF_VAR_password": "s", "NVIDIA_API_KEY": "s", "TF_\x1b[2J": "s",
    }  # fmt: skip
    on_cpu = {SWITCH: "0", "KMP_BLOCKTIME": "0", "MALLOC_ARENA_MAX": "1", "LD_PRELOAD": "/lib/jemalloc.so"}
    assert recorded(environ, conditions()) == on_cpu
    assert recorded(environ, conditions("gpu")) == on_cpu | {"CUDA_VISIBLE_DEVICES": "0"}


def test_binary_or_long_values_are_recorded_as_text():
    found = recorded({"TF_A": "\udcff", "TF_B": "x" * 5000}, conditions())
    assert json.dumps(found).encode()
    assert found["TF_A"] == "\\udcff"
    assert found["TF_B"].startswith("sha256:")
    assert len(found["TF_B"]) < 100


def test_thread_variables_follow_the_factor_unless_set():
    environ = {"OMP_NUM_THREADS": "7", SWITCH: "0"}
    plain, chosen = conditions(), conditions(OMP_NUM_THREADS="1", **{SWITCH: None})
    assert applied(environ, plain)["OMP_NUM_THREADS"] == "2"
    assert recorded(applied(environ, plain), plain) == {SWITCH: "0"}
    assert recorded(applied(environ, chosen), chosen) == {"OMP_NUM_THREADS": "1"}


@pytest.mark.heavy
def test_libraries_that_perfcast_imports_set_no_recorded_variable():
    code = (
        "import os; before = dict(os.environ); import sklearn, xgboost, tensorflow, keras, onnx, pandera\n"
        "from perfcast.runner.variables import recorded\n"
        "asked = {'threads': 2, 'device_kind': 'gpu', 'set': {}}\n"
        "assert recorded(os.environ, asked) == recorded(before, asked), set(os.environ) - set(before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_every_variable_is_documented(root):
    text = (root / "docs/measuring.md").read_text()
    assert [name for name, _ in VARIABLES + GPU_VARIABLES if f"`{name}`" not in text] == []


def target_with(root, variables):
    description = read_yaml(root / "config/targets/local.yaml") | {"environment_variables": variables}
    description["factors"]["fixed"]["toolchain"] = "noop"
    return Target.from_dict("local", description)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ('{HOME: "/root"}', "perfcast records TF_\\*, .*, and a target sets no others"),
        ('{TF_TOKEN_x: "1"}', "a target sets no others"),
        ("{TF_ENABLE_ONEDNN_OPTS: 0}", "write it in quotes"),
        ('{LD_PRELOAD: "a\\nb"}', "write text without control characters"),
    ],
)
def test_a_target_sets_only_variables_that_are_recorded(tmp_path, root, variables, words):
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: local.yaml\nenvironment_variables: {variables}\n")
    (tmp_path / "local.yaml").write_text((root / "config/targets/local.yaml").read_text())
    with pytest.raises(UsageError, match=words) as caught:
        read_description(path)
    assert "environment_variables" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_changed_variable_is_reported_and_measured_again(campaign, exports, runner, capsys):
    before = measure(campaign, exports)
    runner.wish(variables={SWITCH: "0"})
    now = measure(campaign, exports)
    line = f"{SWITCH} was not set, is 0: measuring again (3 of 3 were measured in the other environment)\n"
    assert capsys.readouterr().err == line
    assert not {record["key"] for record in before} & {record["key"] for record in now}
    runner.wish()
    assert measure(campaign, exports) == before


@pytest.mark.heavy
def test_inherited_and_set_variables_are_equal(tmp_path, root, exports, monkeypatch):
    def keys_of(variables):
        campaign = idle_campaign(tmp_path, root)
        target = target_with(root, variables)
        target = type(target)(**vars(campaign.target) | {"environment_variables": target.environment_variables})
        campaign = type(campaign)(target, campaign.transport, campaign.artifacts, campaign.measurements)
        environment = campaign.environment()
        return environment["variables"], {task.key for task in campaign.tasks(exports, environment)}

    monkeypatch.delenv(SWITCH, raising=False)
    plain, chosen = keys_of({}), keys_of({SWITCH: "0"})
    monkeypatch.setenv(SWITCH, "0")
    assert keys_of({}) == chosen
    assert keys_of({SWITCH: None}) == plain
    assert chosen[0] == {SWITCH: "0"} | plain[0]
    assert not plain[1] & chosen[1]


FIRST, SECOND = "1" * 16, "2" * 16
QUICK, SLOW = [1000, 1005, 1010], [3100, 3200, 3300]


def test_measurements_of_a_slower_machine_are_not_used(campaign, exports, runner, capsys):
    runner.wish(identity=FIRST, looks=QUICK)
    before = measure(campaign, exports)
    assert capsys.readouterr().err == ""
    runner.wish(identity=SECOND, looks=SLOW)
    now = measure(campaign, exports)
    assert not {record["key"] for record in before} & {record["key"] for record in now}
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "board: 3.2 times slower than the machine that measured for this store before: measuring again"
    assert said[1].startswith(f"identity was {FIRST}, is {SECOND}: measuring again (3 of 3 were measured")
    runner.wish(identity=FIRST, looks=SLOW)
    assert measure(campaign, exports) == before


def test_measurements_of_an_equally_fast_machine_are_used(campaign, exports, runner, capsys):
    runner.wish(identity=FIRST, looks=QUICK)
    before = measure(campaign, exports)
    runner.wish(identity=SECOND, looks=[1000, 1005, 1010])
    assert measure(campaign, exports) == before
    said = "board: as fast as the machine that measured for this store before: its measurements are used\n"
    assert capsys.readouterr().err == said
    runner.wish(identity=SECOND, looks=SLOW)
    assert measure(campaign, exports) == before
    assert capsys.readouterr().err == ""


def test_tolerance_is_the_variation_of_the_calibration():
    calm, noisy = Speed.of([30.0, 30.2, 30.4]), Speed.of([30.0, 45.0, 90.0])
    assert calm.agrees(Speed.of([30.3, 30.5]))
    assert not calm.agrees(Speed.of([32.0, 33.0]))
    assert noisy.agrees(Speed.of([32.0, 33.0]))
    assert not noisy.agrees(Speed.of([135.0, 145.0]))
    words = [ratio_in_words(ratio) for ratio in (3.14, 1.04, 1 / 3)]
    assert words == ["3.1 times slower", "1.04 times slower", "3.0 times faster"]


def test_store_without_environments_is_refused_in_one_line(tmp_path):
    store = MeasurementStore(tmp_path)
    old = ChecksummedStore(store.environments.folder, 1)
    old.put("a" * 64, {"environment": {"machine": {}, "software": {}, "settings": {}}})
    with pytest.raises(UsageError, match="do not show which machine and environment variables") as caught:
        MeasurementStore(tmp_path)
    assert "\n" not in str(caught.value)


def test_record_has_clock_resolution_and_computing_device(campaign, exports, runner):
    from perfcast.stability import Series

    (record, *_) = measure(campaign, exports)
    assert record["clock_resolution_ns"] == 20
    assert record["computed_on"] == {"cpu": 1}
    assert math.isclose(Series.of_record(record).clock_tick_ms, 20e-6)
    assert Series.of_record(record | {"clock_resolution_ns": None}).clock_tick_ms == 0.0


def test_a_device_that_is_not_the_targets_is_the_users_mistake(campaign, exports, runner):
    runner.wish(refuses="tensorflow computes on a cpu, not on a gpu: install the driver")
    with pytest.raises(UsageError, match=r"^tensorflow computes on a cpu, not on a gpu: install the driver$"):
        measure(campaign, exports)
    assert UsageError.exit_code == 2


def test_an_inherited_number_of_threads_that_is_not_used_is_reported(root):
    target, chosen = target_with(root, {}), target_with(root, {"OMP_NUM_THREADS": "7"})
    (line,) = ignored_threads(target, {"OMP_NUM_THREADS": "7", "MKL_NUM_THREADS": str(target.factors["threads"])})
    assert line.startswith("OMP_NUM_THREADS=7 is not used: models run with the factor threads, ")
    assert ignored_threads(chosen, {"OMP_NUM_THREADS": "7"}) == []
