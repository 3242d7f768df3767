"""What all rules share: the checked configuration, and digests of the code that a stage uses."""

import ast
import dataclasses
import functools
import hashlib
import os
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from perfcast.bench.target import Target, read_description, resolved
from perfcast.bench.tasks import shard_of
from perfcast.models.collect import collect
from perfcast.config import check, find_file, read_extended, read_mapping, with_defaults
from perfcast.errors import UsageError
from perfcast.fit.options import MIN_ROWS
from perfcast.tables.mapping import load_mapping
from perfcast.storage import digest_of_json

# What else lies among the code, editors' and Python's own files, changes nothing.
CODE_SUFFIXES = (".py", ".yaml", ".json", ".j2", ".css", ".js")


def checked_target():
    """Check the configuration and the target that it names; return the target's description."""
    if "target" not in config:
        raise UsageError(
            "no target is chosen; run `snakemake --profile profiles/local` to measure this machine, "
            "or add `--config target=<a file of config/targets>`"
        )
    check(config, "config", configuration())
    path = project_file(f"{config['targets']}/{config['target']}.yaml")
    description, origin = read_extended(path)
    if "tables" not in description:
        return read_description(path)
    check(description, "imported", origin)
    return description


def check_store():
    """Refuse a store in a folder that users are told to delete."""
    for folder in (MANIFESTS, TARGET_RESULTS):
        if Path(STORE).resolve().is_relative_to(Path(folder).resolve()):
            raise UsageError(
                f"{configuration()}: store: {STORE} lies in {folder}, which may be deleted and made again; "
                "choose a folder outside"
            )


def configuration():
    """Name what the configuration was read from."""
    if IS_MODULE:
        return f"the config of module {__name__}"
    return " with ".join(str(path) for path in workflow.configfiles)


def project_file(name):
    """Return a file named in the configuration: of the working directory, else of the workflow."""
    return find_file(name, [Path(), BASE])


def versions(*packages):
    """Return the versions that jobs use: what other versions made has to be made again."""
    methods = workflow.deployment_settings.deployment_method
    if DeploymentMethod.CONDA in methods:
        pins = (BASE / "envs/perfcast.yaml").read_text()
        return {p: re.search(rf"'{p}==(\S+)'", pins)[1] for p in packages}
    try:
        return {package: version(package) for package in packages}
    except PackageNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed; run `make setup`, or have conda install what jobs need: "
            "add --software-deployment-method conda"
        ) from error


@functools.cache
def content(file):
    """Return what a file says; of Python, comments and layout left out."""
    if file.suffix == ".py":
        return ast.dump(ast.parse(file.read_bytes())).encode()
    return file.read_bytes()


def code(*modules):
    """Digest the package's modules that a stage uses: Snakemake does not see an edit inside an import."""
    digest = hashlib.sha256()
    for module in ("storage", "errors", *modules):
        path = BASE / "perfcast" / module
        found = path.rglob("[!.]*.*") if path.is_dir() else [path.with_suffix(".py")]
        for file in sorted(file for file in found if file.suffix in CODE_SUFFIXES):
            digest.update(f"{file.name}\0".encode() + content(file))
    return digest.hexdigest()


def all_cores():
    """Return the number of cores; 1 where Snakemake was told none as it only looks, for a report or a summary."""
    try:
        return workflow.cores
    except WorkflowError:
        return 1


def checked_models():
    """Return the models of the sheets and the random ones, once there are enough of them."""
    found = collect([Path(path) for path in SHEETS], config["models"]["synthetic"])
    families = {spec.family for spec in found.specs}
    if len(found.specs) < MIN_ROWS or len(families) < 2:
        raise UsageError(
            f"models: {len(found.specs)} models of {len(families)} families are too few to learn from; "
            f"list at least {MIN_ROWS} of 2 families in models.sheets"
        )
    return found


def imported_metrics():
    """Return what is learned from tables, as a target of devices names it."""
    found = load_mapping(Path(MAPPING_FILE)).chosen(TARGET.get("metrics", ()))
    return {
        name: {"column": name, "unit": metric.unit}
        for name, metric in found.metrics.items()
    }


def measured():
    """Return what measurements depend on: not a target's description, nor what is learned or planned from it."""
    kept = {k: v for k, v in TARGET.items() if k not in ("description", "metrics")}
    target = Target.from_dict(config["target"], TARGET)
    device = {k: v for k, v in TARGET["device"].items() if k != "memory_mb"}
    # As they are here: another number of processors is another campaign, a default written out is not.
    return kept | {
        "device": device,
        "factors": resolved(TARGET["factors"], TARGET["transport"]["kind"]),
        "protocol": dataclasses.asdict(target.protocol),
        "settings": target.settings,
        "soak_s": target.soak_s,
        "time_limit_s": float(target.time_limit_s),
    }


def specs_by_shard():
    """Return the models' specs in shards, each in that which its name alone decides."""
    members = [[] for _ in SHARDS]
    for spec in MODELS.specs:
        members[shard_of(spec.model, len(SHARDS))].append(spec.to_dict())
    return members


def specs(wildcards):
    """Return a shard's models: an edited sheet makes those shards again whose models it changed."""
    return SPECS[int(wildcards.shard)]


def models(wildcards):
    """Digest a shard's models."""
    return digest_of_json(specs(wildcards))


# Where this workflow is used as a module, Snakemake reads no defaults.
config = with_defaults(config, read_mapping(Path(DEFAULTS)))
with errors_in_one_line():
    TARGET = checked_target()
    SHEETS = [str(project_file(name)) for name in config["models"]["sheets"]]
IS_IMPORTED = "tables" in TARGET
RESULTS = config["results"]
STORE = config["store"] = config["store"] or f"{RESULTS}/store"
MANIFESTS = f"{RESULTS}/manifests"
TARGET_RESULTS = f"{RESULTS}/{config['target']}"
with errors_in_one_line():
    check_store()
SHARDS = range(config["shards"])
CORES = all_cores()
if IS_IMPORTED:
    with errors_in_one_line():
        TABLES = [str(project_file(name)) for name in TARGET["tables"]]
        MAPPING_FILE = str(project_file(TARGET["mapping"]))
        METRICS = imported_metrics()
else:
    IS_REMOTE = TARGET["transport"]["kind"] != "local"
    IS_CHECKED = IS_REMOTE or bool(TARGET["transport"].get("container"))
    METRICS = TARGET["metrics"]
    with errors_in_one_line():
        MODELS = checked_models()
        EXPORT_TOOLS = versions("tensorflow", "keras")
    SPECS = specs_by_shard()
with errors_in_one_line():
    FIT_TOOLS = versions("scikit-learn", "xgboost", "mapie")
# Where caching is off, Snakemake warns of each rule that could be cached.
CACHE = "omit-software" if "SNAKEMAKE_OUTPUT_CACHE" in os.environ else False


wildcard_constraints:
    shard=r"\d+",
