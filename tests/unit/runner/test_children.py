"""Resident children: idle until they are told to work, ended with whatever befalls them."""

import contextlib
import ctypes
import faulthandler
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from perfcast.runner.children import Child, TaskFailure, end_all, in_child
from perfcast.runner.memory import ACTIVE, IDLE

PROC = Path("/proc")


@pytest.fixture(autouse=True)
def leave_nothing():
    """Whatever a test does: no process and no file that was opened is left."""
    # Other tests of this process may have left workers of theirs.
    before, others = open_files(), set(psutil.Process().children())
    yield
    end_all()
    assert set(psutil.Process().children()) <= others
    assert open_files() == before


def open_files():
    """Return what each descriptor of this process stands for."""
    found = {}
    for entry in (PROC / "self/fd").iterdir():
        with contextlib.suppress(OSError):  # The folder itself, while it is being listed.
            found[entry.name] = str(entry.readlink())
    return found


def echo(command):
    return {"said": command}


def test_a_child_answers_one_command_after_the_other():
    child = Child(echo)
    assert [child.ask(number, 10) for number in range(3)] == [{"said": number} for number in range(3)]


def test_a_child_keeps_what_it_holds_between_commands():
    held = []

    def count(command):
        held.append(command)
        return {"count": len(held)}

    child = Child(count)
    assert [child.ask("more", 10)["count"] for _ in range(3)] == [1, 2, 3]
    assert held == []


def test_long_answers_come_whole():
    child = Child(lambda command: {"text": "x" * command})
    assert len(child.ask(3_000_000, 10)["text"]) == 3_000_000
    assert child.ask(1, 10) == {"text": "x"}


def test_an_idle_child_uses_no_cpu():
    child = Child(echo)
    child.ask(1, 10)
    process = psutil.Process(child.pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(0.5)
    assert sum(process.cpu_times()[:2]) == before


def score(pid="self"):
    return int((PROC / str(pid) / "oom_score_adj").read_text())


def test_oom_killer_takes_the_active_child_first():
    own = score()
    children = [Child(lambda command: {"score": score()}) for _ in range(2)]
    assert [child.ask(1, 10) for child in children] == [{"score": min(1000, own + ACTIVE)}] * 2
    assert [score(child.pid) for child in children] == [own + IDLE] * 2
    assert own == score() < own + IDLE < own + ACTIVE


def test_child_has_no_pipe_of_another_child():
    """Else the end of a sibling, or of the parent, would not be seen."""

    inherited = open_files()

    def pipes(command):
        new = open_files().items() - inherited.items()
        return {"pipes": sum(name.startswith("pipe:") for number, name in new if int(number) > 2)}

    children = [Child(pipes) for _ in range(3)]
    assert [child.ask(1, 10) for child in children] == [{"pipes": 2}] * 3


def test_model_output_is_not_an_answer(capfd):
    def chatty():
        os.write(1, b"chatter")
        return {"read": os.read(0, 10).decode()}

    assert in_child(chatty, 10) == {"read": ""}
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "chatter")


def hang():
    time.sleep(100)


def segfault():
    faulthandler.disable()
    ctypes.string_at(0)


def leave():
    os._exit(3)


def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def use_too_much():
    raise MemoryError("Unable to allocate 1 TiB")


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        (hang, "timed_out", "took more than 0.3 s"),
        (segfault, "crashed", "killed by signal 11"),
        (leave, "crashed", "ended with status 3"),
        (kill_itself, "crashed", "killed by signal 9"),
        (use_too_much, "out_of_memory", "Unable to allocate 1 TiB"),
        (lambda: [][0], "failed", "IndexError: list index out of range"),
    ],
)
def test_fault_is_reported_and_affects_no_other_child(fault, status, reason):
    other = Child(echo)
    with pytest.raises(TaskFailure, match=reason) as failed:
        in_child(fault, 0.3 if fault is hang else 10)
    assert failed.value.status == status
    assert other.ask(1, 10) == {"said": 1}


@pytest.mark.parametrize("waits", [False, True])
def test_a_child_that_was_killed_while_idle_has_crashed(waits):
    child = Child(echo)
    child.ask(1, 10)
    os.kill(child.pid, signal.SIGKILL)
    if waits:
        time.sleep(0.1)
    with pytest.raises(TaskFailure, match="killed by signal 9") as failed:
        child.ask(2, 10)
    assert failed.value.status == "crashed"


def test_ended_child_reports_its_peak_memory():
    def grow(command):
        return {"held": len(bytearray(300_000_000))}

    child = Child(grow)
    before = psutil.Process(child.pid).memory_info().rss
    child.ask(1, 10)
    child.end()
    assert before + 250e6 < child.peak_bytes < before + 400e6
    child.end()


def test_keyboard_interrupts_go_to_the_parent():
    child = Child(echo)
    child.ask(1, 10)
    os.kill(child.pid, signal.SIGINT)
    assert child.ask(2, 10) == {"said": 2}


def test_a_child_ends_with_its_parent():
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = Child(echo)
        child.ask(1, 10)
        os.write(writer, str(child.pid).encode())
        time.sleep(100)
        os._exit(1)
    pid = int(os.read(reader, 20))
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    assert not psutil.pid_exists(pid)
    os.close(reader)
    os.close(writer)


def test_campaign_ends_without_its_parent():
    child = Child(lambda command: time.sleep(10), parent_pid=os.getppid() + 1)
    start = time.monotonic()
    with pytest.raises(SystemExit, match="the parent process has ended"):
        child.ask(1, 10)
    assert time.monotonic() - start < 5
