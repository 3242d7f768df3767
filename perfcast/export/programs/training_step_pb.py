"""`training_step.graph.pb`: a weightless graph of TensorFlow that trains one step, its optimizer's state inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.export.programs.forward_backward_pb import trained_graph
from perfcast.export.training.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from perfcast.models.built import BuiltModel


class TrainingStepPb:
    """Traces the training of what Keras built, with the update of an optimizer."""

    name = "training_step.graph.pb"
    PACKAGES = ("tensorflow", "keras")
    OPTIONS = ("optimizer", "trained")

    @classmethod
    def convert(cls, built: BuiltModel, optimizer: str, trained: str) -> tuple[bytes, dict[str, Any]]:
        """Return the serialized GraphDef and its interface.

        Raises:
            SourceError: there is none of this model.
        """
        return trained_graph(built, trained, OPTIMIZERS[optimizer])
