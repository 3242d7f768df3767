"""Whether outputs are plausible: a model that computes nonsense, or nothing, is fast for no reason."""

import itertools

import numpy as np

from perfcast.runner.inputs import other_inputs, shape_of

COMPARED = 4096
TOLERANCE, COARSE_TOLERANCE = 1e-3, 2e-2  # Of numbers of 32 bits or more, and of fewer.
TIPPED_SHARE = 0.01
WHOLE_NUMBERS = "iub"


class ImplausibleOutputError(Exception):
    """An output is not what a working model gives; the message says which and why."""


def check_outputs(task, outputs, batch):
    """Raise ImplausibleOutputError where outputs are fewer, of another shape than the export says, or not finite."""
    if len(outputs) != len(task["outputs"]):
        raise ImplausibleOutputError(
            "the model has %d outputs, the export lists %d" % (len(outputs), len(task["outputs"]))
        )
    for item, output in zip(task["outputs"], outputs):
        shape, expected = list(output.shape), shape_of(item, batch)
        if shape != expected:
            raise ImplausibleOutputError(
                "output %s has the shape %s, the export says %s" % (item["tensor"], shape, expected)
            )
        if not np.all(np.isfinite(output)):
            raise ImplausibleOutputError("output %s has values that are not finite" % item["tensor"])


def doubt_of(task, infer, outputs, batch, tries):
    """Return, in words, what is to be doubted of a model: an output is zero, or all are the same, whatever the input.

    None where there is nothing: within so many further inputs an output has changed, and none was zero throughout.
    Whole numbers may be zero: it is a class like others. An output that stays the same is well beside one that changes.
    """
    first = [np.array(output) for output in outputs]
    lively = [output.dtype.kind in WHOLE_NUMBERS or bool(np.any(output)) for output in first]
    changed = not task["inputs"]
    for inputs in itertools.islice(other_inputs(task, batch), tries if task["inputs"] else 0):
        if changed and all(lively):
            return None
        others = infer(*inputs)
        changed = changed or any(not np.array_equal(one, other) for one, other in zip(first, others))
        lively = [known or bool(np.any(other)) for known, other in zip(lively, others)]
    names = [item["tensor"] for item in task["outputs"]]
    if not all(lively):
        return "output %s is zero whatever the input" % names[lively.index(False)]
    if not changed:
        return "the model depends on nothing: %s the same whatever the input" % listed(names)
    return None


def listed(names):
    if len(names) == 1:
        return "output %s is" % names[0]
    return "outputs %s and %s are" % (", ".join(names[:-1]), names[-1])


class Repeatable:
    """Compares the outputs of inferences on the same input; of large outputs an evenly spread part."""

    def __init__(self, task):
        self.names = [item["tensor"] for item in task["outputs"]]
        self.first = None

    def compare(self, outputs):
        """Raise ImplausibleOutputError where outputs differ from those of the first call by more than rounding does."""
        parts = [part_of(np.asarray(output)) for output in outputs]
        if self.first is None:
            self.first = parts
        for name, first, part in zip(self.names, self.first, parts):
            if not alike(first, part):
                raise ImplausibleOutputError(
                    "output %s differs from one inference to the next on the same input" % name
                )


def part_of(output):
    """Return a copy of some thousand values, evenly spread; an odd step meets all of a power of two of channels."""
    flat = output.reshape(-1)
    return np.array(flat[:: flat.size // COMPARED | 1])


def alike(one, other):
    """Say whether values are the same but for rounding, in whole numbers but for a few that rounding tipped over."""
    if one.dtype.kind in WHOLE_NUMBERS:
        return bool(np.mean(one != other) <= TIPPED_SHARE) if one.size else True
    tolerance = TOLERANCE if one.dtype.itemsize >= 4 else COARSE_TOLERANCE
    one, other = one.astype(np.float64), other.astype(np.float64)
    return bool(np.linalg.norm(one - other) <= tolerance * np.linalg.norm(one))
