"""Measuring over SSH: a private server, its own Python, the toolchain that runs nothing."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from perfcast.bench.campaign import Campaign
from perfcast.bench.factory import open_transport
from perfcast.bench.record import MeasurementStore
from perfcast.bench.remote.ssh import SshHost
from perfcast.bench.retry import RetryPolicy
from perfcast.bench.target import Protocol, Replicates, Target, read_description
from perfcast.bench.transport import placed
from perfcast.bench.visits import VisitStore
from perfcast.config import schema
from perfcast.errors import BenchmarkError, LinkError, UsageError
from perfcast.export.artifacts import ArtifactStore
from perfcast.progress import quiet
from perfcast.schema import with_schema_defaults
from perfcast.storage import canonical_json
from tests.system.ssh_board import NAME, SSHD, SshBoard
from tests.unit.campaigns import dummy_exports, hostile_export, plan_of
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(not Path(SSHD).exists(), reason="OpenSSH's server is not installed (openssh-server)")

FEW = Protocol("published", 8, 2, visits=2)
CONTAINER = schema("target")["properties"]["transport"]["properties"]["container"]
LONG = 12
"""Visits enough to meet a campaign at work."""


@pytest.fixture
def board(tmp_path, monkeypatch):
    board = SshBoard.start(tmp_path / "board")
    for name, value in board.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("perfcast.bench.retry.FIRST_PAUSE_S", 0.1)
    yield board
    for process in board.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # It may have ended by itself meanwhile.
            process.kill()
    board.down()


@pytest.fixture
def target(root):
    description = read_description(root / "config/targets/raspberry_pi4.yaml")
    description["factors"]["fixed"]["toolchain"] = "noop"
    description["transport"] = {"kind": "ssh", "retry_timeout_s": 60, "folder": "kept; touch spoiled \"'$(id)"}
    description["device"] = {"kind": "cpu", "name": None}
    description["settings"] = {}
    return replace(Target.from_dict("a_board", description), protocol=FEW, replicates=Replicates(0.0, 0))


@pytest.fixture
def campaign(target, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    transport = open_transport(target, [NAME], log=folder / "log")
    return Campaign(target, transport, ArtifactStore(folder), MeasurementStore(folder))


def measured(campaign, exports):
    keys = campaign.measure(exports, quiet, "measuring")
    return [campaign.measurements.measurement(key) for key in keys]


def lasting(campaign, visits=LONG):
    """Return the campaign with so many visits."""
    protocol = Protocol("published", 4 * visits, 0, visits=visits)
    return replace(campaign, target=replace(campaign.target, protocol=protocol))


def test_measurements_are_fetched_and_graphs_sent_once(board, campaign, capsys):
    exports = dummy_exports(campaign.artifacts.root)
    records = measured(campaign, exports)
    assert [record["status"] for record in records] == ["measured"] * 3
    kept = board.home / campaign.target.transport["folder"]
    assert len(list(kept.glob("*.pyz"))) == 1
    assert len(list((kept / "graphs").glob("*.pb.gz"))) == 1  # All three have the same graph.
    assert re.search(r"board: 1 graphs sent, 0.0 MB in \d", capsys.readouterr().err)
    assert not list(Path(board.folder).rglob("spoiled*"))
    again = lasting(campaign, visits=2)
    assert measured(again, exports)
    assert "sent" not in capsys.readouterr().err


def test_hostile_model_name_runs_nothing(board, campaign, tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    (record,) = measured(campaign, [hostile_export(campaign.artifacts.root)])
    assert record["status"] == "measured"
    assert not list(tmp_path.rglob("spoiled*"))


def test_nothing_is_measured_again(board, campaign):
    exports = dummy_exports(campaign.artifacts.root)
    records = measured(campaign, exports)
    assert measured(campaign, exports) == records
    assert (campaign.artifacts.root / "log").read_text().count("visit 0") == 3


def test_cut_link_loses_at_most_the_visit_in_flight(board, campaign, monkeypatch, capsys):
    campaign = lasting(campaign)
    cuts = after(VisitStore, "put", (6, 24), board.cut_links, monkeypatch)
    records = measured(campaign, dummy_exports(campaign.artifacts.root))
    assert len(cuts) == 2
    assert [len(record["visits"]) for record in records] == [LONG] * 3
    started = re.findall(r"^measuring (\w+, visit \d+)$", (campaign.artifacts.root / "log").read_text(), re.MULTILINE)
    assert len(set(started)) == 3 * LONG
    assert len(started) <= 3 * LONG + 2
    assert "the link was cut" in capsys.readouterr().err
    assert not board.processes()


def after(owner, name, counts, act, monkeypatch):
    """Have ``act`` called after so many calls of a method; return the list of what it returned."""
    done, made, method = [], [], getattr(owner, name)

    def counted(*arguments, **keywords):
        answer = method(*arguments, **keywords)
        made.append(1)
        if len(made) in counts:
            done.append(act())
        return answer

    monkeypatch.setattr(owner, name, counted)
    return done


def on_retry(act, monkeypatch):
    """Have ``act`` called once the campaign has waited a first time; return the list of what it returned."""
    return after(RetryPolicy, "after", (1,), act, monkeypatch)


def test_link_cut_while_graphs_are_sent_is_resumed(board, campaign, monkeypatch):
    exports = dummy_exports(campaign.artifacts.root)
    cut = []

    def write(stream, content):
        if not cut:
            stream.write(content[:5])
            stream.flush()
            cut.append(board.cut_links())
        stream.write(content)
        stream.flush()

    monkeypatch.setattr("perfcast.bench.remote.upload._write", write)
    assert [record["status"] for record in measured(campaign, exports)] == ["measured"] * 3
    assert len(cut) == 1


def test_unreachable_board_is_waited_for(board, campaign, monkeypatch):
    campaign = lasting(campaign)

    after(VisitStore, "put", (9,), board.down, monkeypatch)
    back = on_retry(lambda: board.up() or True, monkeypatch)
    assert len(measured(campaign, dummy_exports(campaign.artifacts.root))) == 3
    assert back == [True]


def test_board_that_stays_unreachable_is_one_line(board, campaign, monkeypatch):
    campaign = lasting(campaign)
    impatient = replace(campaign.target, transport=campaign.target.transport | {"retry_timeout_s": 2})
    campaign = replace(campaign, target=impatient)
    after(VisitStore, "put", (9,), board.down, monkeypatch)
    with pytest.raises(LinkError, match=r"board: it does not answer; is it on, and in the network\?$"):
        measured(campaign, dummy_exports(campaign.artifacts.root))
    board.up()
    assert len(measured(campaign, dummy_exports(campaign.artifacts.root))) == 3


def test_killed_runner_is_restarted(board, campaign, monkeypatch):
    campaign = lasting(campaign)

    def kill():
        runners = [process for process in board.processes() if "--wait" in process.cmdline()]
        for process in runners:
            process.send_signal(signal.SIGKILL)
        return len(runners)

    killed = after(VisitStore, "put", (9,), kill, monkeypatch)
    assert len(measured(campaign, dummy_exports(campaign.artifacts.root))) == 3
    assert killed[0] >= 2


def test_interpreter_path_is_relative_to_the_home_folder(board, campaign):
    python = board.home / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text((board.folder / "tools/python3").read_text())
    python.chmod(0o755)
    board.tool("python3", "exit 1")
    there = replace(campaign.target, transport=campaign.target.transport | {"python": "venv/bin/python"})
    campaign = replace(campaign, target=there, transport=open_transport(there, [NAME]))
    assert len(measured(campaign, dummy_exports(campaign.artifacts.root))) == 3


def test_runner_removed_while_waiting_is_sent_again(board, campaign, monkeypatch):
    kept = board.home / campaign.target.transport["folder"]
    holder = hold(board)

    def upgrade():
        for runner in kept.glob("*.pyz"):
            runner.unlink()
        holder.terminate()

    on_retry(upgrade, monkeypatch)
    assert len(measured(campaign, dummy_exports(campaign.artifacts.root))) == 3
    holder.wait(10)
    assert len(list(kept.glob("*.pyz"))) == 1


def test_runner_missing_at_the_start_is_sent_again(board, campaign, monkeypatch, capsys):
    kept = board.home / campaign.target.transport["folder"]
    after(Campaign, "_plan", (1,), lambda: [runner.unlink() for runner in kept.glob("*.pyz")], monkeypatch)
    assert len(measured(campaign, dummy_exports(campaign.artifacts.root))) == 3
    assert "board: the runner is not there any more; measurements are stored" in capsys.readouterr().err


def test_same_address_behind_other_gateway_is_another_board(board, tmp_path, monkeypatch):
    config = tmp_path / "config"
    hosts = [f"Host nano{gate}\n  HostName 10.0.0.2\n  ProxyJump gate{gate}\n" for gate in (1, 2)]
    config.write_text("".join([*hosts, "Host alias\n  HostName 10.0.0.2\n  ProxyJump gate2\n"]))
    monkeypatch.setenv("PERFCAST_SSH", f"ssh -F {config}")
    first, second, alias = (SshHost(name).address for name in ("nano1", "nano2", "alias"))
    assert first != second == alias


@pytest.mark.parametrize(("command", "message"), [(" ", "is empty"), ("ssh -F 'x", "is not a command")])
def test_invalid_ssh_command_is_one_line(campaign, monkeypatch, command, message):
    monkeypatch.setenv("PERFCAST_SSH", command)
    with pytest.raises(UsageError, match=f"^PERFCAST_SSH.*{message}"):
        measured(campaign, dummy_exports(campaign.artifacts.root))


def test_silent_board_times_out_during_upload(board, campaign, monkeypatch):
    board.tool("python3", 'case "$*" in *--receive*) exec sleep 100 ;; *) exec "$PYTHON" "$@" ;; esac')
    monkeypatch.setattr("perfcast.bench.remote.upload.ANSWERS_S", 2)
    impatient = replace(campaign.target, transport=campaign.target.transport | {"retry_timeout_s": 1})
    with pytest.raises(LinkError, match="no answer for 2 s"):
        measured(replace(campaign, target=impatient), dummy_exports(campaign.artifacts.root))


def test_campaign_of_another_user_is_waited_for(board, campaign, monkeypatch, capsys):
    holder = hold(board)
    on_retry(holder.terminate, monkeypatch)
    assert len(measured(campaign, dummy_exports(campaign.artifacts.root))) == 3
    holder.wait(10)
    assert "running since" in capsys.readouterr().err


def test_orphaned_runner_is_killed_after_upgrade(board, campaign, tmp_path, root, monkeypatch):
    """A link that says nothing more but is not closed: the runner of before waits on, with the board's lock."""
    upgraded = tmp_path / "board_code"
    shutil.copytree(root / "perfcast/runner", upgraded, ignore=shutil.ignore_patterns("__pycache__"))
    with (upgraded / "clocks.py").open("a") as code:
        code.write("# Better.\n")
    exports = dummy_exports(campaign.artifacts.root)
    with campaign.transport.claim() as device:
        left = orphan(board, device, plan_of(lasting(campaign), exports))
    wait_for_lock(board)
    kept = board.home / campaign.target.transport["folder"]
    (old,) = kept.glob("*.pyz")
    monkeypatch.setattr("perfcast.bench.remote.transport.RUNNER", upgraded)
    records = measured(campaign, exports)
    assert [record["status"] for record in records] == ["measured"] * 3
    assert left.wait(30) != 0
    left.stdin.close()
    assert not old.exists()
    assert len(list(kept.glob("*.pyz"))) == 1


