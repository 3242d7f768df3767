"""One campaign at a time on a device, whichever store it has, also where the folder of locks is everybody's."""

import os
import re
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from perfcast.bench.device_lock import exclusive, lock_of
from perfcast.bench.transport import LocalTransport
from perfcast.errors import StoreError
from perfcast.progress import quiet
from tests.unit.campaigns import FakeRunner, dummy_exports, idle_campaign

HOLDER = """
import fcntl, os, sys, time  # As root: other users may not read where Python is.
from pathlib import Path
path, user = Path(sys.argv[1]), int(sys.argv[2])
from perfcast.bench.device_lock import exclusive
from perfcast.errors import StoreError
os.setuid(user)
try:
    with exclusive(path, "here"):
        print("in", flush=True)
        time.sleep(60)
except StoreError as error:
    sys.exit(str(error))
"""
NOBODY = 65534


def hold(path, user=None):
    command = [sys.executable, "-c", HOLDER, str(path), str(os.getuid() if user is None else user)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_lock_of_a_killed_holder_is_free_and_a_live_one_named(tmp_path):
    with hold(tmp_path / "a.lock") as first:
        assert first.stdout.readline() == "in\n"
        with hold(tmp_path / "a.lock") as second:
            assert f"waiting for process {first.pid} on " in second.stderr.readline()
            first.kill()
            assert second.stdout.readline() == "in\n"
            second.kill()
    with exclusive(tmp_path / "a.lock", "here"):
        pass


def test_two_stores_on_one_machine_wait_for_each_other(tmp_path, root, monkeypatch, capsys):
    FakeRunner(tmp_path, monkeypatch)
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    campaigns = [idle_campaign(folder, root) for folder in folders]
    inside = []
    run = LocalTransport.run

    def watched(self, plan, graphs):
        inside.append("in")
        yield from run(self, plan, graphs)
        inside.append("out")

    monkeypatch.setattr(LocalTransport, "run", watched)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda each: each.measure(dummy_exports(each.artifacts.root), quiet, ""), campaigns))
    assert inside == ["in", "out"] * 2
    line = (
        rf"waiting for process {os.getpid()} on \S+, running since [^:]+:\d\d:\d\d: only one process at a time may be "
    )
    assert re.fullmatch(rf"{line}measuring on \S+\n", capsys.readouterr().err)


def test_campaigns_on_one_device_wait_for_each_other(tmp_path, root, monkeypatch, capsys):
    FakeRunner(tmp_path, monkeypatch)
    exports = dummy_exports(tmp_path)
    one = idle_campaign(tmp_path, root)
    other = replace(one, target=replace(one.target, name="other"), transport=LocalTransport(tmp_path / "other log"))
    with ThreadPoolExecutor() as pool:
        keys = list(pool.map(lambda each: each.measure(exports, quiet, "measuring"), (one, other)))
    assert set(keys[0]).isdisjoint(keys[1])
    assert "waiting for process" in capsys.readouterr().err


def test_lock_belongs_to_the_machine_and_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PERFCAST_LOCKS", "")
    assert lock_of("board") == Path("/tmp/perfcast-board.lock")
    monkeypatch.setenv("PERFCAST_LOCKS", "/run/lock")
    assert lock_of("board") == Path("/run/lock/perfcast-board.lock")


def test_any_user_can_take_the_lock_next(tmp_path):
    path = tmp_path / "a.lock"
    kept = os.umask(0o077)
    try:
        with exclusive(path, "here"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o666
    finally:
        os.umask(kept)


def as_root():
    return pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")


@pytest.fixture
def everybodys():
    """A folder as /tmp is, and below it: pytest's own are closed to other users."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="perfcast-everybody-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o1777)
        yield folder


@as_root()
@pytest.mark.parametrize("first", [0, NOBODY])
def test_users_wait_for_each_other_and_are_named(everybodys, first):
    users = [first, NOBODY - first]
    with hold(everybodys / "a.lock", users[0]) as holder:
        assert holder.stdout.readline() == "in\n"
        with hold(everybodys / "a.lock", users[1]) as waiting:
            assert f"waiting for process {holder.pid} on " in waiting.stderr.readline()
            holder.kill()
            assert waiting.stdout.readline() == "in\n"
            with hold(everybodys / "a.lock", users[0]) as third:
                assert f"waiting for process {waiting.pid} on " in third.stderr.readline()
                third.kill()
            waiting.kill()


@as_root()
def test_read_only_lock_file_can_be_locked(everybodys):
    path = everybodys / "a.lock"
    path.touch(0o644)
    with hold(path, NOBODY) as holder:
        assert holder.stdout.readline() == "in\n"
        with hold(path) as waiting:
            assert "waiting for another process: only one process at a time may be here" in waiting.stderr.readline()
            waiting.kill()
        holder.kill()


def link(path, victim):
    path.symlink_to(victim)


def second_name(path, victim):
    path.hardlink_to(victim)


def nowhere(path, victim):
    path.symlink_to(victim.parent / "not there")


def pipe(path, victim):
    os.mkfifo(path)


def folder(path, victim):
    path.mkdir()


def unix_socket(path, victim):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("plant", [link, second_name, nowhere, pipe, folder, unix_socket])
def test_planted_lock_file_is_refused_and_unchanged(tmp_path, plant):
    victim, path = tmp_path / "precious", tmp_path / "a.lock"
    victim.write_text("content")
    plant(path, victim)
    with pytest.raises(StoreError, match="set PERFCAST_LOCKS to a folder") as caught, exclusive(path, "here"):
        raise AssertionError("it was taken for a lock")
    assert "\n" not in str(caught.value)
    assert victim.read_text() == "content"
    assert not (tmp_path / "not there").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be opened \("), exclusive(tmp_path / "file/a.lock", "here"):
        raise AssertionError("there is no lock")


def test_forged_holder_is_escaped(tmp_path):
    path = tmp_path / "a.lock"
    with hold(path) as first:
        assert first.stdout.readline() == "in\n"
        path.write_text('{"pid": 1, "host": "\\u001b[2Jevil", "since": "ever\\n"}')
        with hold(path) as second:
            assert second.stderr.readline().startswith("waiting for process 1 on [2Jevil, running since ever: ")
            second.kill()
        first.kill()


@pytest.mark.parametrize(
    "content", ["", "[]", "1", '{"pid": 1}', "{" * 2000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_unnamed_holder_is_another_process(tmp_path, content):
    path = tmp_path / "a.lock"
    with hold(path) as first:
        assert first.stdout.readline() == "in\n"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with hold(path) as second:
            assert second.stderr.readline().startswith("waiting for another process: ")
            second.kill()
        first.kill()


def test_waiting_process_takes_the_recreated_lock(tmp_path):
    """A cleaner of old files deletes the lock: the one who waits and the one who comes must not both be in."""
    path = tmp_path / "a.lock"
    with hold(path) as first:
        assert first.stdout.readline() == "in\n"
        with hold(path) as second:
            assert "waiting" in second.stderr.readline()
            path.unlink()
            with hold(path) as third:
                assert third.stdout.readline() == "in\n"
                first.kill()
                assert f"waiting for process {third.pid} on " in second.stderr.readline()
                third.kill()
                assert second.stdout.readline() == "in\n"
                second.kill()
