"""A campaign as the workflow runs it: the checked configuration, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.config import read_mapping, schema, with_defaults
from perfcast.export.programs import TOOLS as EXPORT_TOOLS
from perfcast.pipeline.checks import check_store, checked_models, checked_target, tool_versions
from perfcast.project_files import find_project_file
from perfcast.schema import with_schema_defaults
from perfcast.tables.mapping import load_mapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.models.collect import Collection

DEFAULTS = "config/config.yaml"
FIT_TOOLS = ("scikit-learn", "xgboost", "mapie")


@dataclass(frozen=True)
class Campaign:
    """What a configuration and its target ask for.

    Attributes:
        config: the configuration, its defaults filled in.
        target: the target's description.
        metrics: what is predicted: the dataset's column and the unit of each metric.
        models: what is measured; None where tables were measured elsewhere.
        tables: these tables' files.
        mapping: the file that says what their columns mean; None where there are none.
        tools: versions of the packages that jobs use.
    """

    config: dict[str, Any]
    target: dict[str, Any]
    metrics: dict[str, dict[str, str]]
    models: Collection | None
    tables: tuple[str, ...]
    mapping: str | None
    tools: dict[str, str]

    @property
    def name(self) -> str:
        """The target's name."""
        return str(self.config["target"])

    @property
    def results(self) -> str:
        """The folder of all results."""
        return str(self.config["results"])

    @property
    def target_results(self) -> str:
        """The folder of the target's results."""
        return f"{self.results}/{self.name}"

    @property
    def manifests(self) -> str:
        """The folder of the manifests of what no target matters to."""
        return f"{self.results}/manifests"

    @property
    def store(self) -> str:
        """The folder of artifacts and measurements."""
        return str(self.config["store"])

    @property
    def shards(self) -> range:
        """The numbers of the pieces that models are exported and measured in."""
        return range(self.config["shards"])

    @property
    def is_remote(self) -> bool:
        """Whether models run on another machine."""
        return bool(self.target["transport"]["kind"] != "local")

    @property
    def is_probed(self) -> bool:
        """Whether the devices are asked for what they have before anything is measured."""
        return self.is_remote or bool(self.target["transport"].get("container"))


def read_campaign(config: dict[str, Any], origin: str, base: Path, *, conda: bool = False) -> Campaign:
    """Read and check what a configuration asks for.

    Args:
        config: the configuration; the defaults of ``base`` fill in what it leaves open.
        origin: where it was read from, for messages.
        base: the checkout; what the working directory has not is looked for there.
        conda: whether conda makes the environment of jobs.

    Raises:
        UsageError: one line that says what is wrong, and where.
    """
    config = with_schema_defaults(with_defaults(config, read_mapping(base / DEFAULTS)), schema("config"))
    target = checked_target(config, origin, base)
    config["store"] = config["store"] or f"{config['results']}/store"
    results = config["results"]
    check_store(config["store"], (f"{results}/manifests", f"{results}/{config['target']}"), origin)
    pins = (base / "envs/perfcast.yaml").read_text() if conda else None
    if "tables" in target:
        tables = tuple(str(find_project_file(name, base)) for name in target["tables"])
        mapping = str(find_project_file(target["mapping"], base))
        metrics = _metrics_of_tables(mapping, target.get("metrics", ()))
        return Campaign(config, target, metrics, None, tables, mapping, tool_versions(FIT_TOOLS, pins))
    sheets = [find_project_file(name, base) for name in config["models"]["sheets"]]
    models = checked_models(sheets, config["models"]["synthetic"])
    tools = tool_versions((*EXPORT_TOOLS, *FIT_TOOLS), pins)
    return Campaign(config, target, target["metrics"], models, (), None, tools)


def _metrics_of_tables(mapping: str, chosen: Sequence[str]) -> dict[str, dict[str, str]]:
    metrics = load_mapping(Path(mapping)).chosen(chosen).metrics
    return {name: {"column": name, "unit": metric.unit} for name, metric in metrics.items()}
