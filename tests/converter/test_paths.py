"""Paths: what derived variables select, and what recorded quantities mean."""

from __future__ import annotations

import pytest

TYPES = """
<ComponentType name="cell"><Child name="one" type="part"/><Children name="parts" type="part"/>
  <Parameter name="c" dimension="none"/><Exposure name="x" dimension="none"/><Dynamics>
  <DerivedVariable name="x" exposure="x" dimension="none" select="{}" {}/></Dynamics>
</ComponentType>
<ComponentType name="part"><Text name="kind"/><ComponentReference name="of" type="part"/>
  <Parameter name="k" dimension="none"/><Exposure name="y" dimension="none"/><Dynamics>
  <DerivedVariable name="y" exposure="y" dimension="none" value="k"/></Dynamics></ComponentType>
<cell id="u" c="5"><one k="2"/><part id="p" kind="fast" k="3"/><part id="q" kind="slow" of="p"
  k="7"/></cell>
"""


@pytest.mark.parametrize(
    ("select", "how", "value"),
    [
        ("one/y", "", 2.0),
        ("one/k", "", 2.0),
        ("parts[*]/y", 'reduce="add"', 10.0),
        ("parts[*]/y", 'reduce="multiply"', 21.0),
        ("parts[kind='fast']/y", 'reduce="add"', 3.0),
        ("parts[of='p']/y", 'reduce="add"', 7.0),
        ("parts[kind='none']/y", 'reduce="add"', 0.0),
        ("parts[kind='none']/y", 'reduce="multiply"', 1.0),
        ("two/y", 'reduce="add"', 0.0),
        ("two/y", 'reduce="multiply" required="false"', 1.0),
        ("two/y", 'reduce="multiply" required="no"', 1.0),
        ("one/c", "", 5.0),  # the question goes up to the parent
    ],
)
@pytest.mark.parametrize("schedule", ["jlems", "equations"])
def test_a_selection(flattened, select: str, how: str, value: float, schedule: str) -> None:
    network = flattened(TYPES.format(select, how), schedule)
    assert network.population("u").variables["x"].initial == value


@pytest.mark.parametrize(
    ("select", "how", "words"),
    [
        ("two/y", "", "nothing is there"),
        ("two/y", 'reduce="multiply"', "nothing is there"),
        ("one/z", "", "nothing is there"),
        ("parts[*]/y", "", "needs reduce"),
        ("parts[*]/z", 'reduce="add"', "lacks 'z', which 'x' adds up"),
        ("parts[kind]/y", 'reduce="add"', "not of the form"),
    ],
)
def test_a_selection_of_nothing_is_a_fault(faults_of, select: str, how: str, words: str) -> None:
    found = faults_of(TYPES.format(select, how))
    assert any(words in fault for fault in found), found


def test_recorded_quantities_may_be_parameters_and_constants(traces) -> None:
    found = traces(TYPES.format("one/y", ""), "c", "one/k", "q/k", "SEC", "q/y")
    assert [found[path][-1] for path in found] == [5.0, 2.0, 7.0, 1.0, 7.0]


@pytest.mark.parametrize("path", ["a[1]/k", "a/1/tk/k", "a/1/k", "./a[1]/k"])
def test_an_instance_has_several_names(traces, network_types, path: str) -> None:
    body = network_types + '<net id="u"><pop id="a" component="tk" size="2"/></net>'
    assert traces(body, path)[path][-1] == 4.0


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("b[0]/k", "'u' has no 'b'"),
        ("a[2]/k", "no instance 2 (it has 2)"),
        ("a[0]/kk", "no variable 'kk'"),
        ("a[x]/k", "has no '[x]'"),
        ("a[0]/s:t:0/k", "nothing called 't'"),
        ("a[0]/s:t/k", "not of the form"),
    ],
)
def test_a_recorded_path_that_leads_nowhere_is_a_fault(
    faults_of, network_types, path: str, words: str
) -> None:
    body = network_types + '<net id="u"><pop id="a" component="tk" size="2"/></net>'
    found = faults_of(body, quantities=[path])
    assert any(words in fault for fault in found), found


def test_every_wrong_path_is_reported(faults_of, network_types) -> None:
    body = network_types + '<net id="u"><pop id="a" component="tk" size="2"/></net>'
    found = faults_of(body, quantities=["x", "a[9]/k"], events=[("a[0]", "outt"), ("q", "out")])
    assert len(found) == 4


def test_events_of_nested_components_are_recorded(traces, network_types) -> None:
    body = (
        network_types
        + """
    <ComponentType name="holder"><Children name="ts" type="tick"/></ComponentType>
    <holder id="h"><tick id="a"/><tick id="b"/></holder>
    <net id="u"><pop id="p" component="h" size="2"/></net>"""
    )
    found = traces(body, "p[0]/a/k", events=[("p/1/h/b", "out"), ("p[0]/a", "out")])
    assert found["p/1/h/b"].tolist() == found["p[0]/a"].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_the_target_itself_may_send_events(traces, network_types) -> None:
    found = traces(network_types + '<tick id="u"/>', "k", events=[(".", "out")])
    assert found["."].tolist() == [1.0, 2.0, 3.0, 4.0]


ATTACHED = """
<ComponentType name="host"><Attachments name="syns" type="syn"/><Exposure name="s"
  dimension="none"/><Dynamics><DerivedVariable name="s" exposure="s" dimension="none"
  select="{}" reduce="add"/></Dynamics></ComponentType>
<ComponentType name="syn"><Child name="inner" type="inner"/><Parameter name="c" dimension="none"/>
  <EventPort name="in" direction="in"/><Property name="weight" dimension="none"/></ComponentType>
<ComponentType name="inner"><Parameter name="z" dimension="none"/><Exposure name="y"
  dimension="none"/><Dynamics><DerivedVariable name="y" exposure="y" dimension="none"
  value="z * 2"/></Dynamics></ComponentType>
<ComponentType name="attach" extends="connects"><Path name="from"/><Path name="to"/>
  <Parameter name="w" dimension="none"/><ComponentReference name="of" type="syn"/><Structure>
  <With instance="from" as="a"/><With instance="to" as="b"/><EventConnection from="a" to="b"
  receiver="of"><Assign property="weight" value="w"/></EventConnection></Structure></ComponentType>
<host id="h"/><syn id="f" c="3"><inner z="5"/></syn>
<net id="u"><pop id="a" component="tk" size="1"/><pop id="b" component="h" size="2"/>
  <attach from="a[0]" to="b[0]" of="f" w="2"/><attach from="a[0]" to="b[0]" of="f" w="9"/></net>
"""


@pytest.mark.parametrize(
    ("select", "value"),
    [("syns[*]/weight", 11.0), ("syns[*]/c", 6.0), ("syns[*]/inner/y", 20.0)],
)
@pytest.mark.parametrize("method", ["jlems", "euler"])
def test_what_attached_components_hold_adds_up(
    traces, network_types, select: str, value: float, method: str
) -> None:
    found = traces(network_types + ATTACHED.format(select), "b[0]/s", "b[1]/s", method=method)
    assert (found["b[0]/s"][-1], found["b[1]/s"][-1]) == (value, 0.0)


@pytest.mark.parametrize(
    ("select", "words"),
    [("syns[*]/iner/y", "did you mean 'inner'"), ("syns[*]/inner/q", "'inner' lacks 'q'")],
)
def test_what_attached_components_lack_is_a_fault(
    faults_of, network_types, select: str, words: str
) -> None:
    found = faults_of(network_types + ATTACHED.format(select))
    assert any(words in fault for fault in found), found
