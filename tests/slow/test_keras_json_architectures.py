"""Every architecture of Keras Applications: its text says exactly what the exporter says of the live network."""

import json

import keras
import pytest
from keras.saving import serialize_keras_object

from perfcast.formats.keras_json import read_configuration
from perfcast.models.build import build_model
from perfcast.models.keras_applications import installed_architectures, make_spec, min_size, variants_of
from tests.slow.test_saved_models import SMALLEST
from tests.unit.formats.keras_texts import build, described, read, text_of

SPECS = [
    make_spec(builder, (size, size, 3), parameters)
    for builder, function in installed_architectures().items()
    for parameters in variants_of(builder, function)
    for size in [max(64, min_size(builder))]
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.model)
def test_text_and_saved_configurations_and_live_network_agree(spec):
    model = build(lambda: build_model(spec))
    expected = described(model)
    assert len(expected["layers"]) > 20
    # What `model.save` writes to a `.keras` file, and to a `.h5` file.
    archived, attribute = serialize_keras_object(model), {"class_name": "Functional", "config": model.get_config()}
    for document in (text_of(model), archived, attribute):
        assert read(json.loads(json.dumps(document))) == expected


@pytest.mark.parametrize("builder", SMALLEST)
def test_saved_file_and_loaded_network_agree(builder, tmp_path):
    size = max(64, min_size(builder))
    model = installed_architectures()[builder](weights=None, input_shape=(size, size, 3))
    model.save(tmp_path / "net.keras")
    keras.backend.clear_session()
    expected = described(keras.saving.load_model(tmp_path / "net.keras", compile=False))
    assert json.loads(json.dumps(read(read_configuration(tmp_path / "net.keras")))) == expected
