"""What TensorFlow inherits, on a real network: another measurement under oneDNN's switch, and none without a GPU."""

import os
import subprocess
import sys

import pytest
import yaml

SWITCH = "TF_ENABLE_ONEDNN_OPTS"
MODEL = "basic_model_2_3_8_2_48"
SHEET = (
    "source,builder,input_size,parameters\nsynthetic,basic_model,48,conv_layers=2;filter_size=3;filters=8;strides=2\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, root):
    folder = tmp_path_factory.mktemp("switch")
    (folder / "config/targets").mkdir(parents=True)
    target = yaml.safe_load((root / "config/targets/local.yaml").read_text())
    target["protocol"] = {"name": "published", "iterations": 20, "discard": 4, "visits": 2}
    for kind in ("cpu", "gpu"):
        target["device"]["kind"] = kind
        (folder / f"config/targets/{kind}.yaml").write_text(yaml.safe_dump(target))
    (folder / "sheet.csv").write_text(SHEET)
    (folder / "my.yaml").write_text("models: {sheets: [sheet.csv]}\n")
    return folder


def measured(folder, target="cpu", **variables):
    inherited = {name: value for name, value in os.environ.items() if name != SWITCH}
    command = [sys.executable, "-m", "perfcast", "measure", MODEL, "--target", target, "--configfile", "my.yaml"]
    return subprocess.run(
        command, cwd=folder, env=inherited | variables, capture_output=True, text=True, timeout=600, check=False
    )


def test_number_of_the_other_setting_is_not_shown(folder):
    first, other, again = measured(folder), measured(folder, **{SWITCH: "0"}), measured(folder)
    assert f"{MODEL} on cpu: measured now" in first.stdout
    assert f"{SWITCH} was not set, is 0: measuring again (1 of 1 were measured" in other.stderr
    assert f"{MODEL} on cpu: measured now" in other.stdout
    assert f"{MODEL} on cpu: measured 2" in again.stdout


def test_target_whose_gpu_is_missing_is_refused_in_one_line(folder):
    done = measured(folder, target="gpu")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "perfcast: error: tensorflow computes on a cpu, not on a gpu: install"
    )
    assert "Traceback" not in done.stderr
