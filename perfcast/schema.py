"""The one place that checks values against JSON schemas: where one is wrong and why, in plain words on one line."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.text import escape_control, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    import jsonschema

_FOLDER = Path(__file__).parent / "schemas"
_BEYOND = 1 << 63
_SHOWN, _SHOWN_VALUE = 300, 60
"""Characters of a message, and of a value in it."""


@dataclass(frozen=True)
class Problem:
    """Why a value does not conform.

    Attributes:
        path: the keys and indices that lead to what is wrong.
        reason: short, on one line, without control characters.
        hint: what to do, empty where nothing is known.
    """

    path: tuple[str | int, ...]
    reason: str
    hint: str = ""

    @property
    def text(self) -> str:
        """The reason and the hint."""
        return f"{self.reason}; {self.hint}" if self.hint else self.reason


@cache
def load(file: str) -> dict[str, Any]:
    """Return the schema of a file of `perfcast/schemas`."""
    text = (_FOLDER / file).read_text(encoding="utf-8")
    if file.endswith(".json"):
        loaded: dict[str, Any] = json.loads(text)
        return loaded
    import yaml

    return dict(yaml.safe_load(text))


def check_values(values: Any, description: Mapping[str, Any], origin: str, below: str = "") -> None:
    """Check values against a schema; ``origin`` is the file that they come from, ``below`` the key they stand at.

    Raises:
        UsageError: the first key that is wrong, and why.
    """
    if problem := first_problem(values, description):
        key = ".".join(str(part) for part in (*filter(None, [below]), *problem.path))
        raise UsageError(f"{origin}: {key + ': ' if key else ''}{problem.text}")


def first_problem(values: Any, description: Mapping[str, Any]) -> Problem | None:
    """Return what says best why values do not conform to a schema, None where they do."""
    from jsonschema.exceptions import best_match

    try:
        error = best_match(_validator()(description).iter_errors(values))
    except RecursionError:
        return Problem((), "is nested too deeply")
    return None if error is None else _problem(error)


def conforms(values: Any, description: Mapping[str, Any]) -> bool:
    """Return whether values conform to a schema; the first that does not ends the search."""
    return next(_validator()(description).iter_errors(values), None) is None


def with_schema_defaults(values: Mapping[str, Any], description: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping and, of what it leaves out, the defaults of its schema; mappings in it likewise."""
    filled = dict(values)
    for key, inner in description.get("properties", {}).items():
        if key not in filled and "default" in inner:
            filled[key] = deepcopy(inner["default"])
        if isinstance(filled.get(key), dict) and "properties" in inner:
            filled[key] = with_schema_defaults(filled[key], inner)
    return filled


def _is_integer(_: Any, value: Any) -> bool:
    # JSON schema takes 4.0 for an integer, which Python's range() does not; and those of any length.
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _BEYOND


def _is_number(_: Any, value: Any) -> bool:
    # NaN is neither below a minimum nor above a maximum.
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


@cache
def _validator() -> Any:
    # Imported late: it takes a tenth of a second, and who only asks for a class needs no schemas.
    import jsonschema

    draft = jsonschema.Draft202012Validator
    kinds = draft.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    return jsonschema.validators.extend(draft, type_checker=kinds)  # type: ignore[no-untyped-call]


def _problem(error: jsonschema.ValidationError) -> Problem:
    path = tuple(error.absolute_path)
    allowed = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties" and allowed and isinstance(error.instance, dict):
        unknown = ", ".join(sorted(str(key) for key in set(error.instance) - set(allowed)))
        reason = f"unknown key {_short(unknown)}"
        return Problem(path, reason, f"known are {', '.join(sorted(allowed))}")
    if error.validator == "pattern":
        # A pattern says little that its hint does not.
        return Problem(path, f"{_short(repr(error.instance), _SHOWN_VALUE)} does not match", _hint(error))
    return Problem(path, _short(error.message), _hint(error))


def _short(text: str, most: int = _SHOWN) -> str:
    return shorten(escape_control(" ".join(text.split())), most)


def _hint(error: jsonschema.ValidationError) -> str:
    if error.validator == "required":
        return "add it"
    if error.validator == "type":
        return _type_hint(error.instance, str(error.validator_value))
    return str(error.schema.get("hint", "")) if isinstance(error.schema, dict) else ""


def _type_hint(value: Any, wanted: str) -> str:
    if value is None:
        return "leave the key out for the default"
    if isinstance(value, str) and "boolean" in wanted:
        return "write true or false, without quotes"
    if isinstance(value, str) and ("integer" in wanted or "number" in wanted):
        return "write numbers without quotes, and 1000 or 1.0e+3 for 1e3"
    return "write it in quotes" if "string" in wanted and not isinstance(value, list | dict) else ""
