"""Training a classifier and what it then says of examples that it has not seen; results and weights are kept."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from perfcast.checksummed import ChecksummedStore
from perfcast.errors import SourceError, StoreError
from perfcast.models.scaling import build_to_train
from perfcast.storage import digest_of_json
from perfcast.sweeps.data.images import as_inputs
from perfcast.sweeps.data.texts import Vocabulary
from perfcast.sweeps.weights import keep_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import keras
    import numpy as np

    from perfcast.models.spec import ModelSpec
    from perfcast.progress import Advance
    from perfcast.sweeps.config import SweepConfig
    from perfcast.sweeps.data.corpus import Corpus

TRAINING_VERSION = 1
"""Raised when the same settings must be trained again."""

_KINDS = {"accuracy": float, "predicted": list, "losses": list, "seconds": float}
_PREDICTED_AT_ONCE = 32


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        batch: batch size.
        epochs: how often it sees all examples.
        learning_rate: of Adam.
        dropout: share of units that are dropped.
        seed: of weights, order and dropping.
    """

    batch: int
    epochs: int
    learning_rate: float
    dropout: float
    seed: int

    @classmethod
    def of_config(cls, config: SweepConfig, batch: int) -> Recipe:
        """Return the recipe of a sweep for a batch size."""
        return cls(batch, config.epochs, config.learning_rate, config.dropout, config.seed)


@dataclass(frozen=True)
class Trained:
    """What became of a training.

    Attributes:
        accuracy: share of the evaluation's examples that are classified right.
        predicted: the class of each of them, by number.
        losses: mean loss of each epoch; None where it is not finite.
        seconds: what training took.
    """

    accuracy: float
    predicted: tuple[int, ...]
    losses: tuple[float | None, ...]
    seconds: float


def training_store(root: Path) -> ChecksummedStore:
    """Return the store of trainings below a folder."""
    return ChecksummedStore(root / "trainings", TRAINING_VERSION, _KINDS)


def training_key(spec: ModelSpec, recipe: Recipe, corpus: Corpus) -> str:
    """Return the key of a training: of all that it depends on."""
    tools = {name: version(name) for name in ("keras", "tensorflow")}
    values = {"spec": spec.to_dict(), "recipe": asdict(recipe), "data": corpus.digest(), "tools": tools}
    return digest_of_json(values | {"version": TRAINING_VERSION})


def train_once(spec: ModelSpec, recipe: Recipe, corpus: Corpus, store: ChecksummedStore, advance: Advance) -> Trained:
    """Train a network unless the store has it, and keep what came of it.

    Args:
        spec: the network.
        recipe: how.
        corpus: on what.
        store: see `training_store`.
        advance: called after each epoch; with all of them at once where the store has it.

    Raises:
        SourceError: training fails, such as for lack of memory; one line that names the network.
        StoreError: the result cannot be stored.
    """
    key = training_key(spec, recipe, corpus)
    if record := store.find(key):
        advance(recipe.epochs)
        return _trained(record)
    try:
        trained = _train(spec, recipe, corpus, advance, lambda model: keep_weights(model, store, key))
    except StoreError:
        raise
    except Exception as error:  # Whatever the runtime raises.
        reason = " ".join(str(error).split())[:300]
        raise SourceError(f"{spec.model}: training with batch {recipe.batch} failed: {reason}") from error
    store.put(key, {"model": spec.model, "recipe": asdict(recipe), "source": corpus.source} | asdict(trained))
    return trained


def _trained(record: dict[str, Any]) -> Trained:
    lists = {name: tuple(record[name]) for name in ("predicted", "losses")}
    return Trained(record["accuracy"], seconds=record["seconds"], **lists)


def _train(
    spec: ModelSpec, recipe: Recipe, corpus: Corpus, advance: Advance, keep: Callable[[keras.Model], None]
) -> Trained:
    import keras

    # It frees the network before, too, whose graphs refer to themselves.
    keras.backend.clear_session()
    keras.utils.set_random_seed(recipe.seed)
    model = build_to_train(spec, recipe.dropout)
    model.compile(keras.optimizers.Adam(recipe.learning_rate), loss="sparse_categorical_crossentropy")
    encode = encoder_of(spec, corpus)
    each_epoch = keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: advance())
    inputs = encode(corpus.training.items)
    start = time.monotonic()
    history = model.fit(
        inputs, corpus.training.labels, recipe.batch, recipe.epochs, verbose=0, callbacks=[each_epoch]
    ).history
    seconds = time.monotonic() - start
    keep(model)
    predicted = classes_of(model, encode(corpus.evaluation.items))
    losses = tuple(float(loss) if math.isfinite(loss) else None for loss in history["loss"])
    accuracy = float((predicted == corpus.evaluation.labels).mean())
    return Trained(accuracy, tuple(map(int, predicted)), losses, seconds)


def classes_of(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Return the class that a network finds most likely for each input, by number.

    Operation by operation: `predict` would trace a graph for each network that is used this once.
    """
    import numpy as np

    starts = range(0, len(inputs), _PREDICTED_AT_ONCE)
    parts = [np.asarray(model(inputs[start : start + _PREDICTED_AT_ONCE], training=False)) for start in starts]
    return np.concatenate(parts).argmax(axis=1)


def encoder_of(spec: ModelSpec, corpus: Corpus) -> Callable[[Any], np.ndarray]:
    """Return what makes a network's inputs of images or texts; the vocabulary is that of the training's texts."""
    if not isinstance(corpus.training.items, tuple):
        return lambda images: as_inputs(images, spec.input_shape)
    vocabulary = Vocabulary.of_texts(corpus.training.items, spec.parameters["vocabulary"])
    return lambda texts: vocabulary.as_inputs(texts, spec.input_shape[0])
