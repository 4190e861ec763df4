"""Components: their types, values, references and children."""

from __future__ import annotations

import pytest
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve
from lemsmith.errors import Faults

TYPES = """
<ComponentType name="cell">
  <Parameter name="c" dimension="time"/> <Parameter name="n" dimension="none"/>
  <Fixed parameter="n" value="7"/> <Property name="w" dimension="none" defaultValue="2"/>
  <Text name="note"/> <ComponentReference name="other" type="cell"/>
  <Child name="one" type="part"/> <Children name="parts" type="part"/>
</ComponentType>
<ComponentType name="part"><Parameter name="k" dimension="none"/></ComponentType>
<ComponentType name="special" extends="part"/>
"""


def test_values_are_in_si(resolved) -> None:
    cell = resolved(TYPES + '<cell id="u" c="5 ms" n="3" note="hi" other="u"/>').components["u"]
    assert cell.values["c"] == 0.005
    assert cell.values["n"] == 3.0
    assert cell.texts == {"note": "hi"}
    assert cell.references == {"other": "u"}


def test_a_fixed_parameter_is_a_default_that_an_attribute_overrides(resolved) -> None:
    model = resolved(TYPES + '<cell id="u" c="1s"/><cell id="v" c="1s" n="8"/>')
    assert model.components["u"].values["n"] == 7.0
    assert model.components["v"].values["n"] == 8.0


def test_children_go_to_their_slot_by_name_and_to_their_list_by_type(resolved) -> None:
    cell = resolved(
        TYPES + '<cell id="u" c="1s"><special id="s" k="1"/><one k="2"/><part id="p" k="3"/></cell>'
    ).components["u"]
    assert cell.child("one").values["k"] == 2.0
    assert [part.id for part in cell.children("parts")] == ["s", "p"]


def test_a_child_may_name_a_type_that_extends_its_slots(resolved) -> None:
    cell = resolved(TYPES + '<cell id="u" c="1s"><one type="special" k="2"/></cell>').components[
        "u"
    ]
    assert cell.child("one").type.name == "special"


def test_a_component_takes_the_rest_from_the_one_that_it_extends(resolved) -> None:
    model = resolved(
        TYPES + '<cell id="u" c="1s" n="4"><part id="p" k="1"/></cell>'
        '<Component id="v" extends="u" c="2s"/><cell id="w" extends="v" n="5"/>'
    )
    w = model.components["w"]
    assert (w.values["c"], w.values["n"]) == (2.0, 5.0)
    assert [part.id for part in w.children("parts")] == ["p"]


def test_an_attribute_nobody_reads_is_a_warning(warnings_of) -> None:
    found = warnings_of(TYPES + '<cell id="u" c="1s" nn="4"/>')
    assert any("no parameter 'nn'" in warning for warning in found)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<cell id="u"/>', "needs the parameter 'c'"),
        ('<cell id="u" c="5"/>', "has no unit"),
        ('<cell id="u" c="5 mV"/>', "measures V"),
        ('<cell id="u" c="5 mss"/>', "no unit is called 'mss'"),
        ('<cell id="u" c="about 5"/>', "number"),
        ('<cel id="u" c="5s"/>', "did you mean 'cell'"),
        ('<Component id="u"/>', "needs the attribute 'type'"),
        ('<cell id="u" c="5s"><one k="1"/><one k="2"/></cell>', "twice"),
        ('<cell id="u" c="5s"><cell id="v" c="1s"/></cell>', "cannot stand in"),
        ('<cell id="u" c="5s"/><cell id="u" c="6s"/>', "given twice"),
        ('<cell id="u" extends="zz" c="1s"/>', "no component 'zz' to extend"),
        ('<cell id="u" extends="v" c="1s"/><cell id="v" extends="u" c="1s"/>', "extends itself"),
    ],
)
def test_a_wrong_component_is_a_fault(faults_of, body: str, words: str) -> None:
    found = faults_of(TYPES + body)
    assert any(words in fault for fault in found), found


def test_faults_of_different_components_are_all_reported(faults_of) -> None:
    found = faults_of(
        TYPES + '<cell id="u"/><cell id="v" c="5 mV"/><cell id="w" c="1s"><x/></cell>'
    )
    assert len(found) >= 3


NEUROML = '<Include file="Cells.xml"/><Include file="Networks.xml"/>'
CELL = (
    '<iafTauCell id="c" leakReversal="-50mV" thresh="-55mV" reset="-70mV" tau="30ms"/>'
    '<network id="net"><population id="p" component="c" {}>'
    '<instance id="0"><location x="0" y="0" z="0"/></instance>'
    '<instance id="5"><location x="0" y="0" z="0"/></instance></population></network>'
)


def _network(attributes: str) -> str:
    faults = Faults()
    text = f"<Lems>{NEUROML}{CELL.format(attributes)}</Lems>"
    model = resolve(read(text), faults)
    population = next(model.components["net"].children("populations"))
    assert not faults.errors
    return population.type.name + "".join(str(f) for f in faults.found)


def test_a_population_with_its_cells_listed_needs_no_type() -> None:
    assert _network("") == "populationList"
    assert _network('type="populationList"') == "populationList"


def test_a_size_other_than_the_number_listed_is_a_warning() -> None:
    assert "'3', and it lists 2 instances" in _network('type="populationList" size="3"')
    assert _network('type="populationList" size="2"') == "populationList"
