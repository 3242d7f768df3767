"""The registry of converters: one entry per program format. No other file knows a format's name.

A converter is a class with `name`, the format; `PACKAGES`, whose versions are part of its programs' keys; and
`convert`, which returns the program of a `BuiltModel` and its interface, or raises a SourceError whose message is why
there is none. A package may register another one as an entry point of the group `perfcast.converters`.
"""

from __future__ import annotations

import functools
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.code_digest import SourceTree
from perfcast.export.programs.graph_pb import GraphPb
from perfcast.runner.plugs import find_plugs
from perfcast.storage import digest_of_file, digest_of_json

if TYPE_CHECKING:
    from perfcast.models.built import BuiltModel

_OWN = (GraphPb,)
CONVERTERS = find_plugs(_OWN, "perfcast.converters")
TOOLS = tuple(dict.fromkeys(package for converter in CONVERTERS.values() for package in converter.PACKAGES))
"""Packages that converters need: exports depend on their versions."""
INSTALLED = tuple(name for name, converter in CONVERTERS.items() if converter not in _OWN)


def program_key(export: str, name: str) -> str:
    """Return the key of a program: of the export that it is made of, its converter's code and the packages' versions.

    Args:
        export: the export's key.
        name: the format.
    """
    tools = {package: version(package) for package in CONVERTERS[name].PACKAGES}
    return digest_of_json({"export": export, "format": name, "code": _code_of(name), "tools": tools})


def convert(built: BuiltModel, name: str) -> tuple[bytes, dict[str, Any]]:
    """Return the program of a format and its interface: `inputs` and `outputs`, and what the converter adds.

    Raises:
        SourceError: the model has no such program; the message says why.
    """
    content, interface = CONVERTERS[name].convert(built)
    return content, interface


@functools.cache
def _code_of(name: str) -> str:
    path = Path(str(sys.modules[CONVERTERS[name].__module__].__file__)).resolve()
    return digest_of_file(path) if name in INSTALLED else SourceTree().digest([path])


def installed_code() -> dict[str, str]:
    """Return digests of the code of converters that other packages register: exports depend on which there are."""
    return {name: _code_of(name) for name in INSTALLED}
