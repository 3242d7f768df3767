"""Gradients of some filters alone: those of a convolution's kernel from these filters' part of the output's gradient.

What is drawn are a layer's outputs: filters of convolutions, channels of depthwise ones, units of dense layers,
dimensions of embeddings; and with them their biases and scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ATTRIBUTES = ("strides", "padding", "explicit_paddings", "data_format", "dilations", "use_cudnn_on_gpu")


@dataclass(frozen=True)
class Part:
    """The part of a weight that a step trains.

    Attributes:
        path: the weight's, for messages.
        shape: of the whole weight.
        axis: of its outputs.
        indices: the outputs that are drawn.
        count: how many these are.
    """

    path: str
    shape: tuple[int, ...]
    axis: int
    indices: Any
    count: int

    def of(self, gradient: Any) -> Any:
        """Return the part of a gradient, computed without the rest.

        Raises:
            SourceError: there is no way to.
        """
        rule = _RULES.get(gradient.op.type)
        return rule(self, gradient.op) if rule else self.whole(gradient)

    def whole(self, gradient: Any) -> Any:
        """Return the part of a gradient that comes as a whole: cheap enough only where it is one of few numbers.

        Raises:
            SourceError: it is not.
        """
        if len(self.shape) == 1:
            return self.gather(gradient, len(gradient.shape) - 1)
        raise SourceError(
            f"it cannot be trained so: some filters' gradients of {self.path} cannot be computed without the others' "
            f"({gradient.op.type})"
        )

    def gather(self, tensor: Any, axis: int) -> Any:
        """Return the drawn slices of a tensor."""
        import tensorflow as tf

        return tf.gather(tensor, self.indices, axis=axis)

    def as_rows(self, part: Any) -> Any:
        """Return a part with its outputs as first axis, which optimizers can update apart."""
        import tensorflow as tf

        return tf.transpose(part, self._outputs_first()) if self.axis else part

    def in_whole(self, rows: Any) -> Any:
        """Return rows as part of the whole weight, of which all else is zero."""
        import tensorflow as tf

        order = self._outputs_first()
        spread = tf.scatter_nd(self.indices[:, None], rows, [self.shape[axis] for axis in order])
        return tf.transpose(spread, [order.index(axis) for axis in range(len(order))]) if self.axis else spread

    @property
    def rows_shape(self) -> tuple[int, ...]:
        """The shape of the whole weight with its outputs as first axis."""
        return tuple(self.shape[axis] for axis in self._outputs_first())

    def _outputs_first(self) -> list[int]:
        return [self.axis, *(axis for axis in range(len(self.shape)) if axis != self.axis)]


def axis_of(layer: Any, weight: Any) -> int:
    """Return the axis of a layer's weight that its outputs are on.

    Raises:
        SourceError: several axes are.
    """
    from keras import layers

    rank = len(weight.shape)
    depthwise = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
    is_depthwise = weight.name == "depthwise_kernel" or isinstance(layer, depthwise)
    is_transposed = isinstance(layer, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose))
    if rank == 0 or (is_depthwise and rank > 1 and weight.shape[-1] != 1):
        raise SourceError(f"it cannot be trained so: {weight.path} has no filters of its own")
    return rank - 2 if rank > 1 and (is_depthwise or is_transposed) else rank - 1


def _of_convolution(part: Part, operation: Any) -> Any:
    """Slice a kernel's gradient: a transposed one's outputs are what its forward pass has as images."""
    import tensorflow as tf

    images, _, gradient = operation.inputs
    axis, channels = part.axis - len(part.shape), len(gradient.shape) - 1
    is_depthwise = operation.type.startswith("Depthwise")
    if not operation.get_attr("data_format").endswith(b"C"):
        raise SourceError(f"it cannot be trained so: the filters of {part.path} are not the last axis of its images")
    if is_depthwise or axis == -1:
        gradient = part.gather(gradient, channels)
    if is_depthwise or axis != -1:
        images = part.gather(images, channels)
    sizes = operation.outputs[0].shape.as_list()
    sizes[axis] = part.count
    known = {name: operation.get_attr(name) for name in _ATTRIBUTES if name in operation.node_def.attr}
    operation_of = getattr(tf.raw_ops, operation.type)
    return operation_of(input=images, filter_sizes=sizes, out_backprop=gradient, **known)


def _of_product(part: Part, operation: Any) -> Any:
    import tensorflow as tf

    is_turned, other = operation.get_attr("transpose_a"), operation.get_attr("transpose_b")
    left, right = operation.inputs
    right = part.gather(right, 0 if other else 1)
    return tf.matmul(left, right, transpose_a=is_turned, transpose_b=other)


def _of_sum(part: Part, operation: Any) -> Any:
    import tensorflow as tf

    return tf.add_n([part.of(term) for term in operation.inputs])


def _of_penalty(part: Part, operation: Any) -> Any:
    """Slice what is made of the weight element by element, which costs nothing next to a kernel's gradient."""
    gradient = operation.outputs[0]
    return part.whole(gradient) if _needs_products(operation) else part.gather(gradient, part.axis - len(part.shape))


def _needs_products(operation: Any) -> bool:
    """Return whether an operation's value comes from convolutions or products of matrices."""
    waiting, seen = [operation], set[Any]()
    while waiting:
        found = waiting.pop()
        if any(word in found.type for word in ("Backprop", "MatMul", "Call", "While")):
            return True
        waiting += [tensor.op for tensor in found.inputs if tensor.op not in seen]
        seen.update(tensor.op for tensor in found.inputs)
    return False


def _of_bias(part: Part, operation: Any) -> Any:
    import tensorflow as tf

    gradient = operation.inputs[0]
    return tf.raw_ops.BiasAddGrad(out_backprop=part.gather(gradient, len(gradient.shape) - 1))


def _of_reshape(part: Part, operation: Any) -> Any:
    """Slice what has only axes of size one added or removed."""
    import tensorflow as tf

    before, after = operation.inputs[0].shape, operation.outputs[0].shape
    if before.rank is None or [size for size in before if size != 1] != [size for size in after if size != 1]:
        return part.whole(operation.outputs[0])
    sizes = list(part.shape)
    sizes[part.axis] = part.count
    return tf.reshape(part.of(operation.inputs[0]), sizes)


def _of_embedding(part: Part, operation: Any) -> Any:
    import tensorflow as tf

    rows, numbers, count = operation.inputs
    return tf.math.unsorted_segment_sum(part.gather(rows, len(rows.shape) - 1), numbers, count)


def _of_same(part: Part, operation: Any) -> Any:
    return part.of(operation.inputs[0])


_RULES: Mapping[str, Callable[[Part, Any], Any]] = {
    "Conv2DBackpropFilter": _of_convolution,
    "Conv3DBackpropFilterV2": _of_convolution,
    "DepthwiseConv2dNativeBackpropFilter": _of_convolution,
    "MatMul": _of_product,
    "AddN": _of_sum,
    "Mul": _of_penalty,
    "BiasAddGrad": _of_bias,
    "Reshape": _of_reshape,
    "UnsortedSegmentSum": _of_embedding,
    "Identity": _of_same,
}
