"""Multiply-accumulates of one sample, one function per kind of layer; no other module knows a formula.

Positions in the padding count as any other, as in the published counts. Shapes have the batch of 1 or leave it out,
unless a function says otherwise.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perfcast.network.network import Shape

FLOPS_PER_MAC = 2
"""Floating-point operations of one multiply-accumulate."""

_AT_KEYS = ("key", "value")


def convolution_macs(positions: Iterable[int], *kernels: Sequence[int]) -> int:
    """Return the multiply-accumulates of a convolution: its whole kernel once per position.

    Args:
        positions: sizes of the axes without channels of what it returns; of what it reads if it is transposed.
        kernels: whole shapes as the layer stores them (so one group's input channels); two for a separable convolution.
    """
    return math.prod(positions) * sum(map(math.prod, kernels))


def dense_macs(rows: Iterable[int], matrix: Sequence[int]) -> int:
    """Return the multiply-accumulates of a dense layer.

    Args:
        rows: sizes of all axes but the last of what it returns.
        matrix: shape of its kernel.
    """
    return math.prod(rows) * math.prod(matrix)


def product_macs(returned: Iterable[int], summed: int) -> int:
    """Return the multiply-accumulates of a product in which each element of the result is a sum of products.

    Args:
        returned: shape of the result.
        summed: products per element.
    """
    return math.prod(returned) * summed


def matmul_macs(first: Shape, second: Shape) -> int:
    """Return the multiply-accumulates of a product of matrices, or of stacks of them; shapes have the batch, 1."""
    if not first or not second:
        return 0
    stacks = itertools.zip_longest(reversed(first[:-2]), reversed(second[:-2]), fillvalue=1)
    rows, columns = math.prod(first[-2:-1]), second[-1] if len(second) > 1 else 1
    return math.prod(one if other == 1 else other for one, other in stacks) * rows * first[-1] * columns


def contraction_macs(first: Shape, second: Shape, axes: int | Sequence[int | Sequence[int]]) -> int:
    """Return the multiply-accumulates of summing up the products of two tensors along axes that both have.

    Args:
        first, second: shapes with the batch, 1.
        axes: how many last ones of the first tensor, or which ones of both.
    """
    if isinstance(axes, int):
        gone = list(first[len(first) - axes :])
    else:
        gone = [first[axis] for axis in ([axes[0]] if isinstance(axes[0], int) else axes[0])]
    return math.prod(first) * math.prod(second) // max(math.prod(gone), 1)


def einsum_macs(subscripts: str, shapes: Sequence[Shape]) -> int:
    """Return the multiply-accumulates of an Einstein sum: one for each combination of all its indices.

    Args:
        subscripts: as `bij,bjk->bik`.
        shapes: of its operands, a kernel among them too; those of tensors with the batch, 1.
    """
    sizes: dict[str, int] = {}
    operands = subscripts.replace(" ", "").partition("->")[0].split(",")
    for labels, shape in zip(operands, shapes, strict=False):
        named = label_sizes(labels, shape)
        before, _, after = labels.partition("...")
        others = reversed(shape[len(before) : len(shape) - len(after)])
        # Axes without a label are identified by their place counted from the last.
        unnamed = {f"-{index}": size for index, size in enumerate(others)}
        for label, size in (named | unnamed).items():
            sizes[label] = size if sizes.get(label, 1) == 1 else sizes[label]
    return math.prod(sizes.values()) if len(operands) > 1 else 0


def label_sizes(labels: str, shape: Sequence[int]) -> dict[str, int]:
    """Return the size of each axis that `labels`, one operand's subscripts, name; `...` is any number of others."""
    before, _, after = labels.partition("...")
    sizes = dict(zip(before, shape, strict=False))
    return sizes | dict(zip(reversed(after), reversed(shape), strict=False))


def attention_macs(queries: int, keys: int, widths: tuple[int, int], heads: int = 1) -> int:
    """Return the multiply-accumulates of attention itself, without projections: the scores and the weighted sum.

    Args:
        queries, keys: how many of each; each query meets each key.
        widths: of one key and of one value.
        heads: how many times that is done.
    """
    return queries * keys * heads * sum(widths)


def multi_head_macs(
    query: Shape,
    key: Shape,
    heads: int,
    widths: tuple[int, int],
    kernels: Mapping[str, int],
    axes: Iterable[int] | None = None,
) -> int:
    """Return the multiply-accumulates of multi-head attention and its projections.

    Args:
        query, key: shapes of one sample, without the batch axis.
        heads: how many.
        widths: of one head's keys and values.
        kernels: numbers in each projection, by name; `key` and `value` are applied at the keys' positions, all others
            at the queries'.
        axes: those that are attended along, the batch being axis 0; all positions where it is None.
    """
    queries, positions = math.prod(query[:-1]), math.prod(key[:-1])
    projections = (weights * (positions if name in _AT_KEYS else queries) for name, weights in kernels.items())
    attended = math.prod(key[axis - 1 if axis > 0 else axis] for axis in axes or range(1, len(key)))
    return sum(projections) + attention_macs(queries, attended, widths, heads)


def recurrent_macs(steps: int, weights: int) -> int:
    """Return the multiply-accumulates of a recurrent layer.

    Args:
        steps: how many.
        weights: numbers in all its matrices, each of which is multiplied by once per step.
    """
    return steps * weights


def repeated_macs(times: int, macs: int) -> int:
    """Return the multiply-accumulates of what takes `macs` each of so many times, as a loop's body."""
    return times * macs


def rescaled_macs(macs: int, counted: Iterable[int], returned: Iterable[int]) -> int:
    """Return the multiply-accumulates of a layer whose result has another shape than the one it was counted for."""
    return macs * math.prod(returned) // max(1, math.prod(counted))


def separable_macs(macs: int, kernel: Iterable[int], filters: int) -> tuple[int, int]:
    """Part the multiply-accumulates of a separable convolution: its depthwise ones, its pointwise ones.

    Args:
        macs: of both.
        kernel: spatial sizes of the depthwise kernel.
        filters: output channels.
    """
    # Of the k + F weights of a channel, k are of the depthwise and F of the pointwise convolution.
    area = math.prod(kernel)
    depthwise = macs * area // (area + filters)
    return depthwise, macs - depthwise
