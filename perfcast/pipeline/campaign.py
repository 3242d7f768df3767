"""A campaign as the workflow runs it: the checked configuration, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.bench.target import runs_apart
from perfcast.export.programs import TOOLS as EXPORT_TOOLS
from perfcast.models.collect import collect
from perfcast.pipeline.checks import check_store, tool_versions
from perfcast.pipeline.shards import specs_by_shard
from perfcast.planning.settings import Settings, read_settings
from perfcast.project_files import find_project_file
from perfcast.tables.mapping import load_mapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.models.collect import Collection

MIN_MODELS = 20
"""Of a first pass: of fewer models little can be learned, and all are soon measured."""

FIT_TOOLS = ("scikit-learn", "xgboost", "mapie")


@dataclass(frozen=True)
class Campaign(Settings):
    """What a configuration and its target ask for, and what follows from it.

    Attributes:
        metrics: what is predicted: the dataset's column and the unit of each metric.
        models: what is measured; None where tables were measured elsewhere.
        tables: these tables' files.
        mapping: the file that says what their columns mean; None where there are none.
        tools: versions of the packages that jobs use.
    """

    metrics: dict[str, dict[str, str]]
    models: Collection | None
    tables: tuple[str, ...]
    mapping: str | None
    tools: dict[str, str]

    @property
    def manifests(self) -> str:
        """The folder of the manifests of what no target matters to."""
        return f"{self.results}/manifests"

    @property
    def shards(self) -> range:
        """The numbers of the pieces that models are exported and measured in."""
        return range(self.config["shards"])

    @property
    def has_first_pass(self) -> bool:
        """Whether the first shard is fitted and shown first: where that is worth it, and no device has to wait."""
        if self.models is None or len(self.config["hosts"] or ()) > 1:
            return False
        first, *others = specs_by_shard(self.models.specs, len(self.shards))
        return len(first) >= MIN_MODELS and any(others)

    @property
    def is_remote(self) -> bool:
        """Whether models run on another machine."""
        return bool(self.description["transport"]["kind"] != "local")

    @property
    def is_probed(self) -> bool:
        """Whether the devices are asked for what they have before anything is measured."""
        return self.is_remote or runs_apart(self.description["transport"])


def read_campaign(config: dict[str, Any], origin: str, base: Path, *, conda: bool = False) -> Campaign:
    """Read and check what a configuration asks for.

    Args:
        config: the configuration.
        origin: where it was read from, for messages.
        base: the checkout.
        conda: whether conda makes the environment of jobs.

    Raises:
        UsageError: as `perfcast.planning.settings.read_settings`, and where a table, a mapping or a sheet is wrong, or
            a package is missing.
    """
    found = read_settings(config, origin, base)
    check_store(found.store, (f"{found.results}/manifests", found.target_results), origin)
    pins = (base / "envs/perfcast.yaml").read_text() if conda else None
    if found.is_imported:
        tables = tuple(str(find_project_file(name, base)) for name in found.description["tables"])
        mapping = str(find_project_file(found.description["mapping"], base))
        metrics, models, tools = _metrics_of_tables(mapping, found.description["metrics"]), None, FIT_TOOLS
    else:
        tables, mapping, metrics, tools = (), None, found.description["metrics"], (*EXPORT_TOOLS, *FIT_TOOLS)
        models = collect(found.sheets, found.config["models"]["synthetic"])
    return Campaign(
        **vars(found), metrics=metrics, models=models, tables=tables, mapping=mapping, tools=tool_versions(tools, pins)
    )


def _metrics_of_tables(mapping: str, chosen: Sequence[str]) -> dict[str, dict[str, str]]:
    metrics = load_mapping(Path(mapping)).chosen(chosen).metrics
    return {name: {"column": name, "unit": metric.unit} for name, metric in metrics.items()}
