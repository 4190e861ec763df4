"""Two models: what differs, and what makes no difference."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lemsmith.converter.compare_models import Difference, differences
from lemsmith.converter.model import Model
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve

_spec = importlib.util.spec_from_file_location(
    "rewriting", Path(__file__).with_name("rewriting.py")
)
rewriting = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rewriting)

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"

MODEL = """<Lems>
<Include file="NeuroML2CoreTypes.xml"/>
<Include file="Simulation.xml"/>
<Target component="sim1"/>
<ComponentType name="decaying" extends="baseCellMembPot">
  <Parameter name="tau" dimension="time"/>
  <Parameter name="rest" dimension="voltage"/>
  <Constant name="one" dimension="none" value="1"/>
  <Constant name="MV" dimension="voltage" value="1mV"/>
  <Dynamics>
    <StateVariable name="v" dimension="voltage" exposure="v"/>
    <StateVariable name="n" dimension="none"/>
    <DerivedVariable name="x" dimension="none" value="(v - rest) / MV * (one + n)"/>
    <ConditionalDerivedVariable name="y" dimension="none">
      <Case condition="x .gt. 3" value="x^2"/>
      <Case value="3 * x"/>
    </ConditionalDerivedVariable>
    <TimeDerivative variable="v" value="(rest - v) * (one + n) / tau"/>
    <OnStart><StateAssignment variable="v" value="rest"/></OnStart>
    <OnCondition test="v .gt. 20 * MV">
      <StateAssignment variable="v" value="rest"/>
      <StateAssignment variable="n" value="n + 1"/>
      <EventOut port="spike"/>
    </OnCondition>
    <OnCondition test="n .gt. 5"><StateAssignment variable="n" value="0"/></OnCondition>
  </Dynamics>
</ComponentType>
<ComponentType name="slow" extends="decaying"><Fixed parameter="rest" value="-0.02V"/>
</ComponentType>
<decaying id="plain" tau="10ms" rest="-65mV"/>
<ionChannelHH id="naChan" conductance="10pS" species="na">
  <gateHHrates id="m" instances="3">
    <forwardRate type="HHExpLinearRate" rate="1per_ms" midpoint="-40mV" scale="10mV"/>
    <reverseRate type="HHExpRate" rate="4per_ms" midpoint="-65mV" scale="-18mV"/>
  </gateHHrates>
  <gateHHrates id="h" instances="1">
    <forwardRate type="HHExpRate" rate="0.07per_ms" midpoint="-65mV" scale="-20mV"/>
    <reverseRate type="HHSigmoidRate" rate="1per_ms" midpoint="-35mV" scale="10mV"/>
  </gateHHrates>
</ionChannelHH>
<cell id="hh">
  <morphology id="morph">
    <segment id="0" name="soma"><proximal x="0" y="0" z="0" diameter="17.8"/>
      <distal x="0" y="0" z="0" diameter="17.8"/></segment>
    <segmentGroup id="soma_group"><member segment="0"/></segmentGroup>
  </morphology>
  <biophysicalProperties id="bio">
    <membraneProperties>
      <channelDensity id="na_all" ionChannel="naChan" condDensity="120 mS_per_cm2" erev="50mV"
        ion="na"/>
      <spikeThresh value="-20mV"/>
      <specificCapacitance value="1.0 uF_per_cm2"/>
      <initMembPotential value="-65mV"/>
    </membraneProperties>
    <intracellularProperties><resistivity value="0.03 kohm_cm"/></intracellularProperties>
  </biophysicalProperties>
</cell>
<expTwoSynapse id="syn" gbase="0.5nS" erev="0mV" tauRise="1ms" tauDecay="5ms"/>
<pulseGenerator id="pulse" delay="10ms" duration="50ms" amplitude="0.08nA"/>
<network id="net">
  <population id="sized" component="plain" size="2"/>
  <population id="cells" component="hh" type="populationList" size="3">
    <instance id="0"><location x="0" y="0" z="0"/></instance>
    <instance id="1"><location x="10" y="0" z="0"/></instance>
    <instance id="2"><location x="20" y="5" z="0"/></instance>
  </population>
  <projection id="proj" presynapticPopulation="cells" postsynapticPopulation="cells" synapse="syn">
    <connectionWD id="0" preCellId="../cells/0/hh" postCellId="../cells/1/hh" weight="1"
      delay="1ms"/>
    <connectionWD id="1" preCellId="../cells/1/hh" postCellId="../cells/2/hh" weight="0.5"
      delay="2ms"/>
    <connectionWD id="2" preCellId="../cells/2/hh" postCellId="../cells/0/hh" weight="1"
      delay="1ms" preSegmentId="0" postFractionAlong="0.5"/>
  </projection>
  <inputList id="stim" component="pulse" population="cells">
    <input id="0" target="../cells/0/hh" destination="synapses"/>
  </inputList>
