"""Write the tables of options in config/README.md: `python docs/write_options.py`.

Each table stands below the heading of its schema, such as "## `target`"; everything else there is written by hand.
"""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.config import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

README = Path(__file__).parents[1] / "config/README.md"
SCHEMAS = ("config", "target", "imported", "mapping", "sweep")
_KINDS = {"string": "text", "object": "mapping", "array": "list", "boolean": "true or false"}
_TABLE = r"(?<=## `{name}`\n)((?:(?!#|\|).*\n)*)(?:\|.*\n)+"


def readme() -> str:
    """Return the text of README.md, with tables as the schemas are now."""
    text = README.read_text(encoding="utf-8")
    for name in SCHEMAS:
        text = re.sub(_TABLE.replace("{name}", name), partial(_table, schema(name)), text, count=1)
    return text


def _table(described: Mapping[str, Any], before: re.Match[str]) -> str:
    rows = [f"| `{name}` | {_value(option, described)} | {_meaning(option)} |" for name, option in _options(described)]
    return before[1] + "\n".join(["| option | value | meaning |", "|---|---|---|", *rows, ""])


def _options(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each option of a schema, by its path, and what the schema says of it."""
    for name, option in values.get("properties", {}).items():
        yield f"{above}{name}", option
        yield from _options(option, f"{above}{name}.")


def _value(option: Mapping[str, Any], described: Mapping[str, Any]) -> str:
    if "enum" in option:
        return _either([_literal(value) for value in option["enum"]])
    shared = described.get("$defs", {}).get(option.get("$ref", "").rpartition("/")[2], {})
    kinds = (shared | option)["type"]
    return _either([_KINDS.get(kind, kind) for kind in (kinds if isinstance(kinds, list) else [kinds])])


def _meaning(option: Mapping[str, Any]) -> str:
    text = option["description"]
    if "default" in option and "Default:" not in text:
        text += f" Default: {_literal(option['default'])}."
    return text.replace("|", "\\|")


def _either(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _literal(value: Any) -> str:
    if isinstance(value, list) and len(value) > 2 and value == list(range(value[0], value[-1] + 1)):
        return f"`{value[0]}` to `{value[-1]}`"
    if isinstance(value, list):
        return f"`{', '.join(map(str, value))}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


if __name__ == "__main__":
    README.write_text(readme(), encoding="utf-8")
