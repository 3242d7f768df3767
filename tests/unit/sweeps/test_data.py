"""What classifiers are trained and evaluated on: files, downloads and defaults, and that the two parts are disjoint."""

import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.errors import SourceError, UsageError
from perfcast.sweeps.data.choice import corpus_of
from perfcast.sweeps.data.corpus import Labelled, Wanted
from perfcast.sweeps.data.images import as_inputs
from perfcast.sweeps.data.texts import Vocabulary, words_of
from tests.measured import FOLDER, needs
from tests.unit.sweeps.idx_files import write_part

ALL = Wanted(evaluation=2000, training=None, seed=0)
FAMILIES = ["fashion_mnist", "text"]
REVIEWS = {"rt-polarity.neg": "dull , and long .\nit's a mess .\n", "rt-polarity.pos": "a joy .\nfun \n\na joy .\n"}


def silent(line):
    raise AssertionError(line)


def numbered(count, first=0):
    """Return images that all differ, and labels."""
    places = np.arange(first, first + count)
    images = np.zeros((count, 4, 5), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = places % 251, places // 251
    return images, (places % 10).astype(np.uint8)


def identities(part):
    return set(part.items) if isinstance(part.items, tuple) else {image.tobytes() for image in part.items}


def write_reviews(folder, **changes):
    for name, text in (REVIEWS | changes).items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


@given(st.integers(2, 300), st.integers(1, 200), st.none() | st.integers(1, 100), st.integers(0, 9))
def test_the_two_parts_of_one_source_are_disjoint(count, evaluation, training, seed):
    every = Labelled(tuple(map(str, range(count))), np.arange(count))
    trained, held = Wanted(evaluation, training, seed).of_one_part(every)
    assert not identities(trained) & identities(held)
    assert 1 <= len(held) <= evaluation
    assert 1 <= len(trained) <= (training or count)
    assert all(
        item == str(label) for part in (trained, held) for item, label in zip(part.items, part.labels, strict=True)
    )


def test_idx_files_of_both_parts_are_used_as_they_are_parted(tmp_path):
    write_part(tmp_path, "train", *numbered(30))
    write_part(tmp_path, "t10k", *numbered(20, first=30), packed=False)
    corpus = corpus_of("fashion_mnist", [str(tmp_path)], ALL, silent)
    assert (len(corpus.training), len(corpus.evaluation)) == (30, 20)
    assert not identities(corpus.training) & identities(corpus.evaluation)
    assert not corpus.is_default
    assert str(tmp_path) in corpus.source


def test_idx_files_of_one_part_are_split(tmp_path):
    write_part(tmp_path, "t10k", *numbered(20))
    corpus = corpus_of("fashion_mnist", [str(tmp_path)], ALL, silent)
    assert (len(corpus.training), len(corpus.evaluation)) == (14, 6)
    assert not identities(corpus.training) & identities(corpus.evaluation)
    assert "held out" in corpus.source


@pytest.mark.parametrize(("name", "first"), [("fashion-mnist", "t-shirt"), ("mnist", "0")])
def test_classes_are_named_as_the_folder_says(tmp_path, name, first):
    folder = tmp_path / name
    folder.mkdir()
    write_part(folder, "t10k", *numbered(20))
    assert corpus_of("fashion_mnist", [str(folder)], ALL, silent).classes[0] == first


def test_idx_files_that_do_not_go_together_are_refused(tmp_path):
    images, labels = numbered(20)
    write_part(tmp_path, "t10k", images, labels[:-1])
    with pytest.raises(UsageError, match=r"t10k-labels-idx1-ubyte\.gz: has 19 labels of 20 images"):
        corpus_of("fashion_mnist", [str(tmp_path)], ALL, silent)
    write_part(tmp_path, "t10k", images, labels + 1)
    with pytest.raises(UsageError, match="has the label 10, of at most 9"):
        corpus_of("fashion_mnist", [str(tmp_path)], ALL, silent)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UsageError, match="has 0 files of t10k-labels, where one is needed"):
        corpus_of("fashion_mnist", [str(tmp_path)], ALL, silent)


def test_reviews_count_once_and_under_one_label(tmp_path):
    write_reviews(tmp_path, **{"rt-polarity.neg": REVIEWS["rt-polarity.neg"] + "fun\n"})
    corpus = corpus_of("text", [str(tmp_path)], ALL, silent)
    found = [
        (item, int(label))
        for p in (corpus.training, corpus.evaluation)
        for item, label in zip(p.items, p.labels, strict=True)
    ]
    assert sorted(found) == [("a joy .", 1), ("dull , and long .", 0), ("it's a mess .", 0)]


@pytest.mark.parametrize("encoded", ["café\n".encode(), "café\n".encode("latin-1")])
def test_reviews_may_be_in_latin_1(tmp_path, encoded):
    write_reviews(tmp_path, **{"rt-polarity.pos": encoded})
    corpus = corpus_of("text", [str(tmp_path)], ALL, silent)
    assert "café" in identities(corpus.training) | identities(corpus.evaluation)


def test_a_missing_or_empty_file_of_reviews_is_named(tmp_path):
    write_reviews(tmp_path, **{"rt-polarity.neg": "\n \n"})
    with pytest.raises(UsageError, match=r"rt-polarity\.neg: has no reviews"):
        corpus_of("text", [str(tmp_path)], ALL, silent)
    (tmp_path / "rt-polarity.neg").unlink()
    with pytest.raises(UsageError, match=r"rt-polarity\.neg: cannot be read"):
        corpus_of("text", [str(tmp_path)], ALL, silent)


