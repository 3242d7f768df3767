"""What all rules share: the checked configuration, and digests of the code that a stage uses."""

import contextlib
import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

from perfcast.bench.target import Target
from perfcast.config import check, find_file, read_yaml
from perfcast.errors import UsageError

BASE = Path(workflow.basedir)


@contextlib.contextmanager
def users_mistakes():
    """End with one line and exit code 2: Snakemake's own errors add lines of this file."""
    try:
        yield
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def checked_target():
    """Check the configuration and the target that it names; return the target's description."""
    if "target" not in config:
        raise UsageError(
            "no target is chosen; run `snakemake --profile profiles/local` to measure this machine, "
            "or add `--config target=<a file of config/targets>`"
        )
    check(config, "config", " with ".join(str(path) for path in workflow.configfiles))
    path = project_file(f"{config['targets']}/{config['target']}.yaml")
    target = read_yaml(path)
    check(target, "target", str(path))
    try:
        Target.from_dict(config["target"], target)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return target


def project_file(name):
    """Return a file named in the configuration: of the working directory, else of the workflow."""
    return find_file(name, [Path(), BASE])


def versions(*packages):
    """Return the installed versions: what other versions made has to be made again."""
    return {package: version(package) for package in packages}


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


with users_mistakes():
    TARGET = checked_target()
    SHEETS = [str(project_file(name)) for name in config["models"]["sheets"]]
RESULTS = config["results"]
STORE = f"{RESULTS}/store"
MANIFESTS = f"{RESULTS}/manifests"
TARGET_RESULTS = f"{RESULTS}/{config['target']}"
SHARDS = range(config["shards"])


wildcard_constraints:
    shard=r"\d+",
