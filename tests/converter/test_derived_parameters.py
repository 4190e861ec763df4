"""Derived parameters: expressions in any order, paths to other components."""

from __future__ import annotations

import pytest

TYPES = """
<ComponentType name="root">
  <Children name="materials" type="material"/> <Children name="users" type="user"/>
  <Child name="only" type="user"/>
</ComponentType>
<ComponentType name="species"/>
<ComponentType name="material">
  <ComponentReference name="species" type="species"/> <Parameter name="e" dimension="none"/>
</ComponentType>
<ComponentType name="user">
  <ComponentReference name="species" type="species"/> <Text name="of"/>
  <DerivedParameter name="twice" dimension="none" value="2 * e"/>
  <DerivedParameter name="e" dimension="none" select="{}"/>
</ComponentType>
<species id="na"/><species id="k"/>
"""

BODY = (
    '<root id="r"><material id="m" species="na" e="50"/><material species="k" e="7"/>'
    '<user id="u" species="k"/><only species="na"/></root>'
)


def _values(resolved, select: str) -> tuple[float, float]:
    root = resolved(TYPES.format(select) + BODY).components["r"]
    user = next(root.children("users"))
    return user.values["e"], user.values["twice"]


@pytest.mark.parametrize(
    ("select", "value"),
    [
        ("//material[species=species]/e", 7.0),
        ("../m/e", 50.0),
        ("../materials[id='m']/e", 50.0),
        ("../materials[*]/e", 7.0),
        ("../materials[species='na']/e", 50.0),
        ("./../m/e", 50.0),
    ],
)
def test_a_path_leads_to_a_parameter(resolved, select: str, value: float) -> None:
    assert _values(resolved, select) == (value, 2 * value)


def test_a_path_may_lead_to_another_derived_parameter(resolved) -> None:
    body = (
        TYPES.format("../m/e") + '<ComponentType name="far" extends="material">'
        '<DerivedParameter name="x" dimension="none" select="../u/twice"/></ComponentType>'
        '<root id="r"><material id="m" species="na" e="3"/><far id="f" species="k" e="1"/>'
        '<user id="u" species="k"/></root>'
    )
    far = list(resolved(body).components["r"].children("materials"))[1]
    assert far.values["x"] == 6.0


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ("../zz/e", "has no 'zz'"),
        ("../../../e", "nothing is above"),
        ("../m/f", "has no parameter 'f'"),
        ("//material[species=zz]/e", "has no 'zz'"),
        ("//matter[*]/e", "nothing matches"),
        ("../materials[species]/e", "not of the form"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_ends(faults_of, select: str, words: str) -> None:
    found = faults_of(TYPES.format(select) + BODY)
    assert any(words in fault for fault in found), found


def test_a_circle_of_parameters_is_a_fault(faults_of) -> None:
    found = faults_of(
        '<ComponentType name="c"><DerivedParameter name="a" dimension="none" value="b"/>'
        '<DerivedParameter name="b" dimension="none" value="a"/></ComponentType><c id="u"/>'
    )
    assert any("which is no parameter" in fault for fault in found)
