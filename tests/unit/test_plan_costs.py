"""What a plan assumes that training holds."""

import pytest
from keras import layers

from perfcast.network.training_memory import training_peak
from perfcast.planning.costs import training_peaks_mb
from tests.unit.descriptors import chain, described


def network():
    return chain(
        (8, 8, 3),
        layers.Conv2D(16, 3, padding="same", name="conv"),
        layers.ReLU(name="relu"),
        layers.Flatten(name="flat"),
        layers.Dense(64, name="dense"),
    )


@pytest.fixture(scope="module")
def descriptor():
    return described(network)


def planned(descriptor, **factors):
    return float(training_peaks_mb([descriptor], {"batch": 1} | factors).iloc[0])


@pytest.mark.parametrize("batch", [1, 64])
def test_a_training_step_is_planned_by_its_schedule(descriptor, batch):
    outputs = {port["name"] for port in descriptor["outputs"]}
    peak = training_peak(descriptor["layers"], outputs, batch, "adam")
    assert planned(descriptor, optimizer="adam", batch=batch) == pytest.approx(peak.bytes / 1e6)


def test_state_and_batch_take_memory(descriptor):
    assert planned(descriptor, optimizer="adam") > planned(descriptor, optimizer="momentum")
    assert planned(descriptor, optimizer="momentum") > planned(descriptor, optimizer="sgd")
    assert planned(descriptor, optimizer="sgd", batch=64) > planned(descriptor, optimizer="sgd")


def test_gradients_alone_need_no_state(descriptor):
    assert planned(descriptor, optimizer=None) == planned(descriptor, optimizer="sgd") == planned(descriptor)
