"""Which corpus a family is trained and evaluated on: what the user names, a download, or the built-in default."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perfcast.errors import SourceError, UsageError
from perfcast.sweeps.data.images import default_images, download_images, find_images
from perfcast.sweeps.data.texts import FILES, default_texts, download_texts, find_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from perfcast.sweeps.data.corpus import Corpus, Wanted

KERAS, BUILT_IN = "keras", "builtin"
"""What a user may name besides folders."""

_ANSWER_S = 15.0


@dataclass(frozen=True)
class Sources:
    """Where the corpora of a family come from.

    Attributes:
        find: in a folder, None where it has none.
        download: by Keras.
        default: without anything.
        files: what is looked for in a folder, for messages.
    """

    find: Callable[[Path, Wanted], Corpus | None]
    download: Callable[[Wanted], Corpus]
    default: Callable[[Wanted], Corpus]
    files: str


SOURCES = {
    "fashion_mnist": Sources(find_images, download_images, default_images, "t10k-images-idx3-ubyte and its like"),
    "text": Sources(find_texts, download_texts, default_texts, " and ".join(FILES)),
}


def corpus_of(family: str, named: Sequence[str], wanted: Wanted, say: Callable[[str], None]) -> Corpus:
    """Return the corpus of a family.

    Args:
        family: a key of `SOURCES`.
        named: folders, of which the first that has data of the family is taken; or `keras` or `builtin`. Without any,
            Keras's download is tried, then the default is taken.
        wanted: how much of it.
        say: called with what the user should know.

    Raises:
        UsageError: no folder has data of the family, or a file is wrong.
        SourceError: Keras was named, and cannot download.
    """
    sources = SOURCES[family]
    for name in named:
        if name == BUILT_IN:
            return sources.default(wanted)
        if name == KERAS:
            return _downloaded(sources, wanted)
        if found := _found(sources, Path(name), wanted):
            return found
    if named:
        raise UsageError(f"--data {', '.join(named)}: has no data of {family}: {sources.files}")
    try:
        return _downloaded(sources, wanted)
    except SourceError as error:
        say(f"{family}: {error}; the built-in default takes its place (--data names a folder)")
        return sources.default(wanted)


def _found(sources: Sources, folder: Path, wanted: Wanted) -> Corpus | None:
    try:
        if not folder.is_dir():
            raise UsageError(f"--data {folder}: is not a folder; write one, {KERAS} or {BUILT_IN}")
        return sources.find(folder, wanted)
    except OSError as error:
        raise UsageError(f"--data {folder}: cannot be read ({error.strerror or error})") from error


def _downloaded(sources: Sources, wanted: Wanted) -> Corpus:
    try:
        with _answer_within(_ANSWER_S):
            return sources.download(wanted)
    except Exception as error:  # Keras raises plain exceptions.
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"Keras cannot download its data here ({reason})") from error


@contextlib.contextmanager
def _answer_within(seconds: float) -> Iterator[None]:
    """Have connections fail that do not answer for so long."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
