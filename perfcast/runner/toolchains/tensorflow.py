"""TensorFlow: a weightless GraphDef in a session."""

import copy
import functools
import os
import re

from perfcast.runner.programs import read_program
from perfcast.runner.toolchains.base import GRAPH_OPTIMIZATIONS, WEIGHTS_AS, Toolchain

BLUNT = re.compile(
    r"(Softmax|LogSoftmax|Sigmoid|Tanh|Erf|Softsign|Relu|Relu6|ClipByValue|Minimum|Maximum|Sign|Round|Rint|Floor|Ceil|"
    r"ArgMax|ArgMin|TopK|TopKV2|Cast|Greater|GreaterEqual|Less|LessEqual|Equal|NotEqual|"
    r"Identity|Snapshot|StopGradient|Reshape|Squeeze|ExpandDims|Transpose|StridedSlice|Slice)\Z"
)
"""Operations whose result may stay the same while their first input changes, and those that only pass it on."""


def source_of(tensor, nodes):
    """Return the name of the tensor that blunt operations compute a tensor from; `nodes` are the graph's, by name."""
    node = nodes[tensor.split(":")[0]]
    while BLUNT.match(node.op):
        tensor = node.input[0]
        node = nodes[tensor.split(":")[0]]
    return tensor if ":" in tensor else tensor + ":0"


def placed_on(tf, session, outputs, feeds):
    """Run a session once; return how many operations it placed on each kind of device, such as {"gpu": 120, "cpu": 2}.

    Not counted is what only brings values from one place to another.
    """
    metadata = tf.compat.v1.RunMetadata()
    session.run(outputs, feeds, tf.compat.v1.RunOptions(output_partition_graphs=True), metadata)
    nodes = [node for graph in metadata.partition_graphs for node in graph.node if not MOVING.match(node.op)]
    kinds = [tf.DeviceSpec.from_string(node.device).device_type.lower() for node in nodes]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


MOVING = re.compile(r"_Arg|_Retval|_(Host)?(Send|Recv)|Const|Identity|NoOp")
LACKING = re.compile(
    "Op type not registered|No op named|NodeDef mentions attr|NodeDef expected inputs|No OpKernel was registered|"
    "Could not find .* OpKernel|is not in the list of allowed values"
)
"""What is reported where a version or a build lacks an operation, or a variant of one."""


