"""Preprocessing layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import Call, Outcome, Part
from perfcast.formats.keras_json.rules.elementwise import plain
from perfcast.formats.keras_json.rules.shapes import behind_window, join, split

if TYPE_CHECKING:
    from collections.abc import Callable


def _resized(call: Call) -> Outcome:
    _, channels = split(call, 2)
    sides = (call.settings.whole("height"), call.settings.whole("width"))
    return Outcome((join(call, sides, channels),))


def _encoded(call: Call) -> Outcome:
    """Return the outcome of layers that number categories, or spread them over as many columns as there are."""
    settings = call.settings
    mode = settings.word("output_mode", "multi_hot" if call.kind == "CategoryEncoding" else "int")
    if mode == "int":
        return Outcome((call.shape,), dtype="int32" if call.kind == "Discretization" else None)
    boundaries = settings.get("bin_boundaries")
    if isinstance(boundaries, list):
        columns = len(boundaries) + 1
    else:
        columns = settings.whole("num_tokens" if call.kind == "CategoryEncoding" else "num_bins")
    return _spread(call, mode, columns)


def _spread(call: Call, mode: str, columns: int) -> Outcome:
    last = () if len(call.shape) > 1 and (mode != "one_hot" or call.shape[-1] == 1) else call.shape[-1:]
    return Outcome(((*call.shape[:-1], *last, columns),))


def _lookup(call: Call) -> Outcome:
    """Return the outcome of tables of words: their numbers, or a column for each where the text gives their number."""
    mode = call.settings.word("output_mode", "int")
    return Outcome((call.shape,), dtype="int64") if mode == "int" else _spread(call, mode, _columns(call))


def _columns(call: Call) -> int:
    """Return how many words a table has a column for."""
    key = "max_tokens" if call.settings.flag("pad_to_max_tokens", False) else "vocabulary_size"
    if call.settings.get(key) is None:
        call.refuse("does not give the size of its vocabulary")
    return call.settings.whole(key)


def _text(call: Call) -> Outcome:
    """Return the outcome of `TextVectorization`: as many numbers as it cuts texts to, or a column for each word."""
    settings = call.settings
    if settings.word("output_mode", "int") == "int":
        if settings.get("output_sequence_length") is None:
            call.refuse("does not give the length of its output")
        return Outcome(((call.shape[0], settings.whole("output_sequence_length")),), dtype="int64")
    whole = settings.values.get("split", "whitespace") is None and len(call.shape) > 1
    return Outcome(((*(call.shape[:-1] if whole else call.shape), _columns(call)),), dtype="float32")


def _mel_spectrogram(call: Call) -> Outcome:
    step = call.settings.whole("sequence_stride", 256)
    frames = (call.shape[-1] + step + 1) // step
    return Outcome(((*call.shape[:-1], call.settings.whole("num_mel_bins", 128), frames),))


def _stft_spectrogram(call: Call) -> Outcome:
    settings = call.settings
    spatial, channels = split(call, 1)
    frame = settings.whole("frame_length", 256)
    length = settings.whole("fft_length", 1 << (frame - 1).bit_length() if frame > 1 else 1)
    mode = settings.word("mode", "log")
    kernel = frame * (length // 2 + 1)
    parts = tuple(
        Part(name, kernel) for name, without in (("real_kernel", "imag"), ("imag_kernel", "real")) if mode != without
    )
    (steps,) = behind_window(call, spatial, (frame,), (settings.whole("frame_step", max(1, frame // 2)),))
    bands = (length // 2 + 1) * (2 if mode == "stft" else 1)
    if not settings.flag("expand_dims", False):
        return Outcome((join(call, (steps,), bands * channels),), parts)
    return Outcome((join(call, (steps, bands), channels),), parts)


_SAME = (
    "AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization MixUp RandAugment "
    "RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomElasticTransform RandomErasing "
    "RandomFlip RandomGaussianBlur RandomHue RandomInvert RandomPerspective RandomPosterization "
    "RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom Rescaling Solarization"
)

RULES: dict[str, Callable[[Call], Outcome]] = {
    **dict.fromkeys(_SAME.split(), plain),
    "RandomGrayscale": Call.same,
    **dict.fromkeys(("CenterCrop", "RandomCrop", "Resizing"), _resized),
    **dict.fromkeys(("CategoryEncoding", "Discretization", "HashedCrossing", "Hashing"), _encoded),
    **dict.fromkeys(("IntegerLookup", "StringLookup"), _lookup),
    "TextVectorization": _text,
    "MelSpectrogram": _mel_spectrogram,
    "STFTSpectrogram": _stft_spectrogram,
}
"""Rules by class."""
