"""A campaign from a folder that somebody carries here: no network, nothing to install.

The folder holds `bundle.json` (what to measure), the runner, graphs, and `answers.jsonl`: what the runner answered, on
disk before it goes on. Each of its lines bears a checksum, the SHA-256 of the one before it and of its answer, so that
a line which was changed, left out or moved is seen; the first one continues the bundle's own name. Beside the runner's
answers it says when this program was started, under which start of the system, and when it ended in order: a model that
was at work where it did not, and the system was started again, may have frozen the device.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys

from perfcast.runner import locks
from perfcast.runner.protocol import (
    ANSWERS,
    BUNDLE,
    BUNDLE_VERSION,
    BUSY,
    ENDED,
    ENVIRONMENT,
    MAX_FREEZES,
    MEASUREMENT,
    REFUSED,
    RUNNER_FILE,
    STARTED,
    VISIT,
    VISITING,
    answer_in,
    fingerprint_of,
    log_line,
    resume_of,
)
from perfcast.runner.supervisor import ENDING_S, end
from perfcast.runner.system_files import boot_id
from perfcast.runner.text import printable
from perfcast.runner.variables import conditions_of

STARTS = 3


def main(folder, part=""):
    """Measure what is left of the models of a bundle, or of a part of it; say how it goes on the terminal."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    os.chdir(folder)
    bundle, answers = read_bundle(os.path.join(part, BUNDLE)), os.path.join(part, ANSWERS)
    try:
        with open(answers, "ab") as file:
            lock(file)
            go_on(bundle, Log(bundle, file))
    except OSError as error:
        sys.exit("%s: %s; what was measured before is kept" % (error.filename or answers, error.strerror))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def interrupt(number, frame):
    """End as Ctrl-C does: in order."""
    raise KeyboardInterrupt


def lock(file):
    # On a file system without locks, as sticks have, nothing is held: the device has a lock of its own.
    if not locks.take(file):
        sys.exit("this folder's campaign is already running")


def go_on(bundle, log):
    """Measure what a log lacks."""
    history = History(bundle, log.answers)
    terminal = Terminal(bundle, history)
    status = 0
    if history.left():
        note(log, history, event=STARTED, boot=boot_id())
        status = measure(bundle, log, history, terminal)
    if history.left():
        terminal.say("%d models are left; run this again to continue" % len(history.left()))
        sys.exit(status or 1)
    terminal.say_done()


def note(log, history, **said):
    """Put on record what this program says itself."""
    log.add(json.dumps(said))
    history.add(said)


def read_bundle(path):
    """Return the bundle, with its name: the digest of its content."""
    try:
        with open(path, "rb") as file:
            content = file.read()
        bundle = dict(json.loads(content.decode()), name=hashlib.sha256(content).hexdigest())
    except (OSError, ValueError, TypeError) as error:
        sys.exit("%s cannot be read (%s): copy the folder again" % (path, error))
    if bundle.get("schema_version") != BUNDLE_VERSION:
        sys.exit("%s is of another version than the runner next to it: copy the folder again" % path)
    return bundle


class Log:
    """The answers so far; a last line that was cut off is taken away."""

    def __init__(self, bundle, file):
        self.file, self.checksum, self.answers = file, bundle["name"], []
        with open(file.name, "rb") as lines:
            whole = 0
            for line in lines:
                found = answer_in(line, self.checksum)
                if found is None:
                    break
                text, self.checksum = found
                self.answers.append(json.loads(text))
                whole += len(line)
        if whole < os.path.getsize(file.name):
            rest = os.path.getsize(file.name) - whole
            print("%s: the last %d bytes are damaged and ignored" % (file.name, rest), file=sys.stderr)
            os.truncate(file.name, whole)

    def add(self, text):
        """Append an answer, as the text that came; on disk when this returns."""
        line, self.checksum = log_line(self.checksum, text)
        self.file.write(line)
        self.file.flush()
        os.fsync(self.file.fileno())