def orphan(board, device, plan):
    """Return the runner that a device has been told to start, by a link that stays open."""
    command = device._keeping({}, ["-", "--wait"]).command
    places, _ = device.ship({task["program"]: Path(task["program"]) for task in plan["tasks"]})
    process = subprocess.Popen(
        ["sh", board.folder / "login"],
        env=os.environ | {"SSH_ORIGINAL_COMMAND": command[-1]},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    process.stdin.write(canonical_json(placed(plan, places)) + b"\n")
    process.stdin.flush()
    return process


HOLD = (
    'python3 -c \'import fcntl, json, os, time; file = open(os.environ["PERFCAST_LOCKS"] + "/perfcast-" + '
    'os.uname().nodename + ".lock", "w"); fcntl.flock(file, fcntl.LOCK_EX); '
    'json.dump(dict(pid=os.getpid(), host="b", token="{token}", since="noon"), file); file.flush(); time.sleep(60)\''
)


def hold(board):
    """Have another campaign hold the board."""
    environment = os.environ | {"SSH_ORIGINAL_COMMAND": f"exec {HOLD.format(token='another')}"}
    holder = subprocess.Popen(["sh", str(board.folder / "login")], env=environment)
    wait_for_lock(board)
    return holder


def wait_for_lock(board):
    eventually(lambda: any(path.stat().st_size for path in (board.folder / "locks").glob("*.lock")))


def test_runner_of_another_version_is_replaced(board, campaign):
    kept = board.home / campaign.target.transport["folder"]
    kept.mkdir()
    stale = kept / f"{'0' * 64}.pyz"
    stale.write_text("old")
    assert len(measured(campaign, dummy_exports(campaign.artifacts.root))) == 3
    assert not stale.exists()


def test_changed_host_key_is_refused(board, campaign):
    key = (board.folder / "key.pub").read_text().split()[1]
    (board.folder / "known_hosts").write_text(f"[127.0.0.1]:{board.port} ssh-ed25519 {key}\n")
    with pytest.raises(LinkError, match="its host key is not the one that is known: another machine answers there"):
        measured(campaign, dummy_exports(campaign.artifacts.root))


LACKS = [
    ("known_hosts", "", "its host key is not known yet: run `ssh board` once and compare the fingerprint"),
    ("authorized", "", "it refuses your key: run `ssh-copy-id board`"),
    ("client", "", "its name is not known: add `Host board` with its address to ~/.ssh/config"),
]


@pytest.mark.parametrize(("file", "content", "message"), LACKS)
def test_refused_login_says_what_to_do(board, campaign, file, content, message):
    (board.folder / file).write_text(content)
    with pytest.raises(LinkError) as caught:
        measured(campaign, dummy_exports(campaign.artifacts.root))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_everything_a_board_lacks_is_reported_at_once(board, campaign, target):
    board.tool("python3", "echo 3.5")
    board.tool("date", f'[ "$1" = +%s ] && echo {int(time.time()) - 7200} || exec /bin/date "$@"')
    board.tool("df", "echo Filesystem; echo disk 1000 990 10 99% /")
    board.tool("uname", "echo armv7l")
    container = {"image": "l4t-tensorflow:r32.7.1-tf2.7-py3", "engine": "absent"}
    description = target.transport | {"container": with_schema_defaults(container, CONTAINER)}
    poor = replace(target, transport=description, architecture="aarch64")
    with pytest.raises(UsageError) as caught:
        open_transport(poor, [NAME]).check()
    said = str(caught.value).splitlines()
    assert said[0] == "a_board cannot be measured on board; fix this first:"
    assert [line[:32] for line in said[1:]] == [
        "  - it is a machine of type armv",
        "  - python3 is Python 3.5; 3.6 o",
        "  - its disk is full: kept; touc",
        "  - its clock is 2 hours behind:",
        "  - absent is not installed: `su",
    ]


ENGINES = [
    ('echo "permission denied while trying to connect" >&2; exit 1', "docker cannot be used (permission denied while"),
    ('[ "$1" = info ]', "the image a_b:1 is missing"),
    ('[ "$1" = info ] || echo arm64', "the image a_b:1 is for aarch64, the machine is x86_64"),
]


@pytest.mark.parametrize(("script", "message"), ENGINES)
def test_unusable_container_engine_is_reported(board, target, script, message):
    board.tool("docker", script)
    container = with_schema_defaults({"image": "a_b:1"}, CONTAINER)
    poor = replace(target, transport=target.transport | {"container": container})
    with pytest.raises(UsageError, match=re.escape(message)):
        open_transport(poor, [NAME]).check()


GARBAGE = [
    "echo nonsense",
    'echo \'{"event": "done"}\'',
    "head -c 3000000 /dev/zero",
    "printf '\\033]0;owned\\007{}\\n'",
]


@pytest.mark.parametrize("script", GARBAGE)
def test_malformed_answer_of_a_board_is_one_line(board, campaign, script):
    board.tool("python3", f'case "$*" in *--probe*) {script} ;; *) exec "$PYTHON" "$@" ;; esac')
    with pytest.raises(BenchmarkError) as caught:
        measured(campaign, dummy_exports(campaign.artifacts.root))
    assert re.match(r"the runner (answered|said)|malformed answer of the runner", str(caught.value))
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_full_disk_on_the_board_keeps_received_visits(board, campaign):
    exports = dummy_exports(campaign.artifacts.root)
    board.tool("python3", 'case "$*" in *--receive*) ulimit -f 0 ;; esac; exec "$PYTHON" "$@"')
    with pytest.raises(BenchmarkError, match=r"files cannot be stored in graphs \(File too large\)"):
        measured(campaign, exports)
    board.tool("python3", 'exec "$PYTHON" "$@"')
    assert len(measured(campaign, exports)) == 3


def test_boards_of_one_kind_share_a_target(board, campaign, tmp_path, monkeypatch):
    """Two names of two servers: two campaigns at once take one each, and each measurement says which."""
    other = SshBoard.start(tmp_path / "other")
    with (board.folder / "client").open("a") as client:
        client.write((other.folder / "client").read_text().replace("Host board", "Host second"))
    try:
        transport = open_transport(campaign.target, [NAME, "second"])
        with transport.claim() as first, transport.claim() as second:
            assert {first.name, second.name} == {f"127.0.0.1-{board.port}", f"127.0.0.1-{other.port}"}
    finally:
        other.down()
