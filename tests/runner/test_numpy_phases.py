"""Kernels as numpy arrays give what they give as C++."""

from __future__ import annotations

from pathlib import Path

import lemsmith
import numpy as np
import pytest
from lemsmith.errors import UsageError

MODELS = Path(__file__).parents[2] / "models"

HEAD = """<Lems><Target component="sim"/><Include file="Simulation.xml"/>
<Include file="NeuroMLCoreDimensions.xml"/>"""

BOUNCE = f"""{HEAD}
<ComponentType name="Charger"><Parameter name="tau" dimension="time"/>
<Exposure name="x" dimension="none"/><EventPort name="full" direction="out"/>
<Dynamics><StateVariable name="x" dimension="none" exposure="x"/>
<TimeDerivative variable="x" value="(1 - x)/tau"/>
<OnCondition test="x .gt. 0.5"><StateAssignment variable="x" value="0"/>
<EventOut port="full"/></OnCondition></Dynamics></ComponentType>
<Charger id="c" tau="10ms"/>
<Simulation id="sim" length="50ms" step="1ms" target="c"><OutputFile id="o" fileName="o.dat">
<OutputColumn id="x" quantity="x"/></OutputFile>
<EventOutputFile id="e" fileName="e.dat" format="TIME_ID">
<EventSelection id="0" select="" eventPort="full"/></EventOutputFile></Simulation></Lems>"""


@pytest.mark.parametrize("method", ["euler", "rk4", "default"])
@pytest.mark.parametrize("model", ["LEMS_hh.xml", "iaf.xml"])
def test_both_backends_give_the_same_traces(model: str, method: str) -> None:
    path = MODELS / model
    compiled = lemsmith.run(path, method=method, length="5 ms")
    arrays = lemsmith.run(path, method=method, length="5 ms", backend="numpy")
    for ours, theirs in zip(compiled.traces, arrays.traces, strict=True):
        scale = np.ptp(ours.values) or 1.0
        assert np.abs(ours.values - theirs.values).max() <= 1e-9 * scale


def test_a_reset_is_located_inside_the_step() -> None:
    text = BOUNCE.replace('select=""', 'select="."')
    recording = lemsmith.run(text, method="default", backend="numpy")
    times = recording.events[0].times
    # x = 1 - exp(-t / tau) passes 0.5 every tau ln 2.
    expected = 0.010 * np.log(2.0) * np.arange(1, len(times) + 1)
    assert len(times) == 7
    np.testing.assert_allclose(times, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("precision", ["single", "mixed"])
def test_another_precision_is_refused_by_name(precision: str) -> None:
    with pytest.raises(UsageError, match=f"'numpy' computes in double.*{precision}"):
        lemsmith.run(MODELS / "iaf.xml", backend="numpy", precision=precision)
