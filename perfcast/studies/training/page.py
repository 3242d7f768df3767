"""The page of the study: answers, the document's claims, convolutions, operations, methods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfcast.pages import Page, Section
from perfcast.pages import formatting as fmt
from perfcast.studies.statistics.claims import claims_table
from perfcast.studies.training import figures, sentences, tables
from perfcast.studies.training.accuracy import accuracy_lines
from perfcast.studies.training.accuracy_page import accuracy_sections
from perfcast.studies.training.memory import claims_of, memory_section, memory_sentences, peaks_table
from perfcast.studies.training.operation_page import operation_lines, operation_sections
from perfcast.studies.training.splits import kinds_table, split_section, split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from perfcast.pages import Figure, Table
    from perfcast.studies.training.answers import Answers, Rules
    from perfcast.studies.training.convolutions import Setting
    from perfcast.studies.training.memory import MemoryTrace
    from perfcast.studies.training.operations import Breakdown
    from perfcast.studies.training.splits import Split

_NO_CONVOLUTIONS = (
    "No input holds measurements of single convolutions; config/training_local.yaml measures some on this machine."
)


@dataclass(frozen=True)
class Found:
    """All that was found.

    Attributes:
        answers: of convolutions, by place.
        breakdowns: profiles of operations.
        traces: memory over time.
        splits: what training steps hold at their peak.
        notes: what was left out.
        runs: training runs, a table for each file.
    """

    answers: tuple[Answers, ...]
    breakdowns: tuple[Breakdown, ...]
    traces: tuple[MemoryTrace, ...]
    splits: tuple[Split, ...]
    notes: tuple[str, ...]
    runs: tuple[pd.DataFrame, ...] = ()


def training_page(found: Found, rules: Rules) -> Page:
    """Return the page."""
    return Page(
        "Training on this device",
        lead=sentences.lead(found.answers, len(found.breakdowns), len(found.traces)),
        facts=(
            ("places with convolutions", str(len(found.answers))),
            ("profiles of operations", str(len(found.breakdowns))),
            ("traces of memory", str(len(found.traces))),
            ("probability of a false verdict", fmt.percent(100 * rules.alpha)),
            ("difference that does not matter", fmt.percent(100 * rules.margin)),
        ),
        sections=(
            *_convolution_sections(found.answers, found.notes),
            *operation_sections(found.breakdowns),
            memory_section(found.traces),
            *split_section(found.splits, found.traces),
            *accuracy_sections(found.runs),
            Section("methods", "How it was found", _methods(rules)),
        ),
    )


def _convolution_sections(answers: Sequence[Answers], notes: Sequence[str]) -> Iterator[Section]:
    if not answers:
        yield Section("convolutions", "Convolutions", (_NO_CONVOLUTIONS, *notes))
        return
    several = len(answers) > 1
    yield Section(
        "answer",
        "The answers",
        tuple(f"{f'{each.place}: ' if several else ''}{text}" for each in answers for text in sentences.findings(each)),
        warnings=tuple(notes),
    )
    yield Section(
        "claims",
        "The document's claims",
        (
            "Claims of Agarwal, Paulsen and Hancock, Performance Analysis of Machine Learning Model Training on Low "
            "Power Devices. Open: the data cannot decide.",
        ),
        tables=tuple(claims_table(each.claims, f"Claims, and what {each.place} says of them") for each in answers),
    )
    settings = sorted({setting for each in answers for setting in each.settings})
    for number, setting in enumerate(settings, start=1):
        yield _setting_section(answers, setting, f"convolutions-{number}")


def _setting_section(answers: Sequence[Answers], setting: Setting, key: str) -> Section:
    here = [each for each in answers if setting in each.settings]
    growths = [growth for each in here for growth in each.growths]
    return Section(
        key,
        f"Convolutions: {setting}",
        tables=tuple(table for each in here for table in _tables(each, setting, several=len(here) > 1)),
        figures=(
            *figures.kernel_figures(growths, setting, key),
            *(
                figure
                for number, each in enumerate(here, start=1)
                for figure in _figures(each, setting, f"{key}-{number}", several=len(here) > 1)
            ),
        ),
    )


def _tables(answers: Answers, setting: Setting, *, several: bool) -> list[Table]:
    found = (tables.growth_table(answers, setting), tables.compared_table(answers, setting))
    return [replace(table, caption=f"{answers.place}: {table.caption}") if several else table for table in found]


def _figures(answers: Answers, setting: Setting, key: str, *, several: bool) -> list[Figure]:
    cells = [cell for cell in answers.cells if cell.convolution.setting == setting]
    found = (*figures.batch_figures(cells, key), figures.roofline_figure(cells, f"{key}-roofline"))
    return [replace(figure, title=f"{answers.place}: {figure.title}") if several else figure for figure in found]


def _methods(rules: Rules) -> tuple[str, ...]:
    return (
        "A convolution is recognised by its features: a network of one or two convolutions and nothing else that "
        "multiplies or has weights. Operations are two per multiply-accumulate of a layer's definition; algorithms "
        "that multiply less often (Winograd's) may appear above what the device can do. Backward there is the gradient "
        "of the weights, and of a second convolution that of its input. Bytes are those of each pass's images and "
        "weights, moved once.",
        "Intervals of ratios: from the latency's interval of each measurement or, where that is more, from how far "
        f"repeated measurements differ; all intervals of a claim hold at once with {1 - rules.alpha:.0%} (Bonferroni).",
        "Growth: time as a power of the kernel's side. A change of the exponent is a change of slope on logarithmic "
        "axes, tested by drawing what a curve without one would leave; false alarms have probability "
        f"{rules.alpha:g} over the curves of a place. On linear axes the slope always grows, as multiply-accumulates "
        "grow with the square: a penalty is what is beyond that.",
    )


def summary(found: Found) -> tuple[str | Table, ...]:
    """Return what to print."""
    lines: list[str | Table] = [f"warning: {note}" for note in found.notes]
    if not found.answers:
        lines.append(_NO_CONVOLUTIONS)
    for each in found.answers:
        prefix = f"{each.place}: " if len(found.answers) > 1 else ""
        lines += [f"{prefix}{text}" for text in sentences.findings(each)]
        lines += [f"{prefix}{claim}" for claim in each.claims]
    lines += operation_lines(found.breakdowns)
    if found.traces:
        lines += [*memory_sentences(found.traces), peaks_table(found.traces), *map(str, claims_of(found.traces))]
    if found.splits:
        lines += [*split_sentences(found.splits), kinds_table(found.splits, found.traces)]
    for runs in found.runs:
        lines += accuracy_lines(runs)
    return tuple(lines)
