"""A model's process: when it is loaded again."""

from types import SimpleNamespace

import pytest

from perfcast.runner import models
from perfcast.runner.models import Process


class Doubted(Process):
    """Takes 100 bytes; what is doubted of its outputs proves to be unfounded."""

    def __init__(self, bench):
        self.bench, self.task, self.log = bench, {"program": "graph.pb"}, []
        self.child = SimpleNamespace(end=lambda: self.log.append("end"))

    def start(self):
        self.log.append("start")

    def ask(self, what, is_known):
        return {"doubt": None if is_known else "the model depends on nothing", "load_peak_bytes": 100}

    def look_deeper(self, doubt):
        self.log.append("look")


@pytest.mark.parametrize(
    ("free", "log"),
    [
        (1000, ["start", "look"]),
        (150, ["start", "end", "look", "start"]),
        (None, ["start", "end", "look", "start"]),
    ],
)
def test_doubted_model_is_reloaded_only_if_memory_is_short(monkeypatch, free, log):
    monkeypatch.setattr(models, "available_bytes", lambda: free)
    bench = SimpleNamespace(settled_programs=set())
    first, again = Doubted(bench), Doubted(bench)
    first.load()
    again.load()
    assert first.log == log
    assert again.log == ["start"]
