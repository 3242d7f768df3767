"""A sweep of one family: every combination trained, then all of them evaluated in one campaign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfcast.export.stage import export_models
from perfcast.sweeps.combinations import combinations_of
from perfcast.sweeps.data.choice import corpus_of
from perfcast.sweeps.data.corpus import Wanted
from perfcast.sweeps.measuring import evaluate
from perfcast.sweeps.training import Recipe, train_once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perfcast.bench.campaign import Campaign
    from perfcast.checksummed import ChecksummedStore
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.exports import Export
    from perfcast.models.spec import ModelSpec
    from perfcast.progress import Progress
    from perfcast.sweeps.combinations import Combination
    from perfcast.sweeps.config import SweepConfig
    from perfcast.sweeps.data.corpus import Corpus
    from perfcast.sweeps.measuring import Evaluated
    from perfcast.sweeps.training import Trained


@dataclass(frozen=True)
class Result:
    """A combination, what became of its training, and its measured evaluation."""

    combination: Combination
    trained: Trained
    evaluated: Evaluated


@dataclass(frozen=True)
class Sweep:
    """A sweep of one family.

    Attributes:
        config: what is swept, and how.
        family: of which networks.
        combinations: the lines of its table, in order.
        corpus: what is trained and evaluated on.
    """

    config: SweepConfig
    family: str
    combinations: tuple[Combination, ...]
    corpus: Corpus

    @classmethod
    def begun(cls, config: SweepConfig, family: str, data: Sequence[str], say: Callable[[str], None]) -> Sweep:
        """Return a sweep with its data, before anything is trained; for the arguments see `corpus_of`.

        Raises:
            UsageError: a combination is impossible, or the data is missing or damaged.
            SourceError: Keras was named for the data, and cannot download it.
        """
        combinations = tuple(combinations_of(config, family))
        wanted = Wanted(config.evaluation_inputs, config.training_inputs, config.seed)
        return cls(config, family, combinations, corpus_of(family, data, wanted, say))

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        """The networks, each once."""
        return tuple({combination.spec.model: combination.spec for combination in self.combinations}.values())

    def train(self, store: ChecksummedStore, progress: Progress) -> dict[tuple[str, int], Trained]:
        """Train each network with each batch size unless the store has it; return what became of it by both.

        An interruption loses the training in flight.

        Raises:
            SourceError: a training fails.
            StoreError: a result cannot be stored.
        """
        wanted = {(one.spec.model, one.training_batch): one.spec for one in self.combinations}
        trained = {}
        store.sweep()
        with progress(len(wanted) * self.config.epochs, f"training {self.family} (epochs)") as advance:
            for (model, batch), spec in wanted.items():
                recipe = Recipe.of_config(self.config, batch)
                trained[model, batch] = train_once(spec, recipe, self.corpus, store, advance)
        return trained

    def export(self, store: ArtifactStore, progress: Progress) -> list[Export]:
        """Export each network unless the store has it.

        Raises:
            SourceError: a network cannot be exported.
        """
        with progress(len(self.specs), f"exporting {self.family}") as advance:
            return export_models(self.specs, store, advance)

    def evaluate(
        self,
        campaign: Campaign,
        exports: list[Export],
        trained: dict[tuple[str, int], Trained],
        progress: Progress,
    ) -> list[Result]:
        """Measure the evaluation of each combination unless the store has it; return all of them in order.

        An interruption loses the visit in flight.

        Args:
            campaign: of a target as `sweep_target` returns it.
            exports: what `export` returned.
            trained: what `train` returned.
            progress: shown meanwhile.

        Raises:
            BenchmarkError: the runner ended early.
        """
        found = evaluate(campaign, exports, progress, f"evaluating {self.family} (visits)")
        return [
            Result(one, trained[one.spec.model, one.training_batch], found[one.spec.model, one.batch])
            for one in self.combinations
        ]
