"""The error of a run: per column, and per spike."""

from __future__ import annotations

import numpy as np
import pytest
from lemsmith.runner.recording import EventTrain, Recording, Trace
from lemsmith.runner.validation.run_error import run_error

TIME = np.arange(0, 11) * 1e-3


def recording(v, *trains):
    return Recording(
        time=TIME,
        traces=(Trace("v", "cell[0]/v", "voltage", "V", np.asarray(v, float)),),
        events=tuple(EventTrain("0", "cell[0]", "spike", np.array(t)) for t in trains),
        settings={"method": "euler", "step": 1e-3},
    )


RAMP = np.linspace(-0.07, 0.03, 11)


def test_a_column_tells_its_largest_error_and_when():
    other = RAMP.copy()
    other[7] += 0.002
    (column,) = run_error(recording(other), recording(RAMP)).columns
    assert column.largest == pytest.approx(0.002)
    assert column.of_range == pytest.approx(0.02)
    assert column.at == pytest.approx(7e-3)


def test_a_crossing_counts_as_a_spike_and_tells_how_late_it_is():
    (spikes,) = run_error(recording(RAMP - 0.001), recording(RAMP)).spikes
    assert spikes.late == pytest.approx([1e-4])


def test_recorded_events_stand_for_the_crossings_of_their_cell():
    late = recording(RAMP, [1.25e-3, 4e-3])
    (spikes,) = run_error(late, recording(RAMP, [1e-3, 4.5e-3])).spikes
    assert spikes.late == pytest.approx([0.25e-3, -0.5e-3])


def test_spikes_that_are_lost_are_told():
    found = run_error(recording(RAMP, [1e-3]), recording(RAMP, [1e-3, 4e-3]))
    assert "1 of 2" in found.text()
    assert "lost" in found.text()
