"""The registry of converters: one entry per program format. No other file knows a format's name.

A converter is a class with `name`, the format; `PACKAGES`, whose versions are part of its programs' keys; and
`convert`, which returns the program of a `BuiltModel` and its interface, or raises a SourceError whose message is why
there is none. Every model has its programs, unless it has `OPTIONS`, the names of further arguments of `convert`: then
its programs are made on request, and their formats hold the values, `a.<value>.<value>.b` of the converter `a.b`.
A package may register another one as an entry point of the group `perfcast.converters`.
"""

from __future__ import annotations

import functools
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.code_digest import SourceTree
from perfcast.errors import SourceError
from perfcast.export.programs.forward_backward_pb import ForwardBackwardPb
from perfcast.export.programs.graph_pb import GraphPb
from perfcast.export.programs.training_step_pb import TrainingStepPb
from perfcast.runner.plugs import find_plugs
from perfcast.storage import digest_of_file, digest_of_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perfcast.models.built import BuiltModel

_OWN = (GraphPb, ForwardBackwardPb, TrainingStepPb)
CONVERTERS = find_plugs(_OWN, "perfcast.converters")
TOOLS = tuple(dict.fromkeys(package for converter in CONVERTERS.values() for package in converter.PACKAGES))
"""Packages that converters need: exports depend on their versions."""
INSTALLED = tuple(name for name, converter in CONVERTERS.items() if converter not in _OWN)
_OPTIONS = {name: getattr(converter, "OPTIONS", ()) for name, converter in CONVERTERS.items()}
_ALWAYS = tuple(name for name, options in _OPTIONS.items() if not options)


def formats_on_request(formats: Iterable[str]) -> list[str]:
    """Return those of some formats that a model has no program of unless it is asked for, and that can be made."""
    return [name for name in formats if name not in _ALWAYS and _parse(name)]


def formats_to_make(requested: Iterable[str]) -> list[str]:
    """Return the formats that a model is converted to: those that every model has, and those requested."""
    return [*_ALWAYS, *formats_on_request(requested)]


def program_key(export: str, name: str) -> str:
    """Return the key of a program: of the export that it is made of, its converter's code and the packages' versions.

    Args:
        export: the export's key.
        name: the format.
    """
    converter, _ = _found(name)
    tools = {package: version(package) for package in CONVERTERS[converter].PACKAGES}
    return digest_of_json({"export": export, "format": name, "code": _code_of(converter), "tools": tools})


def convert(built: BuiltModel, name: str) -> tuple[bytes, dict[str, Any]]:
    """Return the program of a format and its interface: `inputs` and `outputs`, and what the converter adds.

    Raises:
        SourceError: the model has no such program; the message says why.
    """
    converter, values = _found(name)
    options = dict(zip(_OPTIONS[converter], values, strict=True))
    content, interface = CONVERTERS[converter].convert(built, **options)
    return content, interface


def _parse(name: str) -> tuple[str, list[str]] | None:
    """Return the converter to a format, by name, and the values of its options; None where there is none."""
    words = name.split(".")
    for converter, options in _OPTIONS.items():
        behind = 1 + len(options)
        if ".".join([words[0], *words[behind:]]) == converter:
            return converter, words[1:behind]
    return None


def _found(name: str) -> tuple[str, list[str]]:
    """Return what `_parse` does.

    Raises:
        SourceError: there is no converter to this format.
    """
    found = _parse(name)
    if found is None:
        raise SourceError(f"there is no converter to {name}")
    return found


@functools.cache
def _code_of(name: str) -> str:
    path = Path(str(sys.modules[CONVERTERS[name].__module__].__file__)).resolve()
    return digest_of_file(path) if name in INSTALLED else SourceTree().digest([path])


def installed_code() -> dict[str, str]:
    """Return digests of the code of converters that other packages register: exports depend on which there are."""
    return {name: _code_of(name) for name in INSTALLED}
