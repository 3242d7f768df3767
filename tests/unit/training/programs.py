"""Training programs outside a runner: with weights of one's own, and seen as the runtime executes them."""

import numpy as np

from perfcast.export.programs import convert
from perfcast.models.built import BuiltModel
from perfcast.runner.inputs import shape_of
from perfcast.runner.weights import draw


class Program:
    """A training program in a session, its variables drawn."""

    def __init__(self, model, format_name, batch=None):
        import tensorflow as tf

        serialized, self.interface = convert(BuiltModel({}, model), format_name)
        self.graph_def = tf.compat.v1.GraphDef.FromString(serialized)
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.inputs = [
                tf.compat.v1.placeholder(item["dtype"], shape_of(item, batch)) for item in self.interface["inputs"]
            ]
            bound = {item["node"]: tensor for item, tensor in zip(self.interface["inputs"], self.inputs, strict=True)}
            names = [item["tensor"] for item in self.interface["outputs"]]
            self.outputs = tf.graph_util.import_graph_def(self.graph_def, bound, names, name="model")
            nodes = {node.name: node for node in self.graph_def.node if node.op == "VarHandleOp"}
            types = {name: tf.as_dtype(node.attr["dtype"].type) for name, node in nodes.items()}
            handles = {name: self.graph.get_tensor_by_name(f"model/{name}:0") for name in nodes}
            self.values = {name: tf.compat.v1.placeholder(types[name]) for name in nodes}
            self._assign = {
                name: tf.raw_ops.AssignVariableOp(resource=handles[name], value=self.values[name]) for name in nodes
            }
            self._read = {name: tf.raw_ops.ReadVariableOp(resource=handles[name], dtype=types[name]) for name in nodes}
        self.session = tf.compat.v1.Session(graph=self.graph)
        generator = np.random.default_rng(0)
        for name, node in nodes.items():
            shape = [size.size for size in node.attr["shape"].shape.dim]
            distribution = node.attr["_weight_distribution"].s.decode()
            self.assign(name, draw(generator, shape, distribution, types[name].as_numpy_dtype))

    def assign(self, name, value):
        self.session.run(self._assign[name], {self.values[name]: value})

    def take_weights(self, model):
        """Give the program's weights those of a model."""
        for place, variable in enumerate(model.variables):
            if f"weight_{place}" in self._assign:
                self.assign(f"weight_{place}", np.asarray(variable))

    def weights(self):
        """Return the values of the variables, by name."""
        return self.session.run(self._read)

    def step(self, *values):
        return self.session.run(self.outputs, dict(zip(self.inputs, values, strict=True)))

    def run_and_fetch(self, names, *values):
        """Make a step; return the values of tensors in it, and type and shape of each operation that ran."""
        import tensorflow as tf

        metadata = tf.compat.v1.RunMetadata()
        options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE, output_partition_graphs=True)
        tensors = [self.graph.get_tensor_by_name(f"model/{name}") for name in names]
        bound = dict(zip(self.inputs, values, strict=True))
        _, found = self.session.run([self.outputs, tensors], bound, options, metadata)
        types = {node.name: node.op for graph in metadata.partition_graphs for node in graph.node}
        run = [node for device in metadata.step_stats.dev_stats for node in device.node_stats]
        return found, [(types[node.node_name], _shape_of(node)) for node in run if node.node_name in types]

    def executed(self, *values):
        """Return the names of the operations that the runtime executes in a step, after its optimizations."""
        import tensorflow as tf

        metadata, options = tf.compat.v1.RunMetadata(), tf.compat.v1.RunOptions(output_partition_graphs=True)
        self.session.run(self.outputs, dict(zip(self.inputs, values, strict=True)), options, metadata)
        return [node.op for graph in metadata.partition_graphs for node in graph.node]


def _shape_of(node):
    sizes = node.output[0].tensor_description.shape.dim if node.output else ()
    return tuple(size.size for size in sizes)