class TensorFlowToolchain(Toolchain):
    """Runs a weightless GraphDef in a TensorFlow session, its weights drawn from a seeded generator."""

    name = "tensorflow"
    description = "TensorFlow's own session"
    PACKAGES = ("tensorflow>=2.7",)
    FORMATS = ("graph.pb",)
    OPTIONS = dict(WEIGHTS_AS, **GRAPH_OPTIMIZATIONS)

    def __init__(self, factors):
        super().__init__(factors)
        self.tf = None
        self.loaded = None

    @classmethod
    def weight_copies(cls, factors):
        return (1.2, 1.2) if factors["weights_as"] == "variable" else (10.0, 6.5)

    def __getstate__(self):
        return self.factors

    def __setstate__(self, factors):
        """Be the same in a new process."""
        self.__init__(factors)
        self.preload()

    def version(self):
        if self.tf is not None:
            return self.tf.__version__
        try:
            from importlib import metadata  # Since Python 3.8; spares the seconds of an import.

            return metadata.version("tensorflow")
        except Exception:  # Installed under another name, or an older Python.
            self.preload()
            return self.tf.__version__

    def preload(self):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        if self.factors.get("device_kind", "cpu") == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        import tensorflow as tf

        self.tf = tf

    def null_task(self):
        graph = self.tf.compat.v1.GraphDef()
        node = graph.node.add(name="input_0", op="Placeholder")
        node.attr["dtype"].type = self.tf.float32.as_datatype_enum
        node = graph.node.add(name="Identity", op="Relu", input=["input_0"])
        node.attr["T"].type = self.tf.float32.as_datatype_enum
        tensor = {"shape": [1], "dtype": "float32"}
        return {
            "inputs": [dict(tensor, node="input_0")],
            "outputs": [dict(tensor, tensor="Identity:0")],
            "graph_def": graph,
            "seed": 0,
        }

    def load(self, task):
        import numpy as np

        from perfcast.runner.inputs import shape_of

        tf = self.tf
        graph_def = self._graph_of(task)
        generator = np.random.default_rng(task["seed"])
        graph = tf.Graph()
        with graph.as_default():
            inputs = [
                tf.compat.v1.placeholder(item["dtype"], shape_of(item, self.factors["batch"]))
                for item in task["inputs"]
            ]
            bound = {item["node"] + ":0": tensor for item, tensor in zip(task["inputs"], inputs)}
            filled = []
            if self.factors["weights_as"] == "variable":
                self._bind_variables(graph_def, bound, generator, filled)
            else:
                self._embed_constants(graph_def, generator)
            # The prefix keeps the import's names apart from those of the variables.
            outputs = tf.graph_util.import_graph_def(
                graph_def, bound, [item["tensor"] for item in task["outputs"]], name="model"
            )
            for node, shape, distribution in self._weights(graph_def, "VarHandleOp"):
                handle = graph.get_tensor_by_name("model/%s:0" % node.name)
                self._fill(handle, node, shape, distribution, generator, filled)
            fill = tf.group(filled)
        del graph_def
        session = tf.compat.v1.Session(graph=graph, config=self._session_config())
        session.run(fill)
        self.loaded = session, outputs, inputs
        return self.callable_of(session, outputs, inputs)

    def callable_of(self, session, outputs, inputs):
        """Return what `load` returns."""
        return session.make_callable(outputs, inputs)

    def before_saturation(self, task):
        """Return the task with outputs before functions that may hide a change of the input."""
        nodes = {node.name: node for node in self._graph_of(task).node}
        return dict(task, outputs=[dict(item, tensor=source_of(item["tensor"], nodes)) for item in task["outputs"]])

    def for_a_look(self):
        """Return one that does not rewrite graphs: folding constants takes longer than the few runs of a look."""
        quick = copy.copy(self)
        quick.factors = dict(self.factors, graph_optimizations=False)
        return quick

    def _graph_of(self, task):
        if "graph_def" in task:
            return task["graph_def"]
        return self.tf.compat.v1.GraphDef.FromString(read_program(task["program"]))

    def _session_config(self):
        threads = self.factors["threads"]
        config = self.tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads, use_per_session_threads=True
        )
        config.gpu_options.allow_growth = True
        # The graph never grows: without this the session keeps a second copy of all constants.
        if hasattr(config.experimental, "optimize_for_static_graph"):
            config.experimental.optimize_for_static_graph = True
        rewriter = config.graph_options.rewrite_options
        rewriter.memory_optimization = rewriter.NO_MEM_OPT  # It swaps and recomputes on GPUs, and copies the graph.
        rewriter.disable_meta_optimizer = not self.factors["graph_optimizations"]
        return config

    @staticmethod
    def _weights(graph_def, operation="Placeholder"):
        for node in graph_def.node:
            if node.op == operation and "_weight_distribution" in node.attr:
                shape = [size.size for size in node.attr["shape"].shape.dim]
                yield node, shape, node.attr["_weight_distribution"].s.decode()

    def _embed_constants(self, graph_def, generator):
        from perfcast.runner.weights import draw

        for node, shape, distribution in self._weights(graph_def):
            dtype = node.attr["dtype"].type
            values = draw(generator, shape, distribution, self.tf.dtypes.as_dtype(dtype).as_numpy_dtype)
            node.op = "Const"
            tensor = node.attr["value"].tensor
            tensor.dtype = dtype
            tensor.tensor_shape.CopyFrom(node.attr["shape"].shape)
            tensor.tensor_content = values.tobytes()
            del node.attr["shape"], node.attr["_weight_distribution"]

    def _bind_variables(self, graph_def, bound, generator, filled):
        """Bind a variable to each weight."""
        tf = self.tf
        for node, shape, distribution in self._weights(graph_def):
            dtype = node.attr["dtype"].type
            handle = tf.raw_ops.VarHandleOp(dtype=dtype, shape=shape, shared_name=node.name)
            bound[node.name + ":0"] = tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)
            self._fill(handle, node, shape, distribution, generator, filled)

    def _fill(self, handle, node, shape, distribution, generator, filled):
        """Add an operation that gives a variable its values behind those of `filled`, one after the other.

        The drawn array becomes the variable's buffer without a copy. (Assigning slices would put a variable into
        copy-on-read mode for good: every inference would copy it.)
        """
        from perfcast.runner.weights import draw

        tf, dtype = self.tf, self.tf.dtypes.as_dtype(node.attr["dtype"].type)
        values = functools.partial(draw, generator, shape, distribution, dtype.as_numpy_dtype)
        with tf.control_dependencies(filled[-1:]):
            value = tf.ensure_shape(tf.numpy_function(values, [], dtype), shape)
            filled.append(tf.raw_ops.AssignVariableOp(resource=handle, value=value))

    def computed_on(self):
        import numpy as np

        session, outputs, inputs = self.loaded
        kinds = {device.device_type.lower() for device in session.list_devices()}
        if kinds == {"cpu"}:  # Nothing else can have computed; to look closer takes memory.
            return {"cpu": len(session.graph.get_operations())}
        feeds = {tensor: np.zeros(tensor.shape, tensor.dtype.as_numpy_dtype) for tensor in inputs}
        return placed_on(self.tf, session, outputs, feeds)

    def tracer(self):
        from perfcast.runner.step_trace import StepTracer

        return StepTracer(self.tf, *self.loaded)

    def allocator_peak_bytes(self):
        kind = self.factors.get("device_kind", "cpu").upper()
        try:
            return int(self.tf.config.experimental.get_memory_info(kind + ":0")["peak"])
        except (ValueError, KeyError, AttributeError, RuntimeError):
            return None  # TensorFlow before 2.9 and builds without allocator statistics.

    def status_of(self, error):
        if LACKING.search(str(error)):
            return "unsupported"
        return "out_of_memory" if type(error).__name__ == "ResourceExhaustedError" else None

    def product(self, size):
        """Return what multiplies two matrices on one thread, the way that a model is run."""
        tf, nodes = self.tf, ["input_0", "input_1"]
        graph = tf.compat.v1.GraphDef()
        for name in nodes:
            graph.node.add(name=name, op="Placeholder").attr["dtype"].type = tf.float32.as_datatype_enum
        product = graph.node.add(name="product", op="MatMul", input=nodes)
        product.attr["T"].type = tf.float32.as_datatype_enum
        alone = copy.copy(self)
        alone.factors = dict(self.factors, batch=size, threads=1)
        inputs = [{"node": name, "shape": [size], "dtype": "float32"} for name in nodes]
        task = {"inputs": inputs, "outputs": [{"tensor": "product:0"}], "graph_def": graph, "seed": 0}
        return functools.partial(alone.load(task), *matrices(size))


def matrices(size):
    import numpy as np

    generator = np.random.default_rng(size)
    return [generator.random((size, size), dtype=np.float32) for _ in range(2)]
