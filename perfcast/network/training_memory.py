"""The memory of a training step, from a network's layers alone: which tensors live when.

A step runs all layers forward and backward, and then updates the weights. Between the two passes of a layer, what its
gradient reads is kept. What that is, and which operations reuse their input's memory, follows TensorFlow's gradients
(`tensorflow/python/ops/nn_grad.py` and `math_grad.py`) and kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.network.gradients import Gradient, gradient_of
from perfcast.network.records import FLOAT_BYTES, size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    Layer = dict[str, Any]

KINDS = ("weights", "gradients", "optimizer_state", "activations", "workspace")
"""What memory is used for."""

STATE_COPIES = {"sgd": 0, "momentum": 1, "adam": 2, "adagrad": 1}
"""Numbers that an optimizer keeps for each weight."""


@dataclass(frozen=True)
class Tensor:
    """Something in memory.

    Attributes:
        layer: whose it is.
        kind: one of `KINDS`.
        bytes: its size.
        first, last: steps in which it lives: layer i of n runs forward in step i and backward in step 2n − 1 − i, and
            the update is step 2n.
    """

    layer: str
    kind: str
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class TrainingPeak:
    """The moment of a training step at which the most memory is used.

    Attributes:
        bytes: all that lives then.
        layer: that runs then; the last one for the update.
        operation: `forward`, `backward` or `update`.
        shares: bytes by layer and kind, without zeros.
    """

    bytes: int
    layer: str
    operation: str
    shares: Mapping[tuple[str, str], int]

    def by_kind(self) -> dict[str, int]:
        """Return the bytes of each of `KINDS`."""
        return {kind: sum(count for (_, each), count in self.shares.items() if each == kind) for kind in KINDS}


def training_peak(layers: Sequence[Layer], outputs: Collection[str], batch: int, optimizer: str) -> TrainingPeak:
    """Return the peak of a training step.

    Args:
        layers: of a descriptor, in execution order.
        outputs: names of the layers that return the network's outputs.
        batch: samples of a step.
        optimizer: one of `STATE_COPIES`.
    """
    tensors = [*_per_weight(layers, STATE_COPIES[optimizer]), *per_sample_tensors(layers, outputs, batch)]
    bytes_at = alive(tensors, 2 * len(layers) + 1)
    step = max(range(len(bytes_at)), key=bytes_at.__getitem__)
    shares: dict[tuple[str, str], int] = {}
    for tensor in tensors:
        if tensor.bytes and tensor.first <= step <= tensor.last:
            key = tensor.layer, tensor.kind
            shares[key] = shares.get(key, 0) + tensor.bytes
    layer, operation = _running(layers, step)
    return TrainingPeak(bytes_at[step], layer, operation, shares)


def alive(tensors: Sequence[Tensor], steps: int) -> list[int]:
    """Return the bytes alive in each step."""
    changes = [0] * (steps + 1)
    for tensor in tensors:
        changes[tensor.first] += tensor.bytes
        changes[tensor.last + 1] -= tensor.bytes
    found, total = [], 0
    for change in changes[:steps]:
        total += change
        found.append(total)
    return found


def per_sample_tensors(layers: Sequence[Layer], outputs: Collection[str], batch: int = 1) -> list[Tensor]:
    """Return the tensors whose size grows with the batch: activations, their gradients and workspaces.

    Args:
        layers, outputs, batch: as in `training_peak`.
    """
    step = _Step(layers, outputs, batch)
    return [*step.activations(), *step.gradients()]


def kept_activation_bytes(layers: Sequence[Layer], outputs: Collection[str]) -> int:
    """Return the bytes of one sample's activations that the backward pass begins with; see `training_peak`."""
    start = len(layers)
    tensors = _Step(layers, outputs, 1).activations()
    return sum(tensor.bytes for tensor in tensors if tensor.first <= start <= tensor.last)


def _running(layers: Sequence[Layer], step: int) -> tuple[str, str]:
    count = len(layers)
    if step == 2 * count:
        return layers[-1]["name"], "update"
    if step < count:
        return layers[step]["name"], "forward"
    return layers[2 * count - 1 - step]["name"], "backward"


