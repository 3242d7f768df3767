"""A campaign from a folder that somebody carries here: no network, nothing to install.

The folder holds `bundle.json` (what to measure), the runner, graphs, and `answers.jsonl`: what the runner answered, on
disk before it goes on. Each of its lines bears a seal, the SHA-256 of the seal before it and of its answer, so that a
line which was changed, left out or moved is seen; the first one continues the bundle's own name.
"""

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys

from perfcast_runner.holding import BUSY
from perfcast_runner.keeper import ENDING_S, end
from perfcast_runner.schedule import median_of

BUNDLE, ANSWERS, RUNNER = "bundle.json", "answers.jsonl", "runner.pyz"
TRIES = 2


def main(folder):
    """Measure what is left of a bundle's models; say how it goes on the terminal."""
    os.chdir(folder)
    bundle = read_bundle()
    with open(ANSWERS, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("this folder's campaign runs already")
        except OSError:
            pass  # A file system without locks, as sticks have: the device has one of its own.
        log = Log(bundle, file)
        history = History(bundle, log.answers)
        terminal = Terminal(bundle, history)
        if not history.left():
            terminal.say_done()
            return
        status = measure(bundle, log, history, terminal)
    if history.left():
        terminal.say("%d models are left; run this again to go on" % len(history.left()))
        sys.exit(status or 1)
    terminal.say_done()


def read_bundle():
    """Return the bundle, with its name: the digest of its content."""
    try:
        with open(BUNDLE, "rb") as file:
            content = file.read()
        return dict(json.loads(content.decode()), name=hashlib.sha256(content).hexdigest())
    except (OSError, ValueError, TypeError) as error:
        sys.exit("%s cannot be read (%s): copy the folder again" % (BUNDLE, error))


class Log:
    """The answers so far; a last line that was cut off is taken away."""

    def __init__(self, bundle, file):
        self.file, self.seal, self.answers = file, bundle["name"], []
        with open(ANSWERS, "rb") as lines:
            whole = 0
            for line in lines:
                try:
                    entry = json.loads(line.decode())
                    if not line.endswith(b"\n") or entry["seal"] != seal_of(self.seal, entry["answer"]):
                        break
                except (ValueError, KeyError, TypeError):
                    break
                self.seal = entry["seal"]
                self.answers.append(json.loads(entry["answer"]))
                whole += len(line)
        if whole < os.path.getsize(ANSWERS):
            rest = os.path.getsize(ANSWERS) - whole
            print("%s: the last %d bytes are damaged and left out" % (ANSWERS, rest), file=sys.stderr)
            os.truncate(ANSWERS, whole)

    def add(self, text):
        """Append an answer, as the text that came; on disk when this returns."""
        self.seal = seal_of(self.seal, text)
        self.file.write(json.dumps({"answer": text, "seal": self.seal}).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())


def seal_of(before, text):
    """Return the seal of an answer behind another seal."""
    return hashlib.sha256((before + text).encode()).hexdigest()


class History:
    """What answers say: which models are done, which were visited, and which the device did not survive."""

    def __init__(self, bundle, answers):
        self.tasks = bundle["plan"]["tasks"]
        self.done, self.visits, self.contexts, self.freezes = set(), {}, {}, {}
        self.context = self.boot = self.visiting = None
        for answer in answers:
            self.add(answer)

    def add(self, answer):
        event, key = answer["event"], answer.get("key")
        if event == "context":
            self.start(answer)
        elif event == "visiting":
            self.visiting = key
        elif event == "visit":
            self.visits.setdefault((self.context, key), []).append(answer)
            self.visiting = None
        elif event == "measurement":
            self.done.add(key)
            self.visiting = None

    def start(self, answer):
        """Take note of a start of the runner; a model that another boot of the system had did not let it live."""
        if self.visiting and answer["boot"] and self.boot and answer["boot"] != self.boot:
            self.freezes[self.visiting] = self.freezes.get(self.visiting, 0) + 1
        self.visiting, self.boot = None, answer["boot"]
        text = json.dumps(answer["context"], sort_keys=True)
        self.context = self.contexts.setdefault(text, "context %d" % len(self.contexts))

    def left(self):
        """Return the tasks that are to be measured."""
        return [t for t in self.tasks if t["key"] not in self.done and self.freezes.get(t["key"], 0) < TRIES]

    def plan(self, plan):
        """Return the plan of what is left."""
        last = {key: (context, visits) for (context, key), visits in self.visits.items()}
        tasks = []
        for task in self.left():
            resume = None
            if task["key"] in last:
                context, visits = last[task["key"]]
                resume = {"context": context, "visits": [shortened(visit) for visit in visits]}
            tasks.append(dict(task, resume=resume, alone=self.freezes.get(task["key"], 0) > 0))
        contexts = {name: json.loads(text) for text, name in self.contexts.items()}
        return dict(plan, tasks=tasks, contexts=contexts, reference_floor_ns=self.floor_ns())

    def floor_ns(self):
        """Return the shortest time of the reference workload in the last context."""
        made = [visit for (context, _), visits in self.visits.items() if context == self.context for visit in visits]
        return min((min(visit["reference"].values()) for visit in made), default=None)


def shortened(visit):
    """Return what the runner has to know of a visit."""
    return {"visit": visit["visit"], "median_ns": median_of(visit["samples"]), "disturbed": visit["disturbed"]}


class Terminal:
    """What a person sees."""

    def __init__(self, bundle, history):
        self.bundle, self.history = bundle, history
        self.is_terminal = sys.stderr.isatty()

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def say_done(self):
        self.say("all %d models are done: take the folder back, and run `perfcast ingest`" % len(self.history.tasks))

    def show(self, answer):
        """Show how far it is."""
        tasks, key = self.history.tasks, answer.get("key")
        if answer["event"] not in ("visit", "measurement"):
            return
        name = next((task["model"] for task in tasks if task["key"] == key), key)
        text = "%d of %d models done; %s" % (len(self.history.done), len(tasks), name)
        if answer["event"] == "measurement" and answer["verdict"] != "measured":
            text += ": %s, %s" % (answer["verdict"], answer["reason"])
        text = "".join(letter for letter in text if letter.isprintable())  # Users name models.
        if self.is_terminal:
            print("\r\033[K" + text[:100], end="", file=sys.stderr, flush=True)
        elif answer["event"] == "measurement":
            self.say(text)


def measure(bundle, log, history, terminal):
    """Run the runner over what is left; return its status."""
    order = {"token": bundle["name"], "settings": bundle["plan"]["settings"], "container": bundle["container"]}
    command = [sys.executable, RUNNER, "--keep", json.dumps(order), "-", "--wait"]
    with open("log.txt", "a") as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        try:
            tell(process, json.dumps(history.plan(bundle["plan"])))
            for line in iter(process.stdout.readline, b""):
                text = line.decode().strip()
                answer = json.loads(text)
                log.add(text)
                history.add(answer)
                terminal.show(answer)
                tell(process, "")
            status = process.wait()
        except KeyboardInterrupt:
            status = 128 + signal.SIGINT
        finally:
            close(process)
    if terminal.is_terminal:
        terminal.say("")
    if status:
        reason = "somebody else measures on this device" if status == BUSY else "see log.txt"
        terminal.say("the runner ended with status %d: %s" % (status, reason))
    return status


def tell(process, line):
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
