"""The parameters of each rule: a job runs again once its parameters differ, so they hold all that it depends on.

Files that a rule reads are its inputs. Everything else is here: options, versions of tools, and digests of the code,
as Snakemake does not see an edit in a module that a script imports.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from perfcast.bench.target import resolved
from perfcast.code_digest import SourceTree
from perfcast.export.key import makers_of, not_run
from perfcast.export.programs import TOOLS as EXPORT_TOOLS
from perfcast.export.programs import formats_on_request, installed_code
from perfcast.pipeline import budget
from perfcast.pipeline.campaign import FIT_TOOLS
from perfcast.pipeline.shards import PerJob, per_shard, specs_by_shard
from perfcast.pipeline.studies import inputs_of, options_of
from perfcast.pipeline.times import logs_of
from perfcast.storage import digest_of_json
from perfcast.studies.registry import study_packages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perfcast.models.spec import ModelSpec
    from perfcast.pipeline.campaign import Campaign

Parameters = dict[str, Any]

_MAPPING_SCHEMA = "perfcast/schemas/mapping.schema.yaml"


def parameters_of(campaign: Campaign, code_root: Path) -> dict[str, Parameters]:
    """Return the parameters of all rules that a campaign has, by rule and name.

    Args:
        campaign: what is configured.
        code_root: the checkout whose code runs: it holds `perfcast` and `workflow/scripts`.

    Returns:
        plain values, and a `PerJob` for each parameter that differs among a rule's shards or studies.
    """
    code = SourceTree(code_root)
    rules = _of_tables(campaign, code) if campaign.models is None else _of_measuring(campaign, code)
    report = _of_study("prediction", [campaign.target_results], {"store": str(campaign.store)}, code)
    report |= {"logs": logs_of(campaign), "replaces": [_first_results(campaign)]}
    return rules | {
        "fit_predictor": _of_fit(campaign, code),
        "render_report": report,
        "run_study": _of_studies(campaign, code),
    }


def _of_tables(campaign: Campaign, code: SourceTree) -> dict[str, Parameters]:
    return {
        "import_tables": {
            "metrics": list(campaign.metrics),
            "keep_outliers": campaign.description["keep_outliers"],
            "target": campaign.name,
            "tools": _versions(campaign, FIT_TOOLS),
            "code": _code("import_tables", code, code.root / _MAPPING_SCHEMA),
        },
    }


def _of_measuring(campaign: Campaign, code: SourceTree) -> dict[str, Parameters]:
    assert campaign.models is not None
    shards = specs_by_shard(campaign.models.specs, len(campaign.shards))
    device = {"target": measured(campaign), "name": campaign.name}
    store = {"store": str(campaign.store)}
    count = {"shards": len(shards)}
    first = {"first_pass": store | device | _of_first_pass(campaign, shards)} if campaign.has_first_pass else {}
    return first | {
        "check_target": device,
        "collect_models": {"specs": per_shard(map(_described, shards))},
        "export_shard": _of_export(campaign, shards, code) | count,
        "list_models": store | {"code": _code("list_models", code)},
        "extract_features": {"code": _code("extract_features", code)},
        "benchmark_shard": store | device | count | _of_benchmark(campaign, shards, code),
        "build_dataset": store | {"code": _code("build_dataset", code)},
    }


def _of_benchmark(campaign: Campaign, shards: Sequence[Sequence[ModelSpec]], code: SourceTree) -> Parameters:
    digest, device = _code("benchmark_shard", code), measured(campaign)
    progress = [f"{campaign.target_results}/progress/{number}.json" for number in range(len(shards))]
    of = [digest_of_json([_described(shard), device, str(campaign.store), digest]) for shard in shards]
    budgets = budget.shares(campaign.budget_s, [len(shard) for shard in shards])
    efforts = map(budget.effort, progress, of, budgets)
    return {"code": digest, "progress": per_shard(progress), "effort": per_shard(efforts)}


def _of_first_pass(campaign: Campaign, shards: Sequence[Sequence[ModelSpec]]) -> Parameters:
    counts = [len(shard) for shard in shards]
    return {
        "folder": _first_results(campaign),
        "report": f"{campaign.target_results}/report.html",
        "models": sum(counts),
        "budget_s": budget.shares(campaign.budget_s, counts)[0],
        "metrics": campaign.metrics,
        "fit": campaign.config["fit"],
    }


def _first_results(campaign: Campaign) -> str:
    """Return the folder of the first pass's results, which the report of all models replaces."""
    return f"{campaign.target_results}/first_pass"


def _of_export(campaign: Campaign, shards: Sequence[Sequence[ModelSpec]], code: SourceTree) -> Parameters:
    # The cache knows a job by its script and parameters, not by its wildcards: hence the models' digest.
    makers = [makers_of(*shard) for shard in shards]
    codes = {used: _code("export_shard", code, *used, without=not_run(used)) for used in makers}
    return {
        "tools": _versions(campaign, EXPORT_TOOLS),
        "converters": installed_code(),
        "formats": formats_on_request(campaign.target.formats),
        "models": per_shard(digest_of_json(_described(shard)) for shard in shards),
        "code": per_shard(codes[used] for used in makers),
    }


def _of_fit(campaign: Campaign, code: SourceTree) -> Parameters:
    return {
        "fit": campaign.config["fit"],
        "metrics": campaign.metrics,
        "target": campaign.name,
        "evaluation": f"{campaign.target_results}/evaluation",
        "predictor": f"{campaign.target_results}/predictor",
        "tools": _versions(campaign, FIT_TOOLS),
        "code": _code("fit_predictor", code),
    }


def _of_studies(campaign: Campaign, code: SourceTree) -> Parameters:
    each = {
        name: _of_study(name, inputs_of(campaign, name), options_of(campaign, name), code)
        for name in campaign.config["studies"]
    }
    keys = ("study", "inputs", "options", "code")
    return {key: PerJob("study", {name: values[key] for name, values in each.items()}) for key in keys} | {
        "logs": {},
        "replaces": [],
    }


def _of_study(name: str, inputs: list[str], options: Parameters, code: SourceTree) -> Parameters:
    # The registry names all studies, and a study is not run again because of another one.
    script, module = code.root / "workflow/scripts/run_study.py", f"{study_packages()[name]}.study"
    digest = code.digest([script, module], without=["perfcast.studies.registry"])
    return {"study": name, "inputs": inputs, "options": options, "code": digest}


def measured(campaign: Campaign) -> dict[str, Any]:
    """Return what measurements depend on: not a target's description, nor what is learned or planned from it.

    As it is here: another number of processors is another campaign, a default that is written out is not.
    """
    described, target = campaign.description, campaign.target
    return {key: value for key, value in described.items() if key not in ("description", "metrics")} | {
        "device": {key: value for key, value in described["device"].items() if key != "memory_mb"},
        "factors": resolved(described["factors"], described["transport"]["kind"]),
        "protocol": dataclasses.asdict(dataclasses.replace(target.protocol, budget_s=None)),
        "settings": target.settings,
        "soak_s": target.soak_s,
        "time_limit_s": float(target.time_limit_s),
    }


def _described(specs: Sequence[ModelSpec]) -> list[dict[str, Any]]:
    return [spec.to_dict() for spec in specs]


def _versions(campaign: Campaign, names: Sequence[str]) -> dict[str, str]:
    return {name: campaign.tools[name] for name in names}


def _code(rule: str, tree: SourceTree, *more: str | Path, without: frozenset[str] = frozenset()) -> str:
    """Digest all that a rule's script runs: the script bears the rule's name."""
    return tree.digest([tree.root / f"workflow/scripts/{rule}.py", *more], without=without)
