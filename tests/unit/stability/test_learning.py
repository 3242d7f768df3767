"""Learning how a machine disturbs."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from perfcast.stability.learning import expected, learn
from perfcast.stability.machine import Calibration, Machine
from perfcast.stability.posterior import Measured, log_evidence
from perfcast.stability.segments import Segments

STATES = np.log([5.0, 6.25])


def visited(models, visits, slowing, seed=0):
    """Return the segments of models on a machine of two states; ``slowing`` is by calibration, log ms."""
    draw = np.random.default_rng(seed)
    measured = []
    for location in draw.uniform(0, 4, size=models):
        log_calibration = draw.choice(STATES, size=visits) + np.abs(draw.normal(0, 0.02, size=visits))
        log_ms = location + slowing(log_calibration) + draw.normal(0, 0.005, size=visits)
        measured.append(Segments(log_ms, np.full(visits, 1e-6), log_calibration, ()))
    return measured, Calibration.of(np.concatenate([segments.log_calibration for segments in measured]))


def two_states(log_calibration):
    return np.where(log_calibration > STATES.mean(), 0.25, 0.0)


def test_noise_of_the_calibration_within_a_state_corrects_nothing():
    measured, calibration = visited(30, 8, two_states)
    machine = learn(measured, calibration)
    near, far = (machine.slowing(state + np.array([0.002, 0.03])) for state in STATES)
    assert near == pytest.approx([0, 0], abs=0.004)
    assert far == pytest.approx([0.25, 0.25], abs=0.006)


def test_slowing_never_falls_and_is_0_at_the_usual_time():
    measured, calibration = visited(3, 4, lambda log_calibration: -log_calibration)
    machine = learn(measured, calibration)
    times = np.linspace(*STATES, 50)
    assert (np.diff(machine.slowing(times)) >= 0).all()
    assert machine.slowing(np.array([calibration.log_usual, np.nan])).tolist() == [0, 0]


def test_gradient_is_that_of_the_log_evidence():
    measured, calibration = visited(3, 12, two_states)
    rows, machine = Measured.of(measured), expected(calibration)

    def value(parameters):
        return log_evidence(rows, Machine(*parameters[:6], tuple(parameters[6:]), calibration))[0]

    at = np.array([np.log(0.02), np.log(0.3), -1.5, 5.0, np.log(0.4), np.log(0.3), *machine.slopes])
    _, gradient = log_evidence(rows, machine)
    # The grid moves with the parameters, which the gradient leaves out.
    assert gradient == pytest.approx(approx_fprime(at, value, 1e-5), rel=0.02, abs=0.1)


def test_a_machine_without_calibration_is_learned():
    measured, _ = visited(3, 8, two_states)
    without = [Segments(each.log_ms, each.variance, np.full(8, np.nan), ()) for each in measured]
    machine = learn(without, Calibration.of(np.full(24, np.nan)))
    assert machine.slopes == ()
    assert machine.slowing(np.full(2, np.nan)).tolist() == [0, 0]
