#!/usr/bin/env python3
"""Measure the models of a plan on this machine; one file for Python 3.6 and later.

    python3 perfcast_runner.py PLAN.json            measure; one JSON object a line on standard output
    python3 perfcast_runner.py --probe TOOLCHAIN    say what this machine is

Needs the standard library, NumPy and the runtime that the plan names. The runtime is imported once and not
initialised; each model is measured in a forked child, so that it starts clean and that its crash takes nothing else.
"""

import argparse
import ctypes
import functools
import gc
import glob
import json
import os
import platform
import re
import select
import signal
import sys
import time
import traceback

import numpy as np

RUNNER_VERSION = 1
ALIGNMENT_BYTES = 64
REFERENCE_REPEATS = 5
NULL_ITERATIONS = 50
PR_SET_PDEATHSIG = 1
UNLIMITED_BYTES = 1 << 60

# Python 3.6 has the clocks in seconds only.
perf_counter_ns = getattr(time, "perf_counter_ns", lambda: int(time.perf_counter() * 1e9))
process_time_ns = getattr(time, "process_time_ns", lambda: int(time.process_time() * 1e9))


# --- What the machine is --------------------------------------------------------------------------------------


def read_text(path):
    """Return the stripped content of a file, None where it cannot be read."""
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return None


def field_of(path, key):
    """Return the value behind `key:` in a file such as /proc/cpuinfo, None where there is none."""
    match = re.search(r"^%s\s*:\s*(.+)$" % re.escape(key), read_text(path) or "", re.MULTILINE)
    return match.group(1).strip() if match else None


def kilobytes(path, key):
    """Return a `key: 123 kB` entry in bytes, None where there is none."""
    value = field_of(path, key)
    return int(value.split()[0]) * 1024 if value else None


def first_text(*patterns):
    """Return the content of the first readable file among glob patterns."""
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            text = read_text(path)
            if text is not None:
                return text
    return None


def as_number(text, scale=1.0):
    """Return the text as a number times scale, None where it is none."""
    try:
        return float(text) * scale
    except (TypeError, ValueError):
        return None


