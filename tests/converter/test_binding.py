"""Ports that connections leave out, and what events do in components with regimes."""

from __future__ import annotations

import pytest

PORTS = """
<ComponentType name="two"><EventPort name="a" direction="out"/><EventPort name="b" direction="out"/>
  <Dynamics><StateVariable name="x" dimension="none"/><OnCondition test="x .geq. 0">
  <EventOut port="b"/></OnCondition></Dynamics></ComponentType><two id="tw"/>
"""


def test_the_first_out_port_is_the_first_that_something_sends_from(traces, network_types) -> None:
    body = (
        network_types
        + PORTS
        + (
            '<net id="u"><pop id="a" component="tw" size="1"/><pop id="b" component="cn" size="1"/>'
            '<con from="a[0]" to="b[0]"/></net>'
        )
    )
    assert traces(body, "b[0]/n")["b[0]/n"][-1] == 4.0


FLIP = """
<ComponentType name="flip"><EventPort name="in" direction="in"/><Exposure name="n"
  dimension="none"/><Dynamics><StateVariable name="n" exposure="n" dimension="none"/>
  <Regime name="one" initial="true"><OnEvent port="in"><StateAssignment variable="n"
    value="n + 1"/><Transition regime="two"/></OnEvent></Regime>
  <Regime name="two"><OnEvent port="in"><StateAssignment variable="n" value="n + 100"/>
    <Transition regime="one"/></OnEvent></Regime></Dynamics></ComponentType><flip id="fl"/>
"""


def test_an_event_is_heard_by_one_regime(traces, network_types) -> None:
    body = (
        network_types
        + FLIP
        + (
            '<net id="u"><pop id="a" component="tk" size="1"/><pop id="b" component="fl" size="1"/>'
            '<con from="a[0]" to="b[0]"/></net>'
        )
    )
    found = traces(body, "b[0]/n")["b[0]/n"].tolist()
    assert found == [0.0, 1.0, 101.0, 102.0, 202.0]


TWICE = """
<ComponentType name="twice"><EventPort name="in" direction="in"/><Exposure name="n"
  dimension="none"/><Dynamics><StateVariable name="n" exposure="n" dimension="none"/>
  <OnEvent port="in"><StateAssignment variable="n" value="n + 1"/></OnEvent>
  <OnEvent port="in"><StateAssignment variable="n" value="n + 10"/></OnEvent></Dynamics>
</ComponentType><twice id="tw"/>
"""


@pytest.mark.parametrize(("method", "each"), [("jlems", 10), ("euler", 11)])
def test_of_two_handlers_of_a_port_the_reference_knows_the_last(
    traces, network_types, method: str, each: int
) -> None:
    body = (
        network_types
        + TWICE
        + (
            '<net id="u"><pop id="a" component="tk" size="1"/><pop id="b" component="tw" size="1"/>'
            '<con from="a[0]" to="b[0]"/></net>'
        )
    )
    found = traces(body, "b[0]/n", "a[0]/k", method=method)
    assert found["b[0]/n"][-1] == each * found["a[0]/k"][-1]
