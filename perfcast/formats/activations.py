"""Elementwise functions of operations, and the activation function that several of them make up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.network.layer_types import activation_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Function = Callable[..., float]


def _clip(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _hard_sigmoid(x: float, factor: float = 1 / 6, summand: float = 0.5) -> float:
    return _clip(x * factor + summand, 0, 1)


def _elu(x: float, slope: float = 1) -> float:
    return x if x > 0 else slope * math.expm1(x)


def _softplus(x: float) -> float:
    return math.log1p(math.exp(x))


FUNCTIONS: Mapping[str, Function] = {
    "Add": lambda x, y: x + y,
    "Subtract": lambda x, y: x - y,
    "Multiply": lambda x, y: x * y,
    "Divide": lambda x, y: x / y,
    "Maximum": max,
    "Minimum": min,
    "Power": lambda x, y: math.pow(x, y),
    "SquaredDifference": lambda x, y: (x - y) ** 2,
    "Abs": abs,
    "Negative": lambda x: -x,
    "Square": lambda x: x * x,
    "Sqrt": math.sqrt,
    "Rsqrt": lambda x: 1 / math.sqrt(x),
    "Reciprocal": lambda x: 1 / x,
    "Exp": math.exp,
    "Log": math.log,
    "Erf": math.erf,
    "Erfc": math.erfc,
    "Clip": _clip,
    "Tanh": math.tanh,
    "Sigmoid": _sigmoid,
    "ReLU": lambda x: max(x, 0),
    "ReLU6": lambda x: _clip(x, 0, 6),
    "LeakyReLU": lambda x, slope: max(x, 0) + slope * min(x, 0),
    "ELU": _elu,
    # Klambauer et al. 2017 (arXiv:1706.02515).
    "SELU": lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    "Softplus": _softplus,
    "Softsign": lambda x: x / (1 + abs(x)),
    # Hendrycks & Gimpel 2016 (arXiv:1606.08415), as are the two approximations.
    "GELU": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "Silu": lambda x: x * _sigmoid(x),
    "Mish": lambda x: x * math.tanh(_softplus(x)),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda x: x * _hard_sigmoid(x),
    "Identity": lambda x: x,
}
"""What elementwise operations compute of their operands, by type."""

_NAMES = "ReLU ReLU6 LeakyReLU ELU SELU Sigmoid Tanh Softplus Softsign Softmax GELU Silu Mish HardSigmoid"
TYPES: Mapping[str, str] = {name: activation_name(name) for name in _NAMES.split()} | {"HardSwish": "hard_silu"}
"""Operations that are an activation function by themselves, and its name in Keras."""

_KNOWN: tuple[tuple[str, Function], ...] = (
    *((TYPES[kind], function) for kind, function in FUNCTIONS.items() if kind in TYPES and kind != "LeakyReLU"),
    ("gelu", lambda x: x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2),
    ("gelu", lambda x: x * _sigmoid(1.702 * x)),
    # Keras before version 3.
    ("hard_sigmoid", lambda x: _hard_sigmoid(x, 0.2)),
)
# All functions differ on these; bounds such as 6 lie well inside, and none is a point where a function bends.
_POINTS = (-7.3, -3.7, -2.2, -1.1, -0.6, -0.2, 0.1, 0.4, 0.9, 1.7, 2.6, 3.3, 4.1, 6.4, 9.2)
_TOLERANCE = 1e-3


def recognise(function: Callable[[float], float]) -> str | None:
    """Return the name of the activation that a function of one number is, None if it is not one.

    The function is recognised by its values, since each tool writes it with other operations.
    """
    try:
        values = [function(point) for point in _POINTS]
    except (ArithmeticError, ValueError, TypeError):
        return None
    if any(isinstance(value, complex) or not math.isfinite(value) for value in values):
        return None
    for name, known in _KNOWN:
        if _equal(values, known):
            return name
    slope, bound = values[0] / _POINTS[0], values[-1]
    if 0 < slope < 1 and _equal(values, lambda x: FUNCTIONS["LeakyReLU"](x, slope)):
        return "leaky_relu"
    # A rectifier with another bound than 6 costs what one without costs.
    return "relu" if bound > 0 and _equal(values, lambda x: _clip(x, 0, bound)) else None


def _equal(values: list[float], known: Function) -> bool:
    return all(
        math.isclose(value, known(point), rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
        for value, point in zip(values, _POINTS, strict=True)
    )
