"""`graph.pb`: a weightless inference graph of TensorFlow, or one with the trained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError

if TYPE_CHECKING:
    from perfcast.models.built import BuiltModel


class GraphPb:
    """Traces what Keras built; takes what is a graph already as it was read."""

    name = "graph.pb"
    PACKAGES = ("tensorflow", "keras")

    @staticmethod
    def convert(built: BuiltModel) -> tuple[bytes, dict[str, Any]]:
        """Return the serialized GraphDef and its interface.

        Raises:
            SourceError: there is none of this model.
        """
        if built.graph is not None:
            return built.graph
        if built.keras_model is None:
            raise SourceError("models from this kind of file cannot be converted to a TensorFlow graph")
        from perfcast.export.graph import trace_weightless
        from perfcast.models.external.keras_files import quiet_errors

        with quiet_errors("TensorFlow", "trace"):
            graph = trace_weightless(built.keras_model, built.shapes, keep_values=built.keep_values)
        return graph.serialized, graph.interface
