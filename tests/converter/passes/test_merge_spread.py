"""Densities of one channel on one cable become one population, and nothing else changes."""

from __future__ import annotations

import lemsmith
import numpy as np
import pytest
from lemsmith.codegen.lower_steps import layout_of
from lemsmith.converter import optimise as module
from lemsmith.converter.flatten import flatten
from lemsmith.converter.passes.merge_spread import merge_spread
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve
from lemsmith.converter.simulation import simulation_of
from lemsmith.errors import Faults
from lemsmith.runner.native import not_finite

CHANNEL = """
<ionChannelHH id="k" conductance="10pS"><gateHHrates id="n" instances="4">
  <forwardRate type="HHExpLinearRate" rate="0.1per_ms" midpoint="-55mV" scale="10mV"/>
  <reverseRate type="HHExpRate" rate="0.125per_ms" midpoint="-65mV" scale="-80mV"/>
</gateHHrates></ionChannelHH>
<ionChannelHH id="other" conductance="10pS"><gateHHrates id="n" instances="4">
  <forwardRate type="HHExpLinearRate" rate="0.2per_ms" midpoint="-50mV" scale="12mV"/>
  <reverseRate type="HHExpRate" rate="0.5per_ms" midpoint="-60mV" scale="-70mV"/>
</gateHHrates></ionChannelHH>
<ionChannelPassive id="leak" conductance="1pS"/>
"""


def branched(more="", columns=(), length="20ms"):
    """Return a model whose cell has the channel k with three densities on three groups."""
    groups = {"a": (0, 3), "b": (1, 4), "c": (2,)}
    segments = "".join(
        f'<segment id="{n}">'
        + (
            f'<parent segment="{max(0, n - 2)}"/>'
            if n
            else '<proximal x="0" y="0" z="0" diameter="2"/>'
        )
        + f'<distal x="{10 * n + 10}" y="{n % 2}" z="0" diameter="{1 + n % 3}"/></segment>'
        for n in range(5)
    )
    named = "".join(
        f'<segmentGroup id="{name}">'
        + "".join(f'<member segment="{n}"/>' for n in ids)
        + "</segmentGroup>"
        for name, ids in groups.items()
    )
    densities = "".join(
        f'<channelDensity id="k_{name}" ionChannel="k" segmentGroup="{name}" '
        f'condDensity="{20 + 10 * n} mS_per_cm2" erev="-{70 + n} mV" ion="k"/>'
        for n, name in enumerate(groups)
    )
    recorded = "".join(f'<OutputColumn id="q{n}" quantity="{q}"/>' for n, q in enumerate(columns))
    return f"""<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<Include file="Inputs.xml"/>{CHANNEL}
<pulseGenerator id="pulse" delay="1ms" duration="15ms" amplitude="0.1nA"/>
<cell id="c"><morphology id="m">{segments}{named}</morphology>
<biophysicalProperties id="b"><membraneProperties>{densities}{more}
<channelDensity id="l" ionChannel="leak" condDensity="0.3 mS_per_cm2" erev="-60 mV" ion="x"/>
<specificCapacitance value="1 uF_per_cm2"/><initMembPotential value="-65 mV"/>
<spikeThresh value="0 mV"/></membraneProperties><intracellularProperties>
<resistivity value="100 ohm_cm"/></intracellularProperties></biophysicalProperties></cell>
<network id="net"><population id="p" component="c" size="2"/>
<explicitInput target="p[1]" input="pulse"/></network>
<Simulation id="sim" length="{length}" step="0.025ms" target="net">
<OutputFile id="of" fileName="v.dat">{recorded}</OutputFile></Simulation></Lems>"""


COLUMNS = [
    *(f"p/{cell}/c/{segment}/v" for cell in range(2) for segment in range(5)),
    "p/1/c/1/b/membraneProperties/k_b/k/n/q",
    "p/1/c/2/b/membraneProperties/k_c/iDensity",
    "p/0/c/3/b/membraneProperties/k_a/k/n/q",
]


def network_of(source):
    faults = Faults()
    model = resolve(read(source), faults)
    simulation = simulation_of(model, faults)
    return flatten(model, simulation, schedule="equations", draw=lambda: 0.5, faults=faults)


@pytest.mark.parametrize("method", ["default", "exponential_euler", "neuron"])
def test_merged_densities_record_the_same(monkeypatch, method):
    merged = lemsmith.run(branched(columns=COLUMNS), method=method)
    for name in ("PASSES", "KEEPING"):
        passes = tuple(p for p in getattr(module, name) if p is not merge_spread)
        monkeypatch.setattr(module, name, passes)
    # Another length is another plan: what is kept of one must not serve for the other.
    apart = lemsmith.run(branched(columns=COLUMNS, length="19.9999ms"), method=method)
    for path in COLUMNS:
        assert merged[path] == pytest.approx(apart[path], rel=1e-9, abs=0), path
    assert np.ptp(merged["p/1/c/1/b/membraneProperties/k_b/k/n/q"]) > 0.01


def test_densities_of_one_channel_become_one_population_sorted_by_compartment():
    network = network_of(branched())
    merged = merge_spread(network)
    assert len(merged.populations) == len(network.populations) - 2
    (made,) = [p for p in merged.populations if len(p.members) > 1]
    assert made.size == 10
    assert (np.diff(made.indices["parent"]) > 0).all()


def test_channels_that_differ_in_many_numbers_stay_apart():
    other = (
        '<channelDensity id="o" ionChannel="other" condDensity="1 mS_per_cm2" '
        'erev="-80 mV" ion="k"/>'
    )
    merged = merge_spread(network_of(branched(other)))
    assert {name for name, _ in origins(merged)} == {"k_a", "k_b", "k_c"}


def origins(network):
    """Return the (component, own first instance) of each stretch of merged populations."""
    return [(m.component, m.own) for p in network.populations for m in p.members]


def test_a_network_without_cables_stays_as_it_is():
    source = (
        branched()
        .replace('component="c"', 'component="pulse"')
        .replace('<explicitInput target="p[1]" input="pulse"/>', "")
    )
    network = network_of(source)
    assert merge_spread(network) is network


def test_the_error_of_a_merged_instance_names_its_density():
    network = network_of(branched())
    merged = merge_spread(network)
    (made,) = [p for p in merged.populations if len(p.members) > 1]
    layout, state = layout_of(made), made.derivatives[0].state
    messages = {str(not_finite(layout, state, n, 0.0)) for n in range(made.size)}
    expected = {
        str(not_finite(layout_of(p), p.derivatives[0].state, n, 0.0))
        for p in network.populations
        if p.component in ("k_a", "k_b", "k_c")
        for n in range(p.size)
    }
    assert messages == expected
