"""What a sweep prints of a combination, as the complexity-scaling document prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.text import escape_control, format_number, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

    from perfcast.models.spec import ModelSpec
    from perfcast.sweeps.sweep import Result, Sweep

_TITLES = {"fashion_mnist": "Mnist", "text": "Text"}


def structure_of(spec: ModelSpec) -> list[str]:
    """Return the lines of a network's structure: what each layer reads, and at the end what the network returns."""
    import keras

    from perfcast.models.build import build_model

    with keras.StatelessScope(initialize_variables=False):
        return structure_lines(build_model(spec))


def structure_lines(model: keras.Model) -> list[str]:
    """Return the lines of the structure of a network without branches."""
    lines, shape = [], model.input.shape
    for layer in model.layers:
        lines.append(f"Tensor shape: {shape} ----- Layer: {layer.name}")
        shape = layer.output.shape
    return [*lines, f"Tensor shape: {shape}"]


def heading_of(sweep: Sweep, result: Result, structure: list[str]) -> list[str]:
    """Return what is printed of a combination before its predictions."""
    combination, config = result.combination, sweep.config
    parameters = combination.spec.parameters
    return [
        f"{_TITLES[sweep.family]} model with {parameters['layers']} layers, batch_size = {combination.training_batch} "
        f"and convolution size = {parameters['filter_size']}",
        f"Degrees of freedom: {degrees_of_freedom(result)}",
        "Model structure:",
        *structure,
        f"Training: {pluralize(config.epochs, 'epoch')}, learning rate {config.learning_rate:g}, "
        f"dropout {config.dropout:g}, {len(sweep.corpus.training):,} inputs, {format_number(result.trained.seconds)}s",
        f"Data: {sweep.corpus.source}",
        "Evaluation starting...",
        f"Iterations of evaluation: {config.evaluation_iterations}",
        f"Inputs to predict for each iteration: {config.evaluation_inputs}",
        *_times(result),
        f"Accuracy: {result.trained.accuracy:.4f} of {len(sweep.corpus.evaluation):,} inputs held out from training",
    ]


def degrees_of_freedom(result: Result) -> str:
    """Return all that a sweep may vary, with the combination's values."""
    combination = result.combination
    values = combination.spec.parameters | {
        "input": "x".join(map(str, combination.spec.input_shape)),
        "training batch": combination.training_batch,
        "inference batch": combination.batch,
    }
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def _times(result: Result) -> list[str]:
    found = result.evaluated
    reason = f": {found.reason}" if found.reason else ""
    if not found.samples_s:
        return [f"Status: {found.status}{reason}"]
    low, high = format_number(found.low_s), format_number(found.high_s)
    return [
        f"Total elapsed time: {found.total_s}s",
        f"Prediction time: {found.mean_s}s",
        f"Status: {found.status}{reason}; typically {format_number(found.typical_s)}s, 95% interval {low} to {high}s",
    ]


def predictions_of(sweep: Sweep, result: Result) -> Iterator[list[str]]:
    """Yield the lines of each prediction: right or wrong, the classes and, of texts, the text."""
    classes, shown = sweep.corpus.classes, sweep.corpus.evaluation
    for place, predicted in enumerate(result.trained.predicted):
        actual = int(shown.labels[place])
        lines = [
            "CORRECT" if actual == predicted else "WRONG",
            f"Actual: {classes[actual]} | Predicted: {classes[predicted]}",
        ]
        if isinstance(shown.items, tuple):
            lines.append(f"Review: {escape_control(shown.items[place])}")
        yield lines
