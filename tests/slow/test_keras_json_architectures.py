"""Every architecture of Keras Applications: its text says exactly what the exporter says of the live network."""

import pytest

from perfcast.models.build import build_model
from perfcast.models.keras_applications import installed_architectures, least_size, make_spec, variants_of
from tests.unit.formats.keras_texts import agree

SPECS = [
    make_spec(builder, (size, size, 3), parameters)
    for builder, function in installed_architectures().items()
    for parameters in variants_of(builder, function)
    for size in [max(64, least_size(builder))]
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.model)
def test_text_and_live_network_agree(spec):
    assert len(agree(lambda: build_model(spec))["layers"]) > 20
