"""Equations without lags: sorted, guarded by regimes, the same on both sides of a path."""

from __future__ import annotations

import pytest
from lemsmith.converter.expressions import names
from lemsmith.converter.network import Assign, Collect
from lemsmith.errors import ModelError


def test_every_assignment_stands_after_what_it_uses(flattened) -> None:
    body = """
    <ComponentType name="p"><Child name="c" type="q"/><Exposure name="x" dimension="none"/>
      <Dynamics><StateVariable name="x" dimension="none" exposure="x"/>
      <DerivedVariable name="b" dimension="none" value="a + 1"/>
      <DerivedVariable name="a" dimension="none" value="y * 2"/>
      <DerivedVariable name="y" dimension="none" select="c/y"/></Dynamics></ComponentType>
    <ComponentType name="q"><Requirement name="x" dimension="none"/><Exposure name="y"
      dimension="none"/><Dynamics><DerivedVariable name="y" exposure="y" dimension="none"
      value="x * 2"/></Dynamics></ComponentType><p id="u"><c/></p>"""
    assignments = flattened(body).population("u").assignments
    known = {"x"}
    for assignment in assignments:
        assert isinstance(assignment, Assign)
        assert names(assignment.value) <= known
        known.add(assignment.variable)


def test_a_requirement_is_the_ancestors_own_variable(flattened) -> None:
    body = """
    <ComponentType name="a"><Child name="b" type="b"/><Dynamics><StateVariable name="x"
      dimension="none"/></Dynamics></ComponentType>
    <ComponentType name="b"><Child name="c" type="c"/><Requirement name="x" dimension="none"/>
      <Dynamics/></ComponentType>
    <ComponentType name="c"><Requirement name="x" dimension="none"/><Dynamics>
      <DerivedVariable name="y" dimension="none" value="x"/></Dynamics></ComponentType>
    <a id="u"><b><c/></b></a>"""
    population = flattened(body).population("u")
    assert {name: v.kind for name, v in population.variables.items()} == {
        "x": "state",
        "b_c_y": "derived",
    }
    (assignment,) = population.assignments
    assert names(assignment.value) == {"x"}


def test_a_circle_of_derived_variables_is_a_fault(faults_of, flattened) -> None:
    body = """
    <ComponentType name="a"><Dynamics><DerivedVariable name="x" dimension="none" value="y + 1"/>
      <DerivedVariable name="y" dimension="none" value="x"/></Dynamics></ComponentType>
    <a id="u"/>"""
    assert faults_of(body) == ()  # method jlems reads the step before
    with pytest.raises(ModelError, match="depends on itself"):
        flattened(body)


def test_equations_of_a_regime_hold_while_it_is_active(flattened) -> None:
    body = """
    <ComponentType name="a"><Dynamics><StateVariable name="x" dimension="none"/>
      <Regime name="up" initial="true"><TimeDerivative variable="x" value="1 / SEC"/>
      <OnCondition test="x .gt. 1"><Transition regime="down"/></OnCondition></Regime>
      <Regime name="down"><TimeDerivative variable="x" value="-1 / SEC"/></Regime></Dynamics>
    </ComponentType><a id="u"/>"""
    population = flattened(body).population("u")
    assert [derivative.guard is not None for derivative in population.derivatives] == [True, True]
    assert population.conditions[0].guard == population.derivatives[0].guard
    assert population.variables["regime_active"].kind == "regime"


def test_what_is_attached_is_collected_beside_the_children(flattened, network_types) -> None:
    body = (
        network_types
        + """
    <ComponentType name="host"><Children name="ss" type="s0"/><Attachments name="ss2" type="s0"/>
      <Dynamics><DerivedVariable name="sum" dimension="none" select="ss[*]/x" reduce="add"/>
      <DerivedVariable name="more" dimension="none" select="ss2[*]/x" reduce="add"/></Dynamics>
    </ComponentType>
    <ComponentType name="s0"><EventPort name="in" direction="in"/><Exposure name="x"
      dimension="none"/><Dynamics><StateVariable name="x" dimension="none" exposure="x"/>
      </Dynamics></ComponentType>
    <ComponentType name="sc" extends="connects"><Path name="from"/><Path name="to"/>
      <ComponentReference name="of" type="s0"/><Structure><With instance="from" as="a"/>
      <With instance="to" as="b"/><EventConnection from="a" to="b" receiver="of"/></Structure>
    </ComponentType>
    <host id="h"><s0 id="k"/><s0 id="l"/></host><s0 id="s"/><net id="u">
    <pop id="a" component="tk" size="1"/><pop id="b" component="h" size="1"/>
    <sc from="a[0]" to="b[0]" of="s"/></net>"""
    )
    network = flattened(body)
    collected = [a for a in network.population("b").assignments if isinstance(a, Collect)]
    assert [c.parts for c in collected] == [((("b_s", "x"),))]


def test_instances_with_values_of_their_own_share_their_equations(flattened) -> None:
    body = """
    <ComponentType name="item"><Property name="p" dimension="none"/><Dynamics>
      <DerivedVariable name="x" dimension="none" value="p + 1"/></Dynamics></ComponentType>
    <ComponentType name="many"><Structure><MultiInstantiate componentType="item" number="3">
      <Assign property="p" value="index"/></MultiInstantiate></Structure></ComponentType>
    <many id="u"/>"""
    items = flattened(body).populations[1]
    assert items.size == 3
    assert items.parameters["p"].tolist() == [0.0, 1.0, 2.0]
