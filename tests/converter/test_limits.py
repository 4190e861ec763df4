"""What is not supported is refused by name, at its place, and what is next to it works."""

from __future__ import annotations

import numpy as np
import pytest
from lemsmith.converter.binding import STATE_LIMIT
from lemsmith.runner.build import HEADERS

#: The step of the documents that `traces` makes, ms.
STEP = 1.0

SCHEME = """
<ComponentType name="node"><Exposure name="occ" dimension="none"/><Dynamics>
  <StateVariable name="occ" dimension="none" exposure="occ"/></Dynamics></ComponentType>
<ComponentType name="edge"><Link name="from" type="node"/><Link name="to" type="node"/>
  <Constant name="TAU" dimension="time" value="1ms"/>
  <Exposure name="rf" dimension="per_time"/><Exposure name="rr" dimension="per_time"/><Dynamics>
  <DerivedVariable name="rf" dimension="per_time" exposure="rf" value="2 / TAU"/>
  <DerivedVariable name="rr" dimension="per_time" exposure="rr" value="1 / TAU"/></Dynamics>
</ComponentType>
<ComponentType name="ring"><Children name="nodes" type="node"/><Children name="edges" type="edge"/>
  <Dynamics><KineticScheme name="ks" nodes="nodes" stateVariable="occ" edges="edges"
    edgeSource="from" edgeTarget="to" forwardRate="rf" reverseRate="rr"/></Dynamics></ComponentType>
"""


def ring(size):
    nodes = "".join(f'<node id="n{n}"/>' for n in range(size))
    edges = "".join(f'<edge id="e{n}" from="n{n}" to="n{(n + 1) % size}"/>' for n in range(size))
    return f'{SCHEME}<ring id="u">{nodes}{edges}</ring>'


@pytest.mark.parametrize("method", ["jlems", "default"])
def test_a_ring_of_a_hundred_states_is_exact(traces, method):
    size = 100
    paths = [f"n{n}/occ" for n in range(0, size, 9)]
    found = traces(ring(size), *paths, method=method, step="0.001s")
    # Rates of a ring are diagonal in Fourier's modes: 2 forward, 1 back, per ms.
    phase = np.exp(-2j * np.pi * np.arange(size) / size)
    rates = 2 * (phase - 1) + (1 / phase - 1)
    # The reference's edges have their rates one step late: the first step moves nothing.
    last = len(found[paths[0]]) - 1 - (method == "jlems")
    expected = np.fft.ifft(np.exp(rates * last * STEP)).real
    for n, path in zip(range(0, size, 9), paths, strict=True):
        assert found[path][-1] == pytest.approx(expected[n], abs=1e-9)


def test_the_compiled_text_has_room_for_as_many_states_as_are_let_through():
    text = (HEADERS / "lemsmith_flow.h").read_text(encoding="utf-8")
    assert f"#define LS_MOST_STATES {STATE_LIMIT}\n" in text


def test_more_states_than_a_matrix_exponential_bears_are_refused_at_their_scheme(faults_of):
    (fault,) = faults_of(ring(STATE_LIMIT + 1))
    assert f"has {STATE_LIMIT + 1} states; {STATE_LIMIT} are supported" in fault
    assert ":" in fault.partition(" the ")[0]


def test_a_loop_inside_what_has_many_instances_is_refused(faults_of, network_types):
    types = (
        network_types
        + """
    <ComponentType name="loops" extends="tick"><Structure>
      <ForEach instances="../b" as="x"><With instance="this" as="me">
      <EventConnection from="x" to="me"/></With></ForEach></Structure></ComponentType>"""
    )
    found = faults_of(
        types + '<net id="u"><pop id="a" component="l" size="3"/>'
        '<pop id="b" component="tk" size="2"/></net><loops id="l"/>'
    )
    words = "a ForEach in 'loops', which has many instances, is not supported"
    assert any(words in fault for fault in found), found


ATTACHED = """
<ComponentType name="leaf"><Exposure name="i" dimension="none"/><Dynamics>
  <StateVariable name="i" dimension="none" exposure="i"/>
  <OnStart><StateAssignment variable="i" value="1"/></OnStart></Dynamics></ComponentType>
<ComponentType name="middle" extends="leaf"><Attachments name="below" type="leaf"/>
  <ComponentReference name="what" type="leaf"/>
  <Structure><With instance="this" as="b"><EventConnection from="b" to="b" receiver="what"/></With>
  </Structure></ComponentType>
<ComponentType name="top"><Attachments name="held" type="middle"/>
  <Exposure name="sum" dimension="none"/><Dynamics{dynamics}>
  <StateVariable name="x" dimension="none"/>
  <TimeDerivative variable="x" value="0 * x"/>
  <DerivedVariable name="sum" dimension="none" exposure="sum" select="{select}" reduce="add"/>
  </Dynamics></ComponentType>
<ComponentType name="attach"><ComponentReference name="what" type="leaf"/><Path name="to"/>
  <Structure><With instance="to" as="b"><EventConnection from="b" to="b" receiver="what"/></With>
  </Structure></ComponentType>
"""


def attached(select, dynamics=""):
    types = ATTACHED.format(select=select, dynamics=dynamics)
    return (
        types
        + """<ComponentType name="box"><Child name="t" type="top"/><Children name="joins"
    type="attach"/></ComponentType><leaf id="l"/><middle id="m" what="l"/>
<box id="u"><t type="top"/><attach what="m" to="t"/>{}</box>"""
    )


def test_what_is_attached_is_summed(traces):
    found = traces(attached("held[*]/i").format(""), "t/sum", method="euler")
    assert found["t/sum"][-1] == 1


def test_a_sum_over_what_is_attached_to_something_attached_is_refused(faults_of):
    body = attached("held[*]/below[*]/i").format("")
    found = faults_of(body)
    assert any("selects what is attached to something attached" in fault for fault in found), found


def test_attachments_to_simultaneous_dynamics_are_for_other_methods(faults_of, traces):
    body = attached("held[*]/i", ' simultaneous="true"').format("")
    (fault,) = faults_of(body)
    assert "flattens without attachments and instances; another method runs it" in fault
    assert traces(body, "t/sum", method="rk4")["t/sum"][-1] == 1
