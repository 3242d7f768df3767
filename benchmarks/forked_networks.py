"""Networks in processes of their own, forked from one that has TensorFlow warm."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from model_lists import exported, specs_of, task_of

from perfcast.runner.children import Child
from perfcast.runner.inputs import draw_inputs
from perfcast.runner.toolchains.tensorflow import TensorFlowToolchain

WARM_UP, INFERENCES, LIMIT_S = 3, 15, 100.0


def warm_toolchain(threads):
    """Return TensorFlow, imported and not initialised."""
    toolchain = TensorFlowToolchain(
        {"threads": threads, "batch": 1, "graph_optimizations": True, "weights_as": "constant"}
    )
    toolchain.preload()
    return toolchain


def exported_elsewhere(rows, folder):
    """Return the exports, made in another process: no child may be forked from one that has used the runtime."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(exported, specs_of(rows), folder).result()


def opened(toolchain, artifacts, export):
    """Return a child that holds the model, loaded."""
    child = Child(visited(toolchain, task_of(artifacts, export)))
    latency_ns(child)
    return child


def latency_ns(child):
    """Visit a child: return its median latency in ns."""
    return child.ask({}, LIMIT_S)["ns"]


def visited(toolchain, task):
    """Return what a child does when it is asked: load the model when first, and say its median latency in ns."""
    loaded = []

    def handle(_):
        if not loaded:
            loaded.extend((toolchain.load(task), draw_inputs(task, 1)))
        infer, inputs = loaded
        for _ in range(WARM_UP):
            infer(*inputs)
        times = []
        for _ in range(INFERENCES):
            start = time.perf_counter_ns()
            infer(*inputs)
            times.append(time.perf_counter_ns() - start)
        return {"ns": float(np.median(times))}

    return handle
