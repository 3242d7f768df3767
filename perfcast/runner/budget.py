"""Visits under a budget of time: an answer for every model first, then more precision where it is cheapest."""

import time

from perfcast.runner.effort import next_round
from perfcast.runner.protocol import BUDGET
from perfcast.runner.rounds import Rounds


class BudgetedRounds(Rounds):
    """Visits each model once, however long that takes; then, until the budget is spent, where a visit tells most.

    What can wait, such as a repetition, is begun once all others have two visits. Each model is answered after its
    first visit, and again at the end if it was visited since: provisionally, as long as the protocol asks for more. A
    model that has to make room for another one is loaded again later. The budget ends at `deadline`, by
    `time.monotonic`.
    """

    def __init__(self, bench, models, seed, history, deadline):
        super().__init__(bench, models, seed, history)
        self.left = list(models)
        self.deadline = deadline

    def run(self):
        for due in iter(self.due, []):
            for model in due:
                if self.is_due_at_once(model) or not self.is_over():
                    self.take_turn(model)
            self.round += 1
        self.conclude_finished()
        for model in self.left:
            if model.process and model.answered != len(model.visits):
                self.answer_so_far(model)
        for model in list(self.open):
            self.close(model)

    def is_over(self):
        return time.monotonic() >= self.deadline

    def is_due_at_once(self, model):
        return model.answered is None and not model.can_wait

    def due(self):
        """Return the models of the next round, in random order: those without an answer, however long it takes."""
        models = [model for model in self.left if self.is_due_at_once(model)]
        if not models and self.left and not self.is_over():
            begun = [model for model in self.left if model.visits]
            candidates = begun if any(len(model.visits) < 2 for model in begun) else self.left
            chosen = next_round([([median for median, _ in model.visits], model.cost_s) for model in candidates])
            models = [candidates[index] for index in chosen]
        self.order.shuffle(models)
        return sorted(models, key=lambda model: model.is_alone)  # What did harm beside others comes last.

    def take_turn(self, model):
        """Visit a model, and answer it where it has no answer yet."""
        self.make_room(model)
        if self.visit(model):
            self.open.append(self.open.pop(self.open.index(model)))
            if model.answered is None:
                self.answer_so_far(model)
        elif model in self.again:
            self.again.remove(model)
            model.is_alone = True
        else:
            self.left.remove(model)

    def make_room(self, model):
        """End the processes of other models, the one visited longest ago first, as long as there is no room."""
        for other in list(self.open):
            if other is not model and (model.is_alone or (model not in self.open and not self.has_room())):
                other.process.rest()
                self.open.remove(other)

    def conclude_finished(self):
        """Run models with all their visits under load, which would have heated the device for the others."""
        for model in self.finished:
            if self.is_over():
                self.left.append(model)
                continue
            self.make_room(model)
            if model not in self.open:
                self.open.append(model)
            self.conclude(model)

    def answer_so_far(self, model):
        """Answer what is known of a model that the protocol asks more visits of."""
        process, model.answered = model.process, len(model.visits)
        memory = dict(process.memory, **self.bench.null_memory)
        more = {"timing": process.timing(), "computed_on": process.computed_on}
        self.answer(model, "measured", None, memory, stopped_by=BUDGET, **more)
