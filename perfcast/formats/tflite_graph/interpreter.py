"""Ask LiteRT which shapes a file's tensors have at other shapes of its inputs.

LiteRT is C++ that trusts the file, so it runs in a child, which this file is the program of: limited in memory
and time, and free to crash.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMORY_BYTES = 8 * 2**30
_TIME_LIMIT_S = 300
_QUIET = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def shapes_at(path: Path, inputs: Mapping[int, tuple[int, ...]]) -> dict[int, tuple[int, ...]] | None:
    """Return the shape of each tensor by its index after one run on zeros; None where LiteRT cannot run it.

    Args:
        path: the file.
        inputs: the shapes of its inputs by their indices, the batch included.
    """
    command = [sys.executable, "-P", str(Path(__file__)), str(path.absolute()), json.dumps(list(inputs.items()))]
    try:
        child = subprocess.run(
            command, capture_output=True, check=False, timeout=_TIME_LIMIT_S, env=os.environ | _QUIET, text=True
        )
    except subprocess.TimeoutExpired:
        return None
    if child.returncode:
        return None
    return {index: tuple(shape) for index, shape in json.loads(child.stdout.splitlines()[-1])}


def _answer(path: str, inputs: str) -> str:
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _MEMORY_BYTES if most == resource.RLIM_INFINITY else min(_MEMORY_BYTES, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    import numpy as np
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(
        path, experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    for index, shape in json.loads(inputs):
        interpreter.resize_tensor_input(index, shape)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    # Some shapes are known only once those before them were computed.
    interpreter.invoke()
    return json.dumps([(details["index"], details["shape"].tolist()) for details in interpreter.get_tensor_details()])


if __name__ == "__main__":
    sys.stdout.write(_answer(*sys.argv[1:]) + "\n")
