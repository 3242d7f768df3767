"""Layers that multiply by a matrix, and tables of vectors."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.formats.keras_json.call import Outcome, Part
from perfcast.formats.keras_json.rules.activations import activation_of
from perfcast.network.macs import dense_macs, einsum_macs, label_sizes

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call


def with_lora(call: Call, part: Part, last: int) -> tuple[Part, ...]:
    """Return a matrix with the two narrow ones that are trained in its place where a layer has a `lora_rank`.

    Args:
        call: of the layer.
        part: the matrix, which is frozen then.
        last: the size of its last axis.
    """
    if call.settings.get("lora_rank") is None:
        return (part,)
    rank = call.settings.whole("lora_rank")
    pair = (("lora_a", part.elements // max(last, 1) * rank), ("lora_b", rank * last))
    return (replace(part, trainable=False), *(Part(f"{part.name}_{name}", size) for name, size in pair))


def _dense(call: Call) -> Outcome:
    units, channels = call.settings.whole("units"), call.shape[-1]
    if len(call.shape) < 2:
        call.refuse("reads a single number")
    bias = (Part("bias", units),) if call.settings.flag("use_bias", True) else ()
    return Outcome(
        ((*call.shape[:-1], units),),
        (*with_lora(call, Part("kernel", channels * units), units), *bias),
        units=units,
        activation=activation_of(call.settings),
        macs=dense_macs(call.shape[1:-1], (channels, units)),
    )


def _einsum_dense(call: Call) -> Outcome:
    equation = call.settings.word("equation", "").replace(" ", "")
    operands, arrow, result = equation.partition("->")
    labels, comma, weights = operands.partition(",")
    if not arrow or not comma or "..." in weights:
        call.settings.refuse("equation")
    told = call.settings.get("output_shape")
    output: list[Any] = told if isinstance(told, list) else [told]
    read = label_sizes(labels, call.shape)
    # What the output shape leaves open is as in the input.
    returned = {label: size for label, size in _told_sizes(result, output).items() if isinstance(size, int)}
    sizes = returned | read
    kernel = tuple(sizes[label] for label in weights)
    shape = _result_shape(call, labels, result, sizes)
    bias = call.settings.word("bias_axes", "")
    return Outcome(
        (shape,),
        (*with_lora(call, Part("kernel", math.prod(kernel)), kernel[-1]), *_bias(bias, sizes)),
        activation=activation_of(call.settings),
        macs=einsum_macs(equation, [call.shape, kernel]),
    )


def _told_sizes(result: str, output: list[Any]) -> dict[str, Any]:
    """Return the sizes that an output shape, which leaves the batch out, tells of the axes that are named."""
    return label_sizes(result if result.startswith("...") else result[1:], output)


def _result_shape(call: Call, labels: str, result: str, sizes: dict[str, int]) -> tuple[int, ...]:
    named = len(labels.replace("...", ""))
    before, dots, after = labels.partition("...")
    if len(call.shape) < named or (not dots and len(call.shape) != named):
        call.settings.refuse("equation")
    others = call.shape[len(before) : len(call.shape) - len(after)] if dots else ()
    head, _, tail = result.partition("...")
    return (*(sizes[label] for label in head), *others, *(sizes[label] for label in tail))


def _bias(axes: str, sizes: dict[str, int]) -> tuple[Part, ...]:
    return (Part("bias", math.prod(sizes[label] for label in axes)),) if axes else ()


def _embedding(call: Call) -> Outcome:
    width = call.settings.whole("output_dim")
    table = call.settings.whole("input_dim") * width
    return Outcome(((*call.shape, width),), _tables(call, table, width))


def _tables(call: Call, table: int, width: int) -> tuple[Part, ...]:
    return (*with_lora(call, Part("embeddings", table), width), *_reverse(call, table))


def _reverse(call: Call, table: int) -> tuple[Part, ...]:
    untied = call.kind == "ReversibleEmbedding" and not call.settings.flag("tie_weights", True)
    return (Part("reverse_embeddings", table),) if untied else ()


def _reversible_embedding(call: Call) -> Outcome:
    backwards = call.argument("reverse", 1, False)
    if not isinstance(backwards, bool):
        call.settings.refuse("reverse")
    if not backwards:
        return _embedding(call)
    tokens, width = call.settings.whole("input_dim"), call.settings.whole("output_dim")
    table = tokens * width
    return Outcome(((*call.shape[:-1], tokens),), _tables(call, table, width))


RULES = {
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Embedding": _embedding,
    "ReversibleEmbedding": _reversible_embedding,
}
"""Rules by class."""
