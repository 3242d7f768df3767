"""Reviews to classify: the movie-review files, Keras's own download, and generated sentences where there is neither."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.errors import UsageError
from perfcast.sweeps.data.corpus import Corpus, Labelled, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

CLASSES = ("negative", "positive")
FILES = ("rt-polarity.neg", "rt-polarity.pos")
"""The files of negative and of positive reviews, one review a line."""

MAX_BYTES = 1 << 28
_PADDING, _UNKNOWN, _FIRST_WORD = 0, 1, 2
_WORD = re.compile(r"\w+(?:['-]\w+)*|[^\w\s]")
_SENTENCES = 4_000
# Keras marks the start of a review, words that it left out, and shifts all others.
_KERAS_SHIFT = 3


@dataclass(frozen=True)
class Vocabulary:
    """Which number stands for which word: 0 for none, 1 for an unknown one."""

    numbers: Mapping[str, int]

    @classmethod
    def of_texts(cls, texts: Iterable[str], size: int) -> Vocabulary:
        """Return the most frequent words of texts, so many with the two numbers that stand for no word."""
        counts = Counter(word for text in texts for word in words_of(text))
        # Of words that are as frequent the first in the alphabet, so that the order of texts does not matter.
        ranked = sorted(counts, key=lambda word: (-counts[word], word))[: size - _FIRST_WORD]
        return cls({word: number for number, word in enumerate(ranked, _FIRST_WORD)})

    def as_inputs(self, texts: Sequence[str], length: int) -> np.ndarray:
        """Return the numbers of each text's words, cut or padded to a length."""
        inputs = np.full((len(texts), length), _PADDING, np.int32)
        for row, text in zip(inputs, texts, strict=True):
            numbers = [self.numbers.get(word, _UNKNOWN) for word in words_of(text)[:length]]
            row[: len(numbers)] = numbers
        return inputs


def words_of(text: str) -> list[str]:
    """Return the words and punctuation marks of a text, in lower case."""
    return _WORD.findall(text.lower())


def find_texts(folder: Path, wanted: Wanted) -> Corpus | None:
    """Return the reviews of a folder with the files of movie reviews; None where there are none.

    Each review counts once, so that none is in both parts.

    Raises:
        UsageError: one of the files is missing, too large or empty.
    """
    if not any((folder / name).exists() for name in FILES):
        return None
    reviews = [_lines_of(folder / name) for name in FILES]
    both = set(reviews[0]) & set(reviews[1])  # What is called good and bad teaches nothing.
    kept = [[review for review in some if review not in both] for some in reviews]
    split = wanted.of_one_part(_labelled(kept))
    return Corpus(f"movie reviews in {folder}, a part of them held out", False, CLASSES, *split)


def _labelled(reviews: Sequence[Sequence[str]]) -> Labelled:
    """Return reviews of each class, classes in order, with their labels."""
    labels = np.repeat(np.arange(len(reviews)), [len(some) for some in reviews])
    return Labelled(tuple(review for some in reviews for review in some), labels)


def _lines_of(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: has more than {MAX_BYTES:,} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # As these files were first published.
    lines = list(dict.fromkeys(" ".join(line.split()) for line in text.split("\n") if line.strip()))
    if not lines:
        raise UsageError(f"{path}: has no reviews")
    return lines


def download_texts(wanted: Wanted) -> Corpus:
    """Return the IMDB reviews as Keras downloads them, or has downloaded them before.

    Raises:
        Exception: whatever Keras raises where it cannot.
    """
    from keras.datasets import imdb

    words = {number + _KERAS_SHIFT: word for word, number in imdb.get_word_index().items()}
    parts = []
    for reviews, labels in imdb.load_data():
        texts = tuple(" ".join(words.get(number, "?") for number in review[1:]) for review in reviews)
        parts.append(Labelled(texts, labels.astype(np.int64)))
    return Corpus("IMDB movie reviews, downloaded by Keras", False, CLASSES, *wanted.of_two_parts(*parts))


def default_texts(wanted: Wanted) -> Corpus:
    """Return generated sentences, no two alike: easy to tell apart, as their words give them away."""
    generator = np.random.default_rng(wanted.seed)
    found: dict[str, int] = {}
    while len(found) < _SENTENCES:
        label = len(found) % len(CLASSES)
        words = [generator.choice(choices) for choices in _PATTERN[label]]
        found.setdefault(" ".join(words), label)
    every = Labelled(tuple(found), np.array(list(found.values())))
    source = "BUILT-IN DEFAULT, not movie reviews: generated sentences"
    return Corpus(source, True, CLASSES, *wanted.of_one_part(every))


_SUBJECTS = ("the film", "the plot", "the script", "this story", "the cast", "the director's work", "the ending")
_VERBS = ("is", "seems", "remains", "turns out", "feels", "was")
_DEGREES = ("mostly", "rather", "quite", "always", "very", "at times", "somehow")
_REASONS = ("from start to end", "for its genre", "to my surprise", "as expected", "after the first hour", "once more")
_JUDGEMENTS = (
    ("dull", "tedious", "shallow", "predictable", "clumsy", "lifeless", "forgettable", "a waste of time"),
    ("moving", "clever", "gripping", "charming", "witty", "memorable", "brilliant", "worth seeing"),
)
_PATTERN = tuple((_SUBJECTS, _VERBS, _DEGREES, judged, _REASONS) for judged in _JUDGEMENTS)
