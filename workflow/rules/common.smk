"""What all rules share: the checked configuration, and digests of the code that a stage uses."""

import hashlib
from pathlib import Path

from snakemake.exceptions import WorkflowError

from perfcast.config import check, find_file, read_yaml
from perfcast.errors import UsageError

BASE = Path(workflow.basedir)


def checked_config():
    """Check the configuration and the target that it names; return the target's description and file."""
    if "target" not in config:
        raise WorkflowError(
            "no target is chosen. Run `snakemake --profile profiles/local` to measure this machine, "
            "or add `--config target=<a file of config/targets>`."
        )
    try:
        check(config, "config", "configuration")
        path = project_file(f"{config['targets']}/{config['target']}.yaml")
        target = read_yaml(path)
        check(target, "target", str(path))
    except UsageError as error:
        raise WorkflowError(str(error))
    return target


def project_file(name):
    """Return a file named in the configuration: of the working directory, else of the workflow."""
    return find_file(name, [Path(), BASE])


def sheets():
    try:
        return [str(project_file(name)) for name in config["models"]["sheets"]]
    except UsageError as error:
        raise WorkflowError(f"models.sheets: {error}")


def code(*modules):
    """Digest the package's modules that a stage uses: Snakemake does not see an edit inside an import."""
    digest = hashlib.sha256()
    for module in ("storage", "errors", *modules):
        path = BASE / "perfcast" / module
        files = (
            sorted(path.rglob("*.*")) if path.is_dir() else [path.with_suffix(".py")]
        )
        for file in files:
            if file.suffix != ".pyc":
                digest.update(f"{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


TARGET = checked_config()
RESULTS = config["results"]
STORE = f"{RESULTS}/store"
MANIFESTS = f"{RESULTS}/manifests"
TARGET_RESULTS = f"{RESULTS}/{config['target']}"
SHARDS = range(config["shards"])


wildcard_constraints:
    shard=r"\d+",
