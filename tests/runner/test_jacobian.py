"""The Jacobian of a network is the slope of its equations, entry by entry."""

from __future__ import annotations

import lemsmith
import numpy as np
import pytest
from lemsmith.runner.adaptive import AdaptiveRun
from lemsmith.runner.jacobian import Jacobian
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made
from small_models import chain_channel

pytest.importorskip("scipy")

#: Cells with a kinetic scheme, joined in a ring by gap junctions and one by a synapse: 202 states.
CELLS = 40
RING = """
<Lems><Target component="sim"/><Include file="Cells.xml"/><Include file="Networks.xml"/>
<Include file="Simulation.xml"/>
{channel}
<pointCellCondBased id="cell" C="10pF" v0="-60mV" thresh="20mV">
  <channelPopulation id="kp" ionChannel="k" number="100" erev="-77mV"/>
</pointCellCondBased>
<gapJunction id="gap" conductance="0.5nS"/>
<expTwoSynapse id="syn" gbase="5nS" erev="0mV" tauRise="1ms" tauDecay="4ms"/>
<spikeArray id="spikes"><spike id="0" time="1.1ms"/><spike id="1" time="2.3ms"/></spikeArray>
<network id="net">
  <population id="pop" component="cell" size="{size}"/>
  <population id="in" component="spikes" size="1"/>
  <synapticConnection from="in[0]" to="pop[0]" synapse="syn" destination="synapses"/>
  <electricalProjection id="e" presynapticPopulation="pop" postsynapticPopulation="pop">{gaps}
  </electricalProjection>
</network>
<Simulation id="sim" length="6ms" step="0.05ms" target="net">
  <OutputFile id="o" fileName="o.dat"><OutputColumn id="a" quantity="pop[0]/v"/>
  <OutputColumn id="b" quantity="pop[1]/v"/><OutputColumn id="c" quantity="pop[5]/v"/></OutputFile>
</Simulation></Lems>
"""


def ring() -> str:
    """Return the ring of cells."""
    gaps = "".join(
        f'<electricalConnection id="{n}" preCell="{n}" postCell="{(n + 1) % CELLS}" synapse="gap"/>'
        for n in range(CELLS)
    )
    return RING.format(size=CELLS, gaps=gaps, channel=chain_channel("9per_ms", "3per_ms"))


@pytest.fixture(scope="module")
def run() -> AdaptiveRun:
    plan, _ = translate(made(ring(), method="cvode"))
    return AdaptiveRun(plan.program, plan.text, "cvode", 1e-6, 1e-9)


def test_a_large_network_has_a_sparse_jacobian(run: AdaptiveRun) -> None:
    jacobian = Jacobian(run)
    assert jacobian.sparse
    assert jacobian.size > 5 * CELLS
    assert jacobian.pattern().nnz < 0.1 * jacobian.size**2


def test_every_entry_is_what_differences_of_the_equations_show(run: AdaptiveRun) -> None:
    y = run.y + 1e-3 * np.random.default_rng(1).random(len(run.y))
    found = Jacobian(run).matrix(0.0, y).toarray()
    for n in range(len(y)):
        by = np.zeros(len(y))
        by[n] = 1e-6 * max(abs(y[n]), 1e-3)
        up, down = run.rates(0.0, y + by, run.d), run.rates(0.0, y - by, run.d)
        slope = (up - down) / (2 * by[n])
        np.testing.assert_allclose(found[:, n], slope, rtol=1e-5, atol=1e-5 * np.abs(slope).max())


def test_entries_lie_where_the_pattern_says(run: AdaptiveRun) -> None:
    jacobian = Jacobian(run)
    pattern = jacobian.pattern().copy()
    pattern.data = jacobian.entries(0.0, run.y)
    np.testing.assert_array_equal(pattern.toarray(), jacobian.matrix(0.0, run.y).toarray())


def test_cvode_with_a_sparse_jacobian_agrees_with_the_reference() -> None:
    pytest.importorskip("sksundae")
    truth = lemsmith.run(ring(), method="reference")
    found = lemsmith.run(ring(), method="cvode", rtol=1e-8, atol=1e-10)
    for key in truth:
        span = np.ptp(truth[key])
        assert span > 1e-4
        assert np.abs(found[key] - truth[key]).max() < 1e-4 * span
