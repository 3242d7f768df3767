"""`snakemake --profile jetson_nano` from a fresh checkout, against what stands for a Jetson Nano.

That is a private SSH server, and behind it a container (podman with runc) with Python 3.7 and TensorFlow 2.7.0, a
memory limit and no swap. What differs from the target as it ships is written in `stand_in`.
"""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from perfcast.bench.target import read_description
from tests.interpreters import interpreter
from tests.system.runs import snakemake, start
from tests.system.small_campaign import check_out
from tests.system.ssh_board import SSHD, SshBoard

IMAGE = "l4t-tensorflow:r32.7.1-tf2.7-py3"
REQUIREMENTS = ("tensorflow-cpu==2.7.0", "protobuf<3.21", "numpy==1.21.6")
MEMORY_MB = 700
SHEET = """source,builder,input_size,parameters
keras_applications,MobileNet,96,alpha=0.25
keras_applications,MobileNet,128,alpha=0.25
keras_applications,MobileNet,160,alpha=0.25
keras_applications,MobileNetV2,96,alpha=0.35
keras_applications,MobileNetV2,128,alpha=0.35
keras_applications,DenseNet121,64,
keras_applications,DenseNet121,96,
keras_applications,EfficientNetB0,64,
keras_applications,ResNet50,64,
keras_applications,VGG16,224,
synthetic,basic_model,32,conv_layers=2;filter_size=3;filters=16;strides=2
synthetic,basic_model,64,conv_layers=2;filter_size=3;filters=16;strides=1
file,"{external}",64,
"""
EXTERNAL = 'my "nets"; $(touch spoiled)/it\'s `touch spoiled`; "x" $(touch spoiled).keras'
NAMED = f"{Path(EXTERNAL).stem}_64"
TOO_LARGE = "vgg16_224"
CONTAINERS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"

[engine.runtimes]
nvidia = ["{runc}"]
"""
STORAGE = """
[storage]
driver = "vfs"
runroot = "{folder}/run"
graphroot = "{folder}/graph"
"""
DOCKER = """
if [ "$1" = run ]; then
  shift
  set -- run --volume /usr:/usr:ro --volume {python}:{python}:ro --volume {venv}:{venv}:ro "$@"
