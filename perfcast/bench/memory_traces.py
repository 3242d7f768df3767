"""Memory over time: the resident set of a process of its own while it loads a model and runs steps."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.bench.profiles import KEYS
from perfcast.errors import SourceError
from perfcast.models.external.keras_files import quiet_errors
from perfcast.runner.clocks import perf_counter_ns
from perfcast.runner.memory import release_free_memory, resident_bytes
from perfcast.runner.toolchains import TOOLCHAINS
from perfcast.runner.workloads import WORKLOADS

if TYPE_CHECKING:
    from perfcast.bench.profiling import Subject

COLUMNS = (*KEYS, "phase", "at_s", "resident_mb")
"""Of a trace, one row per moment: `phase` is `load`, `first step` or `steps`; `resident_mb` (10^6 bytes) is what the
process holds more than before the model was loaded, the runtime being there already."""
PHASES = ("load", "first step", "steps")
_EVERY_S = 0.001
_MAX_MOMENTS = 600
"""As many as a figure can show; each stands for the highest value of its time."""


def trace_memory(subject: Subject, steps: int) -> pd.DataFrame:
    """Return the memory trace (`COLUMNS`) of a model that is loaded and makes steps in a new process.

    Raises:
        SourceError: it cannot be run, or the process was killed, as where memory runs out.
    """
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            samples = pool.submit(_sampled, subject.factors, subject.task, steps).result()
    except BrokenProcessPool as error:
        raise SourceError("its process was killed: it probably ran out of memory") from error
    return _thinned(samples).assign(**subject.about)[list(COLUMNS)]


def _sampled(factors: dict[str, Any], task: dict[str, Any], steps: int) -> list[tuple[int, float, float]]:
    """Return (place of the phase, time in s, MB) of each moment."""
    toolchain = TOOLCHAINS[factors["toolchain"]](factors)
    workload = WORKLOADS[factors["workload"]](factors)
    with quiet_errors(factors["toolchain"], "run"):
        toolchain.preload()
        inputs = workload.inputs(task)
        release_free_memory()
        with _Sampler() as sampler:
            run = workload.load(toolchain, task)
            sampler.phase = 1
            run(*inputs)
            sampler.phase = 2
            for _ in range(steps):
                run(*inputs)
    return sampler.samples


class _Sampler:
    """Samples the resident set of this process in a thread while it is entered."""

    def __init__(self) -> None:
        self.samples: list[tuple[int, float, float]] = []
        self.phase = 0
        self._start, self._before = perf_counter_ns(), resident_bytes()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        at_s = (perf_counter_ns() - self._start) * 1e-9
        self.samples.append((self.phase, at_s, (resident_bytes() - self._before) * 1e-6))


def _thinned(samples: list[tuple[int, float, float]]) -> pd.DataFrame:
    """Return the samples, of many the highest of each stretch of time within a phase."""
    table = pd.DataFrame(samples, columns=["phase", "at_s", "resident_mb"])
    stretch = np.floor(table["at_s"] / table["at_s"].max() * _MAX_MOMENTS)
    kept = table.loc[table.groupby([table["phase"], stretch])["resident_mb"].idxmax()]
    return kept.assign(phase=kept["phase"].map(dict(enumerate(PHASES)))).reset_index(drop=True)
