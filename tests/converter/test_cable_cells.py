"""Cells with a morphology as populations of compartments."""

from __future__ import annotations

import numpy as np
import pytest
from lemsmith.converter.flatten import flatten
from lemsmith.converter.network import Network
from lemsmith.converter.optimise import optimise
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve
from lemsmith.converter.show_network import show_network
from lemsmith.converter.simulation import simulation_of
from lemsmith.errors import Faults, ModelError

SEGMENTS = """
<segment id="0"><proximal x="0" y="0" z="0" diameter="10"/>
  <distal x="10" y="0" z="0" diameter="10"/></segment>
<segment id="1"><parent segment="0"/><proximal x="10" y="0" z="0" diameter="2"/>
  <distal x="110" y="0" z="0" diameter="2"/></segment>
<segment id="2"><parent segment="0" fractionAlong="0"/><proximal x="0" y="0" z="0" diameter="2"/>
  <distal x="-40" y="0" z="0" diameter="2"/></segment>
<segmentGroup id="soma" neuroLexId="sao864921383"><member segment="0"/></segmentGroup>
<segmentGroup id="dend" neuroLexId="sao864921383">
  <property tag="numberInternalDivisions" value="3"/><member segment="1"/>
  <inhomogeneousParameter id="reach" variable="p" metric="Path Length from root"/>
</segmentGroup>
<segmentGroup id="axon" neuroLexId="sao864921383"><member segment="2"/></segmentGroup>
<segmentGroup id="direct"><member segment="1"/><member segment="2"/></segmentGroup>
"""

MEMBRANE = """
<channelDensity id="all" ionChannel="leak" condDensity="1 S_per_m2" erev="-70 mV"
  ion="non_specific"/>
<specificCapacitance value="1 uF_per_cm2"/>
<initMembPotential value="-70 mV"/>
<spikeThresh value="-20 mV"/>
"""


def document(
    membrane: str = MEMBRANE,
    segments: str = SEGMENTS,
    network: str = "",
    size: int = 2,
    inside: str = '<resistivity value="1 ohm_m"/>',
    extra: str = "",
    cell: str = "cell",
    quantity: str = "p/1/c/1/v",
) -> str:
    return f"""<Lems>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<ionChannelPassive id="leak" conductance="1pS"/>{extra}
<{cell} id="c"><morphology id="shape">{segments}</morphology>
  <biophysicalProperties id="b"><membraneProperties>{membrane}</membraneProperties>
  <intracellularProperties>{inside}</intracellularProperties></biophysicalProperties></{cell}>
<network id="n"><population id="p" component="c" size="{size}"/>{network}</network>
<Simulation id="s" length="1 ms" step="0.01 ms" target="n">
  <OutputFile id="o" fileName="o.dat"><OutputColumn id="v" quantity="{quantity}"/></OutputFile>
</Simulation><Target component="s"/></Lems>"""


def network_of(text: str) -> Network:
    model = resolve(read(text))
    faults = Faults()
    simulation = simulation_of(model, faults)
    faults.raise_errors()
    assert simulation is not None
    return flatten(model, simulation, draw=lambda: 0.5)


def test_compartments_of_all_cells_lie_side_by_side():
    network = network_of(document())
    population = network.population("p_compartments")
    assert population.size == 2 * 5
    cable = population.cable
    assert cable is not None
    assert cable.cells == 2
    assert len(cable.capacitance) == 5
    # Compartment 1 of the dendrite's three is in the middle of segment 1.
    assert network.records[0].instance == 2 * 2 + 1
    area = population.parameters["surfaceArea"]
    assert np.array_equal(np.asarray(area)[0::2], np.asarray(area)[1::2])


def test_ends_that_only_pass_current_on_are_merged_away():
    cable = network_of(document()).population("p_compartments").cable
    assert cable is not None
    assert len(cable.parent) == 5
    # Axial resistance of half the soma in series with half the axon, both from its 0 end.
    half_soma = 5e-6 / (np.pi * 5e-6**2)
    half_axon = 20e-6 / (np.pi * 1e-6**2)
    axon = int(np.argmin(np.abs(cable.area - np.pi * 2e-6 * 40e-6)))
    assert 1 / cable.conductance[axon] == pytest.approx(half_soma + half_axon, rel=1e-6, abs=0)


