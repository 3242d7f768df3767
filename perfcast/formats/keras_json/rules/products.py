"""Layers that multiply: by matrices, by each other as attention does; and tables of vectors."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.formats.keras_json.call import Outcome, Part, Symbol
from perfcast.formats.keras_json.rules.shapes import activation_of
from perfcast.formats.keras_json.settings import whole_numbers
from perfcast.network.macs import attention_macs, dense_macs, einsum_macs, label_sizes, multi_head_macs

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call
    from perfcast.network.network import Shape


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
    named = label_sizes(result if result.startswith("...") else result[1:], output)
    sizes = {label: size for label, size in named.items() if isinstance(size, int)} | read
    kernel = tuple(sizes[label] for label in weights)
    shape = _result_shape(call, labels, result, sizes)
    axes = call.settings.word("bias_axes", "")
    bias = (Part("bias", math.prod(sizes[label] for label in axes)),) if axes else ()
    return Outcome(
        (shape,),
        (*with_lora(call, Part("kernel", math.prod(kernel)), kernel[-1]), *bias),
        activation=activation_of(call.settings),
        macs=einsum_macs(equation, [call.shape, kernel]),
    )


def _result_shape(call: Call, labels: str, result: str, sizes: dict[str, int]) -> tuple[int, ...]:
    named = len(labels.replace("...", ""))
    before, dots, after = labels.partition("...")
    if len(call.shape) < named or (not dots and len(call.shape) != named):
        call.settings.refuse("equation")
    others = call.shape[len(before) : len(call.shape) - len(after)] if dots else ()
    head, _, tail = result.partition("...")
    return (*(sizes[label] for label in head), *others, *(sizes[label] for label in tail))


def _embedding(call: Call) -> Outcome:
    backwards = call.argument("reverse", 1, False) if call.kind == "ReversibleEmbedding" else False
    if not isinstance(backwards, bool):
        call.settings.refuse("reverse")
    tokens, width = call.settings.whole("input_dim"), call.settings.whole("output_dim")
    table = Part("embeddings", tokens * width)
    untied = call.kind == "ReversibleEmbedding" and not call.settings.flag("tie_weights", True)
    reverse = (Part("reverse_embeddings", table.elements),) if untied else ()
    shape = (*call.shape[:-1], tokens) if backwards else (*call.shape, width)
    return Outcome((shape,), (*with_lora(call, table, width), *reverse))


def _operands(call: Call) -> tuple[Shape, Shape, Shape]:
    """Return the shapes of query, value and key."""
    found = {}
    for position, name in enumerate(("query", "value", "key")):
        operand = call.argument(name, position)
        found[name] = operand.shape if isinstance(operand, Symbol) else None
    query, value = found["query"], found["value"]
    if query is None or value is None or min(len(query), len(value)) < 3:
        call.refuse("takes a query and a value of three axes or more")
    return query, value, found["key"] or value


def _gives_scores(call: Call, position: int) -> bool:
    return call.argument("return_attention_scores", position, False) is True


def _multi_head(call: Call) -> Outcome:
    """Return the outcome of attention with heads, of which several queries' may share one of keys and values."""
    settings = call.settings
    query, value, key = _operands(call)
    grouped = call.kind != "MultiHeadAttention"
    if grouped:
        width = value_width = settings.whole("head_dim")
        heads, shared = settings.whole("num_query_heads"), settings.whole("num_key_value_heads")
    else:
        heads = shared = settings.whole("num_heads")
        width = settings.whole("key_dim")
        value_width = settings.whole("value_dim", width)
    told = None if grouped else settings.get("output_shape")
    output = (query[-1],) if told is None else whole_numbers(told if isinstance(told, list) else [told], 1)
    if output is None:
        settings.refuse("output_shape")
    matrices = {
        "query": (query[-1], heads * width),
        "key": (key[-1], shared * width),
        "value": (value[-1], shared * value_width),
        **({"gate": (query[-1], heads * value_width)} if settings.flag("use_gate", False) else {}),
        "attention_output": (heads * value_width, math.prod(output)),
    }
    parts = [Part(f"{name}/kernel", math.prod(matrix)) for name, matrix in matrices.items()]
    if settings.flag("use_bias", True):
        parts += [Part(f"{name}/bias", columns) for name, (_, columns) in matrices.items()]
    told = None if grouped else settings.get("attention_axes")
    axes = None if told is None else settings.axes("attention_axes", len(key))
    kernels = {name: math.prod(matrix) for name, matrix in matrices.items()}
    macs = multi_head_macs(query[1:], key[1:], heads, (width, value_width), kernels, axes)
    scores = (_scores(query, key, heads, axes),) if _gives_scores(call, 7) else ()
    kind = "GroupedQueryAttention" if grouped else None
    return Outcome(((*query[:-1], *output), *scores), tuple(parts), macs=macs, kind=kind)


def _scores(query: Shape, key: Shape, heads: int, axes: tuple[int, ...] | None) -> Shape:
    """Return the shape of the scores: the axes that are not attended along, heads, queries, keys."""
    attended = tuple(range(1, len(query) - 1)) if axes is None else axes
    kept = tuple(query[axis] for axis in range(len(query) - 1) if axis not in attended)
    return (*kept, heads, *(query[axis] for axis in attended), *(key[axis] for axis in attended))


def _attention(call: Call) -> Outcome:
    """Return the outcome of `Attention` and `AdditiveAttention`, which read query, value and key as one list."""
    operands = call.argument("inputs", 0)
    shapes = [item.shape for item in operands if isinstance(item, Symbol)] if isinstance(operands, list) else []
    if not 2 <= len(shapes) <= 3 or min(map(len, shapes)) < 3:
        call.refuse("takes a list of a query, a value and maybe a key, each of three axes")
    query, value, key = shapes[0], shapes[1], shapes[-1]
    additive = call.kind == "AdditiveAttention"
    scale = (Part("scale", query[-1] if additive else 1),) if call.settings.flag("use_scale", additive) else ()
    if not additive and call.settings.word("score_mode", "dot") == "concat":
        scale = (*scale, Part("concat_score_weight", 1))
    scores = ((*query[:-1], key[-2]),) if _gives_scores(call, 3) else ()
    macs = attention_macs(math.prod(query[1:-1]), key[-2], (key[-1], value[-1]))
    return Outcome(((*query[:-1], value[-1]), *scores), scale, macs=macs)


RULES = {
    "AdditiveAttention": _attention,
    "Attention": _attention,
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Embedding": _embedding,
    "GroupQueryAttention": _multi_head,
    "GroupedQueryAttention": _multi_head,
    "MultiHeadAttention": _multi_head,
    "ReversibleEmbedding": _embedding,
}
"""Rules by class."""
