"""Configurations of layers, read with checks: each wrong value is refused by name; and types of tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from perfcast.errors import SourceError
from perfcast.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_SIZE = 1_000_000_000
"""The largest size of anything; descriptors take none above it."""

_SHOWN = 60
# Anything longer is not a list of axes or sizes or an equation, but an attempt to keep the reader busy.
_MAX_LENGTH = 1000

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_WHOLE = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
KNOWN = frozenset((*_FLOATS, *_WHOLE, "string", "complex64", "complex128"))
"""Names of types."""

_COMPUTED_IN = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
_DEFAULT = "float32"


@dataclass(frozen=True)
class Settings:
    """The configuration of one layer.

    Attributes:
        layer: the layer's name, fit to be shown.
        kind: its class, fit to be shown.
        values: what the text says, by key.
    """

    layer: str
    kind: str
    values: Mapping[str, Any]

    @property
    def owner(self) -> str:
        """The layer in words, for messages: `layer 'conv1' (Conv2D)`."""
        return f"layer {self.layer!r} ({self.kind})"

    def refuse(self, key: str) -> NoReturn:
        """Refuse the value under `key`.

        Raises:
            SourceError: always.
        """
        if key not in self.values:
            raise SourceError(f"{self.owner}: {key!r} is missing")
        raise SourceError(f"{self.owner}: {key!r} cannot be {shown(self.values[key])}")

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under `key` as it is, `default` where the text leaves it out or says null."""
        value = self.values.get(key)
        return default if value is None else value

    def whole(self, key: str, default: int | None = None, least: int = 1) -> int:
        """Return an integer between `least` and `MAX_SIZE`."""
        value = whole_number(self.get(key, default), least)
        return self.refuse(key) if value is None else value

    def flag(self, key: str, default: bool) -> bool:
        """Return a boolean."""
        value = self.get(key, default)
        return bool(value) if isinstance(value, bool | int) else self.refuse(key)

    def word(self, key: str, default: str, choices: tuple[str, ...] = ()) -> str:
        """Return a string, in lower case and one of `choices` where there are any."""
        value = self.get(key, default)
        if not isinstance(value, str) or len(value) > _MAX_LENGTH:
            self.refuse(key)
        if not choices:
            return value
        return value.lower() if value.lower() in choices else self.refuse(key)

    def sizes(self, key: str, rank: int, default: Any = None, least: int = 1) -> tuple[int, ...]:
        """Return `rank` whole numbers, one number standing for all of them."""
        value = self.get(key, default)
        numbers = whole_numbers([value] * rank if not isinstance(value, list | tuple) else value, least)
        return numbers if numbers is not None and len(numbers) == rank else self.refuse(key)

    def margins(self, key: str, rank: int) -> tuple[tuple[int, int], ...]:
        """Return what is added or cut before and after each of `rank` axes: a number, or one or two an axis."""
        value = self.get(key, 1)
        if rank == 1 and isinstance(value, list | tuple) and len(value) == 2:
            value = [value]
        listed = value if isinstance(value, list | tuple) else [value] * rank
        pairs = [whole_numbers(pair if isinstance(pair, list | tuple) else [pair] * 2, 0) for pair in listed]
        found = tuple((pair[0], pair[1]) for pair in pairs if pair is not None and len(pair) == 2)
        return found if len(found) == rank == len(pairs) else self.refuse(key)

    def axes(self, key: str, rank: int, default: Any = None) -> tuple[int, ...]:
        """Return axes, one or a list of them, each from 0 to `rank` - 1."""
        value = self.get(key, default)
        numbers = whole_numbers(value if isinstance(value, list | tuple) else [value], -rank)
        if numbers is None or any(number >= rank for number in numbers):
            self.refuse(key)
        return tuple(number % rank for number in numbers)

    def channels_first(self) -> bool:
        """Tell whether channels come first; where the text says nothing, they come last."""
        choices = ("channels_last", "channels_first")
        return self.word("data_format", "channels_last", choices) == "channels_first"


def whole_number(value: Any, least: int) -> int | None:
    """Return `value` where it is an integer between `least` and `MAX_SIZE`, None where it is anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= MAX_SIZE else None


def whole_numbers(values: list[Any] | tuple[Any, ...], least: int) -> tuple[int, ...] | None:
    """Return `values` where all are whole numbers from `least` to `MAX_SIZE`, None where they are anything else."""
    if len(values) > _MAX_LENGTH:
        return None
    numbers = [whole_number(value, least) for value in values]
    found = tuple(number for number in numbers if number is not None)
    return found if len(found) == len(numbers) else None


def shown(value: Any) -> str:
    """Return a value for a message: short, and on one line."""
    if isinstance(value, list | dict) and len(value) > _SHOWN:
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, int) and abs(value) > 10 * MAX_SIZE:
        return "a number that large"
    text = " ".join(repr(value).split())
    return shorten(text, _SHOWN)


def dtype_of(settings: Settings) -> str:
    """Return the type that a layer computes in: `float16` of the policy `mixed_float16`."""
    value = settings.get("dtype")
    while isinstance(value, dict):
        config = value.get("config")
        value = config.get("name", config.get("dtype")) if isinstance(config, dict) else None
    name = _COMPUTED_IN.get(value, value) if isinstance(value, str) else _DEFAULT
    return name if name in KNOWN else _DEFAULT


def quantised(settings: Settings) -> str | None:
    """Return how a layer's weights are quantised, as `int8`; None where they are not."""
    value = settings.get("dtype")
    if isinstance(value, str):
        return value.partition("_from_")[0][:20] if "_from_" in value else None
    config = value.get("config") if isinstance(value, dict) else None
    mode = config.get("mode") if isinstance(config, dict) else None
    return mode[:20] if isinstance(mode, str) else None


def is_float(dtype: str) -> bool:
    """Tell whether numbers of a type have fractions."""
    return dtype in _FLOATS


def promoted(dtypes: Iterable[str]) -> str:
    """Return the type of what is computed of several: a fraction's where there is one, else the widest."""
    ranked = (*_WHOLE, *_FLOATS)
    known = [ranked.index(dtype) for dtype in dtypes if dtype in ranked]
    return ranked[max(known)] if known else _DEFAULT
