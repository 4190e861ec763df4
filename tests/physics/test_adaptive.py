"""Adaptive methods: converged solutions, events at exact times, and refusals by name."""

from __future__ import annotations

from pathlib import Path

import lemsmith
import numpy as np
import pytest

MODELS = Path(__file__).parents[2] / "models"

pytest.importorskip("scipy")


@pytest.mark.parametrize("backend", ["cpp", "numpy"])
def test_the_reference_finds_exact_spike_times(backend: str) -> None:
    found = lemsmith.run(MODELS / "iaf.xml", method="reference", backend=backend)
    intervals = np.diff(found.event_times("iafpop[0]"))
    assert len(intervals) > 5
    np.testing.assert_allclose(intervals, 20e-3 * np.log(4), rtol=0, atol=1e-12)


def test_the_reference_keeps_the_energy_of_a_pendulum() -> None:
    energy = lemsmith.run(MODELS / "pendulum.xml", method="reference")["energy"]
    assert np.ptp(energy) < 1e-9


def test_cvode_agrees_with_the_reference() -> None:
    pytest.importorskip("sksundae")
    model = MODELS / "LEMS_hh.xml"
    length = "40ms"
    truth = lemsmith.run(model, method="reference", length=length)
    found = lemsmith.run(model, method="cvode", rtol=1e-8, atol=1e-10, length=length)
    for key in truth:
        span = np.ptp(truth[key])
        assert np.abs(found[key] - truth[key]).max() < 1e-4 * span + 1e-12


def test_an_adaptive_method_is_refused_where_it_cannot_be() -> None:
    with pytest.raises(lemsmith.UsageError, match="cuda"):
        lemsmith.run(MODELS / "iaf.xml", method="reference", backend="cuda")
    with pytest.raises(lemsmith.UsageError, match="random"):
        lemsmith.run(MODELS / "LEMS_network.xml", method="reference")


PULSE = """
<Lems><Target component="sim"/><Include file="Cells.xml"/><Include file="Networks.xml"/>
<Include file="Inputs.xml"/><Include file="Simulation.xml"/>
<iafCell id="iaf" leakReversal="-60mV" thresh="0mV" reset="-62mV" C="0.2nF"
         leakConductance="0.01uS"/>
<pulseGenerator id="pulse" delay="5.337ms" duration="7.7713ms" amplitude="0.1nA"/>
<network id="net"><population id="pop" component="iaf" size="1"/>
  <explicitInput target="pop[0]" input="pulse"/></network>
<Simulation id="sim" length="40ms" step="0.5ms" target="net">
  <OutputFile id="o" fileName="o.dat"><OutputColumn id="v" quantity="pop[0]/v"/></OutputFile>
</Simulation></Lems>
"""


@pytest.mark.parametrize("method", ["default", "reference"])
def test_a_pulse_between_grid_points_is_met(method: str) -> None:
    found = lemsmith.run(PULSE, method=method)
    t, tau = found.time, 20e-3
    on = np.maximum(t - 5.337e-3, 0)
    off = np.maximum(t - 13.1083e-3, 0)
    truth = -60e-3 + 10e-3 * (-np.expm1(-on / tau) + np.expm1(-off / tau))
    tolerance = 1e-13 if method == "default" else 1e-10
    np.testing.assert_allclose(found["v"], truth, rtol=0, atol=tolerance)


SWITCHED = """
<Lems><Target component="sim"/><Include file="Simulation.xml"/>
<Dimension name="time" t="1"/>
<ComponentType name="leaky"><Constant name="SEC" dimension="time" value="1s"/>
  <Constant name="ON" dimension="time" value="5.337ms"/>
  <Exposure name="x" dimension="none"/>
  <Dynamics>
    <StateVariable name="x" dimension="none" exposure="x"/>
    <ConditionalDerivedVariable name="drive" dimension="none">
      <Case condition="t .geq. ON .and. t .lt. 2 * ON" value="1"/>
      <Case value="0"/>
    </ConditionalDerivedVariable>
    <TimeDerivative variable="x" value="(drive - x) * 50 / SEC"/>
  </Dynamics>
</ComponentType>
<leaky id="cell"/>
<Simulation id="sim" length="40ms" step="0.5ms" target="cell">
  <OutputFile id="o" fileName="o.dat"><OutputColumn id="x" quantity="x"/></OutputFile>
</Simulation></Lems>
"""


@pytest.mark.parametrize("method", ["default", "reference"])
def test_an_input_that_switches_between_grid_points_is_met(method: str) -> None:
    model = SWITCHED.replace('<Dimension name="time" t="1"/>', '<Include file="Cells.xml"/>')
    found = lemsmith.run(model, method=method)
    t = found.time
    truth = -np.expm1(-50 * np.maximum(t - 5.337e-3, 0))
    truth = truth + np.expm1(-50 * np.maximum(t - 10.674e-3, 0))
    tolerance = 1e-12 if method == "default" else 1e-9
    np.testing.assert_allclose(found["x"], truth, rtol=0, atol=tolerance)
