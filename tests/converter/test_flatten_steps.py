"""The reference's order of steps: its lags, regimes and simultaneous Dynamics."""

from __future__ import annotations

import numpy as np
import pytest
from lemsmith.converter.network import Advance, Assign, Integrate


def test_children_advance_before_their_parent(flattened) -> None:
    body = """
    <ComponentType name="p"><Child name="c" type="q"/><Exposure name="x" dimension="none"/>
      <Dynamics><StateVariable name="x" dimension="none" exposure="x"/>
      <DerivedVariable name="y" dimension="none" select="c/y"/></Dynamics></ComponentType>
    <ComponentType name="q"><Requirement name="x" dimension="none"/><Exposure name="y"
      dimension="none"/><Dynamics><DerivedVariable name="y" exposure="y" dimension="none"
      value="x * 2"/></Dynamics></ComponentType><p id="u"><c/></p>"""
    step = flattened(body, "jlems").population("u").step
    written = [statement.variable for statement in step if isinstance(statement, Assign)]
    # c's clock, its copy of x, its y; then the parent's.
    assert written == ["c_t_clock", "c_x_required", "c_y", "t_clock", "y"]


def test_a_requirement_redeclared_on_the_way_adds_a_step(traces) -> None:
    body = """
    <ComponentType name="a"><Child name="b" type="b"/><Exposure name="x" dimension="none"/>
      <Dynamics><StateVariable name="x" dimension="none" exposure="x"/>
      <TimeDerivative variable="x" value="1 / SEC"/></Dynamics></ComponentType>
    <ComponentType name="b"><Child name="c" type="c"/><Requirement name="x" dimension="none"/>
      <Dynamics/></ComponentType>
    <ComponentType name="c"><Requirement name="x" dimension="none"/><Exposure name="y"
      dimension="none"/><Dynamics><DerivedVariable name="y" exposure="y" dimension="none"
      value="x"/></Dynamics></ComponentType><a id="u"><b><c/></b></a>"""
    found = traces(body, "x", "b/c/y", steps=5)
    assert found["x"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found["b/c/y"].tolist() == [0, 0, 0, 1, 2, 3]
    direct = traces(body, "x", "b/c/y", steps=5, method="euler")
    assert direct["b/c/y"].tolist() == direct["x"].tolist()


def test_a_variable_used_before_its_definition_lags(traces) -> None:
    body = """
    <ComponentType name="a"><Exposure name="x" dimension="none"/><Dynamics>
      <DerivedVariable name="x" exposure="x" dimension="none" value="late + 0"/>
      <DerivedVariable name="late" dimension="none" value="t / SEC"/></Dynamics></ComponentType>
    <a id="u"/>"""
    assert traces(body, "x")["x"].tolist() == [0, 0, 1, 2, 3]
    assert traces(body, "x", method="euler")["x"].tolist() == [0, 1, 2, 3, 4]


REGIMES = """
<ComponentType name="r"><EventPort name="in" direction="in"/><EventPort name="out" direction="out"/>
  <Exposure name="x" dimension="none"/><Exposure name="y" dimension="none"/><Dynamics>
  <StateVariable name="x" exposure="x" dimension="none"/>
  <StateVariable name="y" exposure="y" dimension="none"/>
  <Regime name="up"{}><DerivedVariable name="d" dimension="none" value="x * 10"/>
    <TimeDerivative variable="x" value="1 / SEC"/><OnCondition test="d .geq. 30">
    <EventOut port="out"/><Transition regime="wait"/></OnCondition></Regime>
  <Regime name="wait"{}><OnEntry><StateAssignment variable="x" value="20"/></OnEntry>
    <OnEvent port="in"><StateAssignment variable="y" value="y + 1"/></OnEvent></Regime>
  </Dynamics></ComponentType><r id="re"/>
"""


def test_regimes_have_variables_events_and_entries_of_their_own(traces, network_types) -> None:
    body = (
        network_types
        + REGIMES.format(' initial="true"', "")
        + (
            '<net id="u"><pop id="a" component="tk" size="1"/><pop id="b" component="re" size="1"/>'
            '<con from="a[0]" to="b[0]"/></net>'
        )
    )
    found = traces(body, "b[0]/x", "b[0]/y", "b[0]/d", steps=7, events=[("b[0]", "out")])
    # What a regime changes shows one step later; its condition sees its own variable at once.
    assert found["b[0]/x"].tolist() == [0, 0, 1, 2, 3, 20, 20, 20]
    assert found["b[0]/y"].tolist() == [0, 0, 0, 0, 0, 1, 2, 3]
    assert found["b[0]"].tolist() == [4.0]


def test_without_an_initial_regime_the_first_of_javas_map_starts(traces) -> None:
    # "wait" is in bucket 2 of 16, "up" in bucket 11.
    body = REGIMES.format("", "") + '<r id="u"/>'
    assert traces(body, "x")["x"].tolist() == [20, 20, 20, 20, 20]


SIMULTANEOUS = """
<ComponentType name="p"><Child name="c" type="q"/><Exposure name="x" dimension="none"/>
  <Dynamics simultaneous="{}"><StateVariable name="x" dimension="none" exposure="x"/>
  <OnStart><StateAssignment variable="x" value="1"/></OnStart>
  <DerivedVariable name="y" dimension="none" select="c/y"/>
  <TimeDerivative variable="x" value="-y / SEC"/></Dynamics></ComponentType>
<ComponentType name="q"><Requirement name="x" dimension="none"/><Exposure name="y"
  dimension="none"/><Dynamics><StateVariable name="z" dimension="none"/>
  <TimeDerivative variable="z" value="x / SEC"/>
  <DerivedVariable name="y" exposure="y" dimension="none" value="z"/></Dynamics></ComponentType>
<p id="u"><c/></p>
"""


def test_simultaneous_states_step_together_with_runge_kutta(traces) -> None:
    # x' = -z, z' = x: the cosine and the sine.
    found = traces(SIMULTANEOUS.format("true"), "x", "c/z", steps=10, step="0.1s")
    times = 0.1 * np.arange(11)
    assert found["x"] == pytest.approx(np.cos(times), abs=1e-5)
    euler = traces(SIMULTANEOUS.format("false"), "x", steps=10, step="0.1s")
    assert abs(euler["x"][-1] - np.cos(1.0)) > 1e-2


def test_simultaneous_children_are_part_of_one_integration(flattened) -> None:
    step = flattened(SIMULTANEOUS.format("true"), "jlems").population("u").step
    integrations = [statement for statement in step if isinstance(statement, Integrate)]
    assert [i.method for i in integrations] == ["rk4"]
    assert {name for name, _ in integrations[0].derivatives} == {"x", "c_z"}


def test_a_flattened_subtree_reads_what_is_outside_once_a_step(flattened) -> None:
    body = (
        SIMULTANEOUS.format("true")
        .replace('<p id="u"><c/></p>', "")
        .replace('value="x / SEC"', 'value="x * drive / SEC"')
        .replace(
            '<ComponentType name="q">',
            '<ComponentType name="q"><Requirement name="drive" dimension="none"/>',
        )
        + """
    <ComponentType name="top"><Child name="p" type="p"/><Parameter name="k" dimension="none"/>
      <Dynamics><DerivedVariable name="drive" dimension="none" value="k * t / SEC"/></Dynamics>
    </ComponentType><top id="u" k="2"><p><c/></p></top>"""
    )
    step = flattened(body, "jlems").population("u").step
    written = [statement.variable for statement in step if isinstance(statement, Assign)]
    assert written.count("p_drive_required") == 1


def test_what_flattening_loses_is_a_warning(traces) -> None:
    body = """
    <ComponentType name="p"><Exposure name="x" dimension="none"/><Dynamics simultaneous="true">
      <StateVariable name="x" exposure="x" dimension="none"/><TimeDerivative variable="x"
      value="1 / SEC"/><OnCondition test="x .gt. 1"><StateAssignment variable="x" value="0"/>
      </OnCondition></Dynamics></ComponentType><p id="u"/>"""
    assert traces(body, "x")["x"].tolist() == [0, 1, 2, 3, 4]
    assert traces(body, "x", method="euler")["x"].max() <= 1.0


def test_populations_advance_in_the_order_of_the_document(flattened, network_types) -> None:
    body = network_types + (
        '<net id="u"><pop id="b" component="tk" size="1"/>'
        '<pop id="a" component="cn" size="2"/></net>'
    )
    step = flattened(body, "jlems").population("u").step
    assert [s.populations for s in step if isinstance(s, Advance)] == [("b",), ("a",)]
