"""The memory of a training step, from a network's layers alone: which tensors live when.

A step runs all layers forward and backward, and updates the weights of each as soon as their gradients are there.
Between the two passes of a layer, what its gradient reads is kept. What that is, and which operations reuse their
input's memory, follows TensorFlow's gradients (`tensorflow/python/ops/nn_grad.py` and `math_grad.py`) and kernels; what
kernels need besides is `workspace`, with its rules in `perfcast.network.workspaces`. The rules hold for the allocation
records of TensorFlow's own traces (`RunMetadata`, full trace) of exported training steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.network.gradients import Gradient, gradient_of
from perfcast.network.records import FLOAT_BYTES, has_bias, is_convolution, is_dense, size
from perfcast.network.workspaces import workspace_shares

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
        first, last: steps in which it lives: layer i of n runs forward in step i and backward in step 2n − 1 − i,
            and the update of its weights ends beside the backward pass that follows.
        is_copy: whether it is the new value of a weight whose old one is still read.
    """

    layer: str
    kind: str
    bytes: int
    first: int
    last: int
    is_copy: bool = False


@dataclass(frozen=True)
class TrainingPeak:
    """The moment of a training step at which the most memory is used.

    Attributes:
        bytes: all that lives then.
        layer: that runs then.
        operation: `forward` or `backward`, which includes the update of the layer's weights.
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
    tensors = training_tensors(layers, outputs, batch, optimizer)
    bytes_at = alive(tensors, 2 * len(layers))
    step = max(range(len(bytes_at)), key=bytes_at.__getitem__)
    shares: dict[tuple[str, str], int] = {}
    for tensor in tensors:
        if tensor.bytes and tensor.first <= step <= tensor.last:
            key = tensor.layer, tensor.kind
            shares[key] = shares.get(key, 0) + tensor.bytes
    layer, operation = _running(layers, step)
    return TrainingPeak(bytes_at[step], layer, operation, shares)


def training_tensors(layers: Sequence[Layer], outputs: Collection[str], batch: int, optimizer: str) -> list[Tensor]:
    """Return all tensors of a training step.

    Args:
        layers, outputs, batch, optimizer: as in `training_peak`.
    """
    step = _Step(layers, outputs, batch)
    persistent = _per_weight(layers, STATE_COPIES[optimizer])
    return [*persistent, *step.updates(), *step.activations(), *step.gradients(), *step.workspaces()]


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
    """Return the tensors whose size grows with the batch, without workspace: activations and their gradients.

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
    if step < count:
        return layers[step]["name"], "forward"
    return layers[2 * count - 1 - step]["name"], "backward"


def _per_weight(layers: Sequence[Layer], copies: int) -> Iterator[Tensor]:
    """Yield weights and each copy of optimizer state, which live all the time."""
    end = 2 * len(layers) - 1
    for layer in layers:
        frozen = layer["parameters"] - layer["trainable_parameters"]
        for count in (*_trained_sizes(layer), frozen):
            yield Tensor(layer["name"], "weights", FLOAT_BYTES * count, 0, end)
        for count in _trained_sizes(layer) * copies:
            yield Tensor(layer["name"], "optimizer_state", FLOAT_BYTES * count, 0, end)


def _trained_sizes(layer: Layer) -> list[int]:
    """Return how many numbers the trained kernel of a layer has, and its bias; of others, all that is trained."""
    trained = layer["trainable_parameters"]
    if not trained or not (is_convolution(layer) or is_dense(layer)) or not has_bias(layer):
        return [trained]
    bias = layer["output_shapes"][0][-1]
    return [trained - bias, bias]


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

    def updates(self) -> Iterator[Tensor]:
        """Yield the gradients of weights, and the copies that updates make of weights.

        A weight that the gradient of its layer's input still reads is not overwritten: its new value takes new memory
        (`PrepareToUpdateVariable` in `tensorflow/core/kernels/training_op_helpers.h`). Both last while the next layer
        runs backward: operations that are ready run beside each other.
        """
        for place, layer in enumerate(self.layers):
            step, end = self.backward(place), min(self.backward(place) + 1, 2 * len(self.layers) - 1)
            passes_on = any(self.is_differentiated[read] for read in self.reads[place])
            for number, count in enumerate(_trained_sizes(layer)):
                yield Tensor(layer["name"], "gradients", FLOAT_BYTES * count, step, end)
                if passes_on and number == 0:
                    yield Tensor(layer["name"], "workspace", FLOAT_BYTES * count, step, end, is_copy=True)

    def workspaces(self) -> Iterator[Tensor]:
        """Yield what kernels keep between a layer's two passes."""
        shares = workspace_shares(self.layers)
        for place, layer in enumerate(self.layers):
            if layer["name"] in shares and self.is_differentiated[place]:
                count = round(shares[layer["name"]] * self.bytes[place])
                yield Tensor(layer["name"], "workspace", count, place, self.backward(place))

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