class History:
    """What answers say: which models are done, which were visited, and which the device did not survive.

    A model is done under the fingerprint that it was measured under, and visited in one environment; what the device
    is now is taken to be what it was last.
    """

    def __init__(self, bundle, answers):
        self.tasks = bundle["plan"]["tasks"]
        self.done, self.visits, self.freezes = {}, {}, {}
        self.environment = self.fingerprint = self.boot = self.visiting = None
        for answer in answers:
            self.add(answer)

    def add(self, answer):
        event, key = answer["event"], answer.get("key")
        if event == STARTED:
            self.start(answer["boot"])
        elif event == ENVIRONMENT:
            self.enter(answer["environment"])
        elif event == VISITING:
            self.visiting = key
        elif event == VISIT:
            self.visits.setdefault(key, []).append(answer)
            self.visiting = None
        elif event == MEASUREMENT:
            self.done.setdefault(self.fingerprint, set()).add(key)
            self.visiting = None
        elif event == ENDED:
            self.visiting = None

    def start(self, boot):
        """Take note of a start; a model that another start of the system had did not let the device live."""
        if self.visiting and boot and self.boot and boot != self.boot:
            self.freezes[self.visiting] = self.freezes.get(self.visiting, 0) + 1
        self.visiting, self.boot = None, boot

    def enter(self, environment):
        """Take note of what the device is; visits made in another environment do not count."""
        if environment != self.environment:
            self.visits = {}
        self.environment = environment
        self.fingerprint = json.dumps(fingerprint_of(environment), sort_keys=True)

    def done_now(self):
        """Return the keys of what was measured under the fingerprint that there are."""
        return self.done.get(self.fingerprint, set())

    def left(self):
        """Return the tasks that are to be measured."""
        done = self.done_now()
        return [t for t in self.tasks if t["key"] not in done and self.freezes.get(t["key"], 0) < MAX_FREEZES]

    def plan(self, plan):
        """Return the plan of what is left."""
        tasks = []
        for task in self.left():
            resume = resume_of("last", self.visits.get(task["key"], []))
            tasks.append(dict(task, resume=resume, alone=self.freezes.get(task["key"], 0) > 0))
        return dict(plan, tasks=tasks, environments={"last": self.environment}, calibration_ns=self.calibration_ns())

    def calibration_ns(self):
        """Return the times of the calibration workload in the last environment."""
        made = [visit["calibration"] for visits in self.visits.values() for visit in visits]
        return [time_ns for calibration in made for time_ns in calibration.values()]


class Terminal:
    """What a person sees."""

    def __init__(self, bundle, history):
        self.bundle, self.history = bundle, history
        self.is_terminal = sys.stderr.isatty()

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def say_done(self):
        self.say("all %d models are done; bring the folder back and run `perfcast ingest`" % len(self.history.tasks))

    def show(self, answer):
        """Show how far it is."""
        tasks, key = self.history.tasks, answer.get("key")
        if answer["event"] not in (VISIT, MEASUREMENT):
            return
        name = next((task["model"] for task in tasks if task["key"] == key), key)
        text = "%d of %d models done; %s" % (len(self.history.done_now()), len(tasks), name)
        if answer["event"] == MEASUREMENT and answer["status"] != "measured":
            text += ": %s, %s" % (answer["status"], answer["reason"])
        text = printable(text)  # Users name models.
        if self.is_terminal:
            print("\r\033[K" + text[:100], end="", file=sys.stderr, flush=True)
        elif answer["event"] == MEASUREMENT:
            self.say(text)


def measure(bundle, log, history, terminal):
    """Run the runner over what is left; return its status."""
    for _ in range(STARTS):
        expected = history.fingerprint
        status = run(bundle, log, history, terminal)
        if expected in (None, history.fingerprint):
            return status
        terminal.say("the device's environment has changed: all models are measured in the new one")
    terminal.say("the device's environment changes each time it is read; see log.txt")
    return 1


def run(bundle, log, history, terminal):
    """Run the runner until it has ended, or found that the device is not what the plan was made for."""
    expected = history.fingerprint
    with open("log.txt", "a") as said:
        process = subprocess.Popen(command_of(bundle), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        try:
            send(process, json.dumps(history.plan(bundle["plan"])))
            status = None
            for line in iter(process.stdout.readline, b""):
                text = line.decode().strip()
                answer = json.loads(text)
                log.add(text)
                history.add(answer)
                if expected not in (None, history.fingerprint):
                    status = 0
                    break
                terminal.show(answer)
                send(process, "")
            status = process.wait() if status is None else status
        except KeyboardInterrupt:
            status = 128 + signal.SIGINT
        finally:
            close(process)
    note(log, history, event=ENDED)
    if terminal.is_terminal:
        terminal.say("")
    if status:
        terminal.say("the runner ended with status %d: %s" % (status, why_ended(status)))
    return status


def why_ended(status):
    """Return why a runner ended with a status."""
    if status == BUSY:
        return "another campaign is measuring on this device"
    if status == REFUSED:
        with open("log.txt", errors="replace") as said:
            return printable(said.read().strip().split("\n")[-1])
    return "see log.txt"


def command_of(bundle):
    """Return the command that runs the runner; another copy of the folder is somebody else."""
    token = hashlib.sha256(("%s %s" % (bundle["name"], os.path.realpath("."))).encode()).hexdigest()
    plan = bundle["plan"]
    order = {"token": token, "settings": plan["settings"], "container": bundle["container"]}
    conditions = conditions_of(plan["factors"], plan["environment_variables"])
    command = [sys.executable, RUNNER_FILE, "--keep", json.dumps(order)]
    return [*command, "-", "--wait", "--variables", json.dumps(conditions)]


def send(process, line):
    try:
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # It has ended; its status says how.


def close(process):
    """End the runner, where it has not ended, and close what leads to it."""
    end(process, 2 * ENDING_S)  # It waits for the runner in turn.
    for stream in (process.stdin, process.stdout):
        try:
            stream.close()
        except BrokenPipeError:
            pass  # What was still to be written is to nobody.