def test_a_folder_without_data_is_named(tmp_path):
    write_reviews(tmp_path)
    with pytest.raises(UsageError, match=r"has no data of fashion_mnist: t10k-images-idx3-ubyte"):
        corpus_of("fashion_mnist", [str(tmp_path)], ALL, silent)
    with pytest.raises(UsageError, match=r"none: is not a folder; write one, keras or builtin"):
        corpus_of("text", [str(tmp_path / "none")], ALL, silent)


def test_the_first_folder_with_data_is_taken(tmp_path):
    for name in ("images", "texts"):
        (tmp_path / name).mkdir()
    write_part(tmp_path / "images", "t10k", *numbered(20))
    write_reviews(tmp_path / "texts")
    folders = [str(tmp_path / "images"), str(tmp_path / "texts")]
    assert "images" in corpus_of("fashion_mnist", folders, ALL, silent).source
    assert "texts" in corpus_of("text", folders, ALL, silent).source


def test_too_few_examples_are_refused(tmp_path):
    write_part(tmp_path, "t10k", *numbered(1))
    with pytest.raises(UsageError, match="too few examples"):
        corpus_of("fashion_mnist", [str(tmp_path)], ALL, silent)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_default_is_labelled_and_its_parts_disjoint(family):
    corpus = corpus_of(family, ["builtin"], ALL, silent)
    assert corpus.is_default
    assert corpus.source.startswith("BUILT-IN DEFAULT, not ")
    assert len(corpus.training) > 1000
    assert len(corpus.evaluation) > 500
    assert not identities(corpus.training) & identities(corpus.evaluation)
    assert set(np.unique(corpus.training.labels)) == set(range(len(corpus.classes)))
    assert corpus.digest() == corpus_of(family, ["builtin"], ALL, silent).digest()
    assert corpus.digest() != corpus_of(family, ["builtin"], Wanted(2000, None, 1), silent).digest()


def without_network(*_, **__):
    raise Exception("URL fetch failure on https://x: None -- no route")


@pytest.fixture
def keras_datasets(monkeypatch):
    """Put a module in the place of Keras's data sets; without a network until a test says otherwise."""
    found = types.ModuleType("keras.datasets")
    for name in ("fashion_mnist", "imdb"):
        data = types.SimpleNamespace(load_data=without_network, get_word_index=without_network)
        setattr(found, name, data)
    monkeypatch.setitem(sys.modules, "keras.datasets", found)
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_default_data_without_a_network_is_reported(keras_datasets, family):
    said = []
    corpus = corpus_of(family, [], ALL, said.append)
    assert corpus.is_default
    assert said == [
        f"{family}: Keras cannot download its data here (URL fetch failure on https://x: None -- no route); "
        "the built-in default takes its place (--data names a folder)"
    ]
    with pytest.raises(SourceError, match="Keras cannot download"):
        corpus_of(family, ["keras"], ALL, silent)


def test_images_are_taken_from_keras(keras_datasets):
    keras_datasets.fashion_mnist.load_data = lambda: (numbered(30), numbered(20, first=30))
    corpus = corpus_of("fashion_mnist", [], ALL, silent)
    assert (len(corpus.training), len(corpus.evaluation), corpus.classes[9]) == (30, 20, "ankle boot")
    assert corpus.source == "Fashion-MNIST, downloaded by Keras"


def test_texts_are_taken_from_keras(keras_datasets):
    reviews = np.array([[1, 4, 5], [1, 5, 2]], dtype=object), np.array([1, 0])
    keras_datasets.imdb.load_data = lambda: (reviews, reviews)
    keras_datasets.imdb.get_word_index = lambda: {"good": 1, "film": 2}
    corpus = corpus_of("text", ["keras"], ALL, silent)
    assert dict(zip(corpus.evaluation.items, corpus.evaluation.labels, strict=True)) == {"good film": 1, "film ?": 0}


def test_images_are_resized_and_scaled():
    images = np.full((3, 8, 8), 255, np.uint8)
    inputs = as_inputs(images, (28, 24, 2))
    assert inputs.shape == (3, 28, 24, 2)
    assert inputs.dtype == np.float32
    assert np.allclose(inputs, 1.0)
    assert np.array_equal(as_inputs(images[:, :4], (4, 8, 1))[..., 0], images[:, :4] / np.float32(255))


def test_words_are_numbered_by_frequency():
    vocabulary = Vocabulary.of_texts(["b a b", "c b a"], size=4)
    assert dict(vocabulary.numbers) == {"b": 2, "a": 3}
    assert vocabulary.as_inputs(["A c b b", ""], 3).tolist() == [[3, 1, 2], [0, 0, 0]]
    assert words_of("It's a well-made film, isn't it?") == ["it's", "a", "well-made", "film", ",", "isn't", "it", "?"]


@given(st.lists(st.text(max_size=30), max_size=8), st.integers(3, 12), st.integers(1, 20))
def test_numbers_stay_within_the_vocabulary(texts, size, length):
    inputs = Vocabulary.of_texts(texts, size).as_inputs(texts, length)
    assert inputs.shape == (len(texts), length)
    assert ((inputs >= 0) & (inputs < size)).all()


@needs(FOLDER)
def test_published_data_is_read():
    folders = [str(FOLDER / "movie_reviews"), str(FOLDER / "mnist_test")]
    images = corpus_of("fashion_mnist", folders, ALL, silent)
    assert (len(images.training), len(images.evaluation)) == (8000, 2000)
    texts = corpus_of("text", folders, ALL, silent)
    assert (len(texts.training), len(texts.evaluation)) == (8662, 2000)
    assert not identities(texts.training) & identities(texts.evaluation)
