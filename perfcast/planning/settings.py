"""A configuration and the target that it names, read and checked: the command line's and the workflow's alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.bench.target import Target, read_description
from perfcast.config import check, read_extended, read_mapping, schema, with_defaults
from perfcast.errors import UsageError
from perfcast.project_files import BESIDE, find_project_file
from perfcast.schema import with_schema_defaults
from perfcast.studies.registry import check_studies
from perfcast.text import parse_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEFAULTS = "config/config.yaml"
_TARGET = "local"


@dataclass(frozen=True)
class Settings:
    """What a configuration and its target ask for.

    Attributes:
        config: the configuration, its defaults filled in.
        description: the target's; see `is_imported`.
        base: where project files are that the working directory does not have.
    """

    config: dict[str, Any]
    description: dict[str, Any]
    base: Path

    @property
    def is_imported(self) -> bool:
        """Whether the target is tables that were measured elsewhere."""
        return "tables" in self.description

    @property
    def name(self) -> str:
        """The target's name."""
        return str(self.config["target"])

    @property
    def target(self) -> Target:
        """Where and how models run.

        Raises:
            UsageError: the target has no device, see `is_imported`.
        """
        if self.is_imported:
            raise UsageError(f"{self.name}: is a target of tables, measured elsewhere; choose a target with a device")
        return Target.from_dict(self.name, self.description)

    @property
    def budget_s(self) -> float | None:
        """How long to measure in this run, None for as long as the protocol takes."""
        given = self.config["budget"]
        return self.target.protocol.budget_s if given is None else parse_duration(str(given))

    @property
    def results(self) -> str:
        """The folder of all results."""
        return str(self.config["results"])

    @property
    def target_results(self) -> str:
        """The folder of the target's results."""
        return f"{self.results}/{self.name}"

    @property
    def store(self) -> Path:
        """The folder of artifacts and measurements."""
        return Path(self.config["store"])

    @property
    def sheets(self) -> tuple[Path, ...]:
        """The sheets that list models.

        Raises:
            UsageError: one is missing.
        """
        return tuple(find_project_file(name, self.base) for name in self.config["models"]["sheets"])


def settings_of_files(target: str | None, files: Sequence[Path]) -> Settings:
    """Read the settings that files of configuration hold, the last one first in rank, over the project's own.

    Args:
        target: name of the target; None for that of the files, or else `local`.
        files: over the defaults.

    Raises:
        UsageError: as `read_settings`, and where a file is absent.
    """
    values: dict[str, Any] = {}
    for path in (find_project_file(_DEFAULTS), *files):
        values = with_defaults(read_mapping(path), values)
    values["target"] = target or values.get("target", _TARGET)
    return read_settings(values, " with ".join(map(str, files)) or _DEFAULTS)


def read_settings(given: dict[str, Any], origin: str, base: Path = BESIDE) -> Settings:
    """Check a configuration, and read the target that it names.

    Args:
        given: the configuration; the defaults of ``base``, and then those of the schema, fill in what it leaves open.
        origin: where it was read from, for messages.
        base: the checkout; what the working directory does not have is looked for there.

    Raises:
        UsageError: one line that names the file and key and says what is wrong.
    """
    config = with_schema_defaults(with_defaults(given, read_mapping(base / _DEFAULTS)), schema("config"))
    if "target" not in config:
        raise UsageError(
            "no target is chosen; run `snakemake --profile profiles/local` to measure this machine, "
            "or add `--config target=<a file of config/targets>`"
        )
    check(config, "config", origin)
    config["store"] = config["store"] or f"{config['results']}/store"
    check_studies(config["studies"], origin)
    path = find_project_file(f"{config['targets']}/{config['target']}.yaml", base)
    description, files = read_extended(path)
    if "tables" not in description:
        return Settings(config, read_description(path), base)
    check(description, "imported", files)
    return Settings(config, with_schema_defaults(description, schema("imported")), base)
