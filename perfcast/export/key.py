"""The key of an export: the whole spec, and all that turns it into an artifact."""

from __future__ import annotations

import functools
from importlib.metadata import version
from typing import TYPE_CHECKING

from perfcast.code_digest import SourceTree
from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perfcast.models.spec import ModelSpec

# Named without the package's name, which would make them code of all that asks for a key.
_STAGE, _PROGRAMS = "export.stage", "export.programs"
_CATALOGUES = ("keras_applications", "synthetic", "dense")
_EXTERNAL = ("export.external", "models.external.kinds")
# Readers of files that can be predicted but not measured, hence are never exported.
_UNMEASURABLE = ("formats.onnx_graph", "formats.tflite_graph")


def export_key(spec: ModelSpec) -> str:
    """Return the key of an export: of the spec, and of the code and the packages that make its descriptor."""
    tools = {name: version(name) for name in ("keras", *(() if spec.source in _CATALOGUES else ("tensorflow",)))}
    return digest_of_json({"spec": spec.to_dict(), "code": _code_of(spec.source), "tools": tools})


@functools.cache
def _code_of(source: str) -> str:
    # What makes programs is part of their own keys.
    return SourceTree().digest([f"perfcast.{_STAGE}"], without={*not_run([source]), f"perfcast.{_PROGRAMS}"})


def not_run(sources: Iterable[str]) -> frozenset[str]:
    """Return the modules that do not run where models of these sources alone are exported."""
    makers = {source: {f"models.{source}"} for source in _CATALOGUES}
    used = {name for source in sources for name in makers.get(source, _EXTERNAL)}
    others = set(_EXTERNAL).union(*makers.values()) - used
    return frozenset(f"perfcast.{name}" for name in (*others, *_UNMEASURABLE))
