"""Environment variables that change speed or memory: which ones there are, what they are set to, what goes on record.

This is the only list of them. A variable that is not on it is never recorded, nor is one whose name may stand for a
secret: what Terraform calls `TF_TOKEN_…` begins like TensorFlow's.
"""

import fnmatch
import hashlib
import os
import re
import sys

VARIABLES = (
    ("TF_*", "TensorFlow: oneDNN kernels, XLA, thread pools, the GPU's allocator, deterministic kernels"),
    ("XLA_*", "XLA: flags of its compiler"),
    ("ITEX_*", "Intel's extension of TensorFlow"),
    ("TFLITE_*", "LiteRT"),
    ("ORT_*", "ONNX Runtime"),
    ("OV_*", "OpenVINO"),
    ("OPENVINO_*", "OpenVINO"),
    ("ONEDNN_*", "oneDNN: instruction set, cached primitives, default precision"),
    ("DNNL_*", "oneDNN, by its former name"),
    ("MKLDNN_*", "oneDNN, by its first name"),
    ("ZENDNN_*", "AMD's kernels"),
    ("XNNPACK_*", "XNNPACK's kernels"),
    ("OMP_*", "OpenMP: number, places and waiting of threads"),
    ("GOMP_*", "OpenMP of GCC"),
    ("KMP_*", "OpenMP of LLVM and Intel: block time, affinity"),
    ("MKL_*", "Intel MKL: threads, instruction set"),
    ("OPENBLAS_*", "OpenBLAS, which NumPy may use: threads, kernels"),
    ("GOTO_*", "OpenBLAS, by its former name"),
    ("BLIS_*", "BLIS: threads"),
    ("VECLIB_*", "Apple's Accelerate: threads"),
    ("NUMEXPR_*", "numexpr: threads"),
    ("NPY_*", "NumPy: instruction sets that it must not use"),
    ("MALLOC_*", "the allocators of glibc (arenas, thresholds) and jemalloc"),
    ("GLIBC_TUNABLES", "glibc: allocator, copying, instruction sets"),
    ("TCMALLOC_*", "tcmalloc"),
    ("MIMALLOC_*", "mimalloc"),
    ("LD_PRELOAD", "libraries in the place of others, such as another allocator"),
    ("LD_LIBRARY_PATH", "where libraries are found first, such as another BLAS"),
    ("DYLD_*", "the same on macOS"),
    ("PYTHONMALLOC", "Python's allocator"),
    ("PYTHONDEVMODE", "Python's checks while developing"),
    ("PYTHONTRACEMALLOC", "Python's record of allocations"),
    ("PYTHON_JIT", "Python's compiler"),
    ("PYTHON_GIL", "Python's global lock"),
)
"""Names, as patterns of a shell, and what each changes."""

GPU_VARIABLES = (
    ("CUDA_*", "CUDA: which GPUs, order, caches of compiled kernels, blocking launches"),
    ("NVIDIA_*", "NVIDIA's libraries and containers: TF32, which GPUs"),
    ("CUDNN_*", "cuDNN"),
    ("CUBLAS_*", "cuBLAS: workspace"),
    ("NCCL_*", "NVIDIA's communication between GPUs"),
    ("HIP_*", "AMD's GPUs"),
    ("HSA_*", "AMD's GPUs: the runtime"),
    ("ROCR_*", "AMD's GPUs: which ones"),
    ("MIOPEN_*", "AMD's GPUs: kernels"),
    ("SYCL_*", "Intel's GPUs"),
    ("ONEAPI_*", "Intel's GPUs: which ones"),
    ("ZE_*", "Intel's GPUs: the driver"),
)
"""Those that change nothing where a target's device is a CPU: GPUs are hidden from the runtime there."""

HARMLESS = (
    ("TF_CPP_*", "what TensorFlow logs; perfcast sets it itself"),
    ("TF_CONFIG", "a cluster's addresses; a session on one device does not read them"),
    ("KMP_DUPLICATE_LIB_OK", "set by scikit-learn where it is imported; only whether OpenMP may be loaded twice"),
    ("KMP_INIT_AT_FORK", "set by scikit-learn where it is imported; only when OpenMP starts"),
    ("TF_USE_LEGACY_KERAS", "which Keras is imported; nothing is run by Keras"),
    *((name, "Terraform's") for name in ("TF_VAR_*", "TF_TOKEN_*", "TF_CLI_*", "TF_LOG*", "TF_DATA_DIR")),
)
"""Names that the patterns above match, and that are left out."""

THREADS = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "BLIS_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
)
"""Set to the factor `threads` unless the target sets them: workflow systems give their jobs values of their own."""

LISTS = VARIABLES + GPU_VARIABLES, HARMLESS
SECRETS = "KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH"
MAX_LENGTH = 1000
"""Characters of a value that is recorded as it is; of a longer one, such as a list of folders, its digest is."""


def listed_pattern():
    """Return a regular expression of the variables that change speed or memory and may be recorded."""
    known, harmless = ("|".join(pattern.replace("*", ".*") for pattern, _ in names) for names in LISTS)
    return r"^(?!(%s)$)(?!.*(%s))(?=(%s)$)[A-Za-z_][A-Za-z0-9_]{0,99}$(?!\n)" % (harmless, SECRETS, known)


def conditions_of(factors, environment_variables):
    """Return what a runner is told of its environment variables, from a plan's factors and what its target sets."""
    return {
        "threads": factors["threads"],
        "device_kind": factors["device_kind"],
        "set": dict(environment_variables),
    }


def applied(environ, conditions):
    """Return environment variables as the conditions ask for; what a target sets to None is absent."""
    wanted = dict(dict.fromkeys(THREADS, str(conditions["threads"])), **conditions["set"])
    kept = {name: value for name, value in environ.items() if name not in wanted}
    return dict(kept, **{name: value for name, value in wanted.items() if value is not None})


def be_under(conditions):
    """Be this program under the conditions: where they do not hold, start again with the same arguments.

    Libraries read some variables only while a process starts.
    """
    environ = applied(os.environ, conditions)
    if environ != dict(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.argv], environ)


def recorded(environ, conditions):
    """Return what goes on record of environment variables, by name: those on the list that matter under conditions."""
    skipped = set(THREADS) - set(conditions["set"])
    listed = re.compile(listed_pattern())
    names = [name for name in sorted(environ) if listed.match(name) and name not in skipped]
    if conditions["device_kind"] == "cpu":
        names = [name for name in names if not any(fnmatch.fnmatchcase(name, pattern) for pattern, _ in GPU_VARIABLES)]
    return {name: as_fact(environ[name]) for name in names}


def as_fact(value):
    """Return a value as text that can be written anywhere: bytes that are no text are spelled out."""
    text = value.encode("utf-8", "backslashreplace").decode()
    if len(text) <= MAX_LENGTH:
        return text
    return "sha256:%s" % hashlib.sha256(text.encode()).hexdigest()
