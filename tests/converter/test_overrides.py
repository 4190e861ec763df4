"""Parameters replaced on request, found by ids and tags from the top or from below it."""

from __future__ import annotations

import lemsmith
import pytest
from lemsmith.converter.document import Element
from lemsmith.converter.overrides import overridden
from lemsmith.converter.read import read
from lemsmith.errors import ModelError, UsageError

TEXT = """<Lems>
<ComponentType name="hh"/>
<cell id="hh" v0="-65mV">
  <biophysics id="bio">
    <membrane><density id="na" g="1"/><density id="k" g="2"/></membrane>
  </biophysics>
  <notes>as it was</notes>
</cell>
<channel id="na_chan"><gate id="m" n="3"/></channel>
<channel id="k_chan"><gate id="m" n="4"/></channel>
</Lems>"""

DECAY = """<Lems>
<Target component="sim"/>
<Include file="Simulation.xml"/>
<ComponentType name="decay">
  <Parameter name="tau" dimension="time"/><Exposure name="x" dimension="none"/>
  <Dynamics>
    <StateVariable name="x" dimension="none" exposure="x"/>
    <OnStart><StateAssignment variable="x" value="1"/></OnStart>
    <TimeDerivative variable="x" value="-x / tau"/>
  </Dynamics>
</ComponentType>
<decay id="c" tau="2 ms"/>
<Simulation id="sim" length="1ms" step="0.1ms" target="c">
  <OutputFile id="of" fileName="out.dat"><OutputColumn id="x" quantity="x"/></OutputFile>
</Simulation>
</Lems>"""


@pytest.fixture
def document():
    return read(TEXT)


def attributes(document, **wanted):
    """Return the attributes of the elements that have the attributes `wanted`."""
    found, left = [], list(document.elements)
    while left:
        element = left.pop(0)
        if isinstance(element, Element):
            left = [*element.children, *left]
            if all(element.get(key) == value for key, value in wanted.items()):
                found.append(dict(element.attributes))
    return found


def test_an_attribute_of_a_component_is_replaced(document):
    changed = overridden(document, [("hh/v0", "-60mV")])
    assert attributes(changed, id="hh") == [{"id": "hh", "v0": "-60mV"}]


def test_the_document_itself_stays_as_it_was(document):
    overridden(document, [("hh/v0", "-60mV")])
    assert attributes(document, id="hh") == [{"id": "hh", "v0": "-65mV"}]


def test_nothing_else_changes(document):
    changed = overridden(document, [("hh/v0", "-60mV")])
    assert attributes(changed, id="na") == attributes(document, id="na")
    assert len(changed.elements) == len(document.elements)


def test_an_attribute_that_was_not_written_is_added(document):
    changed = overridden(document, [("hh/thresh", "0mV")])
    assert attributes(changed, id="hh")[0]["thresh"] == "0mV"


@pytest.mark.parametrize(
    "path",
    [
        "hh/bio/membrane/na/g",
        "hh/biophysics/membrane/na/g",
        "bio/membrane/na/g",
        "membrane/na/g",
        "na/g",
    ],
)
def test_a_path_goes_down_by_id_or_tag_from_any_component(document, path):
    changed = overridden(document, [(path, "9")])
    assert attributes(changed, id="na") == [{"id": "na", "g": "9"}]
    assert attributes(changed, id="k") == [{"id": "k", "g": "2"}]


def test_several_are_replaced_one_after_the_other(document):
    changed = overridden(document, [("na/g", "9"), ("k/g", "8"), ("na/g", "7")])
    assert attributes(changed, id="na")[0]["g"] == "7"
    assert attributes(changed, id="k")[0]["g"] == "8"


def test_components_of_one_name_are_told_apart_by_what_they_are_in(document):
    changed = overridden(document, [("k_chan/m/n", "1")])
    assert [found["n"] for found in attributes(changed, id="m")] == ["3", "1"]


def test_a_name_that_two_components_have_is_refused(document):
    with pytest.raises(UsageError, match="2 components are called 'm'"):
        overridden(document, [("m/n", "1")])


def test_a_component_type_is_no_component(document):
    changed = overridden(document, [("hh/v0", "1mV")])
    assert changed.elements[0] == document.elements[0]


@pytest.mark.parametrize("path", ["v0", "/v0", "hh/", "hh//v0", ""])
def test_a_path_names_a_component_and_a_parameter(document, path):
    with pytest.raises(UsageError, match="COMPONENT/PARAMETER=VALUE"):
        overridden(document, [(path, "1")])


def test_an_unknown_component_is_told_with_the_nearest(document):
    with pytest.raises(UsageError, match="no component 'na_chn'; did you mean 'na_chan'"):
        overridden(document, [("na_chn/x", "1")])


def test_an_unknown_step_of_a_path_is_told(document):
    with pytest.raises(UsageError, match="no component 'hh/bio/na'"):
        overridden(document, [("hh/bio/na/g", "1")])


def test_a_run_takes_the_new_value(backend):
    recording = lemsmith.run(DECAY, method="jlems", backend=backend, overrides={"c/tau": "1 ms"})
    assert recording["x"][-1] == pytest.approx(0.9**10)


@pytest.mark.parametrize(
    ("value", "message"),
    [("1 mV", "measures V"), ("1", "no unit"), ("?", "number"), ("1 banana", "banana")],
)
def test_a_value_that_does_not_fit_is_a_fault_of_the_model(value, message):
    with pytest.raises(ModelError, match=message):
        lemsmith.run(DECAY, method="jlems", backend="numpy", overrides={"c/tau": value})
