"""Events at exact times: what a network does no longer depends on the grid of steps."""

from __future__ import annotations

import lemsmith
import numpy as np
import pytest

pytest.importorskip("scipy")

NETWORK = """
<Lems><Target component="sim"/><Include file="Cells.xml"/><Include file="Networks.xml"/>
<Include file="Synapses.xml"/><Include file="Simulation.xml"/>
<iafTauCell id="source" leakReversal="-50mV" thresh="-55mV" reset="-70mV" tau="7.123ms"/>
<iafCell id="iaf" leakReversal="-60mV" thresh="-55mV" reset="-62mV" C="0.2nF"
         leakConductance="0.01uS"/>
{synapse}
<network id="net">
  <population id="a" component="source" size="1"/>
  <population id="pop" component="iaf" size="2"/>
  <synapticConnectionWD from="a[0]" to="pop[0]" synapse="syn" weight="1" delay="1.2345ms"
                        destination="synapses"/>
  <synapticConnectionWD from="pop[0]" to="pop[1]" synapse="syn" weight="0.7" delay="0ms"
                        destination="synapses"/>
  <synapticConnectionWD from="pop[1]" to="pop[0]" synapse="syn" weight="0.03" delay="0.017ms"
                        destination="synapses"/>
</network>
<Simulation id="sim" length="60ms" step="0.1ms" target="net">
  <OutputFile id="o" fileName="o.dat"><OutputColumn id="v" quantity="pop[1]/v"/></OutputFile>
  <EventOutputFile id="e" fileName="e.spikes" format="TIME_ID">
    <EventSelection id="0" select="pop[1]" eventPort="spike"/></EventOutputFile>
</Simulation></Lems>
"""

CONDUCTANCE = '<expOneSynapse id="syn" gbase="6nS" erev="0mV" tauDecay="8ms"/>'
CURRENT = '<alphaCurrentSynapse id="syn" ibase="0.3nA" tau="3ms"/>'


def spikes(synapse: str, **options: object) -> np.ndarray:
    model = NETWORK.format(synapse=synapse)
    found = lemsmith.run(model, **options).event_times("pop[1]")  # type: ignore[arg-type]
    assert len(found) > 5
    return found


def test_delayed_events_at_exact_times_keep_second_order() -> None:
    truth = spikes(CONDUCTANCE, method="reference")
    errors = [
        np.abs(spikes(CONDUCTANCE, step=step, events="exact") - truth).max()
        for step in (4e-4, 1e-4)
    ]
    assert np.log(errors[0] / errors[1]) / np.log(4) == pytest.approx(2, abs=0.2)
    assert errors[1] < 1e-3 * np.abs(spikes(CONDUCTANCE, step=1e-4) - truth).max() + 1e-6


@pytest.mark.parametrize("step", [2.5e-5, 1e-3])
def test_a_linear_network_is_exact_whatever_the_step(step: float) -> None:
    truth = spikes(CURRENT, method="reference")
    found = spikes(CURRENT, step=step, events="exact")
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"backend": "cuda-on-host"}, "cuda-on-host"),
        ({"method": "euler"}, "euler"),
        ({"method": "jlems"}, "exact"),
    ],
)
def test_exact_events_are_refused_where_they_cannot_be(options: dict[str, str], word: str) -> None:
    with pytest.raises(lemsmith.UsageError, match=word):
        spikes(CURRENT, events="exact", **options)
