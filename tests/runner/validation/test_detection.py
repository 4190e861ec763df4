"""Spikes, rates and resting values: OMV's own figures, and finer ones."""

from __future__ import annotations

import numpy as np
import pytest
from lemsmith.runner.validation import detection
from lemsmith.runner.validation.observables import compare_figures


@pytest.fixture(scope="module")
def theirs():
    """Return OMV's own analysis functions."""
    return pytest.importorskip(
        "omv.analyzers.utils.timeseries", reason="the package osbmodelvalidation is not installed"
    )


def traces():
    random = np.random.default_rng(6)
    for size in (2, 3, 50, 400):
        yield random.normal(size=size)
        yield np.cumsum(random.normal(size=size))
        # Few values, so that samples lie on the threshold and neighbours are equal.
        yield random.integers(-2, 3, size=size).astype(float)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.7])
def test_spikes_by_threshold_are_omvs_own(theirs, threshold):
    for trace in traces():
        ours = detection.crossings(trace, threshold)
        assert ours.tolist() == theirs.detect_spikes(trace, "threshold", threshold).tolist()


def test_spikes_by_derivative_are_omvs_own(theirs):
    for trace in traces():
        assert detection.peaks(trace).tolist() == theirs.detect_spikes(trace, "derivative").tolist()


@pytest.mark.parametrize("method", ["isi based", "duration based"])
@pytest.mark.parametrize("window", [(0.0, float("inf")), (0.2, 0.7)])
def test_rates_are_omvs_own(theirs, method, window):
    random = np.random.default_rng(7)
    trains = [np.sort(random.uniform(size=size)) for size in (0, 1, 2, 30)]
    for train in trains:
        expected = theirs.get_spike_rate(train.tolist(), method, *window)
        assert detection.rate(train, method, *window) == pytest.approx(expected, rel=1e-12)
    together = theirs.get_spike_rate(dict(enumerate(map(list, trains))), method, *window)
    assert detection.mean_rate(trains, method, *window) == pytest.approx(together, rel=1e-12)


def test_resting_and_input_resistance_are_omvs_own(theirs):
    random = np.random.default_rng(8)
    time = np.arange(100.0)
    voltage, current = random.normal(size=(2, 100))
    table = np.stack([time, voltage], axis=1)
    assert detection.resting(voltage, 10) == theirs.average_resting(table, 10)
    windows = ((10.0, 20.0), (50.0, 70.0))
    expected = theirs.input_resistance(
        table, np.stack([time, current], axis=1), *windows, (-70.0, -80.0)
    )
    found = detection.input_resistance(time, voltage, current, *windows)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("tolerance", [0.0, 1e-9, 1e-3, 0.1])
def test_what_passes_and_how_far_it_is_off_is_as_in_omv(theirs, tolerance):
    random = np.random.default_rng(9)
    for scale in (0.0, 1e-10, 1e-4, 0.05, 0.5):
        expected = random.uniform(0.5, 3, size=5)
        observed = expected * (1 + scale * random.uniform(-1, 1, size=5))
        passed, best = theirs.compare_arrays((observed, expected.tolist()), tolerance)
        finding = compare_figures(observed, expected, tolerance)
        assert finding.passed == bool(passed)
        assert finding.deviation == pytest.approx(best, rel=1e-12)


def test_a_tolerance_of_nothing_still_grants_omvs_absolute_part(theirs):
    observed, expected = np.array([0.05 + 0.9e-8]), np.array([0.05])
    assert theirs.compare_arrays((observed, expected), 0.0)[0]
    assert compare_figures(observed, expected, 0.0).passed
    assert not compare_figures(observed + 0.2e-8, expected, 0.0).passed


def test_an_interpolated_crossing_does_not_depend_on_the_step():
    def crossing(step: float) -> float:
        time = np.arange(0.0, 1.0, step)
        (found,) = detection.spike_times(time, np.sin(2 * np.pi * (time - 0.3)), interpolate=True)
        return float(found)

    assert crossing(0.01) == pytest.approx(0.3, abs=1e-5)
    assert crossing(0.007) == pytest.approx(0.3, abs=1e-5)


def test_an_interpolated_peak_is_the_vertex_of_its_parabola():
    time = np.array([0.0, 1.0, 2.5, 3.0])
    (found,) = detection.spike_times(
        time, 5 - (time - 1.3) ** 2, method="derivative", interpolate=True
    )
    assert found == pytest.approx(1.3, abs=1e-12)


def test_a_trace_that_starts_above_the_threshold_has_not_spiked_yet():
    assert detection.crossings(np.array([1.0, 2.0, 0.0, 0.0, 1.0]), 0.5).tolist() == [4]


def test_a_window_without_samples_gives_no_resistance():
    time = np.arange(3.0)
    assert np.isnan(detection.input_resistance(time, time, time, (5, 6), (0, 1)))
