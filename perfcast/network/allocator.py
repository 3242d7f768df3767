"""TensorFlow's allocator on a CPU with oneDNN: what a sequence of tensors takes of it, chunk by chunk.

Follows `tensorflow/core/common_runtime/mkl_cpu_allocator.h` (small allocations apart) and
`third_party/xla/xla/tsl/framework/bfc_allocator.cc` (best fit with coalescing).
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

SMALL_BYTES = 1 << 18
"""Allocations below this go to `malloc`, and are not counted in the allocator's peak."""
_UNIT = 256
_BINS = 21
_FIRST_REGION = 1 << 21
_MAX_WASTE = 128 << 20


@dataclass
class _Chunk:
    """A part of a region; `before` and `behind` are its neighbours in it."""

    start: int
    size: int
    free: bool = True
    before: _Chunk | None = None
    behind: _Chunk | None = None


class BestFit:
    """An allocator that gives each request the smallest free chunk that holds it.

    A chunk is split only if it is at least twice as large as the request: up to half of what is in use is slack.

    Attributes:
        in_use, peak: bytes of the chunks in use now and at most, as TensorFlow counts them.
    """

    def __init__(self) -> None:
        self.in_use = self.peak = 0
        self._region, self._end = _FIRST_REGION, 0
        self._chunks: dict[int, _Chunk] = {}
        self._bins: list[list[tuple[int, int]]] = [[] for _ in range(_BINS)]

    def take(self, count: int) -> int:
        """Return the address of a new allocation of so many bytes."""
        rounded = -(-count // _UNIT) * _UNIT
        chunk = self._find(rounded)
        if chunk is None:
            self._extend(rounded)
            chunk = self._find(rounded)
        assert chunk is not None, "a new region holds what it was made for"
        self._split(chunk, rounded)
        chunk.free = False
        self.in_use += chunk.size
        self.peak = max(self.peak, self.in_use)
        return chunk.start

    def give(self, start: int) -> None:
        """Free an allocation."""
        chunk = self._chunks[start]
        self.in_use -= chunk.size
        chunk.free = True
        for neighbour in (chunk.behind, chunk.before):
            if neighbour and neighbour.free:
                self._remove(neighbour)
        if chunk.behind and chunk.behind.free:
            self._merge(chunk, chunk.behind)
        if chunk.before and chunk.before.free:
            chunk = chunk.before
            assert chunk.behind is not None, "it has the freed chunk behind it"
            self._merge(chunk, chunk.behind)
        self._insert(chunk)

    def _find(self, rounded: int) -> _Chunk | None:
        for free in self._bins[_bin(rounded) :]:
            place = bisect.bisect_left(free, (rounded, 0))
            if place < len(free):
                return self._chunks[free.pop(place)[1]]
        return None

    def _extend(self, rounded: int) -> None:
        """Add a region: each is twice as large as the last one, or as often doubled as the request needs."""
        size = self._region
        while size < rounded:
            size *= 2
        self._region = size if size > self._region else 2 * size
        chunk = self._chunks[self._end] = _Chunk(self._end, size)
        self._end += size
        self._insert(chunk)

    def _split(self, chunk: _Chunk, rounded: int) -> None:
        if chunk.size < 2 * rounded and chunk.size - rounded < _MAX_WASTE:
            return
        rest = _Chunk(chunk.start + rounded, chunk.size - rounded, before=chunk, behind=chunk.behind)
        if rest.behind:
            rest.behind.before = rest
        chunk.size, chunk.behind = rounded, rest
        self._chunks[rest.start] = rest
        self._insert(rest)

    def _merge(self, chunk: _Chunk, behind: _Chunk) -> None:
        chunk.size += behind.size
        chunk.behind = behind.behind
        if chunk.behind:
            chunk.behind.before = chunk
        del self._chunks[behind.start]

    def _insert(self, chunk: _Chunk) -> None:
        bisect.insort(self._bins[_bin(chunk.size)], (chunk.size, chunk.start))

    def _remove(self, chunk: _Chunk) -> None:
        self._bins[_bin(chunk.size)].remove((chunk.size, chunk.start))


def _bin(size: int) -> int:
    return min(_BINS - 1, max(size // _UNIT, 1).bit_length() - 1)
