"""perfcast installed from its wheel, not from a checkout: all that it needs is found beside it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from tests.system.small_campaign import SmallCampaign

SHEET = """source,builder,input_size,parameters
synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=8;strides=2
"""
PARTS = ("perfcast", "config", "envs", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, root):
    """The wheel of a copy of this checkout: building leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("build")
    for part in PARTS:
        if (root / part).is_dir():
            shutil.copytree(root / part, folder / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / part, folder / part)
    # By way of the source distribution, so that both hold all that is needed.
    build = "from setuptools.build_meta import build_sdist; build_sdist('source')"
    subprocess.run([sys.executable, "-c", build], cwd=folder, check=True, capture_output=True, timeout=300)
    (source,) = (folder / "source").iterdir()
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", "dist", source], cwd=folder, check=True, capture_output=True, timeout=300)
    (built,) = (folder / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel):
    """The programs of an environment with perfcast and what it needs, and no trace of the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=300)
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder / "bin/python"),
        "install",
        "--no-deps",
        "--no-index",
        "--no-compile",
    ]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True, timeout=300)
    # Of this environment the packages alone: its own .pth files, which lead to the checkout, are not read.
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(folder, program, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def test_wheel_contains_package_and_configuration(wheel, root):
    listed = subprocess.run(
        ["git", "ls-files", "perfcast", "config"], cwd=root, capture_output=True, text=True, check=True
    )
    tracked = {line for line in listed.stdout.splitlines() if line != "perfcast/shipped/config"}
    expected = {name if name.startswith("perfcast/") else f"perfcast/shipped/{name}" for name in tracked}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("perfcast/")}
    assert held == expected


def test_sheet_model_is_predicted_from_any_folder(installed, tmp_path):
    answer = run(tmp_path, installed / "python", "-m", "perfcast", "predict", "mobilenet_64")
    assert answer.returncode == 0, answer.stderr
    assert "mobilenet_64" in answer.stdout
    assert run(tmp_path, installed / "python", "-c", "import perfcast; print(perfcast.__file__)").stdout.startswith(
        str(installed.parent)
    )


def test_model_is_measured_from_any_folder(installed, tmp_path, root):
    SmallCampaign(tmp_path, root).prepare()
    (tmp_path / "own.csv").write_text(SHEET)
    arguments = ("measure", "--target", "quick", "--sheet", "own.csv", "basic_model_1_3_8_2_32")
    answer = run(tmp_path, installed / "perfcast", *arguments)
    assert "basic_model_1_3_8_2_32 on quick: measured now" in answer.stdout, answer.stderr
    assert len(list((tmp_path / "results/store/measurements").glob("*.json"))) == 1


def test_shipped_mapping_is_found_from_any_folder(installed, tmp_path):
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    mapping = "config/tables/edge_gpu_2022_time.yaml"
    answer = run(tmp_path, installed / "perfcast", "fit", "table.csv", "--mapping", mapping, "--out", "predictor")
    assert answer.returncode == 2
    assert "table.csv" in answer.stderr
    assert "there is no such file" not in answer.stderr


def test_studies_of_results_are_shown_from_any_folder(installed, finished, tmp_path):
    results = finished.folder / "results/quick"
    answer = run(tmp_path, installed / "perfcast", "study", "comparison", results, results, "--out", "page.html")
    assert answer.returncode == 0, answer.stderr
    page = (tmp_path / "page.html").read_text()
    assert "</html>" in page
    assert "10 models with the same samples in both" in page
