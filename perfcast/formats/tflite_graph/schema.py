"""The schema of TensorFlow Lite files, as the installed TensorFlow has it."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError

if TYPE_CHECKING:
    from types import ModuleType

_MODULE = Path("lite", "python", "schema_py_generated.py")


@functools.cache
def schema() -> ModuleType:
    """Return the module of the schema. It is loaded by itself: importing it by name starts all of TensorFlow.

    Raises:
        SourceError: no TensorFlow that has it is installed.
    """
    tensorflow = importlib.util.find_spec("tensorflow")
    folders = (tensorflow.submodule_search_locations if tensorflow else None) or []
    for folder in folders:
        spec = importlib.util.spec_from_file_location("perfcast_tflite_schema", Path(folder) / _MODULE)
        if spec is not None and spec.loader is not None and (Path(folder) / _MODULE).is_file():
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise SourceError("TensorFlow is needed to read TensorFlow Lite files; install it")


@functools.cache
def names_of(enumeration: str) -> dict[int, str]:
    """Return the names of an enumeration of the schema by their numbers."""
    members: dict[str, Any] = vars(getattr(schema(), enumeration))
    return {number: name for name, number in members.items() if isinstance(number, int)}
