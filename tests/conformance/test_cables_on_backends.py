"""Cells of compartments do on every backend what they do in C++."""

from __future__ import annotations

import pytest
from corpus import ABSENT, EXAMPLES
from lemsmith.codegen.lower_cable import CABLE_METHODS
from nvcc import assert_compiles, needs_nvcc
from side_by_side import advanced, assert_same_spikes, assert_steps_agree, on_host, plans
from small_models import SQUID
from usable import on_a_gpu

METHODS = (*CABLE_METHODS, "neuron")
BACKENDS = ("cuda-on-host", "numpy")
#: LEMS_m_in_b_out.xml drives a cell by a name that it does not have.
MORPHOLOGIES = ("m_in_b_in", "m_out_b_in", "m_out_b_out", "pyrfull_in", "pyrfull_out")
MODELS = {
    "Ex25": EXAMPLES / "LEMS_NML2_Ex25_MultiComp.xml",
    **{name: EXAMPLES / "morphologies" / f"LEMS_{name}.xml" for name in MORPHOLOGIES},
}

in_the_corpus = pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))
on_every_backend = pytest.mark.parametrize("backend", BACKENDS)
by_every_method = pytest.mark.parametrize("method", METHODS)


@in_the_corpus
@on_every_backend
@pytest.mark.parametrize("name", MODELS)
def test_one_step_of_an_example_agrees(name, backend):
    assert_steps_agree(MODELS[name], backend, between=150, times=5)


@pytest.mark.slow
@in_the_corpus
@on_every_backend
@by_every_method
def test_one_step_of_every_method_agrees(method, backend):
    assert_steps_agree(MODELS["Ex25"], backend, between=150, times=4, method=method)


@pytest.mark.slow
@in_the_corpus
@by_every_method
@pytest.mark.parametrize("name", MODELS)
def test_an_example_spikes_on_cuda_as_in_cpp(name, method):
    assert assert_same_spikes(MODELS[name], "cuda-on-host", method=method) > 0


@pytest.mark.slow
@in_the_corpus
@pytest.mark.parametrize("name", MODELS)
def test_an_example_spikes_on_numpy_as_in_cpp(name):
    assert assert_same_spikes(MODELS[name], "numpy") > 0


@on_a_gpu
@in_the_corpus
@by_every_method
@pytest.mark.parametrize("name", MODELS)
def test_an_example_spikes_on_a_gpu_as_in_cpp(name, method):
    assert assert_same_spikes(MODELS[name], "cuda", method=method) > 0


# --- a network of our own: a tree with a junction, synapses and gap junctions on segments -------

CELLS = 5


