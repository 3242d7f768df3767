"""Training runs: the exported program of a step, on real batches, in a process of its own."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.errors import SourceError
from perfcast.models.external.keras_files import quiet_errors
from perfcast.runner.memory import peak_rss_bytes, release_free_memory, reset_peak
from perfcast.runner.outputs import ImplausibleOutputError
from perfcast.runner.toolchains.tensorflow import TensorFlowToolchain
from perfcast.runner.workloads.forward_backward import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perfcast.models.spec import ModelSpec

COLUMNS = (
    *("model", "data", "pretrained_on", "optimizer", "learning_rate", "trained", "trained_layers", "batch", "threads"),
    *("seed", "epoch", "steps", "loss", "accuracy", "step_ms", "step_cpu_ms", "train_s", "train_cpu_s", "peak_mb"),
    "status",
)
"""Of runs, one row per epoch; docs/training.md describes them."""
COMPLETE = "complete"
_EVALUATED_AT_ONCE = 250

Weights = dict[str, np.ndarray]
"""Values of a network's variables by their names in the program, `weight_<place>`."""


@dataclass(frozen=True)
class Job:
    """A run.

    Attributes:
        spec: the network.
        factors: of the toolchain.
        task: its program, as toolchains load it.
        weights: that training starts from.
        images, labels: to train on.
        held_images, held_labels: to evaluate on; none where no accuracy can be claimed.
        epochs, learning_rate: of the run.
        seed: of the order of examples.
    """

    spec: ModelSpec
    factors: dict[str, Any]
    task: dict[str, Any]
    weights: Weights
    images: np.ndarray
    labels: np.ndarray
    held_images: np.ndarray
    held_labels: np.ndarray
    epochs: int
    learning_rate: float
    seed: int


@dataclass(frozen=True)
class Epoch:
    """An epoch of a run: its mean loss, the wall and CPU time of each step, and the accuracy after it."""

    loss: float
    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]
    accuracy: float


@dataclass(frozen=True)
class Run:
    """What became of a run.

    Attributes:
        epochs: those that were complete.
        peak_bytes: of the resident set until the end of the first epoch.
        weights: after the last epoch.
        status: `complete`, or why it ended.
    """

    epochs: tuple[Epoch, ...]
    peak_bytes: int
    weights: Weights
    status: str


class _Trainer(TensorFlowToolchain):
    """Starts from given weights and can read what became of them."""

    def __init__(self, factors: dict[str, Any], weights: Weights) -> None:
        super().__init__(factors)  # type: ignore[no-untyped-call]
        self.weights = weights
        self.reads: dict[str, Any] = {}

    def _fill(self, handle: Any, node: Any, shape: Any, distribution: Any, generator: Any, filled: list[Any]) -> None:
        import tensorflow as tf

        dtype = node.attr["dtype"].type
        given = self.weights.get(node.name)
        if given is None:
            super()._fill(handle, node, shape, distribution, generator, filled)  # type: ignore[no-untyped-call]
            return
        raw = tf.raw_ops
        value = tf.numpy_function(lambda: given, [], dtype)
        filled.append(raw.AssignVariableOp(resource=handle, value=tf.ensure_shape(value, shape)))
        self.reads[node.name] = raw.ReadVariableOp(resource=handle, dtype=dtype)

    def now(self) -> Weights:
        """Return the weights; those that the program does not have stay as they were."""
        session, *_ = self.loaded  # type: ignore[misc]
        return self.weights | session.run(self.reads)


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns in a process of its own, forked from one that has TensorFlow imported.

    Raises:
        SourceError: the process was killed, as where memory runs out.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras", __name__])
    try:
        with ProcessPoolExecutor(1, context) as pool:
            return pool.submit(function, *arguments).result()
    except BrokenProcessPool as error:
        raise SourceError("its process was killed: it probably ran out of memory") from error


def train(job: Job) -> Run:
    """Train, then evaluate the weights of each epoch, so that evaluating neither takes time nor memory of training."""
    trainer: Any = _Trainer(job.factors, job.weights)
    with quiet_errors("TensorFlow", "train"):
        trainer.preload()
        release_free_memory()
        reset_peak()
        step = Steps(trainer.load(job.task))
        order, done, snapshots, peak, status = np.random.default_rng(job.seed), [], [], 0, COMPLETE
        for _ in range(job.epochs):
            try:
                done.append(_epoch(job, step, order))
            except ImplausibleOutputError as error:
                status = str(error)
                break
            # Before weights are copied, which a step does not do.
            peak = peak or peak_rss_bytes()
            snapshots.append(trainer.now())
        accuracies = _accuracies(job, snapshots)
    epochs = tuple(Epoch(*epoch, accuracy) for epoch, accuracy in zip(done, accuracies, strict=True))
    return Run(epochs, peak, snapshots[-1] if snapshots else job.weights, status)


def null_peak_bytes(job: Job) -> int:
    """Return the peak of a process that holds the same data and runs a network that does nothing."""
    toolchain: Any = TensorFlowToolchain(job.factors)
    with quiet_errors("TensorFlow", "run"):
        toolchain.preload()
        release_free_memory()
        reset_peak()
        run = toolchain.load(toolchain.null_task())
        run(np.zeros((job.factors["batch"], 1), np.float32))
    return int(peak_rss_bytes())


def _epoch(job: Job, step: Steps, order: np.random.Generator) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    losses, walls, cpus = [], [], []
    for inputs in _batches(job, order):
        wall, cpu = time.perf_counter(), time.process_time()
        losses.append(float(step(*inputs)[0]))
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return float(np.mean(losses)), tuple(walls), tuple(cpus)


def _batches(job: Job, order: np.random.Generator) -> Iterator[list[Any]]:
    """Yield the inputs of each step of an epoch; examples that do not fill a batch wait for another epoch."""
    size = job.factors["batch"]
    places = order.permutation(len(job.labels))
    for start in range(0, len(places) - size + 1, size):
        chosen = places[start : start + size]
        given = {"label_0": job.labels[chosen], "learning_rate": np.float32(job.learning_rate)}
        yield [given.get(item["node"], job.images[chosen]) for item in job.task["inputs"]]


def _accuracies(job: Job, snapshots: list[Weights]) -> list[float]:
    if not len(job.held_labels):
        return [float("nan")] * len(snapshots)
    model = keras_model(job.spec)
    found = []
    for weights in snapshots:
        give(model, weights)
        starts = range(0, len(job.held_labels), _EVALUATED_AT_ONCE)
        parts = [model.predict_on_batch(job.held_images[at : at + _EVALUATED_AT_ONCE]) for at in starts]
        found.append(float((np.concatenate(parts).argmax(axis=1) == job.held_labels).mean()))
    return found


def keras_model(spec: ModelSpec, seed: int = 0) -> Any:
    """Return the network that a spec describes, its weights drawn from a seed as Keras draws them."""
    import keras

    from perfcast.models.build import build_model

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return build_model(spec)


def weights_of(model: Any) -> Weights:
    """Return the values of a network's variables."""
    return {f"weight_{place}": np.array(variable) for place, variable in enumerate(model.variables)}


def give(model: Any, weights: Weights) -> None:
    """Give a network's variables values."""
    for place, variable in enumerate(model.variables):
        variable.assign(weights[f"weight_{place}"])