fi
exec podman "$@"
"""


def python37():
    """Return the folder of Python 3.7, None where there is none."""
    found = interpreter("3.7")
    return found.resolve().parents[1] if found else None


LACKING = [
    *(name for name in ("podman", "runc") if not shutil.which(name)),
    *([] if Path(SSHD).exists() else ["sshd"]),
    *([] if python37() else ["Python 3.7"]),
    *([] if os.geteuid() == 0 else ["root's rights"]),
]
pytestmark = [
    # It changes how this machine swaps, which is part of what others measure in.
    pytest.mark.alone,
    pytest.mark.skipif(bool(LACKING), reason=f"nothing stands for a board here without {', '.join(LACKING)}"),
    pytest.mark.timeout(3600),
]


@pytest.fixture(scope="module")
def tensorflow_2_7(tmp_path_factory):
    """An environment with the TensorFlow of the reference container."""
    folder = tmp_path_factory.mktemp("tensorflow") / "2.7"
    subprocess.run([python37() / "bin/python", "-m", "venv", folder], check=True, timeout=300)
    pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
    subprocess.run(pip, check=True, timeout=1200)
    return folder


@pytest.fixture(scope="module")
def board(tmp_path_factory, tensorflow_2_7):
    """What stands for the board: `docker` in there is podman, and the image is on it."""
    folder = tmp_path_factory.mktemp("board")
    board = SshBoard.start(folder / "server")
    (folder / "containers.conf").write_text(CONTAINERS.format(runc=shutil.which("runc")))
    (folder / "storage.conf").write_text(STORAGE.format(folder=folder))
    places = {
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }
    board.log_in_as(**places)
    board.tool("docker", DOCKER.format(python=python37(), venv=tensorflow_2_7))
    board.tool("python3", f'exec {python37() / "bin/python"} "$@"')
    import_image(folder / "image", os.environ | places)
    yield board
    for process in board.processes():
        process.kill()
    board.down()


def import_image(folder, environment):
    """Make an image that has nothing of its own: a system's folders, mounted from here."""
    for name in ("etc", "perfcast", "proc", "root", "sys", "tmp", "usr", "dev"):
        (folder / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (folder / name).symlink_to(f"usr/{name}")
    for name in ("ld.so.cache", "os-release", "passwd"):
        shutil.copy(f"/etc/{name}", folder / "etc")
    (folder / "tmp").chmod(0o1777)
    tar = subprocess.run(["tar", "-c", "-C", folder, "."], capture_output=True, check=True, timeout=60)
    command = ["podman", "import", "--quiet", "-", IMAGE]
    subprocess.run(command, input=tar.stdout, env=environment, check=True, timeout=300, capture_output=True)


@pytest.fixture(scope="module")
def checkout(root, tmp_path_factory, tensorflow_2_7):
    folder = check_out(root, tmp_path_factory.mktemp("clone") / "perfcast")
    stand_in(folder, tensorflow_2_7)
    return folder


def stand_in(folder, environment):
    """Write the target as it ships, but for what differs here."""
    target = read_description(folder / "config/targets/jetson_nano.yaml")
    # What stands for it has no GPU, and a target whose device is one is refused then.
    target["device"] |= {"architecture": os.uname().machine, "kind": "cpu"}
    target["transport"]["container"] |= {"memory_mb": MEMORY_MB, "python": str(environment / "bin/python")}
    target["transport"]["retry_timeout_s"] = 120
    target["factors"]["fixed"]["threads"] = 2
    target["protocol"] |= {"iterations": 24, "discard": 4, "visits": 4, "warmup_s": 0.05}
    (folder / "stand_in").mkdir()
    (folder / "stand_in/jetson_nano.yaml").write_text(yaml.safe_dump(target))
    (folder / "sheet.csv").write_text(SHEET.format(external=EXTERNAL.replace('"', '""')))
    bring(folder / EXTERNAL)
    config = {
        "target": "jetson_nano",
        "targets": "stand_in",
        "hosts": ["board"],
        "shards": 2,
        "models": {"sheets": ["sheet.csv"]},
        "fit": {"splits": 2},
    }
    (folder / "stand_in.yaml").write_text(yaml.safe_dump(config))


def bring(path):
    """Write a network as a user brings one."""
    import keras

    path.parent.mkdir()
    image = keras.Input((64, 64, 3))
    maps = keras.layers.Conv2D(16, 3, activation="relu")(image)
    classes = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(maps))
    keras.Model(image, classes).save(path)


def run(checkout, board, *arguments):
    return snakemake(checkout, "--profile", "jetson_nano", *arguments, config="stand_in.yaml", **board.environment)


@pytest.fixture(scope="module")
def measured(checkout, board):
    """The campaign, run to its end."""
    start = time.monotonic()
    done = run(checkout, board)
    assert done.code == 0, done.said[-3000:]
    print(f"from export to report: {time.monotonic() - start:.0f} s")  # noqa: T201
    return checkout, done


def dataset_of(checkout):
    """Return the dataset without repetitions, by model."""
    dataset = pd.read_parquet(checkout / "results/jetson_nano/dataset.parquet")
    return dataset[dataset["replicate"] == 0].set_index("model")


def test_board_campaign_gives_a_report(measured):
    checkout, _ = measured
    first = dataset_of(checkout)
    assert len(first) == 13
    assert first["status"].drop(TOO_LARGE).eq("measured").all(), first[["status", "reason"]]
    assert set(first["toolchain_version"]) == {"2.7.0"}
    assert (first["latency_ms"].drop(TOO_LARGE) > 0.05).all()
    assert (checkout / "results/jetson_nano/report.html").stat().st_size > 10**5


def test_model_above_memory_limit_is_recorded_as_out_of_memory(measured):
    checkout, _ = measured
    assert dataset_of(checkout).loc[TOO_LARGE, "status"] == "out_of_memory"
    assert "out of memory" in (checkout / "results/jetson_nano/report.html").read_text()


