"""A sweep's configuration: the `config.ini` of the complexity-scaling document as it stands, or the same in YAML."""

from __future__ import annotations

import configparser
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.config import read_mapping, read_text, schema
from perfcast.errors import UsageError
from perfcast.models.naming import parse_value
from perfcast.schema import first_problem, with_schema_defaults
from perfcast.text import escape_control, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECTION = "CONFIGURATION"
"""The one section of an INI file."""

INI_NAMES = {
    "training_iterations": "epochs",
    "batch_size": "batch",
    "tot_layers": "layers",
    "filter_size": "filter_size",
    "learning_rate": "learning_rate",
    "dropout": "dropout",
    "evaluation_iterations": "evaluation_iterations",
}
"""The document's names of options, in lower case; an INI file may use all others by their own names."""

MAX_COMBINATIONS = 10_000
_SHOWN = 60


@dataclass(frozen=True)
class SweepConfig:
    """What to sweep, and how to train and evaluate; `perfcast/schemas/sweep.schema.yaml` says what each value means.

    Attributes:
        origin: the file it comes from, for messages.
        names: what the file calls an option, where it uses another name.
    """

    origin: str
    names: Mapping[str, str]
    family: str | None
    layers: tuple[int, ...]
    filter_size: tuple[int, ...]
    batch: tuple[int, ...]
    inference_batch: tuple[int, ...] | None
    filters: tuple[int, ...]
    input_size: tuple[int, ...] | None
    channels: tuple[int, ...]
    embedding: tuple[int, ...]
    vocabulary: tuple[int, ...]
    epochs: int
    learning_rate: float
    dropout: float
    training_inputs: int | None
    evaluation_iterations: int
    evaluation_inputs: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse values that do not go together.

        Raises:
            UsageError: one line that names file and key.
        """
        name = "batch" if self.inference_batch is None else "inference_batch"
        if max(self.inference_batch or self.batch) > self.evaluation_inputs:
            raise self.mistake(name, f"must be at most evaluation_inputs, {self.evaluation_inputs}")
        if self.input_size and self.family is None:
            raise self.mistake("input_size", "means pixels or positions: name one family, too")
        swept = (self.layers, self.filter_size, self.batch, self.filters, self.channels, self.embedding)
        more = (self.vocabulary, self.inference_batch or (1,), self.input_size or (1,))
        if (count := math.prod(map(len, swept + more))) > MAX_COMBINATIONS:
            raise self.mistake("layers", f"there are {count:,} combinations, of at most {MAX_COMBINATIONS:,}")

    def mistake(self, option: str, reason: str) -> UsageError:
        """Return the error that an option is wrong."""
        return UsageError(f"{self.origin}: {self.names.get(option, option)}: {reason}")


def read_config(path: Path, given: Mapping[str, Any] | None = None) -> SweepConfig:
    """Return the configuration of a file, `.ini` or `.yaml`.

    Args:
        path: the file.
        given: options that take the place of the file's.

    Raises:
        UsageError: one line that names file and key.
    """
    if path.suffix in (".yaml", ".yml"):
        return _checked(read_mapping(path) | dict(given or {}), {}, str(path))
    if path.suffix not in (".ini", ".cfg"):
        raise UsageError(f"{path}: a sweep's configuration must end in .ini or .yaml")
    return parse_ini(read_text(path), str(path), given)


def parse_ini(text: str, origin: str, given: Mapping[str, Any] | None = None) -> SweepConfig:
    """Return the configuration of an INI text; see `read_config`.

    Raises:
        UsageError: one line that names ``origin`` and the key.
    """
    written = _entries(text, origin)
    properties = schema("sweep")["properties"]
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for key, value in written.items():
        option = INI_NAMES.get(key, key)
        if option not in properties:
            known = ", ".join([*INI_NAMES, *(name for name in properties if name not in INI_NAMES.values())])
            raise UsageError(f"{origin}: unknown key {_short(key)}; known are {known}")
        if option in values:
            raise UsageError(f"{origin}: {key}: means the same as {names[option]}; remove one")
        names[option] = key
        values[option] = _value_of(value, option, properties[option], f"{origin}: {key}")
    return _checked(values | dict(given or {}), names, origin)


def _entries(text: str, origin: str) -> dict[str, str]:
    """Return what the one section of an INI text says, keys in lower case."""
    # No section is special: the defaults of others would be read without a word.
    parser = configparser.RawConfigParser(default_section="\0", inline_comment_prefixes=("#", ";"))
    try:
        parser.read_string(text, origin)
    except (configparser.Error, ValueError, AttributeError) as error:
        reason = escape_control(shorten(" ".join(str(error).replace(repr(origin), "").split()), 200))
        raise UsageError(f"{origin}: is not an INI file of lines `key = value` below [{SECTION}]: {reason}") from error
    sections = parser.sections()
    if sections != [SECTION]:
        found = ", ".join(f"[{_short(name)}]" for name in sections[:5]) or "none"
        raise UsageError(f"{origin}: must have one section, [{SECTION}], not {found}")
    return dict(parser.items(SECTION))


def _value_of(text: str, option: str, described: Mapping[str, Any], where: str) -> Any:
    """Return the value of a key: a list where the option is one, which lies between spaces or commas."""
    try:
        parts = [parse_value(part) for part in text.replace(",", " ").split()]
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
    if not parts:
        raise UsageError(f"{where}: has no value; write one, or remove the line")
    if _is_list(described):
        return parts
    if len(parts) > 1:
        raise UsageError(f"{where}: {len(parts)} values, but {option} takes one")
    return parts[0]


def _is_list(described: Mapping[str, Any]) -> bool:
    return "$ref" in described or "array" in described.get("type", "")


def _checked(values: dict[str, Any], names: Mapping[str, str], origin: str) -> SweepConfig:
    description = schema("sweep")
    if problem := first_problem(values, description):
        first, *rest = problem.path or ("",)
        key = ".".join(filter(None, [names.get(str(first), str(first)), *map(str, rest)]))
        raise UsageError(f"{origin}: {key + ': ' if key else ''}{problem.text}")
    filled = with_schema_defaults(values, description)
    lists = {name: tuple(value) for name, value in filled.items() if isinstance(value, list)}
    return SweepConfig(origin=origin, names=dict(names), **filled | lists)


def _short(text: str) -> str:
    return shorten(escape_control(text), _SHOWN)
