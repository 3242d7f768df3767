"""`forward_backward.graph.pb`: a weightless graph of TensorFlow that computes a batch's loss and gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError

if TYPE_CHECKING:
    from perfcast.export.training.optimizers import Sgd
    from perfcast.models.built import BuiltModel


class ForwardBackwardPb:
    """Traces the training of what Keras built."""

    name = "forward_backward.graph.pb"
    PACKAGES = ("tensorflow", "keras")
    OPTIONS = ("trained",)

    @classmethod
    def convert(cls, built: BuiltModel, trained: str) -> tuple[bytes, dict[str, Any]]:
        """Return the serialized GraphDef and its interface.

        Raises:
            SourceError: there is none of this model.
        """
        return trained_graph(built, trained)


def trained_graph(built: BuiltModel, trained: str, optimizer: type[Sgd] | None = None) -> tuple[bytes, dict[str, Any]]:
    """Return the graph of a step and its interface; see `perfcast.export.training.trace.trace_step`.

    Raises:
        SourceError: the model cannot be trained.
    """
    if built.keras_model is None:
        raise SourceError("it cannot be trained: only models that Keras builds or reads can be")
    from perfcast.export.training.trace import trace_step
    from perfcast.models.external.keras_files import quiet_errors

    with quiet_errors("TensorFlow", "train"):
        graph = trace_step(built.keras_model, built.shapes, trained, optimizer)
    return graph.serialized, graph.interface
