"""Visits in interleaved rounds: each model now and again, so that no disturbance meets all visits of one."""

import collections
import random
import sys

from perfcast.runner.children import TaskFailure
from perfcast.runner.memory_budget import available_bytes
from perfcast.runner.protocol import MEASUREMENT, NO_CALM, VISIT, VISITING, median_ns
from perfcast.runner.schedule import is_disturbed, is_finished

MAX_OPEN = 16


class Rounds:
    """Measures models in groups: as many as memory holds at once, visited in shuffled rounds until each is finished.

    `bench` is what the models share; its `answer` takes what is found out. `history` is of the campaign's other visits.
    """

    def __init__(self, bench, models, seed, history):
        self.bench, self.history = bench, history
        for model in models:
            for _, disturbed in model.visits:
                history.add(disturbed)
        self.waiting = collections.deque(model for model in models if not model.is_alone)
        self.order = random.Random(seed)
        self.round = 0
        self.room_bytes = available_bytes()
        self.open, self.finished, self.again = [], [], []
        self.last = [model for model in models if model.is_alone]

    def run(self):
        while self.waiting:
            self.measure(self.open_group())
            again, self.again = self.again, []
            for model in again:
                model.is_alone = True
                self.measure([model])
        for model in self.last:
            self.measure([model])

    def open_group(self):
        """Load models and visit each, in their order, as long as there is room; return those that need more visits."""
        group = []
        while self.waiting and self.has_room():
            model = self.waiting.popleft()
            if self.visit(model):
                group.append(model)
        self.round += 1
        return group

    def has_room(self):
        """Say whether another model may be opened: half of the memory is for the one that is at work."""
        if not self.open:
            return True
        left = available_bytes()
        return len(self.open) < MAX_OPEN and (left is None or left >= self.room_bytes / 2)

    def measure(self, group):
        """Visit models in rounds, each in another order, until all are finished."""
        while group:
            self.order.shuffle(group)
            group = [model for model in group if self.visit(model)]
            self.round += 1
        for model in self.finished:
            self.conclude(model)
        self.finished = []

    def visit(self, model):
        """Visit a model; return whether it needs more visits."""
        # An earlier run may have ended right after the last visit: one more shows the memory, and is not kept.
        is_kept = not self.is_finished(model)
        print("measuring %s, visit %d" % (model.key, len(model.visits)), file=sys.stderr, flush=True)
        # So that whoever hears no more of this device knows which model had it last.
        self.bench.answer(VISITING, key=model.key)
        if model not in self.open:
            self.open.append(model)
        try:
            visit = model.visit(self.bench)
        except TaskFailure as failed:
            self.give_up(model, failed)
            return False
        if is_kept:
            self.record(model, visit)
        if not self.is_finished(model):
            return True
        if self.bench.soak_s is None:
            self.conclude(model)
        else:  # Minutes under load would heat the device for the visits of the others.
            self.finished.append(model)
        return False

    def is_finished(self, model):
        """Say whether a model needs no more visits; disturbed ones are not repeated if no calm is in sight."""
        protocol = self.bench.protocol
        if not self.history.is_worth_repeating(protocol["repeats"]):
            protocol = dict(protocol, repeats=0)
        return is_finished(protocol, model.visits)

    def record(self, model, visit):
        calibration, state = visit["calibration"], visit["state"]
        limit_ns = self.bench.usual.limit_after(calibration)
        disturbed = is_disturbed(calibration, limit_ns, state["others_cpus"], self.bench.spare_cpus)
        disturbed = disturbed or bool(state["swapped_meanwhile"])
        number = len(model.visits)
        model.visits.append((median_ns(visit["samples"]), disturbed))
        self.history.add(disturbed)
        self.bench.answer(VISIT, key=model.key, visit=number, round=self.round, disturbed=disturbed, **visit)

    def conclude(self, model):
        """Answer what is known of a model besides its visits."""
        process, sustained = model.process, None
        try:
            if self.bench.soak_s is not None:
                sustained = process.sustain(self.bench.soak_s)
        except TaskFailure as failed:
            self.give_up(model, failed)
            return
        self.close(model)
        memory = dict(process.memory, **self.bench.null_memory)
        more = {"timing": process.timing(), "sustained": sustained, "computed_on": process.computed_on}
        stopped_by = None if is_finished(self.bench.protocol, model.visits) else NO_CALM
        self.answer(model, "measured", None, memory, stopped_by=stopped_by, **more)

    def give_up(self, model, failed):
        """Answer why a model could not be measured, unless it is worth a retry on its own."""
        process = self.close(model)
        if failed.status == "out_of_memory" and self.open and not model.is_alone:
            self.again.append(model)
        else:
            self.answer(model, failed.status, str(failed), {"peak_bytes": process and process.peak_bytes()})

    def close(self, model):
        """End a model's process and return it, None where it had none."""
        process, model.process = model.process, None
        self.open.remove(model)
        if process:
            process.end()
        return process

    def answer(self, model, status, reason, memory, **known):
        rest = dict(dict.fromkeys(("timing", "sustained", "computed_on", "stopped_by")), **known)
        self.bench.answer(MEASUREMENT, key=model.key, status=status, reason=reason, memory=memory, **rest)
