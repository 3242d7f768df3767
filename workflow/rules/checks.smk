"""Before anything is read: where the workflow is, and its configuration's files as YAML that holds no surprises."""

import contextlib
import sys
from pathlib import Path

from perfcast.config import read_mapping
from perfcast.errors import PerfcastError

# Of this file, as `workflow.basedir` is the importing workflow's where this one is used as a module.
BASE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
DEFAULTS = f"{BASE}/config/config.yaml"
IS_MODULE = not workflow.modifier.is_main_snakefile()


@contextlib.contextmanager
def errors_in_one_line():
    """End with one line and the error's exit code: Snakemake's own errors add lines of this file."""
    try:
        yield
    except PerfcastError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


with errors_in_one_line():
    # The files of an importing workflow are its own business.
    for file in (DEFAULTS, *([] if IS_MODULE else workflow.configfiles)):
        read_mapping(Path(file))
