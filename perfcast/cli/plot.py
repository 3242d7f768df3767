"""A drawing of samples in the terminal: latency against sample number, and a histogram that shares its axis."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from perfcast.text import format_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

ROWS = 14
NARROWEST = 40
_FAR_OUT = 3.0
"""Quartile ranges beyond the quartiles from which a sample is far out: Tukey (1977), Exploratory Data Analysis."""
_SHOWN = 8.0
_MIN_RANGE = 0.01
_PADDING = 0.04
_HISTOGRAM_FROM, _HISTOGRAM_SHARE = 56, 0.2
_LABEL_EVERY = 3
_NARROWEST_VISIT = 3
_DOT_ROWS, _DOT_COLUMNS = 4, 2
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE = 0x2800


@dataclass(frozen=True)
class Marks:
    """The characters of a drawing."""

    warmup: str
    far_out: str
    above: str
    below: str
    location: str
    between: str
    axis: str
    tick: str
    corner: str
    floor: str
    bars: str


PRETTY = Marks("○", "×", "▲", "▼", "╌", "┊", "│", "┤", "└", "─", "▏▎▍▌▋▊▉█")
ASCII = Marks("o", "x", "^", "v", "-", "|", "|", "+", "+", "-", "#")


_STYLES = {
    "dim": PRETTY.between + PRETTY.warmup,
    "bold red": PRETTY.far_out + PRETTY.above + PRETTY.below,
    "green": PRETTY.location,
    "blue": PRETTY.bars,
}


@dataclass(frozen=True)
class Samples:
    """What is drawn: equal arrays of wall times (ms), visits and what is warm-up; the latency that was found."""

    wall_ms: np.ndarray
    visit: np.ndarray
    discarded: np.ndarray
    disturbed: frozenset[int]
    location_ms: float

    @property
    def visits(self) -> list[int]:
        """The visits in the order they were made."""
        return [int(number) for number in dict.fromkeys(self.visit.tolist())]


@dataclass
class _Canvas:
    """Characters at places, and what each of them stands for."""

    columns: int
    characters: dict[tuple[int, int], str] = field(default_factory=dict)

    def put(self, row: int, column: int, character: str) -> None:
        self.characters[row, column] = character

    def line(self, row: int) -> str:
        return "".join(self.characters.get((row, column), " ") for column in range(self.columns))


@dataclass(frozen=True)
class _Axis:
    """The range of latencies that is drawn, and where far out begins."""

    low: float
    high: float
    far_low: float
    far_high: float

    @classmethod
    def of(cls, samples: Samples) -> _Axis:
        kept = samples.wall_ms[~samples.discarded]
        first, middle, third = np.percentile(kept, [25, 50, 75])
        spread = max(third - first, _MIN_RANGE / _FAR_OUT * middle)
        low = min(max(kept.min(), first - _SHOWN * spread), samples.location_ms)
        high = max(min(kept.max(), third + _SHOWN * spread), samples.location_ms)
        padding = max(_PADDING * (high - low), (_MIN_RANGE * middle - (high - low)) / 2)
        return cls(low - padding, high + padding, first - _FAR_OUT * spread, third + _FAR_OUT * spread)

    def fraction(self, values: np.ndarray) -> np.ndarray:
        """Return how far down from the top values are, 0 to 1 within the range."""
        return np.asarray((self.high - values) / (self.high - self.low))

    def middle_of(self, row: int) -> float:
        """Return the latency in the middle of a row."""
        return self.high - (row + 0.5) / ROWS * (self.high - self.low)

    def row_of(self, value: float) -> int:
        """Return the row that a latency lies in."""
        return int(np.clip(self.fraction(np.array(value)) * ROWS, 0, ROWS - 1))


def draw(samples: Samples, width: int, pretty: bool) -> list[str]:
    """Return the lines of a drawing.

    Args:
        samples: one or more that are no warm-up.
        width: columns of the terminal; 40 at least are taken.
        pretty: whether it takes more than ASCII.
    """
    width = max(width, NARROWEST)
    marks, axis = PRETTY if pretty else ASCII, _Axis.of(samples)
    labels = _labels(axis, samples.location_ms)
    gutter = max(len(text) for text in labels.values()) + 1
    bars = int(width * _HISTOGRAM_SHARE) if width >= _HISTOGRAM_FROM else 0
    columns = width - gutter - 2 - (bars + 1 if bars else 0)
    canvas, starts = _plotted(samples, axis, columns, marks, pretty)
    histogram = _histogram(samples, axis, bars, marks)
    lines = []
    for row in range(ROWS):
        label = labels.get(row, "")
        edge = f"{label:>{gutter}} {marks.tick if label else marks.axis}"
        lines.append((edge + canvas.line(row) + (f"{marks.axis}{histogram[row]}" if bars else "")).rstrip())
    return [*lines, *_below(samples, starts, gutter, columns, marks), *_legend(samples, axis, marks, width)]


def styled(line: str) -> Text:
    """Return a line of a drawing in colours, which say nothing that its characters do not."""
    from rich.text import Text

    text = Text(line)
    for style, characters in _STYLES.items():
        text.highlight_regex(f"[{re.escape(characters)}]+", style)
    return text


def _labels(axis: _Axis, location: float) -> dict[int, str]:
    """Return the latencies to print next to the rows: the reported one, and others that do not overlap it."""
    found = axis.row_of(location)
    rows = [row for row in range(0, ROWS, _LABEL_EVERY) if abs(row - found) > 1]
    step = (axis.high - axis.low) / ROWS
    places = int(np.clip(np.ceil(-np.log10(step)), 0, 9)) if step > 0 else 0
    return {row: f"{axis.middle_of(row):.{places}f}" for row in rows} | {found: f"{location:.{places}f}"}


def _plotted(
    samples: Samples, axis: _Axis, columns: int, marks: Marks, pretty: bool
) -> tuple[_Canvas, dict[int, tuple[int, int]]]:
    """Return the drawn samples, and the first and last column of each visit."""
    canvas, spans = _Canvas(columns), _spans(samples, columns)
    found = axis.row_of(samples.location_ms)
    for column in range(columns):
        canvas.put(found, column, marks.location)
    places = np.empty(len(samples.wall_ms))
    for number, (first, last) in spans.items():
        inside = samples.visit == number
        count = int(inside.sum())
        places[inside] = first + (np.arange(count) + 0.5) / count * (last - first + 1)
    down = axis.fraction(samples.wall_ms)
    far = (samples.wall_ms > axis.far_high) | (samples.wall_ms < axis.far_low)
    usual = ~far & ~samples.discarded & (down >= 0) & (down < 1)
    _put_dots(canvas, places[usual], down[usual], pretty)
    rows = np.clip(down * ROWS, 0, ROWS - 1).astype(int)
    for kind, mask in (("warmup", samples.discarded), ("far_out", far & ~samples.discarded)):
        for at in np.flatnonzero(mask & (down >= 0) & (down < 1)):
            canvas.put(int(rows[at]), int(places[at]), getattr(marks, kind))
    for at in np.flatnonzero(~samples.discarded & ((down < 0) | (down >= 1))):
        canvas.put(int(rows[at]), int(places[at]), marks.above if down[at] < 0 else marks.below)
    for first, _ in list(spans.values())[1:]:
        for row in range(ROWS):
            if _separated(spans):
                canvas.put(row, first - 1, marks.between)
    return canvas, spans


def _separated(spans: dict[int, tuple[int, int]]) -> bool:
    (_, last), *others = spans.values()
    return bool(others) and others[0][0] - last == 2


def _spans(samples: Samples, columns: int) -> dict[int, tuple[int, int]]:
    """Return the columns of each visit, by how many samples it has, one between two if there is room."""
    numbers = samples.visits
    counts = np.array([(samples.visit == number).sum() for number in numbers], float)
    gap = 1 if columns >= len(numbers) * (_NARROWEST_VISIT + 1) else 0
    room = columns - gap * (len(numbers) - 1)
    ends = np.maximum(1, np.round(np.cumsum(counts) / counts.sum() * room)).astype(int)
    begins = [0, *ends[:-1]]
    return {
        number: (int(min(begin, columns - 1)) + gap * at, int(max(begin, end - 1)) + gap * at)
        for at, (number, begin, end) in enumerate(zip(numbers, begins, ends, strict=True))
    }


def _put_dots(canvas: _Canvas, places: np.ndarray, down: np.ndarray, pretty: bool) -> None:
    if not pretty:
        for place, fraction in zip(places, down, strict=True):
            canvas.put(int(fraction * ROWS), min(int(place), canvas.columns - 1), ".")
        return
    cells: dict[tuple[int, int], int] = {}
    for place, fraction in zip(places, down, strict=True):
        column, row = int(place * _DOT_COLUMNS), int(fraction * ROWS * _DOT_ROWS)
        cell = row // _DOT_ROWS, min(column // _DOT_COLUMNS, canvas.columns - 1)
        cells[cell] = cells.get(cell, 0) | _DOTS[row % _DOT_ROWS][column % _DOT_COLUMNS]
    for (row, column), bits in cells.items():
        canvas.put(row, column, chr(_BRAILLE + bits))


def _histogram(samples: Samples, axis: _Axis, width: int, marks: Marks) -> list[str]:
    rows = np.clip(axis.fraction(samples.wall_ms[~samples.discarded]) * ROWS, 0, ROWS - 1).astype(int)
    counts = np.bincount(rows, minlength=ROWS)
    return [_bar(width * count / counts.max(), marks.bars) for count in counts]


def _bar(length: float, bars: str) -> str:
    """Return a bar of a length in columns; any at all is visible."""
    steps = int(np.ceil(length * len(bars)))
    whole, rest = divmod(steps, len(bars))
    return bars[-1] * whole + (bars[rest - 1] if rest else "")


def _below(
    samples: Samples, spans: dict[int, tuple[int, int]], gutter: int, columns: int, marks: Marks
) -> Iterator[str]:
    yield " " * (gutter + 1) + marks.corner + marks.floor * columns
    names = [" "] * columns
    for at, (number, (first, last)) in enumerate(spans.items()):
        name = f"{at + 1}{'*' if number in samples.disturbed else ''}"
        if at == 0 and last - first + 1 >= len(name) + 6:
            name = f"visit {name}"
        start = first + (last - first + 1 - len(name)) // 2
        if _separated(spans) or len(spans) == 1:
            names[max(0, start) : max(0, start) + len(name)] = name
    line = "".join(names).rstrip()[:columns]
    yield " " * (gutter + 2) + (line or f"{len(spans)} visits")


def _legend(samples: Samples, axis: _Axis, marks: Marks, width: int) -> list[str]:
    kept = samples.wall_ms[~samples.discarded]
    above, below = kept[kept > axis.high], kept[kept < axis.low]
    parts = [f"{marks.location} latency in ms"]
    shown = samples.wall_ms[(samples.wall_ms >= axis.low) & (samples.wall_ms <= axis.high)]
    if (samples.discarded & np.isin(samples.wall_ms, shown)).any():
        parts.append(f"{marks.warmup} warm-up")
    if ((kept > axis.far_high) & (kept <= axis.high)).any() or ((kept < axis.far_low) & (kept >= axis.low)).any():
        parts.append(f"{marks.far_out} far out")
    if len(above):
        parts.append(f"{marks.above} {len(above)} above, up to {format_number(float(above.max()))}")
    if len(below):
        parts.append(f"{marks.below} {len(below)} below, down to {format_number(float(below.min()))}")
    if any(number in samples.disturbed for number in samples.visits):
        parts.append("* disturbed")
    lines = [""]
    for part in parts:
        joined = f"{lines[-1]}   {part}" if lines[-1] else part
        if len(joined) <= width - 2:
            lines[-1] = joined
        else:
            lines.append(part)
    return [f"  {line}" for line in lines]
