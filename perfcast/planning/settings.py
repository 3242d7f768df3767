"""A campaign's settings as the workflow reads them: defaults, a configuration of the user's, a target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.bench.target import Target, read_description
from perfcast.config import check, read_mapping, schema, with_defaults
from perfcast.project_files import find_project_file
from perfcast.schema import with_schema_defaults

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULTS = "config/config.yaml"
_TARGET = "local"


@dataclass(frozen=True)
class Settings:
    """What a campaign is made of.

    Attributes:
        target: where and how models run.
        description: what the target was read from.
        sheets: that list models.
        synthetic: the request for random networks, None for none.
        store: folder of artifacts and measurements.
        results: folder of the target's results.
        shards: in how many pieces models are measured.
        hosts: the target's devices, None for one of its own name.
    """

    target: Target
    description: dict[str, Any]
    sheets: tuple[Path, ...]
    synthetic: dict[str, Any] | None
    store: Path
    results: Path
    shards: int
    hosts: tuple[str, ...] | None


def read_settings(target: str | None, files: Sequence[Path]) -> Settings:
    """Read the settings of a campaign.

    Args:
        target: name of the target; None for that of the configurations, or else `local`.
        files: configurations over the defaults, the last one first in rank.

    Raises:
        UsageError: a file is absent or wrong: one line that names it and the key.
    """
    values: dict[str, Any] = {}
    for path in (find_project_file(DEFAULTS), *files):
        values = with_defaults(read_mapping(path), values)
    values["target"] = target or values.get("target", _TARGET)
    check(values, "config", " with ".join(map(str, files)) or DEFAULTS)
    values = with_schema_defaults(values, schema("config"))
    target, results = values["target"], Path(values["results"])
    path = find_project_file(f"{values['targets']}/{target}.yaml")
    description = read_description(path)
    return Settings(
        target=Target.from_dict(path.stem, description),
        description=description,
        sheets=tuple(find_project_file(name) for name in values["models"]["sheets"]),
        synthetic=values["models"]["synthetic"],
        store=Path(values["store"] or results / "store"),
        results=results / target,
        shards=values["shards"],
        hosts=tuple(values["hosts"]) if values["hosts"] else None,
    )