def test_model_name_is_never_executed(measured, board):
    checkout, _ = measured
    assert dataset_of(checkout).loc[NAMED, "status"] == "measured"
    assert not [*checkout.rglob("spoiled*"), *board.folder.rglob("spoiled*")]


def test_environment_is_that_of_the_container(measured):
    checkout, _ = measured
    environments = [
        json.loads(path.read_text())["record"]["environment"]
        for path in (checkout / "results/store/environments").glob("[!.]*.json")
    ]
    limits = {environment["settings"]["memory_limit_bytes"] for environment in environments}
    assert limits == {MEMORY_MB * 10**6 // 4096 * 4096}
    assert {environment["software"]["python"][:3] for environment in environments} == {"3.7"}
    assert {environment["machine"]["host"] for environment in environments} == {os.uname().nodename}
    assert all("nvpmodel" in environment["settings"]["refused"] for environment in environments)


def test_nothing_is_measured_again(measured, board):
    checkout, _ = measured
    again = run(checkout, board)
    assert "Nothing to be done" in again.said


def test_missing_requirements_are_reported_before_measuring(root, board, tmp_path, tensorflow_2_7):
    checkout = check_out(root, tmp_path / "clone")
    stand_in(checkout, tensorflow_2_7)
    path = checkout / "stand_in/jetson_nano.yaml"
    path.write_text(path.read_text().replace(IMAGE, "absent:1").replace(os.uname().machine, "aarch64"))
    done = run(checkout, board)
    assert done.code == 1
    assert "error: jetson_nano cannot be measured on board; fix this first:" in done.said
    assert f"  - it is a machine of type {os.uname().machine}, not aarch64: choose the right device" in done.said
    assert "  - the image absent:1 is missing: `docker pull` it, and `docker tag` it with this name" in done.said
    assert not (checkout / "results/jetson_nano/logs/benchmark").exists()
    assert not (checkout / "results/store/measurements").exists()


def test_local_container_is_measured(measured, board, tmp_path):
    checkout, _ = measured
    target = yaml.safe_load((checkout / "stand_in/jetson_nano.yaml").read_text())
    target["transport"] |= {"kind": "local", "python": str(python37() / "bin/python"), "folder": str(tmp_path / "kept")}
    (checkout / "stand_in/boxed.yaml").write_text(yaml.safe_dump(target))
    config = yaml.safe_load((checkout / "stand_in.yaml").read_text())
    (checkout / "boxed.yaml").write_text(yaml.safe_dump(config | {"target": "boxed", "hosts": None}))
    (tmp_path / "docker").symlink_to(board.folder / "tools/docker")
    login = dict(re.findall(r"^export (CONTAINERS\w+)=(.*)$", (board.folder / "login").read_text(), re.MULTILINE))
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    dataset = "results/boxed/dataset.parquet"
    done = snakemake(checkout, "--", dataset, config="boxed.yaml", PATH=path, **login)
    assert done.code == 0, done.said[-3000:]
    statuses = pd.read_parquet(checkout / dataset).query("replicate == 0").set_index("model")["status"]
    assert statuses[TOO_LARGE] == "out_of_memory"
    assert statuses.drop(TOO_LARGE).eq("measured").all()


def test_killed_container_is_restarted(root, board, tmp_path, tensorflow_2_7):
    checkout = check_out(root, tmp_path / "clone")
    stand_in(checkout, tensorflow_2_7)
    how = {"said": tmp_path / "said", "config": "stand_in.yaml"}
    process = start(checkout, "--profile", "jetson_nano", **how, **board.environment)
    killed = 0
    while process.poll() is None:
        visits = list((checkout / "results/store/visits").glob("[!.]*.json"))
        if visits and not killed:
            for runner in board.processes():
                if "--given" in runner.cmdline():
                    runner.kill()
                    killed += 1
        time.sleep(0.2)
    said = (tmp_path / "said").read_text()
    assert process.returncode == 0, said[-3000:]
    assert killed
    assert re.search(r"the runner was killed \(status 137", said)
