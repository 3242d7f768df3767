"""Recurrent layers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from perfcast.formats.keras_json.call import Outcome, Part
from perfcast.formats.keras_json.document import layer_of
from perfcast.formats.keras_json.rules.shapes import activation_of, behind_window, join, span, split
from perfcast.network.macs import convolution_macs, recurrent_macs

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call
    from perfcast.formats.keras_json.settings import Settings


@dataclass(frozen=True)
class _Cell:
    """What a recurrent layer computes each step.

    Attributes:
        weights: its weights.
        states: shapes of its states, without the batch.
        width: of its output.
        activation: the function it ends in.
        multiplied: numbers in its matrices.
    """

    weights: tuple[Part, ...]
    states: tuple[tuple[int, ...], ...]
    width: int
    activation: str | None
    multiplied: int


# Gates, states and biases a gate; CuDNN keeps the biases of inputs and of states apart.
_CELLS = {"LSTM": (4, 2, 1), "GRU": (3, 1, 1), "SimpleRNN": (1, 1, 1), "CuDNNLSTM": (4, 2, 2), "CuDNNGRU": (3, 1, 2)}


def _cell(kind: str, settings: Settings, channels: int) -> _Cell:
    gates, states, biases = _CELLS[kind]
    units = settings.whole("units")
    if kind == "GRU" and settings.flag("reset_after", False):
        biases = 2
    kernel, recurrent = channels * units * gates, units * units * gates
    parts: tuple[Part, ...] = (Part("kernel", kernel), Part("recurrent_kernel", recurrent))
    if settings.flag("use_bias", True):
        parts = (*parts, Part("bias", units * gates * biases))
    return _Cell(parts, ((units,),) * states, units, activation_of(settings, "tanh"), kernel + recurrent)


def _recurrent(call: Call) -> Outcome:
    call.need_rank(3)
    cell = _cell(call.kind, call.settings, call.shape[-1])
    return _outcome(call, cell, call.kind.removeprefix("CuDNN"))


def _outcome(call: Call, cell: _Cell, kind: str) -> Outcome:
    batch, steps = call.shape[:2]
    sequence = call.settings.flag("return_sequences", False)
    shape = (batch, steps, cell.width) if sequence else (batch, cell.width)
    states = tuple((batch, *state) for state in cell.states) if call.settings.flag("return_state", False) else ()
    macs = recurrent_macs(steps, cell.multiplied)
    return Outcome((shape, *states), cell.weights, activation=cell.activation, macs=macs, kind=kind)


def _of_cells(call: Call) -> Outcome:
    """Return the outcome of an `RNN` around one cell or several stacked ones."""
    call.need_rank(3)
    cell = _read_cell(call, call.settings.get("cell"), call.shape[-1])
    return _outcome(call, cell, "RNN")


def _read_cell(call: Call, value: Any, channels: int) -> _Cell:
    if isinstance(value, list):
        return _stacked(call, value, channels)
    text = layer_of(value, call.settings.owner)
    if text.kind == "StackedRNNCells" and isinstance(text.values.get("cells"), list):
        return _stacked(call, text.values["cells"], channels)
    kind = text.kind.removesuffix("Cell")
    if kind not in ("LSTM", "GRU", "SimpleRNN"):
        call.refuse(f"has the cell {text.kind[:80]!r}, whose weights are not known")
    found = _cell(kind, text.settings(), channels)
    # Keras says nothing of an activation of a layer that only holds a cell.
    return _Cell(found.weights, found.states, found.width, None, found.multiplied)


def _stacked(call: Call, cells: list[Any], channels: int) -> _Cell:
    found: list[_Cell] = []
    for value in cells:
        found.append(_read_cell(call, value, found[-1].width if found else channels))
    if not found:
        call.settings.refuse("cell")
    parts = tuple(
        Part(f"{index}/{part.name}", part.elements, part.trainable)
        for index, cell in enumerate(found)
        for part in cell.weights
    )
    states = tuple(state for cell in found for state in cell.states)
    return _Cell(parts, states, found[-1].width, None, sum(cell.multiplied for cell in found))


def _convolutional(call: Call) -> Outcome:
    """Return the outcome of a `ConvLSTM`, whose four gates convolve both what they read and their state."""
    settings, rank = call.settings, call.rank()
    call.need_rank(rank + 3)
    batch, steps, *image = call.shape
    step = replace(call, inputs=(replace(call.inputs[0], shape=(batch, *image)),))
    spatial, channels = split(step)
    kernel, strides = settings.sizes("kernel_size", rank), settings.sizes("strides", rank, 1)
    dilation, filters = settings.sizes("dilation_rate", rank, 1), settings.whole("filters")
    settings.word("padding", "valid", ("valid", "same"))
    found = behind_window(step, spatial, span(kernel, dilation), strides)
    state = join(step, found, filters)
    of_input, of_state = math.prod(kernel) * channels * 4 * filters, math.prod(kernel) * filters * 4 * filters
    parts: tuple[Part, ...] = (Part("kernel", of_input), Part("recurrent_kernel", of_state))
    if settings.flag("use_bias", True):
        parts = (*parts, Part("bias", 4 * filters))
    shape = (batch, steps, *state[1:]) if settings.flag("return_sequences", False) else state
    states = (state, state) if settings.flag("return_state", False) else ()
    return Outcome(
        (shape, *states),
        parts,
        kernel=kernel,
        strides=strides,
        dilation=dilation,
        activation=activation_of(settings, "tanh"),
        macs=convolution_macs((steps, *found), (of_input,), (of_state,)),
    )


RULES = (
    dict.fromkeys(_CELLS, _recurrent) | {f"ConvLSTM{rank}D": _convolutional for rank in (1, 2, 3)} | {"RNN": _of_cells}
)
"""Rules by class."""