def test_a_branch_point_of_three_stays_as_a_junction_without_membrane():
    more = (
        SEGMENTS
        + """
    <segment id="3"><parent segment="1"/><proximal x="110" y="0" z="0" diameter="1"/>
      <distal x="150" y="0" z="0" diameter="1"/></segment>
    <segment id="4"><parent segment="1"/><proximal x="110" y="0" z="0" diameter="1"/>
      <distal x="110" y="40" z="0" diameter="1"/></segment>
    <segmentGroup id="b1" neuroLexId="sao864921383"><member segment="3"/></segmentGroup>
    <segmentGroup id="b2" neuroLexId="sao864921383"><member segment="4"/></segmentGroup>"""
    )
    cable = network_of(document(segments=more)).population("p_compartments").cable
    assert cable is not None
    assert len(cable.parent) - len(cable.capacitance) == 1


def test_what_covers_every_compartment_becomes_part_of_them():
    network = optimise(network_of(document()))
    population = network.population("p_compartments")
    assert not any("all" in p.name for p in network.populations)
    assert any("iDensity" in name for name in population.variables)


def test_groups_with_direct_members_hold_what_they_say():
    # The NEURON export leaves such a group empty.
    membrane = MEMBRANE + (
        '<channelDensity id="some" ionChannel="leak" condDensity="2 S_per_m2" erev="0 mV" '
        'segmentGroup="direct" ion="non_specific"/>'
    )
    network = network_of(document(membrane))
    assert network.population("p_compartments_some").size == 2 * 4


def test_values_per_group_reach_their_compartments():
    membrane = MEMBRANE.replace(
        '<initMembPotential value="-70 mV"/>',
        '<initMembPotential value="-70 mV"/>'
        '<initMembPotential segmentGroup="dend" value="-60 mV"/>',
    )
    start = network_of(document(membrane)).population("p_compartments").variables["v"].initial
    assert sorted(set(np.asarray(start).tolist())) == [-0.07, -0.06]


def areas_of(population, density: str) -> np.ndarray:
    """The surfaces under a density of the first cell, from the compartments that carry it."""
    whole = np.asarray(population.population("p_compartments").parameters["surfaceArea"])
    return whole[population.population(f"p_compartments_{density}").indices["parent"]][0::2]


def test_a_density_may_lie_on_one_segment():
    membrane = MEMBRANE + (
        '<channelDensity id="some" ionChannel="leak" condDensity="2 S_per_m2" erev="0 mV" '
        'segment="2" ion="non_specific"/>'
    )
    assert areas_of(network_of(document(membrane)), "some") == pytest.approx(
        [np.pi * 2e-6 * 40e-6], rel=1e-6
    )


def test_a_density_on_a_part_of_a_compartment_counts_as_so_much_of_it():
    # Segments 1 and 3 share three compartments; segment 1 ends in the middle of the second.
    halves = SEGMENTS.replace(
        '<segmentGroup id="soma"',
        '<segment id="3"><parent segment="1"/><distal x="210" y="0" z="0" diameter="2"/></segment>'
        '<segmentGroup id="soma"',
    ).replace('<member segment="1"/>\n  <inhom', '<member segment="1"/><member segment="3"/><inhom')
    membrane = MEMBRANE + (
        '<channelDensity id="some" ionChannel="leak" condDensity="2 S_per_m2" erev="0 mV" '
        'segment="1" ion="non_specific"/>'
    )
    network = network_of(document(membrane, segments=halves))
    assert len(network.population("p_compartments").cable.capacitance) == 5
    found = network.population("p_compartments_some")
    assert np.asarray(found.parameters["condDensity"])[0::2] == pytest.approx([2.0, 1.0])


def test_channels_counted_on_one_segment_are_so_many_there():
    membrane = MEMBRANE + (
        '<channelPopulation id="counted" ionChannel="leak" number="90" erev="0 mV" segment="1" '
        'ion="non_specific"/>'
    )
    found = network_of(document(membrane)).population("p_compartments_counted")
    assert np.asarray(found.parameters["number"])[0::2] == pytest.approx([30.0] * 3)


def test_properties_of_the_membrane_may_be_given_for_one_segment():
    membrane = MEMBRANE.replace(
        '<initMembPotential value="-70 mV"/>',
        '<initMembPotential value="-70 mV"/><initMembPotential segment="1" value="-60 mV"/>',
    ).replace(
        '<specificCapacitance value="1 uF_per_cm2"/>',
        '<specificCapacitance value="1 uF_per_cm2"/>'
        '<specificCapacitance segment="2" value="3 uF_per_cm2"/>',
    )
    population = network_of(document(membrane)).population("p_compartments")
    start = np.asarray(population.variables["v"].initial)[0::2]
    assert np.sum(start == -0.06) == 3
    assert population.cable is not None
    specific = population.cable.capacitance / population.cable.area
    assert np.sort(specific) == pytest.approx([0.01, 0.01, 0.01, 0.01, 0.03])


