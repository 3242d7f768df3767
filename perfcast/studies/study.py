"""What a study is: its inputs and options as declarations, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from perfcast.pages import Page, Table

INPUT_KEYS = ("targets", "files")
"""What a configuration names the inputs of a study with: one of them."""

_TAKEN = {*INPUT_KEYS, "out", "figures"}
"""Names that no option can have: what every study has."""


def listed_names(text: str | None) -> tuple[str, ...]:
    """Return the names that an option lists with commas between them, each once; none where it is not given."""
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


@dataclass(frozen=True)
class Option:
    """An option of a study, on the command line and in the configuration alike.

    Attributes:
        name: as the configuration writes it; the command line has `-` for `_`.
        help: one sentence.
        schema: JSON schema of its values, with the `type` `number`, `integer`, `string` or `boolean`.
        default: its value where it is not given; None for one that the study works out.
    """

    name: str
    help: str
    schema: Mapping[str, Any]
    default: Any = None


def alpha(meaning: str) -> Option:
    """Return the option `alpha`, the probability of an error, of which ``meaning`` says what error."""
    return Option("alpha", meaning, {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, 0.05)


def margin(meaning: str) -> Option:
    """Return the option `margin`, the relative difference that does not matter, of which ``meaning`` says of what."""
    return Option("margin", meaning, {"type": "number", "exclusiveMinimum": 0, "maximum": 1}, 0.1)


@dataclass(frozen=True)
class Findings:
    """What a study found.

    Attributes:
        lines: what to print: sentences and tables.
        page: its page, with all figures and tables.
        table: the numbers as a table, for studies that promise one.
        files: what else there is, by name.
        status: the exit status of the command; not 0 where the finding is one that scripts have to notice.
    """

    lines: tuple[str | Table, ...]
    page: Page
    table: pd.DataFrame | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    status: int = 0

    def summary(self, report: str | Path) -> list[str]:
        """Return the sentences of the findings, and where the page, which is at ``report``, and other files are."""
        where = "; ".join(f"{name}: {path}" for name, path in {"report": report, **self.files}.items())
        return [*(line for line in self.lines if isinstance(line, str)), where]


@dataclass(frozen=True)
class Study:
    """A reading of datasets of one or several targets, or of files of any kind.

    Attributes:
        summary: one sentence, for lists of studies.
        help: what it finds, in some sentences.
        inputs: what to call its inputs on the command line, in order; `...` at the end of the last one stands for any
            number of them.
        run: takes the paths of its inputs and a value for each option.
        options: its options.
        table: what a row of its table is; empty for a study without one.
        input_help: what each input is: a file dataset.parquet or the folder of a target's results, unless given.
    """

    summary: str
    help: str
    inputs: tuple[str, ...]
    run: Callable[[Sequence[Path], Mapping[str, Any]], Findings]
    options: tuple[Option, ...] = ()
    table: str = ""
    input_help: str = "the folder of a target's results or a file dataset.parquet"

    @property
    def is_open(self) -> bool:
        """Whether it takes any number of inputs."""
        return self.inputs[-1].endswith("...")

    def chosen(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a value for each option: that given, else the default."""
        return {option.name: given.get(option.name, option.default) for option in self.options}

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of what a configuration says of the study, with any of `INPUT_KEYS`.

        Raises:
            UsageError: an option has a name that every study has.
        """
        options = {option.name: {"description": option.help, **option.schema} for option in self.options}
        if taken := options.keys() & _TAKEN:
            raise UsageError(f"{min(taken)}: an option of a study cannot have this name")
        count = {"minItems": len(self.inputs)} | ({} if self.is_open else {"maxItems": len(self.inputs)})
        inputs = {"type": "array", **count, "hint": f"name {', '.join(self.inputs)}"}
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {**dict.fromkeys(INPUT_KEYS, inputs), **options},
        }