def network(delay="0.5ms") -> str:
    """Return cells of a soma and a forked dendrite, driven, with synapses and gap junctions."""
    chemical = "".join(
        f'<connectionWD id="{n}" preCellId="../p/{n}/c" postCellId="../p/{(n + 1) % CELLS}/c" '
        f'postSegmentId="{1 + n % 3}" postFractionAlong="0.7" weight="{1 + n % 2}" '
        f'delay="{delay}"/>'
        for n in range(CELLS)
    )
    electrical = "".join(
        f'<electricalConnectionInstance id="{n}" preCell="../p/{n}/c" preSegment="2" '
        f'postCell="../p/{n + 2}/c" postSegment="3" preFractionAlong="0.5" '
        f'postFractionAlong="0.5" synapse="gap"/>'
        for n in range(2)
    )
    cells = "".join(
        f'<instance id="{n}"><location x="{n}" y="0" z="0"/></instance>' for n in range(CELLS)
    )
    columns = "".join(
        f'<OutputColumn id="v{n}_{s}" quantity="p/{n}/c/{s}/v"/>'
        for n in range(CELLS)
        for s in (0, 3)
    )
    spikes = "".join(
        f'<EventSelection id="{n}" select="p/{n}/c" eventPort="spike"/>' for n in range(CELLS)
    )
    return f"""<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<ionChannelPassive id="leak" conductance="10pS"/>
{SQUID}
<ionChannelKS id="ks" conductance="10pS"><gateKS id="n" instances="1">
<closedState id="c1"/><openState id="o1"/>
<vHalfTransition from="c1" to="o1" vHalf="-10mV" z="1.5" gamma="0.75" tau="3.2ms"
 tauMin="0.3ms"/></gateKS></ionChannelKS>
<expTwoSynapse id="fast" gbase="4nS" erev="0mV" tauRise="0.5ms" tauDecay="3ms"/>
<gapJunction id="gap" conductance="1nS"/>
<pulseGenerator id="pulse" delay="1ms" duration="30ms" amplitude="0.4nA"/>
<cell id="c"><morphology id="shape">
<segment id="0"><proximal x="0" y="0" z="0" diameter="16"/>
<distal x="16" y="0" z="0" diameter="16"/></segment>
<segment id="1"><parent segment="0"/><proximal x="16" y="0" z="0" diameter="3"/>
<distal x="80" y="0" z="0" diameter="2"/></segment>
<segment id="2"><parent segment="1"/><distal x="150" y="40" z="0" diameter="1"/></segment>
<segment id="3"><parent segment="1"/><distal x="150" y="-40" z="0" diameter="1"/></segment>
<segmentGroup id="soma" neuroLexId="sao864921383"><member segment="0"/></segmentGroup>
<segmentGroup id="d1" neuroLexId="sao864921383">
<property tag="numberInternalDivisions" value="4"/><member segment="1"/></segmentGroup>
<segmentGroup id="d2" neuroLexId="sao864921383">
<property tag="numberInternalDivisions" value="3"/><member segment="2"/></segmentGroup>
<segmentGroup id="d3" neuroLexId="sao864921383">
<property tag="numberInternalDivisions" value="3"/><member segment="3"/></segmentGroup>
</morphology><biophysicalProperties id="biophys"><membraneProperties>
<channelDensity id="leaks" ionChannel="leak" condDensity="0.3 mS_per_cm2" erev="-65 mV"
 ion="non_specific"/>
<channelDensity id="nas" ionChannel="na" condDensity="120 mS_per_cm2" erev="50 mV" ion="na"
 segmentGroup="soma"/>
<channelDensity id="ks" ionChannel="k" condDensity="36 mS_per_cm2" erev="-77 mV" ion="k"
 segmentGroup="soma"/>
<channelDensity id="slow" ionChannel="ks" condDensity="0.5 mS_per_cm2" erev="-77 mV" ion="k"/>
<spikeThresh value="0 mV"/><specificCapacitance value="1 uF_per_cm2"/>
<initMembPotential value="-65 mV"/></membraneProperties>
<intracellularProperties><resistivity value="100 ohm_cm"/></intracellularProperties>
</biophysicalProperties></cell>
<network id="net"><population id="p" component="c" size="{CELLS}" type="populationList">{cells}
</population>
<projection id="s" presynapticPopulation="p" postsynapticPopulation="p" synapse="fast">{chemical}
</projection>
<electricalProjection id="e" presynapticPopulation="p" postsynapticPopulation="p">{electrical}
</electricalProjection>
<inputList id="drive" population="p" component="pulse">
<input id="0" target="../p/0/c" segmentId="0" fractionAlong="0.5" destination="synapses"/>
</inputList></network>
<Simulation id="sim" length="40ms" step="0.025ms" target="net">
<OutputFile id="o" fileName="v.dat">{columns}</OutputFile>
<EventOutputFile id="ev" fileName="s.dat" format="TIME_ID">{spikes}</EventOutputFile>
</Simulation></Lems>"""


@on_every_backend
@by_every_method
def test_one_step_of_a_network_on_segments_agrees(method, backend):
    assert_steps_agree(network(), backend, between=60, times=6, method=method)


@on_every_backend
@pytest.mark.parametrize("delay", ["0ms", "0.5ms"])
def test_a_network_on_segments_spikes_as_in_cpp(delay, backend):
    assert assert_same_spikes(network(delay), backend, steps=800) > CELLS


def test_threads_in_any_order_and_number_give_a_cable_the_same_bits():
    (cuda,) = plans(network(), ("cuda-on-host",))
    first, other = on_host(cuda, order=0), on_host(cuda, grid=(3, 64), order=5)
    assert (advanced(first, 400) == advanced(other, 400)).all()
    for key, values in first.variables.items():
        assert (values == other.variables[key]).all()
    assert first.events() == other.events()


@needs_nvcc
@pytest.mark.parametrize("precision", ["double", "single"])
def test_nvcc_compiles_a_network_on_segments_without_a_warning(precision, tmp_path):
    (plan,) = plans(network(), ("cuda",), precision=precision)
    assert_compiles(plan.text, tmp_path)


@on_a_gpu
@pytest.mark.parametrize("delay", ["0ms", "0.5ms"])
def test_a_network_on_segments_spikes_on_a_gpu_as_in_cpp(delay):
    assert assert_same_spikes(network(delay), "cuda", steps=800) > CELLS
