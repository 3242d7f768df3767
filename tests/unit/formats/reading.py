"""What all tests of readers need: whole, valid descriptors and features of networks."""

from perfcast.errors import SourceError, UsageError
from perfcast.features.extract import extract_features
from perfcast.network.descriptor import validate_descriptor
from tests.unit.descriptors import GRAPH

_HEAD = {"schema_version": 1, "model": "net", "name": "net", "family": "family", "source": "source", "graph": GRAPH}


def whole(network):
    """Return the descriptor of a network, which must be valid."""
    descriptor = _HEAD | network.descriptor()
    validate_descriptor(descriptor)
    return descriptor


def features(network):
    """Return the features of a network."""
    return extract_features(whole(network))


def layers(network):
    """Return the layers of a network's descriptor but the input layers."""
    return [layer for layer in whole(network)["layers"] if layer["type"] != "InputLayer"]


def refusal(read):
    """Return what `read`, which returns a network, says where it refuses a file; empty where it does not."""
    try:
        read().descriptor()
    except (SourceError, UsageError) as error:
        return str(error)
    return ""
