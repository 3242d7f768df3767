"""The end of a step: what is done with the gradients, of all that is trained or of what the step draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.export.training.drawing import Draws
from perfcast.export.training.slicing import Part, axis_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.export.training.masks import Mask
    from perfcast.export.training.optimizers import Sgd
    from perfcast.export.training.variables import Variables


@dataclass
class Updates:
    """The updates of a step; without optimizer, what keeps its gradients in the graph.

    Attributes:
        mask: what is trained.
        variables: those of the graph, to which the optimizer's state is added.
        optimizer: None for gradients alone.
        drawn, joined: the nodes that `perfcast.export.training.gating.gate` has to know, where layers are drawn.
    """

    mask: Mask
    variables: Variables
    optimizer: type[Sgd] | None
    drawn: str = ""
    joined: list[str] = field(default_factory=list)

    def add(
        self, gradients: Mapping[int, Any], weights: Mapping[int, tuple[str, Any]], rates: list[Any]
    ) -> tuple[list[Any], list[Any]]:
        """Return the operations of the updates, and a number for which gradients are computed without one.

        That number is a sum of one element of each gradient: so that each is computed, and none is copied.

        Args:
            gradients: by the weight's identity; of weights on which the loss depends.
            weights: name and resource of each, by its identity.
            rates: the learning rate, where there is an optimizer.
        """
        import tensorflow as tf

        optimizer = self.optimizer(self.variables, rates[0]) if self.optimizer else None
        if self.mask.drawn == "filters":
            draws = Draws(self.variables, self.mask.share)
            updates, touched = self._of_drawn_filters(draws, optimizer, gradients, weights)
            updates.append(draws.finish())
        elif self.mask.drawn == "layers":
            draws = Draws(self.variables, self.mask.share)
            numbers = self._of_drawn_layers(draws, optimizer, gradients, weights)
            touched = [] if optimizer else [tf.add_n(numbers)]
            updates = [*numbers, draws.finish()]
        else:
            touched = [] if optimizer else [_touch(gradients)]
            updates = _apply(optimizer, gradients, weights) if optimizer else []
        return [*updates, *(optimizer.finish() if optimizer else [])], touched

    def _of_drawn_layers(
        self,
        draws: Draws,
        optimizer: Sgd | None,
        gradients: Mapping[int, Any],
        weights: Mapping[int, tuple[str, Any]],
    ) -> list[Any]:
        """Return a number for each layer, which is there once the layer is updated; the graph is to be gated."""
        import tensorflow as tf

        layers = [{id(w): gradients[id(w)] for w in layer.weights if id(w) in gradients} for layer in self.mask.layers]
        layers = [layer for layer in layers if layer]
        chosen = tf.one_hot(draws.indices(0, len(layers)), len(layers), on_value=True, off_value=False)
        self.drawn = tf.reduce_any(chosen, axis=0, name="are_drawn").op.name
        nothing, numbers = tf.constant(0.0), []
        for layer in layers:
            with tf.control_dependencies(_apply(optimizer, layer, weights) if optimizer else []):
                number = tf.identity(nothing) if optimizer else _touch(layer)
            numbers.append(tf.identity(number, name="joined"))
        self.joined = [number.op.name for number in numbers]
        return numbers

    def _of_drawn_filters(
        self,
        draws: Draws,
        optimizer: Sgd | None,
        gradients: Mapping[int, Any],
        weights: Mapping[int, tuple[str, Any]],
    ) -> tuple[list[Any], list[Any]]:
        """Return the updates of the filters drawn of each layer, and what touches their gradients without them."""
        parts = {key: part for key, part in self._parts(draws).items() if key in gradients}
        sliced = {key: part.of(gradients[key]) for key, part in parts.items()}
        if optimizer is None:
            return [], [_touch(sliced)]
        updates = []
        for key, part in parts.items():
            updates += optimizer.apply_part(*weights[key], part.as_rows(sliced[key]), part)
        return updates, []

    def _parts(self, draws: Draws) -> dict[int, Part]:
        """Return what is drawn of each weight: of those of a layer the same, where they have as many outputs."""
        parts, drawn = {}, dict[tuple[int, int], Any]()
        for place, layer in enumerate(self.mask.layers):
            for weight in layer.weights:
                axis = axis_of(layer.layer, weight)
                total = weight.shape[axis]
                if (place, total) not in drawn:
                    drawn[place, total] = draws.indices(len(drawn), total)
                parts[id(weight)] = Part(
                    weight.path, tuple(weight.shape), axis, drawn[place, total], draws.count(total)
                )
        return parts


def dense(gradient: Any, weight: Any) -> Any:
    """Return a gradient of a weight's shape: an embedding's has only the rows that were read."""
    import tensorflow as tf

    if isinstance(gradient, tf.IndexedSlices):
        gradient = tf.math.unsorted_segment_sum(gradient.values, gradient.indices, weight.shape[0])
    gradient.set_shape(weight.shape)
    return gradient


def _apply(optimizer: Sgd, gradients: Mapping[int, Any], weights: Mapping[int, tuple[str, Any]]) -> list[Any]:
    return [optimizer.apply(*weights[key], gradient) for key, gradient in gradients.items()]


def _touch(gradients: Mapping[int, Any]) -> Any:
    import tensorflow as tf

    return tf.add_n([_first_of(gradient) for gradient in gradients.values()])


def _first_of(gradient: Any) -> Any:
    """Return one element: an optimizer of graphs removes what is only waited for."""
    import tensorflow as tf

    rank = len(gradient.shape)
    return tf.reshape(tf.slice(gradient, [0] * rank, [1] * rank), [])
