"""Which operations a step of a TensorFlow session ran, and when: TensorFlow's own record of a run, `RunMetadata`.

The record times nodes by name. Which operation a node was stands in the partition graphs that a record can hold: the
graphs as they were run. (`tf.compat.v1.profiler`, which reads such records, looks nodes up in the graph as it was built
instead: there, a convolution that was fused with the activation behind it counts as the activation.)
"""

import re

from perfcast.runner.clocks import perf_counter_ns

WORK = re.compile(r"(?:_(?:Mkl)?(?:Native)?(?:Fused)?)?(Conv2D|DepthwiseConv2dNative|MatMul)\Z")
"""What operations behind them are fused with, under its names as it is run."""
MAX_FUSED = 8
"""Operations in a fused one: a scale, a shift, a bias, an addition, an activation, and some to spare."""


class StepTracer:
    """Runs a session, and returns which operations that ran and when; see `Toolchain.tracer`."""

    def __init__(self, tf, session, outputs, inputs):
        self.tf, self.session, self.outputs, self.inputs = tf, session, outputs, inputs
        self.nodes = None

    def __call__(self, inputs):
        feeds = dict(zip(self.inputs, inputs))
        if self.nodes is None:
            self.nodes = self.nodes_as_run(feeds)
        options = self.tf.compat.v1.RunOptions(trace_level=self.tf.compat.v1.RunOptions.FULL_TRACE)
        metadata = self.tf.compat.v1.RunMetadata()
        start = perf_counter_ns()
        self.session.run(self.outputs, feeds, options, metadata)
        wall_ns = perf_counter_ns() - start
        stats = [stat for device in metadata.step_stats.dev_stats for stat in device.node_stats]
        return {
            "wall_ns": wall_ns,
            "operations": [
                dict(self.nodes[stat.node_name], **times(stat)) for stat in stats if stat.node_name in self.nodes
            ],
        }

    def nodes_as_run(self, feeds):
        """Return the node and the kind of operation of each node that is run, by name."""
        metadata = self.tf.compat.v1.RunMetadata()
        # Asked for once: the graphs hold the weights.
        options = self.tf.compat.v1.RunOptions(output_partition_graphs=True)
        self.session.run(self.outputs, feeds, options, metadata)
        built = {operation.name: operation for operation in self.session.graph.get_operations()}
        nodes = [node for graph in metadata.partition_graphs for node in graph.node]
        return {node.name: {"node": working_node(node.name, node.op, built), "operation": node.op} for node in nodes}


def times(stat):
    start = stat.all_start_nanos or 1000 * stat.all_start_micros
    return {"start_ns": start + stat.op_start_rel_nanos, "end_ns": start + stat.op_end_rel_nanos}


def working_node(name, kind, built):
    """Return the name of the node that does the work: what was fused goes by the name of the last operation in it."""
    work, operation = WORK.match(kind), built.get(name)
    for _ in range(MAX_FUSED):
        if not work or operation is None or not operation.inputs:
            break
        if operation.type == work.group(1):
            return operation.name
        operation = operation.inputs[0].op
    return name
