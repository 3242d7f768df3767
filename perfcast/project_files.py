"""Files of the project, by the names they have in a checkout: the working directory's own, else those of perfcast."""

from __future__ import annotations

from pathlib import Path

from perfcast.errors import UsageError

BESIDE = (Path(__file__).parent / "shipped/config").resolve().parent
"""The folder that holds perfcast's own `config`: in a checkout that link leads to its root."""

_SHOWN = 300


def find_project_file(name: str, base: Path = BESIDE) -> Path:
    """Return the file ``name`` of the project, such as `config/targets/local.yaml`.

    Args:
        name: its path; a relative one is looked for in the working directory, then in ``base``.
        base: a folder that holds the project's files.

    Raises:
        UsageError: there is no such file.
    """
    try:
        for path in (Path(name), base / name):
            if path.is_file():
                return path
    except OSError as error:
        raise UsageError(f"{name[:_SHOWN]}: cannot be read ({error.strerror or error})") from error
    places = dict.fromkeys(str(folder.resolve()) for folder in (Path(), base))
    raise UsageError(f"{name}: there is no such file in {' or '.join(places)}")


def all_sheets() -> tuple[Path, ...]:
    """Return the sheets of models: all of the working directory's `config/models`, else those of perfcast."""
    own = Path("config/models")
    return tuple(sorted((own if own.is_dir() else BESIDE / own).glob("*.csv")))
