"""Attention."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import Outcome, Part, Symbol
from perfcast.formats.keras_json.settings import whole_numbers
from perfcast.network.macs import attention_macs, multi_head_macs

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call
    from perfcast.network.network import Shape


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


def _projection(name: str, read: int, heads: int, width: int, biased: bool) -> tuple[Part, ...]:
    kernel = Part(f"{name}/kernel", read * heads * width)
    return (kernel, Part(f"{name}/bias", heads * width)) if biased else (kernel,)


def _kernels(parts: tuple[Part, ...]) -> dict[str, int]:
    """Return how many numbers each projection's kernel holds, by the projection's name."""
    names = {part.name: part.name.removesuffix("/kernel") for part in parts}
    return {names[part.name]: part.elements for part in parts if names[part.name] != part.name}


def _multi_head(call: Call) -> Outcome:
    settings = call.settings
    query, value, key = _operands(call)
    heads, key_width = settings.whole("num_heads"), settings.whole("key_dim")
    value_width, biased = settings.whole("value_dim", key_width), settings.flag("use_bias", True)
    told = settings.get("output_shape")
    output = (query[-1],) if told is None else whole_numbers(told if isinstance(told, list) else [told], 1)
    if output is None:
        settings.refuse("output_shape")
    gated = settings.flag("use_gate", False)
    parts = (
        *_projection("query", query[-1], heads, key_width, biased),
        *_projection("key", key[-1], heads, key_width, biased),
        *_projection("value", value[-1], heads, value_width, biased),
        *(_projection("gate", query[-1], heads, value_width, biased) if gated else ()),
        Part("attention_output/kernel", heads * value_width * math.prod(output)),
        *((Part("attention_output/bias", math.prod(output)),) if biased else ()),
    )
    told = settings.get("attention_axes")
    axes = None if told is None else settings.axes("attention_axes", len(key))
    macs = multi_head_macs(query[1:], key[1:], heads, (key_width, value_width), _kernels(parts), axes)
    shape = (*query[:-1], *output)
    scores = (_scores(query, key, heads, axes),) if _gives_scores(call, 7) else ()
    return Outcome((shape, *scores), parts, macs=macs)


def _scores(query: Shape, key: Shape, heads: int, axes: tuple[int, ...] | None) -> Shape:
    """Return the shape of the scores: the axes that are not attended along, heads, queries, keys."""
    attended = tuple(range(1, len(query) - 1)) if axes is None else axes
    kept = tuple(query[axis] for axis in range(len(query) - 1) if axis not in attended)
    return (*kept, heads, *(query[axis] for axis in attended), *(key[axis] for axis in attended))


def _grouped_query(call: Call) -> Outcome:
    settings = call.settings
    query, value, key = _operands(call)
    width, biased = settings.whole("head_dim"), settings.flag("use_bias", True)
    heads, shared = settings.whole("num_query_heads"), settings.whole("num_key_value_heads")
    gated = settings.flag("use_gate", False)
    parts = (
        *_projection("query", query[-1], heads, width, biased),
        *_projection("key", key[-1], shared, width, biased),
        *_projection("value", value[-1], shared, width, biased),
        *(_projection("gate", query[-1], heads, width, biased) if gated else ()),
        Part("attention_output/kernel", heads * width * query[-1]),
        *((Part("attention_output/bias", query[-1]),) if biased else ()),
    )
    macs = multi_head_macs(query[1:], key[1:], heads, (width, width), _kernels(parts))
    scores = ((query[0], heads, query[1], key[1]),) if _gives_scores(call, 7) else ()
    return Outcome((query, *scores), parts, macs=macs, kind="GroupedQueryAttention")


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
    "GroupQueryAttention": _grouped_query,
    "GroupedQueryAttention": _grouped_query,
    "MultiHeadAttention": _multi_head,
}
"""Rules by class."""
