"""The peak of TensorFlow's allocator over training steps: the schedule's tensors, taken and given back one by one."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from perfcast.network.allocator import SMALL_BYTES, BestFit
from perfcast.network.training_memory import training_tensors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from perfcast.network.training_memory import Tensor

    Layer = dict[str, Any]

_PERSISTENT = ("weights", "optimizer_state")
_STEPS = 3
"""As many as it takes until the peak stays: the first one moves weights and state, the next ones copy weights."""


def allocator_peak_bytes(layers: Sequence[Layer], outputs: Collection[str], batch: int, optimizer: str) -> int:
    """Return the peak of the allocator in training steps of perfcast's runner: with its slack, without small tensors.

    Args:
        layers, outputs, batch, optimizer: as in `training_peak`.
    """
    tensors = training_tensors(layers, outputs, batch, optimizer)
    simulated = _Steps([tensor for tensor in tensors if tensor.bytes >= SMALL_BYTES], layers)
    for _ in range(_STEPS):
        simulated.run()
    return simulated.allocator.peak


class _Steps:
    """Training steps of an allocator.

    The runner draws weights and state outside of it. The first update of each takes memory of it; later ones take new
    memory for those weights alone that are still read, and give back the old.
    """

    def __init__(self, tensors: Iterable[Tensor], layers: Sequence[Layer]) -> None:
        self.allocator = BestFit()
        self.count = 2 * len(layers)
        self.begins: dict[int, list[Tensor]] = defaultdict(list)
        self.persistent: dict[int, list[Tensor]] = defaultdict(list)
        self.weights: dict[tuple[str, int], int] = {}
        backward = {layer["name"]: self.count - 1 - place for place, layer in enumerate(layers)}
        trained = {layer["name"] for layer in layers if layer["trainable_parameters"]}
        for tensor in tensors:
            if tensor.kind not in _PERSISTENT:
                self.begins[tensor.first].append(tensor)
            elif tensor.layer in trained:
                self.persistent[backward[tensor.layer]].append(tensor)

    def run(self) -> None:
        """Make one step."""
        ends: dict[int, list[int]] = defaultdict(list)
        for step in range(self.count):
            is_moved = self._move(self.persistent.pop(step, ()))
            for tensor in self.begins[step]:
                if not tensor.is_copy:
                    ends[tensor.last].append(self.allocator.take(tensor.bytes))
                elif not is_moved:
                    ends[tensor.last].append(self.weights[tensor.layer, tensor.bytes])
                    self.weights[tensor.layer, tensor.bytes] = self.allocator.take(tensor.bytes)
            for address in ends.pop(step, ()):
                self.allocator.give(address)

    def _move(self, persistent: Iterable[Tensor]) -> bool:
        """Take memory for weights and state; return whether there were any."""
        found = False
        for tensor in persistent:
            found = True
            address = self.allocator.take(tensor.bytes)
            if tensor.kind == "weights":
                self.weights[tensor.layer, tensor.bytes] = address
        return found
