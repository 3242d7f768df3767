"""Losses: what a training program minimises of each output, and the labels that it takes for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError

if TYPE_CHECKING:
    import keras

LABELS = "int32"
"""The type of labels: classes by number."""


@dataclass(frozen=True)
class Loss:
    """The loss of one output.

    Attributes:
        classes: how many classes labels are of; None for mean squared error, whose targets are zero.
        from_logits: whether the output is not a softmax yet.
        shape: of the labels, without the batch axis.
    """

    classes: int | None = None
    from_logits: bool = False
    shape: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """`cross_entropy` or `mean_squared_error`."""
        return "cross_entropy" if self.classes else "mean_squared_error"

    def describe(self, name: str) -> dict[str, Any]:
        """Return what a runner has to know of the labels: they are indices of so many classes."""
        return {"node": name, "shape": list(self.shape), "dtype": LABELS, "below": self.classes}

    def __call__(self, outputs: Any, labels: Any) -> Any:
        """Return the loss, the mean over the batch; ``labels`` are None where there are no classes."""
        import keras

        if self.classes:
            return keras.losses.SparseCategoricalCrossentropy(from_logits=self.from_logits)(labels, outputs)
        return keras.ops.mean(keras.ops.square(outputs))


def losses_of(model: keras.Model) -> list[Loss]:
    """Return the loss of each output.

    Cross-entropy where the last layer is a softmax, or a dense layer without activation and several units: logits.
    Mean squared error where it is anything else, of targets that are zero: what they are does not matter to speed, and
    copying targets as large as images would.

    Raises:
        SourceError: the shape of an output of classes is open.
    """
    return [_loss_of(tensor) for tensor in model.outputs]


def _loss_of(tensor: Any) -> Loss:
    import keras

    layer, shape = tensor._keras_history.operation, tuple(tensor.shape[1:])
    activation = getattr(layer, "activation", None)
    is_softmax = isinstance(layer, keras.layers.Softmax) or activation is keras.activations.softmax
    is_logits = isinstance(layer, keras.layers.Dense) and activation is keras.activations.linear and layer.units > 1
    if not (is_softmax or is_logits):
        return Loss()
    if None in shape:
        raise SourceError("it cannot be trained: the shape of its output is open, so that labels cannot be drawn")
    return Loss(shape[-1], is_logits, shape[:-1])
