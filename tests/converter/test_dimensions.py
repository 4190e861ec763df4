"""Dimensions of a type's expressions: checked, and inferred where left out."""

from __future__ import annotations

import pytest
from lemsmith.converter.units import TIME, VOLTAGE, dimension

TYPE = """
<ComponentType name="c">
  <Parameter name="tau" dimension="time"/> <Parameter name="g" dimension="conductance"/>
  <Requirement name="v" dimension="voltage"/> <Exposure name="i" dimension="current"/>
  <EventPort name="out" direction="out"/> <EventPort name="in" direction="in"/>
  <Dynamics>
    <StateVariable name="x" dimension="none"/> <StateVariable name="u" dimension="voltage"/>
    {}
  </Dynamics>
</ComponentType>
"""


def _derived(resolved, text: str) -> dict[str, object]:
    kind = resolved(TYPE.format(text)).types["c"]
    return {v.name: v.dimension for v in kind.dynamics.derived_variables}


def test_a_dimension_left_out_is_that_of_the_expression(resolved) -> None:
    found = _derived(
        resolved,
        '<DerivedVariable name="b" value="a * 2"/><DerivedVariable name="a" value="v + u"/>'
        '<ConditionalDerivedVariable name="c"><Case condition="x .gt. 1" value="0"/>'
        '<Case value="tau"/></ConditionalDerivedVariable>',
    )
    assert found == {"a": VOLTAGE, "b": VOLTAGE, "c": TIME}


def test_one_that_selects_has_the_dimension_of_its_exposure(resolved) -> None:
    found = _derived(resolved, '<DerivedVariable name="i" exposure="i" select="k/i"/>')
    assert found["i"] == dimension(i=1)


def test_an_expression_and_an_exposure_that_differ_are_a_warning(warnings_of) -> None:
    found = warnings_of(TYPE.format('<DerivedVariable name="i" exposure="i" value="g * tau"/>'))
    assert any("Exposure" in warning for warning in found)


def test_only_an_explicit_none_is_no_dimension(faults_of) -> None:
    found = faults_of(TYPE.format('<DerivedVariable name="a" dimension="none" value="v"/>'))
    assert any("'a' of 'c' has the dimension of V" in fault for fault in found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<TimeDerivative variable="x" value="1"/>', "the derivative of 'x'"),
        ('<TimeDerivative variable="u" value="v"/>', "the derivative of 'u'"),
        ('<TimeDerivative variable="q" value="1/tau"/>', "no StateVariable 'q'"),
        ('<OnStart><StateAssignment variable="u" value="tau"/></OnStart>', "assignment to 'u'"),
        ('<OnCondition test="u .gt. tau"/>', "compares"),
        ('<OnCondition test="x .gt. zz"/>', "uses 'zz'"),
        ('<OnEvent port="inn"/>', "did you mean 'in'"),
        ('<OnEvent port="out"/>', "no in port 'out'"),
        ('<OnStart><EventOut port="in"/></OnStart>', "no out port 'in'"),
        ('<OnCondition test="x .gt. 1"><Transition regime="r"/></OnCondition>', "no regime 'r'"),
        (
            '<DerivedVariable name="e" dimension="none" exposure="ex" value="1"/>',
            "no Exposure 'ex'",
        ),
        ('<Regime name="r"><TimeDerivative variable="x" value="1"/></Regime>', "derivative of 'x'"),
    ],
)
def test_what_does_not_fit_is_a_fault(faults_of, text: str, words: str) -> None:
    found = faults_of(TYPE.format(text))
    assert any(words in fault for fault in found), found


def test_every_fault_of_a_type_is_reported(faults_of) -> None:
    found = faults_of(
        TYPE.format(
            '<DerivedVariable name="a" dimension="none" value="v"/>'
            '<DerivedVariable name="b" dimension="none" value="zz"/>'
            '<TimeDerivative variable="x" value="1"/>'
        )
    )
    assert len(found) == 3