</network>
<Simulation id="sim1" length="100ms" step="0.01ms" target="net">
  <OutputFile id="of" fileName="v.dat">
    <OutputColumn id="v0" quantity="cells/0/hh/v"/>
    <OutputColumn id="v1" quantity="cells/1/hh/v"/>
  </OutputFile>
</Simulation>
</Lems>
"""


def model(text: str) -> Model:
    return resolve(read(text))


ORIGINAL = model(MODEL)


def changed(*replacements: tuple[str, str]) -> str:
    text = MODEL
    for old, new in replacements:
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    return text


def found(*replacements: tuple[str, str]) -> tuple[Difference, ...]:
    return differences(ORIGINAL, model(changed(*replacements)))


def block(start: str, end: str) -> str:
    return MODEL[MODEL.index(start) : MODEL.index(end) + len(end)]


# --- what makes no difference ---

TWO_ASSIGNMENTS = """<StateAssignment variable="v" value="rest"/>
      <StateAssignment variable="n" value="n + 1"/>"""

SAME = {
    "units": [("-65mV", "-0.065 V"), ("10pS", "0.01nS"), ("120 mS_per_cm2", "1200 S_per_m2")],
    "the unit of what is fixed": [('value="-0.02V"', 'value="-20 mV"')],
    "an equation multiplied out": [("(rest - v) * (one + n) / tau",
                                    "one*rest/tau + n*rest/tau - v*(1*one + n)/tau")],
    "a case multiplied out": [("x^2", "x*x"), ("x .gt. 3", "3 .lt. x")],
    "independent statements exchanged": [
        (
            TWO_ASSIGNMENTS,
            """<StateAssignment variable="n" value="1 + n"/>
            <StateAssignment variable="v" value="rest"/>""",
        )
    ],
    "paths to cells spelled by position": [("../cells/1/hh", "../cells[1]"),
                                           ("cells/0/hh/v", "cells[0]/v")],
    "ids of connections": [('<connectionWD id="1"', '<connectionWD id="77"')],
    "defaults left out": [(' preSegmentId="0" postFractionAlong="0.5"', "")],
    "defaults given": [('weight="0.5"', 'weight="0.5" postSegmentId="0"')],
    "numbers of texts": [('postFractionAlong="0.5"', 'postFractionAlong="0.50"')],
    "a comment in a list": [('<connectionWD id="1"', '<!-- here --><connectionWD id="1"')],
    "notes": [("<morphology", "<notes>as published</notes><morphology")],
    "a size that the list overrules": [('size="3"', 'size="4"')],
}  # fmt: skip


@pytest.mark.parametrize("replacements", SAME.values(), ids=SAME.keys())
def test_what_is_only_written_differently_is_the_same(replacements):
    assert found(*replacements) == ()


def test_connections_in_another_order_are_the_same():
    first, second = (
        block('<connectionWD id="0"', '"1ms"/>'),
        block('<connectionWD id="1"', '2ms"/>'),
    )
    text = MODEL.replace(first, "@").replace(second, first).replace("@", second)
    assert text != MODEL
    assert differences(ORIGINAL, model(text)) == ()


def test_a_model_split_into_files_is_the_same(tmp_path):
    channel = block("<ionChannelHH", "</ionChannelHH>")
    kind = block("<ComponentType", "</ComponentType>")
    (tmp_path / "channel.nml").write_text(f"<neuroml>{channel}</neuroml>")
    (tmp_path / "type.xml").write_text(f"<Lems>{kind}</Lems>")
    (tmp_path / "model.xml").write_text(
        MODEL.replace(channel, '<Include file="channel.nml"/>').replace(
            kind, '<Include file="type.xml"/>'
        )
    )
    assert differences(ORIGINAL, resolve(read(tmp_path / "model.xml"))) == ()


CELL = """<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="doc">
<ionChannelHH id="leak" conductance="10pS"/>
<cell id="c"><morphology id="m">
<segment id="0"><proximal x="0" y="0" z="0" diameter="1"/><distal x="0" y="9" z="0" diameter="1"/>
</segment>
<segment id="1"><parent segment="0"/><distal x="0" y="19" z="0" diameter="1"/></segment>
<segmentGroup id="tip"><member segment="1"/></segmentGroup>
</morphology><biophysicalProperties id="b"><membraneProperties>
<channelDensity id="l" ionChannel="leak" condDensity="0.3 mS_per_cm2" erev="-54mV" ion="x"/>
<spikeThresh value="0mV"/><specificCapacitance value="1 uF_per_cm2"/>
<initMembPotential value="-65mV"/></membraneProperties>
<intracellularProperties><resistivity value="0.03 kohm_cm"/></intracellularProperties>
</biophysicalProperties></cell></neuroml>"""


@pytest.mark.parametrize(
    ("tag", "default", "other"),
    [
        ("parent", 'fractionAlong="1"', 'fractionAlong="0.5"'),
        *(
            (tag, 'segmentGroup="all"', 'segmentGroup="tip"')
            for tag in ("channelDensity", "spikeThresh", "initMembPotential", "resistivity")
        ),
        ("specificCapacitance", 'segmentGroup="all"', 'segment="0"'),
    ],
)
def test_what_a_cell_leaves_out_is_its_default(tag, default, other):
    same, apart = (model(CELL.replace(f"<{tag} ", f"<{tag} {text} ")) for text in (default, other))
    assert differences(model(CELL), same) == ()
    assert differences(same, model(CELL)) == ()
    assert differences(model(CELL), apart)


def test_a_connection_without_weight_and_delay_is_one_with_their_defaults():
    short = '<connection id="0" preCellId="../cells/0/hh" postCellId="../cells/1/hh"/>'
    a = model(MODEL.replace(block('<connectionWD id="0"', '"1ms"/>'), short))
    b = model(
        MODEL.replace(
            block('<connectionWD id="0"', '"1ms"/>'),
            short.replace("connection id", "connectionWD weight='1' delay='0ms' id"),
        )
    )
    assert differences(a, b) == ()


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6))
def test_a_model_is_the_same_after_any_rewriting(seed):
    assert differences(ORIGINAL, model(rewriting.rewritten(MODEL, Random(seed)))) == ()


# --- what makes one difference ---

ONE = {
    "a rate": ([("0.07per_ms", "0.08per_ms")], "naChan/h/forwardRate", "rate"),
    "an exponent": ([('id="m" instances="3"', 'id="m" instances="4"')], "naChan/m", "instances"),
    "a midpoint by a little": ([("-40mV", "-40.0001mV")], "naChan/m/forwardRate", "midpoint"),
    "the kind of a rate": ([("HHSigmoidRate", "HHExpRate")], "naChan/h/reverseRate",
                           "component type"),
    "a density": ([("120 mS", "121 mS")], "hh/bio/membraneProperties/na_all", "condDensity"),
    "a diameter": ([('<distal x="0" y="0" z="0" diameter="17.8"',
                     '<distal x="0" y="0" z="0" diameter="17.9"')],
                   "hh/morph/segment 0/distal", "diameter"),
    "the end of a connection": ([('postCellId="../cells/2/hh"', 'postCellId="../cells/0/hh"')],
                                "net/proj/connectionWD 1", "postCellId"),
    "a delay": ([('delay="2ms"', 'delay="2.5ms"')], "net/proj/connectionWD 1", "delay"),
    "a weight": ([('weight="0.5"', 'weight="0.6"')], "net/proj/connectionWD 1", "weight"),
    "a segment": ([('preSegmentId="0"', 'preSegmentId="1"')], "net/proj/connectionWD 2",
                  "preSegmentId"),
    "a fraction": ([('postFractionAlong="0.5"', 'postFractionAlong="0.7"')],
                   "net/proj/connectionWD 2", "postFractionAlong"),
    "a position": ([('x="20"', 'x="21"')], "net/cells/instance 2", "location/x"),
    "a size": ([('size="2"', 'size="5"')], "net/sized", "size"),
    "the cell of a population": ([('component="plain"', 'component="hh"')], "net/sized",
                                 "component"),
    "the target of an input": ([('target="../cells/0/hh"', 'target="../cells/1/hh"')],
                               "net/stim/input 0", "target"),
    "an equation": ([("(rest - v) * (one + n) / tau", "(rest - v) * (one - n) / tau")],
                    "ComponentType decaying", "TimeDerivative v"),
    "a derived variable": ([("/ MV * (one + n)", "/ MV * (one + n) + 1")],
                           "ComponentType decaying", "DerivedVariable x"),
    "a case": ([("3 * x", "4 * x")], "ComponentType decaying", "DerivedVariable y"),
    "a condition": ([("20 * MV", "21 * MV")], "ComponentType decaying", "test of OnCondition"),
    "a constant": ([('value="1mV"', 'value="2mV"')], "ComponentType decaying", "Constant MV"),
    "an assignment": ([('value="n + 1"', 'value="n + 2"')], "ComponentType decaying",
                      "n of OnCondition (v > (20 * MV))"),
    "an event": ([('<EventOut port="spike"/>', "")], "ComponentType decaying",
                 "EventOut of OnCondition (v > (20 * MV))"),
    "a step": ([('step="0.01ms"', 'step="0.02ms"')], "sim1", "step"),
    "a recorded quantity": ([("cells/1/hh/v", "cells/2/hh/v")], "sim1/of/v1", "quantity"),
    "a renamed cell, followed": ([('id="hh"', 'id="hh2"'), ('component="hh"', 'component="hh2"'),
                                  ("/hh", "/hh2")], "hh", "id"),
    "a renamed population, followed": ([('id="cells"', 'id="pyr"'), ("cells/", "pyr/"),
                                        ('"cells"', '"pyr"')], "net/cells", "id"),
    "a renamed channel, followed": ([('"naChan"', '"sodium"')], "naChan", "id"),
    "a renamed gate": ([('id="h"', 'id="k"')], "naChan/h", "id"),
}  # fmt: skip


@pytest.mark.parametrize(("replacements", "path", "what"), ONE.values(), ids=ONE.keys())
def test_a_change_is_one_difference_with_its_path(replacements, path, what):
    (difference,) = found(*replacements)
    assert (difference.path, difference.what) == (path, what)
    assert difference.left is not None
    assert difference.left_place is not None


def test_what_differs_is_told_from_either_side():
    other = model(changed(("0.07per_ms", "0.08per_ms")))
    (one,), (back,) = differences(ORIGINAL, other), differences(other, ORIGINAL)
    assert (one.left, one.right) == (back.right, back.left) == ("70 Hz", "80 Hz")


def test_a_removed_gate_is_a_difference():
    start = MODEL.index('<gateHHrates id="h"')
    gate = MODEL[start : MODEL.index("</gateHHrates>", start) + 14]
    (difference,) = found((gate, ""))
    assert (difference.path, difference.left) == ("naChan/h", "gateHHrates h")
    assert (difference.right, difference.right_place) == (None, None)


def test_a_removed_connection_is_a_difference():
    (difference,) = found((block('<connectionWD id="0"', '"1ms"/>'), ""))
    assert difference.path == "net/proj/connectionWD 0"
    assert difference.what == "connectionWD"
    assert difference.right is None
    assert "../cells[1]" in difference.left


def test_a_connection_made_twice_is_a_difference():
    connection = block('<connectionWD id="0"', '"1ms"/>')
    (difference,) = found((connection, connection + connection.replace('id="0"', 'id="9"')))
    assert difference.left is None


def test_swapped_exponents_of_gates_are_two_differences():
    swapped = found(('id="m" instances="3"', 'id="m" instances="1"'),
                    ('id="h" instances="1"', 'id="h" instances="3"'))  # fmt: skip
    assert [(d.path, d.what) for d in swapped] == [
        ("naChan/m", "instances"), ("naChan/h", "instances")
    ]  # fmt: skip


def test_dependent_statements_in_another_order_are_a_difference():
    text = MODEL.replace('variable="v" value="rest"/>\n      <', 'variable="v" value="rest*n"/>\n<')
    start = text.index('<StateAssignment variable="v" value="rest*n"/>')
    end = text.index('<EventOut port="spike"')
    one, other = text[start:end].strip().split("\n")
    exchanged = text[:start] + other + one + text[end:]
    (difference,) = differences(model(text), model(exchanged))
    assert difference.what == "order of OnCondition (v > (20 * MV))"


def test_columns_in_another_order_are_a_difference():
    first, second = MODEL.split("<OutputColumn")[1:3]
    second = second.split("\n")[0]
    (difference,) = found(("<OutputColumn" + first, ""),
                          ("<OutputColumn" + second, "<OutputColumn" + second
                           + "<OutputColumn" + first))  # fmt: skip
    assert difference.what == "order of columns"


def test_a_rename_that_a_reference_does_not_follow_is_two_differences():
    renamed = found(('<expTwoSynapse id="syn"', '<expTwoSynapse id="syn2"'))
    assert {d.path for d in renamed} == {"syn", "net/proj"}


def test_an_attribute_that_a_change_of_all_rows_touches_is_told_once():
    rows = "".join(f'<connection id="{n}" preCellId="../p[{n}]" postCellId="../p[0]"/>'
                   for n in range(50))  # fmt: skip
    text = f"""<neuroml><iafTauCell id="c" leakReversal="-50mV" thresh="-55mV" reset="-70mV"
      tau="30ms"/><expOneSynapse id="s" gbase="1nS" erev="0mV" tauDecay="5ms"/>
      <network id="n"><population id="p" component="c" size="50"/><projection id="j"
      presynapticPopulation="p" postsynapticPopulation="p" synapse="s">{rows}</projection>
      </network></neuroml>"""
    moved = text.replace('postCellId="../p[0]"', 'postCellId="../p[1]"')
    (difference,) = differences(model(text), model(moved))
    assert difference.what == "postCellId of 50 rows of connection, first"


def test_a_tolerance_lets_rounded_values_through():
    rounded = model(changed(("17.8", "17.8000001")))
    assert len(differences(ORIGINAL, rounded)) == 2
    assert differences(ORIGINAL, rounded, tolerance=1e-6) == ()


# --- models of the corpus ---

FILES = [
    "neuroml2/examples/NML2_SingleCompHHCell.nml",
    "neuroml2/examples/NML2_FullNeuroML.nml",
    "neuroml2/examples/NML2_InstanceBasedNetwork.nml",
    "neuroml2/examples/NML2_SynapseTypes.nml",
    "neuroml2/examples/NML2_GapJunctions.nml",
    "neuroml2/LEMSexamples/LEMS_NML2_Ex5_DetCell.xml",
    "neuroml2/LEMSexamples/LEMS_NML2_Ex25_MultiComp.xml",
    "neuroml2/LEMSexamples/LEMS_NML2_Ex9_FN.xml",
]


@pytest.mark.parametrize("name", FILES)
def test_a_model_of_the_corpus_is_the_same_after_rewriting(name, tmp_path):
    source = CORPUS / name
    if not source.exists():
        pytest.skip(f"{source} is not there")
    original = resolve(read(source))
    copy = tmp_path / source.name
    for seed in range(3):
        copy.write_text(rewriting.rewritten(source.read_text(), Random(seed)))
        again = resolve(read(copy, include_dirs=[source.parent, source.parents[1] / "examples"]))
        assert differences(original, again) == ()


def test_another_release_of_the_core_types_differs_only_in_equations(tmp_path):
    old = CORPUS / "osb" / "NML2_LEMS_Examples" / "Figure4_AdEx.xml"
    if not old.exists():
        pytest.skip(f"{old} is not there")
    for name in ("Figure4_AdEx.xml", "Figure4_AdEx.nml"):
        (tmp_path / name).write_text(old.with_name(name).read_text())
    found = differences(resolve(read(old)), resolve(read(tmp_path / old.name)))
    (difference,) = (d for d in found if d.section == "types")
    assert (difference.left, difference.right) == ("amplitude", "weight * amplitude")
    assert [d for d in found if d.section != "types"] == []


def test_two_models_of_the_corpus_differ():
    folder = CORPUS / "neuroml2" / "examples"
    if not folder.exists():
        pytest.skip(f"{folder} is not there")
    a, b = (resolve(read(folder / f"NML2_{name}.nml")) for name in ("GapJunctions", "SynapseTypes"))
    assert differences(a, b) != ()
