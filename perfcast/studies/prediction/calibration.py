"""Numbers of the source document, to show next to the measured ones.

Source: "User Documentation for Performance Prediction" (EC7 AS15, IRT Saint Exupéry, Viveris, LAMIH;
revision 1.0, 22 December 2023). Table 1 and Figure 11 are quoted as printed there.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "User Documentation for Performance Prediction, EC7 AS15, revision 1.0 (2023)"


@dataclass(frozen=True)
class PublishedResult:
    """A row of the document's Table 1; accuracies in % (100 − MAPE) of the best of 10,000 random splits."""

    target: str
    inputs: int
    time_algorithm: str
    time_accuracy: float
    ram_algorithm: str
    ram_accuracy: float


@dataclass(frozen=True)
class PublishedRange:
    """A row of the document's Figure 11, and the features that hold the same quantity here.

    Attributes:
        quantity: in the document's words.
        low, high: the printed range.
        low_feature, high_feature: the features whose minimum and maximum make the range.
        printed: the range as printed, if it is not a pair of plain numbers.
    """

    quantity: str
    low: float
    high: float
    low_feature: str
    high_feature: str
    printed: str | None = None


@dataclass(frozen=True)
class PublishedPattern:
    """One of the document's patterns of inference times.

    Attributes:
        key: its name in the dataset's column `pattern`.
        title: its name in the document.
        figure: where the document shows it.
        look: what it looks like.
    """

    key: str
    title: str
    figure: str
    look: str


PATTERNS = (
    PublishedPattern("white_noise", "White noise", "Figure 4", "one level, small differences to both sides"),
    PublishedPattern("sequential", "Sequential variation", "Figure 5", "the level moves and stays there"),
    PublishedPattern("high_spikes", "High spikes", "Figure 6", "one level, and samples far above it"),
    PublishedPattern("low_spikes", "Low spikes", "Figure 7", "one level, and samples far below it"),
)
TABLE_1 = (
    PublishedResult("Nano", 1016, "SVR", 92.44, "SVR", 91.12),
    PublishedResult("Orin", 1159, "XGB", 88.09, "SVR", 96.12),
    PublishedResult("Halima Nano", 1612, "XGB", 92.01, "Poly", 93.57),
)
FIGURE_11 = (
    PublishedRange("# of hidden layers", 10, 4072, "layers", "layers"),
    PublishedRange("# of CONV layers", 4, 1825, "conv_layers", "conv_layers"),
    PublishedRange("# of BN layers", 0, 265, "bn_layers", "bn_layers"),
    PublishedRange("# of FC layers", 0, 18, "fc_layers", "fc_layers"),
    PublishedRange("# of filters per CONV layer", 3, 2688, "filters_min", "filters_max"),
    PublishedRange("# of units per FC layer", 0, 5_625_000, "units_min", "units_max"),
    PublishedRange("Filter size", 1, 11, "kernel_size_min", "kernel_size_max", "(1x1) – (11x11)"),
    PublishedRange("Input size", 32, 2400, "input_size", "input_size"),
    PublishedRange("# of CONV layers parameters", 0.27e6, 87.1e6, "conv_parameters", "conv_parameters"),
    PublishedRange("# of BN layers parameters", 0, 0.8e6, "bn_parameters", "bn_parameters"),
    PublishedRange("# of FC layers parameters", 0, 119.8e6, "fc_parameters", "fc_parameters"),
    PublishedRange("Total number of FLOPs", 3.1e6, 5.2e12, "flops", "flops"),
    PublishedRange("Sum of intermediate activations", 0.1e6, 37.6e9, "sum_activations", "sum_activations"),
)
