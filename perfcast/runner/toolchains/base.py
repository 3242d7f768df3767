"""What a toolchain consists of: facts that the host reads from the class, and what the runner does with it."""

WEIGHTS_AS = {
    "weights_as": {
        "type": str,
        "description": "`constant`, as deployed graphs are, or `variable`: less memory, slower.",
        "default": "constant",
        "schema": {"enum": ["constant", "variable"]},
    }
}
GRAPH_OPTIMIZATIONS = {
    "graph_optimizations": {
        "type": bool,
        "description": "Whether the runtime may rewrite the graph (constant folding, fused operations).",
        "default": True,
        "schema": {"type": "boolean"},
    }
}


class Toolchain:
    """A runtime, with the factors of a plan; what a subclass does not define is as it stands here."""

    name = None
    description = None
    """Half a sentence for users, behind the name."""
    PACKAGES = ()
    """What must be installed where it runs, as pip takes it."""
    FORMATS = ()
    """Formats of the programs that it runs, the best first: each has a converter in `perfcast.export.programs`.

    Those of inference programs; a workload with programs of its own derives their formats from these."""
    OPTIONS = {}
    """Factors of its own by name, each with `type`, `description`, `default` and `schema` (JSON schema)."""
    COMPUTES = True
    """Whether it computes what a model says, so that no latency may be shorter than the device can compute it in."""

    def __init__(self, factors):
        self.factors = factors

    @classmethod
    def weight_copies(cls, factors):
        """Return how often a weight stands in memory, while loading and while running."""
        return 1.0, 1.0

    def version(self):
        """Return the runtime's version, a text."""
        raise NotImplementedError

    def preload(self):
        """Import the runtime without initialising it."""

    def null_task(self):
        """Return the task of a model that does nothing, with `program` None."""
        tensor = {"shape": [1], "dtype": "float32"}
        inputs, outputs = [dict(tensor, node="x")], [dict(tensor, tensor="y")]
        return {"inputs": inputs, "outputs": outputs, "program": None, "seed": 0}

    def load(self, task):
        """Return a function from the inputs, arrays, to a list of outputs.

        A task has `program` (a file's path), `inputs` and `outputs` (as the program's converter described them, each
        with `shape` without the batch, `dtype`, and `batched` false where all of a batch share one) and `seed`.
        """
        raise NotImplementedError

    def before_saturation(self, task):
        """Return the task with outputs before functions that may hide a change of the input."""
        return task

    def for_a_look(self):
        """Return a toolchain that gives the same outputs and is quicker to load: for runs that are not timed."""
        return self

    def allocator_peak_bytes(self):
        """Return the most memory that the runtime's own allocator gave out, None where it does not say."""
        return

    def computed_on(self):
        """Return how many operations of what was loaded last were run on each kind of device, `cpu` or `gpu`.

        Asked of the runtime, in the process of the model, once it has run; None where the runtime does not say.
        """
        return

    def tracer(self):
        """Return what runs that which was loaded last, and says which operations ran and when; None where it cannot.

        A function from the inputs to {"wall_ns", "operations": [{"node", "operation", "start_ns", "end_ns"}]}: a node
        of the program, the kind of operation that was run for it, and when, on a clock of its own.
        """
        return

    def status_of(self, error):
        """Return the status that an exception of the runtime stands for, None for `failed`."""
        return

    def product(self, size):
        """Return what multiplies two matrices of a size on one thread, None where that shows nothing of the device."""
        return
