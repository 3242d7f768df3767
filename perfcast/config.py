"""Files of configuration and targets: YAML that holds no surprises, and what one takes over from another."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from perfcast.errors import UsageError
from perfcast.factors import factors_schema
from perfcast.runner.power import ASKED, POWER_METRICS
from perfcast.runner.variables import GPU_VARIABLES, VARIABLES, listed_pattern
from perfcast.runner.workloads import METRICS
from perfcast.schema import check_values, load
from perfcast.text import shorten

if TYPE_CHECKING:
    from pathlib import Path

_MAX_BYTES = 1_000_000
_SHOWN = 300
"""Characters of a message that repeats what a file says."""


class _Refused(yaml.YAMLError):
    """What is valid YAML, and no good in a configuration."""


class _StrictLoader(yaml.SafeLoader):
    """YAML without what surprises: of a key given twice the last would win, and aliases may grow without end."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            alias = self.peek_event()  # type: ignore[no-untyped-call]
            raise _Refused(f"line {alias.start_mark.line + 1}: write the value out instead of *{alias.anchor}")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _Refused(f"line {key_node.start_mark.line + 1}: the key {key!r} must be a string; quote it")
            if key in seen:
                raise _Refused(f"line {key_node.start_mark.line + 1}: {key} is given twice; remove one")
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_text(path: Path) -> str:
    """Return the text of a configuration.

    Raises:
        UsageError: it is absent, larger than any configuration, or not UTF-8.
    """
    try:
        data = path.read_bytes()
        if len(data) > _MAX_BYTES:
            raise UsageError(f"{path}: has more than {_MAX_BYTES:,} bytes, which no configuration needs")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text; save it as UTF-8") from error


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        UsageError: it is absent or no YAML, gives a key twice or refers to itself.
    """
    text = read_text(path)
    try:
        return yaml.load(text, _StrictLoader)  # a SafeLoader
    except _Refused as error:
        raise UsageError(f"{path}, {error}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: is not valid YAML: {shorten(' '.join(str(error).split()), _SHOWN)}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: is nested too deeply") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file that must be a mapping.

    Raises:
        UsageError: as `read_yaml`, and where it is something else, such as nothing.
    """
    values = read_yaml(path)
    if not isinstance(values, dict):
        found = "is empty" if values is None else f"is a {type(values).__name__}"
        raise UsageError(f"{path}: {found}; it must be a YAML mapping, lines of `key: value`")
    return values


def read_extended(path: Path) -> tuple[dict[str, Any], str]:
    """Return the content of a YAML mapping over that of its base, the file that its key `extends` names.

    The name is relative to the file's own folder, and a base may extend another. Mappings are merged, key by key; any
    other value replaces the base's.

    Returns:
        the merged mapping, without `extends`, and the files that it comes from, for messages.

    Raises:
        UsageError: as `read_mapping`; a base is missing, extends what extends it, or has a mapping where the file has
            another value, or the other way round.
    """
    files = [path]
    values = read_mapping(path)
    while "extends" in values:
        base = _base_of(files[-1], values.pop("extends"))
        if base.resolve() in [file.resolve() for file in files]:
            raise UsageError(f"{files[-1]}: extends: {base} extends this file in turn; remove one of the two")
        inherited = read_mapping(base)
        if clash := _clash(values, inherited):
            raise UsageError(f"{path}: {clash}: is a mapping either here or in {base}; write it the same way in both")
        values = with_defaults(values, inherited)
        files.append(base)
    return values, " with ".join(str(file) for file in files)


def _base_of(path: Path, name: Any) -> Path:
    if not isinstance(name, str) or not name.endswith(".yaml"):
        raise UsageError(f"{path}: extends: must be the name of a YAML file, such as bases/jetson.yaml")
    base = path.parent / name
    if not base.is_file():
        raise UsageError(f"{path}: extends: there is no file {base}; correct the name")
    return base


def _clash(values: dict[str, Any], base: dict[str, Any]) -> str | None:
    """Return the first key, dotted, that is a mapping in only one of the two; null goes with either."""
    for key in sorted(values.keys() & base.keys()):
        pair = [values[key], base[key]]
        mappings = [isinstance(value, dict) for value in pair]
        if all(mappings):
            if inner := _clash(*pair):
                return f"{key}.{inner}"
        elif any(mappings) and None not in pair:
            return key
    return None


def with_defaults(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` and, of what they leave open, ``defaults``: mappings are merged, all else is replaced."""
    merged = deepcopy(defaults)
    for key, value in values.items():
        inner = merged.get(key)
        both = isinstance(value, dict) and isinstance(inner, dict)
        merged[key] = with_defaults(value, inner) if both else deepcopy(value)  # type: ignore[arg-type]
    return merged


@cache
def schema(name: str) -> dict[str, Any]:
    """Return the schema `config`, `target`, `imported`, `mapping` or `sweep`."""
    loaded = load(f"{name}.schema.yaml")
    if name == "target":
        loaded["properties"]["factors"] = factors_schema()
        metric = loaded["properties"]["metrics"]["additionalProperties"]["properties"]
        metric["column"]["enum"] = [*METRICS, *POWER_METRICS]
        known = ", ".join(name for name, _ in VARIABLES + GPU_VARIABLES)
        hint = f"perfcast records {known}, and a target sets no others"
        loaded["properties"]["power"]["enum"] = [*ASKED, False]
        variables = loaded["properties"]["environment_variables"]
        variables["propertyNames"] = {"pattern": listed_pattern(), "hint": hint}
    return loaded


def check(values: Any, name: str, origin: str) -> None:
    """Check values against the schema ``name``; ``origin`` is the file that they come from.

    Raises:
        UsageError: the first key that is wrong, and why.
    """
    check_values(values, schema(name), origin)


def default_of(name: str, *keys: str) -> Any:
    """Return the default of an option, such as `default_of("config", "fit", "seed")`."""
    inner = schema(name)
    for key in keys:
        inner = inner["properties"][key]
    return deepcopy(inner["default"])