def read_memory_limit():
    """Return the container's memory limit in bytes, None where there is none."""
    text = first_text("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    limit = as_number(text)
    # The older interface says "no limit" by a number that no machine has.
    return None if limit is None or limit >= UNLIMITED_BYTES else int(limit)


def read_context(toolchain):
    """Return what the machine is: machine, software, settings."""
    release = re.search(r'^PRETTY_NAME="?([^"\n]*)', read_text("/etc/os-release") or "", re.MULTILINE)
    memory = "/proc/meminfo"
    return {
        "machine": {
            "host": platform.node(),
            "architecture": platform.machine(),
            "cpu": field_of("/proc/cpuinfo", "model name") or first_text("/proc/device-tree/model") or platform.processor(),
            "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "cpu_max_mhz": as_number(first_text("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"), 1e-3),
            "gpu": first_text("/proc/driver/nvidia/gpus/*/information", "/sys/module/nvidia/version"),
            "memory_bytes": kilobytes(memory, "MemTotal"),
            "swap_bytes": kilobytes(memory, "SwapTotal"),
        },
        "software": {
            "os": release.group(1) if release else platform.system(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            toolchain.name: toolchain.version(),
            "runner": RUNNER_VERSION,
        },
        "settings": {
            "governor": first_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "swappiness": as_number(read_text("/proc/sys/vm/swappiness")),
            "memory_limit_bytes": read_memory_limit(),
        },
    }


def read_state():
    """Return how the machine is now, as far as it says."""
    return {
        "load_1_minute": os.getloadavg()[0],
        "memory_available_bytes": kilobytes("/proc/meminfo", "MemAvailable"),
        "cpu_mhz": as_number(field_of("/proc/cpuinfo", "cpu MHz")),
        "temperature_c": as_number(first_text("/sys/class/thermal/thermal_zone*/temp"), 1e-3),
    }


# --- Memory ---------------------------------------------------------------------------------------------------


def reset_peak():
    """Start a new peak of the resident set; False where the kernel does not allow it."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        return True
    except OSError:
        return False


def peak_rss_bytes():
    """Return the peak of this process's resident set since the last reset, None where it is unknown."""
    return kilobytes("/proc/self/status", "VmHWM")


def release_free_memory():
    """Hand freed memory back to the system, so that the next peak holds what is used."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        pass  # Another C library: its allocator keeps what it keeps.


class SystemMemory:
    """How far the system's available memory falls below what it was at the start."""

    def __init__(self):
        self.at_start = self.lowest = self.available()

    @staticmethod
    def available():
        return kilobytes("/proc/meminfo", "MemAvailable")

    def look(self):
        now = self.available()
        if now is not None and now < self.lowest:
            self.lowest = now

    def drop_bytes(self):
        return None if self.at_start is None else self.at_start - self.lowest


# --- Toolchains: load a model, run it, say what the allocator saw ---------------------------------------------


class NullToolchain:
    """Runs nothing: answers zeros. For tests of everything around a runtime."""

    name = "null"

    def __init__(self, factors):
        self.factors = factors

    def version(self):
        return "1"

    def preload(self):
        """Import the runtime without initialising it."""

    def null_task(self):
        return {"inputs": [], "outputs": [{"tensor": "zero", "shape": [1]}], "graph": None, "seed": 0}

    def load(self, task):
        """Return a function from the inputs to a list of outputs."""
        if task["graph"] is not None and os.path.getsize(task["graph"]) == 0:
            raise ValueError("empty graph")
        shapes = [[self.factors["batch"]] + output["shape"] for output in task["outputs"]]
        return lambda *inputs: [np.zeros(shape, np.float32) for shape in shapes]

    def allocator_peak_bytes(self):
        return None


class TensorFlowToolchain:
    """Runs a weightless GraphDef in a TensorFlow session, its weights drawn from a seeded generator."""

    name = "tensorflow"

    def __init__(self, factors):
        self.factors = factors
        self.tf = None

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
        tf = self.tf
        graph_def = task.get("graph_def") or self._read(task["graph"])
        generator = np.random.default_rng(task["seed"])
        graph = tf.Graph()
        with graph.as_default():
            inputs = [
                tf.compat.v1.placeholder(item["dtype"], [self.factors["batch"]] + item["shape"])
                for item in task["inputs"]
            ]
            bound = {item["node"] + ":0": tensor for item, tensor in zip(task["inputs"], inputs)}
            if self.factors["weights_as"] == "variable":
                fill = self._variables(graph_def, bound, generator)
            else:
                graph_def = self._with_constants(graph_def, generator)
                fill = tf.no_op()
            # The prefix keeps the import's names apart from those of the variables.
            outputs = tf.graph_util.import_graph_def(
                graph_def, bound, [item["tensor"] for item in task["outputs"]], name="model"
            )
        del graph_def
        session = tf.compat.v1.Session(graph=graph, config=self._session_config())
        session.run(fill)
        return session.make_callable(outputs, inputs)

    def _read(self, path):
        with open(path, "rb") as file:
            return self.tf.compat.v1.GraphDef.FromString(file.read())

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
        rewriter.disable_meta_optimizer = not self.factors["optimised"]
        return config

    @staticmethod
    def _weights(graph_def):
        for node in graph_def.node:
            if node.op == "Placeholder" and "_weight_distribution" in node.attr:
                shape = [size.size for size in node.attr["shape"].shape.dim]
                yield node, shape, node.attr["_weight_distribution"].s.decode()

    def _with_constants(self, graph_def, generator):
        for node, shape, distribution in self._weights(graph_def):
            dtype = node.attr["dtype"].type
            values = draw(generator, shape, distribution, self.tf.dtypes.as_dtype(dtype).as_numpy_dtype)
            node.op = "Const"
            tensor = node.attr["value"].tensor
            tensor.dtype = dtype
            tensor.tensor_shape.CopyFrom(node.attr["shape"].shape)
            tensor.tensor_content = values.tobytes()
            del node.attr["shape"], node.attr["_weight_distribution"]
        return graph_def

    def _variables(self, graph_def, bound, generator):
        """Bind a variable to each weight; return the operation that gives all of them values, one after the other.

        The drawn array becomes the variable's buffer without a copy. (Assigning slices would put a variable into
        copy-on-read mode for good: every inference would copy it.)
        """
        tf, filled = self.tf, []
        for node, shape, distribution in self._weights(graph_def):
            dtype = tf.dtypes.as_dtype(node.attr["dtype"].type)
            handle = tf.raw_ops.VarHandleOp(dtype=dtype, shape=shape, shared_name=node.name)
            bound[node.name + ":0"] = tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)
            values = functools.partial(draw, generator, shape, distribution, dtype.as_numpy_dtype)
            with tf.control_dependencies(filled[-1:]):
                value = tf.ensure_shape(tf.numpy_function(values, [], dtype), shape)
                filled.append(tf.raw_ops.AssignVariableOp(resource=handle, value=value))
        return tf.group(filled)

    def allocator_peak_bytes(self):
        try:
            return int(self.tf.config.experimental.get_memory_info("CPU:0")["peak"])
        except (ValueError, KeyError, AttributeError, RuntimeError):
            return None  # TensorFlow before 2.9 and builds without allocator statistics.


TOOLCHAINS = {toolchain.name: toolchain for toolchain in (NullToolchain, TensorFlowToolchain)}


def draw(generator, shape, distribution, dtype):
    """Draw values of a shape from `normal(mean,std)` or `uniform(low,high)`."""
    match = re.match(r"^(normal|uniform)\(([-+.e0-9]+),([-+.e0-9]+)\)$", distribution)
    if not match:
        raise ValueError("unknown distribution of a weight: %r" % distribution)
    first, second = float(match.group(2)), float(match.group(3))
    values = aligned(shape)
    if match.group(1) == "normal":
        generator.standard_normal(out=values, dtype=np.float32)
        values *= np.float32(second)
    else:
        generator.random(out=values, dtype=np.float32)
        values *= np.float32(second - first)
    values += np.float32(first)
    return values.astype(dtype, copy=False)


def aligned(shape):
    """Return an uninitialised array of 32-bit floats that a runtime can take over without copying."""
    size = int(np.prod(shape, dtype=np.int64))
    room = np.empty(size + ALIGNMENT_BYTES // 4, np.float32)
    skip = -room.ctypes.data % ALIGNMENT_BYTES // 4
    return room[skip : skip + size].reshape(shape)


# --- Measuring one model, in the child ------------------------------------------------------------------------


def time_reference():
    """Return the median time in ns of a fixed workload: how fast the machine itself is now."""
    data = np.linspace(0.1, 3.0, 100000)
    times = []
    for _ in range(REFERENCE_REPEATS):
        start = perf_counter_ns()
        np.sqrt(np.sin(data)).sum()
        times.append(perf_counter_ns() - start)
    return sorted(times)[len(times) // 2]


def time_inferences(infer, inputs, iterations):
    """Return the wall and process times in ns of each inference; each ends with its result on the host."""
    wall, process = [], []
    gc.collect()
    gc.disable()
    for _ in range(iterations):
        process_start = process_time_ns()
        wall_start = perf_counter_ns()
        infer(*inputs)
        wall_end = perf_counter_ns()
        process.append(process_time_ns() - process_start)
        wall.append(wall_end - wall_start)
    gc.enable()
    return wall, process


def check_outputs(task, outputs, batch):
    """Raise ValueError where outputs have another shape than the export says, or are not finite."""
    for item, output in zip(task["outputs"], outputs):
        expected = [batch] + item["shape"]
        if list(output.shape) != expected:
            raise ValueError("output %s has shape %s, expected %s" % (item["tensor"], list(output.shape), expected))
        if not np.all(np.isfinite(output)):
            raise ValueError("output %s is not finite" % item["tensor"])


def draw_inputs(task, batch):
    """Return a random input of each shape: what networks see after preprocessing, 0 to 1."""
    generator = np.random.default_rng(task["seed"] + 1)
    inputs = []
    for item in task["inputs"]:
        values = generator.random([batch] + item["shape"], dtype=np.float32)
        inputs.append(values.astype(item["dtype"], copy=False))
    return inputs


def measure(toolchain, task, protocol):
    """Load a model, warm it up, time it; return a measurement without what only the parent knows."""
    batch, iterations = toolchain.factors["batch"], protocol["iterations"]
    started = time.monotonic()
    system = SystemMemory()
    resettable = reset_peak()
    infer = toolchain.load(task)
    loaded = time.monotonic()
    system.look()
    inputs = draw_inputs(task, batch)
    check_outputs(task, infer(*inputs), batch)
    called = time.monotonic()
    system.look()
    load_peak = peak_rss_bytes()
    release_free_memory()
    reset_peak()
    reference_before = time_reference()
    wall, process = time_inferences(infer, inputs, iterations)
    reference_after = time_reference()
    system.look()
    return {
        "verdict": "measured",
        "reason": None,
        "samples": {
            "wall_ns": wall,
            "process_ns": process,
            "round": [0] * iterations,
            "visit": [0] * iterations,
            "discarded": [index < protocol["discard"] for index in range(iterations)],
        },
        "reference_ns": [{"visit": 0, "before_ns": reference_before, "after_ns": reference_after}],
        "memory": {
            "load_peak_bytes": load_peak,
            "inference_peak_bytes": peak_rss_bytes(),
            "peak_resettable": resettable,
            "allocator_peak_bytes": toolchain.allocator_peak_bytes(),
            "system_drop_bytes": system.drop_bytes(),
        },
        "timing": {"load_s": loaded - started, "first_call_s": called - loaded, "measure_s": time.monotonic() - started},
    }


def failure(verdict, reason):
    """Return the measurement of a model that could not be measured."""
    return {"verdict": verdict, "reason": reason, "samples": None, "reference_ns": [], "memory": None, "timing": None}


def measure_or_say_why(toolchain, task, protocol):
    """Return the measurement, or the failure that an exception tells of."""
    try:
        return measure(toolchain, task, protocol)
    except MemoryError as error:
        return failure("out_of_memory", str(error) or "not enough memory")
    except Exception as error:  # Whatever a runtime raises: it goes on record, and the campaign goes on.
        traceback.print_exc()
        verdict = "out_of_memory" if type(error).__name__ == "ResourceExhaustedError" else "failed"
        return failure(verdict, "%s: %s" % (type(error).__name__, str(error).strip().split("\n")[0][:500]))


# --- The campaign, in the parent ------------------------------------------------------------------------------


def in_child(function, time_limit_s, starter=None):
    """Return what a function returns in a forked child, or the failure that ended the child.

    End with the process `starter`, once it is this one's parent no more.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        die_with_parent()
        if os.getppid() != parent:
            os._exit(1)  # It was killed before the kernel knew.
        status = 1
        try:
            with os.fdopen(writer, "w") as pipe:
                json.dump(function(), pipe)
            status = 0
        finally:
            os._exit(status)  # No clean-up of what the parent owns.
    os.close(writer)
    text, stopped = read_until(reader, time.monotonic() + time_limit_s, starter)
    os.close(reader)
    if stopped:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if starter not in (None, os.getppid()):
        raise SystemExit("what started this has ended")
    if stopped:
        return failure("timed_out", "took more than %g s" % time_limit_s)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hint = " (the system kills like this when memory runs out)" if number == signal.SIGKILL else ""
        return failure("crashed", "killed by signal %d%s" % (number, hint))
    if status != 0:
        return failure("crashed", "ended with status %d" % os.WEXITSTATUS(status))
    return json.loads(text)


def die_with_parent():
    """Have the kernel end this process when its parent ends: nothing may go on measuring unseen.

    Return False where the kernel does not.
    """
    try:
        return ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) == 0
    except (OSError, AttributeError):
        return False  # Not Linux.


def read_until(reader, deadline, starter=None):
    """Read a pipe to its end; return the text and whether the deadline, or the process `starter`, passed first."""
    pieces = []
    while True:
        left = max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([reader], [], [], left if starter is None else min(left, 1.0))
        if not ready and left > 1.0 and starter == os.getppid():
            continue
        if not ready:
            return "", True
        piece = os.read(reader, 1 << 16)
        if not piece:
            return b"".join(pieces).decode(), False
        pieces.append(piece)


def emit(event, **values):
    """Write one line of the answer."""
    print(json.dumps(dict(values, event=event)), flush=True)


def measure_null(toolchain, time_limit_s, starter):
    """Return the memory that a model which does nothing takes under the same toolchain."""
    protocol = {"iterations": NULL_ITERATIONS, "discard": 0}
    answer = in_child(lambda: measure_or_say_why(toolchain, toolchain.null_task(), protocol), time_limit_s, starter)
    if answer["verdict"] != "measured":
        raise SystemExit("the null model could not be measured: %s" % answer["reason"])
    return {
        "null_load_peak_bytes": answer["memory"]["load_peak_bytes"],
        "null_inference_peak_bytes": answer["memory"]["inference_peak_bytes"],
    }


def add_what_the_parent_knows(result, elapsed_s, null_memory):
    """Complete a measurement: what it cost beside the timed inferences, and the memory baseline."""
    timing = result["timing"]
    timing["overhead_s"] = elapsed_s - sum(result["samples"]["wall_ns"]) * 1e-9
    timing["fork_s"] = elapsed_s - timing.pop("measure_s")
    result["memory"].update(null_memory)


def run_campaign(plan, take=lambda: None, starter=None):
    """Measure each task of a plan, in order, and emit each result as it is made.

    `take` returns once the last result is taken. Where the kernel does not end this with whoever started it, `starter`
    is whose end to look for.
    """
    toolchain = TOOLCHAINS[plan["factors"]["toolchain"]](plan["factors"])
    toolchain.preload()
    gc.collect()
    if hasattr(gc, "freeze"):  # Since Python 3.7: children neither walk nor copy what the runtime's import made.
        gc.freeze()
    emit("context", runner_version=RUNNER_VERSION, context=read_context(toolchain))
    take()
    limit = plan["time_limit_s"]
    null_memory = measure_null(toolchain, limit, starter)
    for task in plan["tasks"]:
        started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        state = read_state()
        print("measuring %s" % task["key"], file=sys.stderr, flush=True)
        start = time.monotonic()
        result = in_child(lambda: measure_or_say_why(toolchain, task, plan["protocol"]), limit, starter)
        if result["verdict"] == "measured":
            add_what_the_parent_knows(result, time.monotonic() - start, null_memory)
        emit("measurement", key=task["key"], started_at=started_at, state=state, **result)
        take()
    emit("done")


def wait_for_taker():
    """Wait for the line that says that the last answer is stored: nobody works beside what is measured next."""
    if not sys.stdin.readline():
        raise SystemExit("what started this has ended")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("plan", nargs="?", help="the plan, a JSON file; its graphs are named relative to it")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the process that started this ends")
    parser.add_argument("--wait", action="store_true", help="wait for a line on standard input after each answer")
    parser.add_argument("--probe", metavar="TOOLCHAIN", choices=sorted(TOOLCHAINS), help="say what this machine is")
    arguments = parser.parse_args()
    starter = os.getppid() if arguments.die_with_parent and not die_with_parent() else None
    if arguments.probe:
        emit("context", runner_version=RUNNER_VERSION, context=read_context(TOOLCHAINS[arguments.probe]({})))
        return
    if not arguments.plan:
        parser.error("a plan is needed")
    with open(arguments.plan) as file:
        plan = json.load(file)
    os.chdir(os.path.dirname(os.path.abspath(arguments.plan)))
    run_campaign(plan, wait_for_taker if arguments.wait else lambda: None, starter)


if __name__ == "__main__":
    main()
