"""Component types: members, inheritance, older spellings, faults."""

from __future__ import annotations

import pytest
from lemsmith.converter.model import DerivedVariable
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve

BASE = """
<ComponentType name="base">
  <Parameter name="a" dimension="time"/> <Exposure name="x" dimension="none"/>
  <Requirement name="v" dimension="voltage"/> <Text name="note"/>
  <Dynamics><StateVariable name="x" dimension="none" exposure="x"/></Dynamics>
</ComponentType>
"""


def test_a_type_has_what_it_inherits_after_its_own(resolved) -> None:
    kind = resolved(
        BASE + '<ComponentType name="more" extends="base"><Parameter name="b" dimension="none"/>'
        '<Requirement name="i" dimension="current"/></ComponentType>'
    ).types["more"]
    assert list(kind.parameters) == ["b", "a"]
    assert list(kind.requirements) == ["i", "v"]
    assert kind.is_a("base")
    assert kind.is_a("more")
    assert not kind.is_a("other")
    assert kind.dynamics is not None


def test_its_own_dynamics_replace_the_inherited_ones(resolved) -> None:
    kind = resolved(
        BASE + '<ComponentType name="more" extends="base"><Dynamics>'
        '<StateVariable name="y" dimension="none"/></Dynamics></ComponentType>'
    ).types["more"]
    assert [state.name for state in kind.dynamics.state_variables] == ["y"]


def test_the_order_of_the_definitions_does_not_matter(resolved) -> None:
    kind = resolved('<ComponentType name="more" extends="base"/>' + BASE).types["more"]
    assert list(kind.parameters) == ["a"]


def test_a_parameter_redeclared_as_constant_is_a_constant(resolved) -> None:
    kind = resolved(
        BASE + '<ComponentType name="more" extends="base">'
        '<Constant name="a" dimension="time" value="3 ms"/></ComponentType>'
    ).types["more"]
    assert "a" not in kind.parameters
    assert kind.constants["a"].value == 0.003


def test_conditional_variables_stand_after_the_others(resolved) -> None:
    kind = resolved(
        '<ComponentType name="c"><Dynamics>'
        '<ConditionalDerivedVariable name="a" dimension="none"><Case value="1"/>'
        '</ConditionalDerivedVariable><DerivedVariable name="b" dimension="none" value="2"/>'
        "</Dynamics></ComponentType>"
    ).types["c"]
    assert [v.name for v in kind.dynamics.derived_variables] == ["b", "a"]


def test_older_spellings_mean_what_they_meant(resolved) -> None:
    kind = resolved(
        '<ComponentType name="c"><ComponentRef name="r" type="c"/><Behavior>'
        '<Build><ChildInstance component="r"/></Build><StateVariable name="x" dimension="none"/>'
        '</Behavior><EventPort name="in" direction="IN"/></ComponentType>'
    ).types["c"]
    assert list(kind.references) == ["r"]
    assert [part.kind for part in kind.structure] == ["ChildInstance"]
    assert kind.dynamics is not None
    assert kind.ports["in"].direction == "in"


def test_a_derived_variable_without_a_name_has_that_of_its_exposure(resolved) -> None:
    kind = resolved(
        '<ComponentType name="c"><Exposure name="e" dimension="none"/><Dynamics>'
        '<DerivedVariable exposure="e" value="2"/></Dynamics></ComponentType>'
    ).types["c"]
    assert kind.dynamics.derived_variables[0].name == "e"