def _per_weight(layers: Sequence[Layer], copies: int) -> Iterator[Tensor]:
    """Yield weights and optimizer state, which live all the time, and gradients, which live until the update."""
    end = 2 * len(layers)
    for place, layer in enumerate(layers):
        weights, trained = (FLOAT_BYTES * layer[key] for key in ("parameters", "trainable_parameters"))
        yield Tensor(layer["name"], "weights", weights, 0, end)
        yield Tensor(layer["name"], "optimizer_state", copies * trained, 0, end)
        yield Tensor(layer["name"], "gradients", trained, end - 1 - place, end)


class _Step:
    """The tensors of one step that grow with the batch."""

    def __init__(self, layers: Sequence[Layer], outputs: Collection[str], batch: int) -> None:
        self.layers, self.outputs = layers, outputs
        self.place = {layer["name"]: place for place, layer in enumerate(layers)}
        self.rules: list[Gradient] = [gradient_of(layer) for layer in layers]
        self.bytes = [batch * FLOAT_BYTES * size(layer["output_shapes"]) for layer in layers]
        self.owner = self._owners()
        self.reads = [sorted({self.place[name] for name in layer["inputs"]}) for layer in layers]
        self.is_differentiated = self._differentiated()

    def backward(self, place: int) -> int:
        """Return the step in which a layer runs backward."""
        return 2 * len(self.layers) - 1 - place

    def activations(self) -> Iterator[Tensor]:
        """Yield the layers' outputs, and what else they keep for their gradients."""
        last = list(range(len(self.layers)))
        for place, layer in enumerate(self.layers):
            rule, runs_backward = self.rules[place], self.is_differentiated[place]
            own = self.owner[place]
            for read in {self.owner[each] for each in self.reads[place]}:
                kept = self.backward(place) if rule.reads_input and runs_backward else place
                # A tensor that nothing else needs is overwritten.
                last[read] = max(last[read], kept - (rule.in_place and kept == place))
            if rule.reads_output and runs_backward:
                last[own] = max(last[own], self.backward(place))
            if layer["name"] in self.outputs:
                last[own] = max(last[own], len(self.layers))
            if rule.extra and runs_backward:
                extra = round(rule.extra * self.bytes[place])
                yield Tensor(layer["name"], "activations", extra, place, self.backward(place))
        for place, layer in enumerate(self.layers):
            if self.owner[place] == place:
                yield Tensor(layer["name"], "activations", self.bytes[place], place, max(place, last[place]))

    def gradients(self) -> Iterator[Tensor]:
        """Yield the gradients of the layers' outputs: each is made by the layers that read it, and summed up."""
        owner, lives = list(range(len(self.layers))), dict[int, list[int]]()
        readers = self._readers()
        for place in reversed(range(len(self.layers))):
            if not self.is_differentiated[place] or not self.reads[place]:
                continue
            after = readers[place]
            summed = self.backward(after[0]) if after else len(self.layers)
            if len(after) == 1 and self.rules[after[0]].passes_gradient:
                owner[place] = owner[after[0]]
            else:
                lives[place] = [summed, summed]
            for reader in after[1:]:
                if self.rules[reader].passes_gradient:
                    lives[owner[reader]][1] = max(lives[owner[reader]][1], summed)
                else:
                    yield self._gradient(place, self.backward(reader), summed)
            lives[owner[place]][1] = max(lives[owner[place]][1], self.backward(place))
        for place, (first, last) in lives.items():
            yield self._gradient(place, first, last)

    def _gradient(self, place: int, first: int, last: int) -> Tensor:
        return Tensor(self.layers[place]["name"], "gradients", self.bytes[place], first, last)

    def _readers(self) -> list[list[int]]:
        """Return which layers that run backward read each layer's output, in order."""
        found: list[list[int]] = [[] for _ in self.layers]
        for place, reads in enumerate(self.reads):
            for read in reads if self.is_differentiated[place] else ():
                found[read].append(place)
        return found

    def _owners(self) -> list[int]:
        """Return whose memory each layer's output is in: its own, or that of what it only gives another shape."""
        owner: list[int] = []
        for place, layer in enumerate(self.layers):
            shares = self.rules[place].is_view and layer["inputs"]
            owner.append(owner[self.place[layer["inputs"][0]]] if shares else place)
        return owner

    def _differentiated(self) -> list[bool]:
        """Return which layers run backward: those that are trained, or that follow one that is."""
        found: list[bool] = []
        for place, layer in enumerate(self.layers):
            found.append(layer["trainable_parameters"] > 0 or any(found[read] for read in self.reads[place]))
        return found
