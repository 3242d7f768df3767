"""The order in which Keras runs the calls of a functional model: by depth, as `keras.Function` sorts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perfcast.formats.keras_json.document import ModelText, Reference, Step


def ordered_steps(model: ModelText, owner: str) -> tuple[Step, ...]:
    """Return the calls that lead from a model's inputs to its outputs, input layers left out.

    Args:
        model: its layers, inputs and outputs; its own `steps` are not read.
        owner: the model in words, for messages.

    Raises:
        SourceError: a call reads what no call returns, or what depends on itself.
    """
    entries = {model.step(reference) for reference in model.inputs}
    parents: dict[Step, list[Step]] = {}
    finished = _depth_first(model, entries, parents, owner)
    by_depth: dict[int, list[Step]] = {}
    for step, depth in _depths(finished, parents).items():
        by_depth.setdefault(depth, []).append(step)
    steps = (step for _, steps in sorted(by_depth.items(), reverse=True) for step in steps)
    return tuple(step for step in steps if step not in entries)


def _depth_first(model: ModelText, entries: set[Step], parents: dict[Step, list[Step]], owner: str) -> list[Step]:
    """Return the calls that outputs depend on, each after all that it reads; note what each reads in `parents`."""
    finished: dict[Step, None] = {}
    for reference in model.outputs:
        stack = [_entered(model, _step(model, reference, owner), entries, parents, owner)]
        while stack:
            step, following = stack[-1]
            parent = next(following, None)
            if parent is None:
                finished[step] = None
                stack.pop()
            elif parent not in parents:
                stack.append(_entered(model, parent, entries, parents, owner))
            elif parent not in finished:
                raise SourceError(f"{owner}: layer {parent[0][:80]!r} depends on its own output")
    return list(finished)


def _entered(
    model: ModelText, step: Step, entries: set[Step], parents: dict[Step, list[Step]], owner: str
) -> tuple[Step, Iterator[Step]]:
    if step not in parents:
        parents[step] = [] if step in entries else _read(model, step, owner)
        return step, iter(parents[step])
    return step, iter(())


def _read(model: ModelText, step: Step, owner: str) -> list[Step]:
    references = model.call(step).references() if not model.layers[step[0]].is_input else []
    layer = model.layers[step[0]]
    if not references and layer.kind == "TFOpLambda":
        function = escape_control(str(layer.values.get("function")))[:80]
        raise SourceError(f"{owner}: the text does not record what layer {step[0][:80]!r} (tf.{function}) reads")
    if not references:
        raise SourceError(f"{owner}: layer {step[0][:80]!r} does not depend on the model's inputs")
    return [_step(model, reference, owner) for reference in references]


def _step(model: ModelText, reference: Reference, owner: str) -> Step:
    layer = model.layers.get(reference.layer)
    if layer is None:
        raise SourceError(f"{owner}: there is no layer {reference.layer[:80]!r}, which another one reads")
    step = model.step(reference)
    if not 0 <= step[1] < (1 if layer.is_input else len(layer.calls)):
        raise SourceError(f"{owner}: layer {layer.name[:80]!r} is not called as often as its readers say")
    return step


def _depths(finished: list[Step], parents: dict[Step, list[Step]]) -> dict[Step, int]:
    """Return how far each call is from the outputs, in the order that `keras.Function` notes it."""
    depths: dict[Step, int] = {}
    of_layers: dict[str, int] = {}
    for step in reversed(finished):
        # All calls of a shared layer count as deep as the deepest one that was met.
        depth = max(depths.setdefault(step, 0), of_layers.get(step[0], 0))
        of_layers[step[0]] = depths[step] = depth
        for parent in parents[step]:
            depths[parent] = max(depth + 1, depths.get(parent, 0))
    return depths