def test_two_regimes_may_have_derived_variables_of_one_name(resolved) -> None:
    regime = (
        '<Regime name="{0}"><DerivedVariable name="d" dimension="none" value="{1}"/>'
        '<OnCondition test="d .gt. 2"><StateAssignment variable="x" value="d"/></OnCondition>'
        "</Regime>"
    )
    kind = resolved(
        '<ComponentType name="c"><Dynamics><StateVariable name="x" dimension="none"/>'
        + regime.format("one", 1)
        + regime.format("two", 2)
        + "</Dynamics></ComponentType>"
    ).types["c"]
    names = [variable.name for variable in kind.dynamics.every_derived()]
    assert names == ["one.d", "two.d"]
    assert all(isinstance(v, DerivedVariable) for v in kind.dynamics.every_derived())


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ('<Paramter name="a" dimension="none"/>', "did you mean 'Parameter'"),
        ("<Procedure/>", "LEMS 0.7.6 does not have it"),
        ('<Parameter dimension="none"/>', "needs the attribute 'name'"),
        ('<Parameter name="a" dimension="vlotage"/>', "did you mean 'voltage'"),
        (
            '<Parameter name="a" dimension="none"/><Parameter name="a" dimension="none"/>',
            "declared twice",
        ),
        ('<EventPort name="p" direction="up"/>', "'in' or 'out'"),
        ('<DerivedParameter name="d" dimension="none"/>', "a value or a select"),
        ("<Dynamics/><Dynamics/>", "one Dynamics"),
        ('<Dynamics><Statevariable name="x"/></Dynamics>', "did you mean 'StateVariable'"),
        (
            '<Dynamics><DerivedVariable name="x" value="1" select="a/b"/></Dynamics>',
            "one of them",
        ),
        (
            '<Dynamics><DerivedVariable name="x" select="a[*]/b" reduce="min"/></Dynamics>',
            "'add' or 'multiply'",
        ),
        (
            '<Dynamics><DerivedVariable name="x" dimension="none" value="1 .gt. 2"/></Dynamics>',
            "not a comparison",
        ),
        ('<Dynamics><OnCondition test="1"/></Dynamics>', "a comparison"),
        ('<Dynamics><ConditionalDerivedVariable name="x" dimension="none"/></Dynamics>', "no Case"),
        ('<Dynamics><KineticScheme name="k"/></Dynamics>', "needs the attribute 'nodes'"),
        ('<Dynamics><Regime name="r"><Nonsense/></Regime></Dynamics>', "no element 'Nonsense'"),
        ("<Dynamics><OnStart><EventIn/></OnStart></Dynamics>", "no element 'EventIn'"),
        ('<Property name="p" dimension="none" defaultValue="many"/>', "no plain number"),
    ],
)
def test_a_wrong_member_is_a_fault(faults_of, inside: str, words: str) -> None:
    found = faults_of(f'<ComponentType name="c">{inside}</ComponentType>')
    assert any(words in fault for fault in found), found


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            '<ComponentType name="a" extends="b"/><ComponentType name="b" extends="a"/>',
            "extends itself",
        ),
        ('<ComponentType name="a" extends="zz"/>', "no component type is called 'zz'"),
        ('<ComponentType name="a"/><ComponentType name="a"/>', "defined twice"),
    ],
)
def test_a_wrong_lineage_is_a_fault(faults_of, body: str, words: str) -> None:
    assert any(words in fault for fault in faults_of(body))


def test_faults_of_different_types_are_all_reported(faults_of) -> None:
    found = faults_of(
        '<ComponentType name="a"><Nonsense/></ComponentType>'
        '<ComponentType name="b"><Rubbish/></ComponentType>'
    )
    assert len([fault for fault in found if "no element" in fault]) == 2


CORE = '<Lems><Include file="NeuroML2CoreTypes.xml"/>{}</Lems>'


def test_packaged_types_are_read_once_while_names_mean_the_same() -> None:
    one, again = (resolve(read(CORE.format(""))) for _ in range(2))
    assert one.types["izhikevichCell"].parameters is again.types["izhikevichCell"].parameters
    more = resolve(read(CORE.format('<Dimension name="new" l="3"/>')))
    assert more.types["izhikevichCell"].parameters is not one.types["izhikevichCell"].parameters
    assert more.types == one.types
