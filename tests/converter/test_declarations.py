"""What a type declares: once each, from lists that it has, in the dimensions that it says."""

from __future__ import annotations

import pytest

TYPES = """
<ComponentType name="part"><Exposure name="i" dimension="current"/></ComponentType>
<ComponentType name="c">
  <Parameter name="tau" dimension="time"/> <Parameter name="e" dimension="voltage"/>
  <Children name="parts" type="part"/> {0}
  <Dynamics>
    <StateVariable name="x" dimension="none"/> <TimeDerivative variable="x" value="1/tau"/>
    <DerivedVariable name="y" dimension="none" value="2 * x"/> {1}
  </Dynamics>
</ComponentType>
"""
LIST = '<DerivedVariable name="all" dimension="{}" select="{}[*]/i" reduce="{}"/>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<DerivedParameter name="d" dimension="voltage" value="2 * tau"/>', "'d' of 'c' has"),
        ('<DerivedParameter name="d" dimension="voltage" value="e + tau"/>', "'d' of 'c' mixes"),
        ('<Requirement name="t" dimension="voltage"/>', "requires 't'"),
    ],
)
def test_a_member_of_another_dimension_is_a_fault(faults_of, text: str, words: str) -> None:
    found = faults_of(TYPES.format(text, ""))
    assert len(found) == 1, found
    assert words in found[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<StateVariable name="x" dimension="voltage"/>', "variable 'x' of 'c' is declared twice"),
        ('<DerivedVariable name="y" dimension="none" value="x"/>', "'y' of 'c' is declared twice"),
        ('<TimeDerivative variable="x" value="2/tau"/>', "derivative of 'x' of 'c' is given twice"),
        ('<Regime name="r"/><Regime name="r"/>', "regime 'r' of 'c' is defined twice"),
        ('<Regime name="r" initial="true"/><Regime name="s" initial="true"/>', "two initial"),
        (LIST.format("current", "part", "add"), "did you mean 'parts'"),
        (LIST.format("voltage", "parts", "add"), "selects 'i', which has the dimension of A"),
    ],
)
def test_what_a_block_says_twice_or_of_nothing_is_a_fault(faults_of, text, words) -> None:
    found = faults_of(TYPES.format("", text))
    assert any(words in fault for fault in found), found


@pytest.mark.parametrize(
    "text",
    [
        '<DerivedVariable name="y" dimension="none" value="2 * x"/>',
        LIST.format("current", "parts", "add"),
        '<Regime name="r" initial="true"/><Regime name="s"/>',
        '<Regime name="r"><TimeDerivative variable="x" value="2/tau"/></Regime>',
    ],
)
def test_a_line_given_again_and_what_fits_is_none(faults_of, text: str) -> None:
    member = '<DerivedParameter name="d" dimension="voltage" value="2 * e"/>'
    (only,) = faults_of(TYPES.format(member, text))
    assert "target 'u' is no component" in only


def test_a_kinetic_scheme_runs_over_lists_of_the_type(faults_of) -> None:
    scheme = (
        '<KineticScheme name="k" nodes="parts" stateVariable="x" edges="edges" edgeSource="from" '
        'edgeTarget="to" forwardRate="rf" reverseRate="rr"/>'
    )
    found = faults_of(TYPES.format("", scheme))
    assert len(found) == 1, found
    assert "the edges 'edges'" in found[0]
