"""What was found of convolutions, in sentences with numbers and intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.pages.formatting import is_number, number, percent
from perfcast.studies.training.answers import average_in_words, range_in_words
from perfcast.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perfcast.studies.statistics.growth import Growth
    from perfcast.studies.training.answers import Answers, Compared
    from perfcast.studies.training.convolutions import Setting
    from perfcast.studies.training.kernels import Series


def findings(answers: Answers) -> tuple[str, ...]:
    """Return the answers of one place, a sentence each: those to questions that it has data for."""
    several = len(answers.settings) > 1
    return tuple(
        f"{f'{setting}: ' if several else ''}{sentence}"
        for setting in answers.settings
        for sentence in findings_of(answers, setting)
    )


def findings_of(answers: Answers, setting: Setting) -> tuple[str, ...]:
    """Return the answers of one place under one setting."""
    own = [
        [each for each in found if each.setting == setting]
        for found in (answers.stacked, answers.penalties, answers.batches, answers.backward)
    ]
    stacked, penalties, batches, backward = own
    return (
        *_sentence("5×5 followed by 3×3 takes {} times as long as one 7×7 here", stacked),
        *_sentence("A multiply-accumulate of 7×7 takes {} times as long as one of 5×5", penalties),
        *_sentence("At the largest batch an image takes {} times as long as at the smallest", batches),
        *_sentence(
            "Forward and backward take {} times as long as forward alone, for twice the multiply-accumulates (the "
            "gradient of the image is not needed)",
            backward,
        ),
        *_growth([growth for growth in answers.growths if growth.curve.setting == setting]),
        *_achieved(answers, setting),
    )


def _sentence(text: str, compared: Sequence[Compared]) -> list[str]:
    if not compared:
        return []
    return [f"{text.format(average_in_words(compared))}: {_direction(compared)}, {range_in_words(compared)}."]


def _direction(compared: Sequence[Compared]) -> str:
    less, more = sum(each.ratio.high < 1 for each in compared), sum(each.ratio.low > 1 for each in compared)
    parts = [f"{word} in {count}" for count, word in ((less, "less"), (more, "more")) if count]
    of = f"of {pluralize(len(compared), 'comparison')}"
    return f"certainly {' and '.join(parts)} {of}" if parts else f"no difference is certain in any {of}"


def _growth(growths: Sequence[Growth[Series]]) -> list[str]:
    """Return where growth changes, over all curves."""
    breaks = [each for growth in growths for each in growth.breaks]
    decided = [growth for growth in growths if not growth.undecided]
    if not decided:
        return [f"Where growth with the kernel changes is undecided: {growths[0].undecided}."] if growths else []
    curves = pluralize(len(decided), "curve")
    if not breaks:
        least = number(max(growth.detectable for growth in decided))
        return [
            f"Growth with the kernel changes in none of {curves}: a change of the exponent by {least} would be seen."
        ]
    changing = sum(bool(growth.breaks) for growth in decided)
    return [
        f"Growth with the kernel changes in {changing} of {curves}, at a side of {_range(e.level for e in breaks)} "
        f"(95 % intervals: {number(min(e.low for e in breaks))} to {number(max(e.high for e in breaks))}): time grows "
        f"with an exponent of {_range(e.before for e in breaks)} below and {_range(e.after for e in breaks)} beyond, "
        "where multiply-accumulates alone would give 2."
    ]


def _range(values: Iterable[float]) -> str:
    found = list(values)
    low, high = number(min(found)), number(max(found))
    return low if low == high else f"{low} to {high}"


def _achieved(answers: Answers, setting: Setting) -> list[str]:
    cells = [cell for cell in answers.cells if cell.convolution.setting == setting]
    best = max(cells, key=lambda cell: cell.flops_per_s)
    what = f"{best.convolution}, {best.workload}, batch {best.batch}"
    if not is_number(best.peak_flops_per_s):
        return [f"At best {number(best.flops_per_s / 1e9)}·10⁹ operations per second are achieved ({what})."]
    share = percent(100 * best.flops_per_s / best.peak_flops_per_s)
    return [
        f"At best {share} of the measured peak of {number(best.peak_flops_per_s / 1e9)}·10⁹ operations per second is "
        f"achieved ({what})."
    ]


def lead(answers: Sequence[Answers], profiles: int, traces: int) -> str:
    """Return what the page is about, and its verdicts in short."""
    about = [pluralize(profiles, "profile of operations", "profiles of operations")] if profiles else []
    about += [pluralize(traces, "trace of memory", "traces of memory")] if traces else []
    if not answers:
        return f"{', '.join(about)}." if about else ""
    count = pluralize(sum(len(each.cells) for each in answers), "time")
    about.insert(0, f"{count} of convolutions on {', '.join(each.place for each in answers)}")
    verdicts = [claim.verdict for each in answers for claim in each.claims]
    told = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    return f"{'; '.join(about)}. The document's claims on convolutions: {told}."
