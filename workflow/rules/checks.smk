"""Before anything is read: where the workflow is, and its configuration's files as YAML that holds no surprises."""

from pathlib import Path

from perfcast.config import read_mapping
from perfcast.pipeline.checks import errors_in_one_line

# Of this file, as `workflow.basedir` is the importing workflow's where this one is used as a module.
BASE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
DEFAULTS = f"{BASE}/config/config.yaml"
IS_MODULE = not workflow.modifier.is_main_snakefile()

with errors_in_one_line():
    # The files of an importing workflow are its own business.
    for file in (DEFAULTS, *([] if IS_MODULE else workflow.configfiles)):
        read_mapping(Path(file))
