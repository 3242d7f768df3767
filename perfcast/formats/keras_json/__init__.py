"""Reader of the texts that Keras' `model.to_json()` writes; it needs no Keras and runs nothing."""

from perfcast.formats.keras_json.loading import unsafe_or_unknown
from perfcast.formats.keras_json.network import looks_like_keras, network_of, read_keras_json

__all__ = ["looks_like_keras", "network_of", "read_keras_json", "unsafe_or_unknown"]
