"""The key of an export: the whole spec, and all that turns it into an artifact."""

from __future__ import annotations

import functools
from importlib.metadata import version
from typing import TYPE_CHECKING

from perfcast.code_digest import SourceTree
from perfcast.models.external.kinds import SOURCES as EXTERNAL
from perfcast.models.external.kinds import readers_of
from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from perfcast.models.spec import ModelSpec

# Without the package's name, which would make them code of all that asks for a key.
_STAGE, _PROGRAMS, _MODELS, _READERS = "export.stage", "export.programs", "models", "models.external"


def export_key(spec: ModelSpec) -> str:
    """Return the key of an export: of the spec, and of the code and the packages that make its descriptor."""
    tools = {name: version(name) for name in ("keras", *(("tensorflow",) if spec.source in EXTERNAL else ()))}
    return digest_of_json({"spec": spec.to_dict(), "code": _code_of(makers_of(spec)), "tools": tools})


def makers_of(*specs: ModelSpec) -> frozenset[str]:
    """Return the modules that make models and that no other module imports: catalogues, and readers of their kinds."""
    readers = {name for spec in specs if spec.source in EXTERNAL for name in readers_of(spec.builder, spec.source)}
    return frozenset(readers | {f"perfcast.{_MODELS}.{spec.source}" for spec in specs if spec.source not in EXTERNAL})


def not_run(makers: Collection[str]) -> frozenset[str]:
    """Return the package that does not run where these modules alone make models."""
    package = f"perfcast.{_READERS}"
    return frozenset(() if any(name.startswith(package) for name in makers) else (package,))


@functools.cache
def _code_of(makers: frozenset[str]) -> str:
    # What makes programs is part of their own keys.
    without = {f"perfcast.{_PROGRAMS}", *not_run(makers)}
    return SourceTree().digest([f"perfcast.{_STAGE}", *sorted(makers)], without=without)
