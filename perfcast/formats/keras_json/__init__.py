"""Reader of the texts that describe Keras models, alone or in saved ones; it needs no Keras and runs nothing."""

from perfcast.formats.keras_json.container import read_configuration, read_document
from perfcast.formats.keras_json.network import looks_like_keras, network_of
from perfcast.formats.keras_json.safety import code_in, refusal_of

__all__ = ["code_in", "looks_like_keras", "network_of", "read_configuration", "read_document", "refusal_of"]
