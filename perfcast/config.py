"""Configuration, targets and answers of boards, checked against schemas: one line names file and key."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from perfcast.errors import UsageError

_SCHEMAS = Path(__file__).parent / "schemas"


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        UsageError: it is absent or no YAML.
    """
    try:
        return yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error


@cache
def schema(name: str) -> dict[str, Any]:
    """Return the schema `config`, `target` or `answer`."""
    loaded: dict[str, Any] = read_yaml(_SCHEMAS / f"{name}.schema.yaml")
    return loaded


def check(values: Any, name: str, origin: str) -> None:
    """Check values against the schema ``name``; ``origin`` is the file that they come from.

    Raises:
        UsageError: the first key that is wrong, and why.
    """
    errors = jsonschema.Draft202012Validator(schema(name)).iter_errors(values)
    first = jsonschema.exceptions.best_match(errors)
    if first is None:
        return
    key = ".".join(str(part) for part in first.absolute_path)
    raise UsageError(f"{origin}: {key + ': ' if key else ''}{_plain(first)}")


def _plain(error: jsonschema.ValidationError) -> str:
    allowed = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties" and allowed and isinstance(error.instance, dict):
        unknown = ", ".join(sorted(set(error.instance) - set(allowed)))
        return f"unknown key {unknown}; known are {', '.join(sorted(allowed))}"
    return error.message


def find_file(name: str, folders: list[Path]) -> Path:
    """Return the first of ``folders`` that holds the file ``name``, joined with it.

    Raises:
        UsageError: none does.
    """
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    places = dict.fromkeys(str(folder.resolve()) for folder in folders)
    raise UsageError(f"{name}: there is no such file in {' or '.join(places)}")
