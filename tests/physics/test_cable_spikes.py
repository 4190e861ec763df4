"""When a compartment fires: inside the step where the method is of second order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cables import HH_DENSITIES, driven, leak, model, section, segment
from lemsmith.errors import UsageError
from lemsmith.runner.pipeline import run

SHAPE = (
    segment(0, None, (0.0, 0.0, 0.0, 10.0), (20.0, 0.0, 0.0, 10.0))
    + segment(1, 0, (20.0, 0.0, 0.0, 2.0), (420.0, 0.0, 0.0, 1.0))
    + section("soma", [0], 1)
    + section("dend", [1], 5)
)
RECORDED = (
    '<EventOutputFile id="e" fileName="e.dat" format="TIME_ID">'
    '<EventSelection id="0" select="p/0/c" eventPort="spike"/></EventOutputFile>'
)
METHODS = {"default": 2, "cn": 2, "exponential_euler": 1, "euler": 1, "neuron": 1}


def spikes(step, method="default", start="-65 mV", length="40 ms", **options):
    pulse, network = driven("0.3 nA", delay="1 ms")
    text = model(
        SHAPE,
        HH_DENSITIES + leak(erev="-54.3 mV"),
        network,
        ["p/0/c/0/v"],
        extra=pulse,
        length=length,
        step=step,
        start=start,
        events=RECORDED,
    )
    return run(text, method=method, **options)


def test_a_recorded_spike_converges_at_second_order():
    pytest.importorskip("scipy")
    truth = spikes("0.04 ms", "reference").event_times("p/0/c")
    errors = [
        np.abs(spikes(step).event_times("p/0/c") - truth).max()
        for step in ("0.04 ms", "0.02 ms", "0.01 ms")
    ]
    assert len(truth) >= 3
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.25)
    assert math.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.25)


@pytest.mark.parametrize("method", METHODS)
def test_a_recorded_spike_is_where_the_potential_crosses_the_threshold(method):
    step = 2.5e-5
    found = spikes("0.025 ms", method)
    times, (crossings,) = found.event_times("p/0/c"), found.spikes(threshold=0.0).values()
    assert len(times) >= 3
    if METHODS[method] == 2:
        assert times == pytest.approx(crossings, abs=1e-12)
    else:
        # On the grid: at the end of the step, or, as NEURON tests, at the start of the next.
        assert times / step == pytest.approx(np.round(times / step), abs=1e-4)
        assert ((times - crossings > -1e-9) & (times - crossings < step + 1e-9)).all()


@pytest.mark.parametrize("backend", ["numpy", "cuda-on-host"])
def test_a_recorded_spike_has_the_same_time_on_every_backend(backend):
    expected = spikes("0.025 ms").event_times("p/0/c")
    found = spikes("0.025 ms", backend=backend).event_times("p/0/c")
    assert found == pytest.approx(expected, abs=1e-13)


def test_in_single_precision_a_spike_lies_inside_its_step_too():
    expected = spikes("0.025 ms").event_times("p/0/c")
    found = spikes("0.025 ms", precision="single").event_times("p/0/c")
    assert found == pytest.approx(expected, abs=5e-7)


def test_a_cell_that_starts_above_its_threshold_fires_at_the_start():
    times = spikes("0.025 ms", start="20 mV", length="2 ms").event_times("p/0/c")
    assert times[0] == 0


def test_events_of_a_cable_are_not_delivered_at_exact_times():
    with pytest.raises(UsageError, match="exact"):
        spikes("0.025 ms", events="exact")
