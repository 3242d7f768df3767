"""Children, one a model: a crash or a kill takes one of them, not the campaign."""

import base64
import ctypes
import json
import os
import pickle
import select
import signal
import sys
import time

from perfcast.runner.measuring import why
from perfcast.runner.memory import ACTIVE, IDLE, OomScore
from perfcast.runner.memory_budget import killed_for_memory

PR_SET_PDEATHSIG = 1
LOOK_EVERY_S = 1.0
# Linux says the largest resident set in KiB, others in bytes.
MAXRSS_UNIT = 1024 if sys.platform.startswith("linux") else 1

_living = set()


class TaskFailure(Exception):  # noqa: N818 - a status, not a mistake
    """A child could not carry out its task: `status`, and the reason as the message."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


class Child:
    """A process that obeys commands, JSON objects on a line, and waits for them without using a CPU.

    `handle` answers a command, in there. It ends with its parent. Where the kernel does not end this process with
    whoever started it, `parent_pid` is whose end to look for. It is forked, so that it has all that was imported here;
    where that does no good (`spawns`), it starts again, imports the runtime itself and gets `handle` as a pickle.
    """

    def __init__(self, handle, parent_pid=None, spawns=False):
        self.parent_pid = parent_pid
        self.peak_bytes = None  # What its resident set reached; known once it has ended.
        sys.stdout.flush()
        sys.stderr.flush()
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        parent = os.getpid()
        try:
            self.pid = os.fork()
        except OSError as error:
            for descriptor in (commands, self.commands, self.answers, answers):
                os.close(descriptor)
            raise TaskFailure("out_of_memory", "no process could be started: %s" % error) from error
        if self.pid == 0:
            for pipes in (self, *_living):
                os.close(pipes.commands)
                os.close(pipes.answers)
            if spawns:
                start_anew(parent, commands, answers)
            be_a_child(handle, parent, commands, answers)
        os.close(commands)
        os.close(answers)
        _living.add(self)
        if spawns:
            self.send(base64.b64encode(pickle.dumps(handle)))
        self.kills_before = killed_for_memory()

    def ask(self, command, limit_s):
        """Return the answer to a command.

        Raises:
            TaskFailure: there was none within so many seconds, or the child could not do it, or died.
            SystemExit: the process `parent_pid` has ended.

        """
        self.send(json.dumps(command).encode())
        answer = self.read_answer(time.monotonic() + limit_s)
        if answer is None:
            raise TaskFailure("timed_out", "took more than %g s" % limit_s)
        if not answer.endswith(b"\n"):
            raise self.death()
        answer = json.loads(answer.decode())
        if "status" in answer:
            raise TaskFailure(answer["status"], answer["reason"])
        self.kills_before = killed_for_memory()
        return answer

    def send(self, line):
        try:
            write_all(self.commands, line + b"\n")
        except BrokenPipeError:
            pass  # It has ended: so does what it answers.

    def read_answer(self, deadline):
        """Return a line, less than that where the child ended, None where the deadline passed."""
        pieces = []
        while not (pieces and pieces[-1].endswith(b"\n")):
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            ready, _, _ = select.select([self.answers], [], [], min(left, LOOK_EVERY_S))
            if self.parent_pid not in (None, os.getppid()):
                raise SystemExit("the parent process has ended")
            if ready:
                piece = os.read(self.answers, 1 << 16)
                if not piece:
                    break
                pieces.append(piece)
        return b"".join(pieces)

    def death(self):
        """Return, as a failure, how a child that closed its pipe ended."""
        status = self.reap()
        if not os.WIFSIGNALED(status):
            return TaskFailure("crashed", "ended with status %d" % os.WEXITSTATUS(status))
        number = os.WTERMSIG(status)
        kills = killed_for_memory()
        if number == signal.SIGKILL and any(kills[who] > self.kills_before.get(who, 0) for who in kills):
            return TaskFailure("out_of_memory", "the system killed it for lack of memory")
        hint = ""
        if number == signal.SIGKILL and not kills:
            hint = " (this system kills so when memory runs out, and does not count it)"
        return TaskFailure("crashed", "killed by signal %d%s" % (number, hint))

    def reap(self):
        """Wait for the end of the process and free what it held here; return its status."""
        _, status, usage = os.wait4(self.pid, 0)
        self.peak_bytes = usage.ru_maxrss * MAXRSS_UNIT
        _living.discard(self)
        os.close(self.commands)
        os.close(self.answers)
        return status

    def end(self):
        """End the process, whatever it does; it holds nothing that must be saved."""
        if self in _living:
            os.kill(self.pid, signal.SIGKILL)
            self.reap()


def be_a_child(handle, parent, commands, answers):
    """Obey commands until there are no more; never return."""
    status = 1
    try:
        die_with_parent()
        if os.getppid() == parent:  # Else it was killed before the kernel knew.
            keep_to_itself()
            with os.fdopen(commands) as lines:
                obey(handle, lines, answers)
            status = 0
    finally:
        os._exit(status)  # No clean-up of what the parent owns.


def start_anew(parent, commands, answers):
    """Have a new interpreter run `serve` in this process; never return."""
    try:
        die_with_parent()
        if os.getppid() == parent:
            for descriptor in (commands, answers):
                os.set_inheritable(descriptor, True)
            os.execv(sys.executable, [sys.executable, sys.argv[0], "--child", "%d,%d" % (commands, answers)])
    finally:
        os._exit(1)


def serve(descriptors):
    """Obey commands until there are no more, as a child that has started again."""
    commands, answers = map(int, descriptors.split(","))
    keep_to_itself()
    with os.fdopen(commands) as lines:
        # What the parent has made: nobody else can write to this pipe.
        handle = pickle.loads(base64.b64decode(lines.readline()))
        obey(handle, lines, answers)


def keep_to_itself():
    """Have the parent alone mind interruptions, read its standard input and write answers; restore its settings."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)


def obey(handle, lines, answers):
    score = OomScore()
    # Not "for line in lines": that reads ahead.
    for line in iter(lines.readline, ""):
        score.be(ACTIVE)
        try:
            answer = handle(json.loads(line))
        except Exception as error:  # Whatever a runtime raises: it goes on record, and the campaign goes on.
            status, reason = why(error)
            answer = {"status": status, "reason": reason}
        score.be(IDLE)
        write_all(answers, json.dumps(answer).encode() + b"\n")


def write_all(descriptor, data):
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def end_all():
    """End all children that are left."""
    for child in list(_living):
        child.end()


def in_child(function, limit_s, parent_pid=None, spawns=False):
    """Return what a function returns, a dictionary, called in a child of its own.

    Raises:
        TaskFailure: it raised, took more than so many seconds, or took the child with it.

    """
    child = Child(OneCall(function), parent_pid, spawns)
    try:
        return child.ask({}, limit_s)
    finally:
        child.end()


class OneCall:
    """Answers any command by calling a function; unlike a lambda, it can be pickled."""

    def __init__(self, function):
        self.function = function

    def __call__(self, _):
        return self.function()


def die_with_parent():
    """Have the kernel end this process when its parent ends: nothing may go on measuring unseen.

    Return False where the kernel does not.
    """
    try:
        return ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) == 0
    except (OSError, AttributeError):
        return False  # Not Linux.