def test_a_point_is_told_that_its_segments_are_not_there():
    one = SEGMENTS.split("</segment>", maxsplit=1)[0] + "</segment>"
    membrane = MEMBRANE.replace('id="all"', 'id="all" segment="7"')
    faults = Faults()
    model = resolve(read(document(membrane, segments=one, quantity="p[0]/v")))
    simulation = simulation_of(model, faults)
    assert simulation is not None
    flatten(model, simulation, draw=lambda: 0.5, faults=faults)
    assert ["'all' names the segment 7" in fault.message for fault in faults.found] == [True]


def test_a_density_may_vary_along_a_group():
    membrane = (
        MEMBRANE
        + """
    <channelDensityNonUniform id="varied" ionChannel="leak" erev="-80 mV" ion="non_specific">
      <variableParameter parameter="condDensity" segmentGroup="dend">
        <inhomogeneousValue inhomogeneousParameter="reach" value="2 * p"/>
      </variableParameter></channelDensityNonUniform>"""
    )
    population = network_of(document(membrane)).population("p_compartments_varied")
    found = np.asarray(population.parameters["condDensity"])[0::2]
    middles = 10 + (np.arange(3) + 0.5) / 3 * 100
    assert found == pytest.approx(2 * middles, rel=1e-6, abs=0)


def test_synapses_sit_on_the_compartment_of_their_segment_and_fraction():
    network = (
        '<projection id="j" presynapticPopulation="p" postsynapticPopulation="p" synapse="syn">'
        '<connection id="0" preCellId="../p/0/c" postCellId="../p/1/c" preSegmentId="2" '
        'postSegmentId="1" postFractionAlong="0.9"/></projection>'
    )
    extra = '<expOneSynapse id="syn" gbase="1nS" erev="0mV" tauDecay="2ms"/>'
    made = network_of(document(network=network, extra=extra))
    synapse = made.population("p_compartments_syn")
    assert synapse.indices["parent"].tolist() == [3 * 2 + 1]
    # The spike is that of segment 2, not of the cell's first segment.
    (projection,) = made.projections
    watched = made.population(projection.source)
    cable = made.population("p_compartments").cable
    assert cable is not None
    assert cable.area[int(watched.indices["parent"][0]) // 2] == pytest.approx(
        np.pi * 2e-6 * 40e-6, rel=1e-6
    )


def test_a_synapse_at_the_very_end_of_a_section_keeps_that_point():
    network = (
        '<inputList id="l" population="p" component="pulse">'
        '<input id="0" target="../p/0/c" segmentId="1" fractionAlong="1" destination="synapses"/>'
        "</inputList>"
    )
    extra = '<pulseGenerator id="pulse" delay="0ms" duration="1ms" amplitude="1pA"/>'
    cable = network_of(document(network=network, extra=extra)).population("p_compartments").cable
    assert cable is not None
    assert np.sum(cable.capacitance == 0) == 1


def test_the_network_is_shown_with_surfaces_and_resistances():
    text = show_network(network_of(document()))
    assert "cable of 5 compartments and 0 junctions" in text
    assert "axial resistance" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inside": ""}, "gives no resistivity"),
        (
            {"membrane": MEMBRANE.replace('<specificCapacitance value="1 uF_per_cm2"/>', "")},
            "gives no specificCapacitance",
        ),
        (
            {"membrane": MEMBRANE.replace('id="all"', 'id="all" segmentGroup="dnd"')},
            "the segment group 'dnd'",
        ),
        (
            {"segments": SEGMENTS.replace('<parent segment="0"/>', '<parent segment="7"/>')},
            "segment 7, which does not exist",
        ),
        ({"membrane": MEMBRANE.replace('id="all"', 'id="all" segment="9"')}, "the segment 9"),
        ({"membrane": MEMBRANE.replace('id="all"', 'id="all" segment="x"')}, "no whole number"),
        (
            {"membrane": MEMBRANE.replace('id="all"', 'id="all" segment="1" segmentGroup="dend"')},
            "both the segment group 'dend' and the segment 1",
        ),
        ({"quantity": "p/0/c/5/v"}, "no segment 5"),
        (
            {"membrane": MEMBRANE.replace('value="1 uF_per_cm2"', 'value="-1 uF_per_cm2"')},
            "specificCapacitance is -0.01 in SI units, not above 0",
        ),
        (
            {"inside": '<resistivity value="0 ohm_cm"/>'},
            "resistivity is 0 in SI units, not above 0",
        ),
    ],
)
def test_faults_of_a_cell_are_told(change, message):
    with pytest.raises(ModelError, match=message):
        network_of(document(**change))
