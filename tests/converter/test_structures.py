"""Structure blocks: what they make, connect and attach."""

from __future__ import annotations

import numpy as np
import pytest

ATTACHING = """
<ComponentType name="host">
  <Attachments name="synapses" type="syn"/> <Attachments name="inputs" type="syn"/>
  <Exposure name="sum" dimension="none"/> <Exposure name="product" dimension="none"/>
  <Exposure name="fast" dimension="none"/>
  <Dynamics>
    <DerivedVariable name="sum" exposure="sum" dimension="none" select="synapses[*]/x"
      reduce="add"/>
    <DerivedVariable name="product" exposure="product" dimension="none" select="synapses[*]/x"
      reduce="multiply"/>
    <DerivedVariable name="fast" exposure="fast" dimension="none"
      select="synapses[kind='fast']/x" reduce="add"/>
  </Dynamics>
</ComponentType>
<ComponentType name="syn">
  <Text name="kind"/> <EventPort name="in" direction="in"/>
  <Property name="weight" dimension="none" defaultValue="1"/> <Exposure name="x" dimension="none"/>
  <Dynamics>
    <StateVariable name="x" dimension="none" exposure="x"/>
    <OnEvent port="in"><StateAssignment variable="x" value="x + weight"/></OnEvent>
  </Dynamics>
</ComponentType>
<ComponentType name="synapticCon" extends="connects">
  <Path name="from"/> <Path name="to"/> <Text name="into"/>
  <Parameter name="w" dimension="none"/> <ComponentReference name="synapse" type="syn"/>
  <Structure>
    <With instance="from" as="a"/> <With instance="to" as="b"/>
    <EventConnection from="a" to="b" receiver="synapse" receiverContainer="into">
      <Assign property="weight" value="w"/> <Assign property="square" value="w * w"/>
    </EventConnection>
  </Structure>
</ComponentType>
<host id="h"/> <syn id="f" kind="fast"/> <syn id="g" kind="slow"/>
"""

METHODS = pytest.mark.parametrize("method", ["jlems", "euler"])


def _last(traces, body: str, *paths: str, **options: object) -> list[float]:
    found = traces(body, *paths, **options)
    return [float(found[path][-1]) for path in paths]


def _net(types: str, inside: str) -> str:
    return f'{types}<net id="u">{inside}</net>'


# --- connections without a receiver --------------------------------------------------------------


@METHODS
def test_events_without_a_port_go_to_the_first(traces, network_types, method) -> None:
    body = _net(
        network_types,
        '<pop id="a" component="tk" size="1"/>'
        '<pop id="b" component="cn" size="2"/><con from="a[0]" to="b[1]"/>',
    )
    n, m, other = _last(traces, body, "b[1]/n", "b[1]/m", "b[0]/n", method=method)
    assert n >= 4
    assert (m, other) == (0.0, 0.0)


@METHODS
def test_a_named_port_and_a_delay_are_kept(traces, network_types, method) -> None:
    body = _net(
        network_types,
        '<pop id="a" component="tk" size="1"/>'
        '<pop id="b" component="cn" size="1"/>'
        '<con from="a[0]" to="b[0]" port="two" delay="2s"/>',
    )
    found = traces(body, "b[0]/m", "b[0]/n", "a[0]/k", method=method, steps=5)
    late = found["a[0]/k"][:-2]
    assert found["b[0]/m"][2:] == pytest.approx(late)
    assert not found["b[0]/n"].any()


def test_connections_may_come_before_what_they_connect(traces, network_types) -> None:
    body = _net(
        network_types,
        '<con from="a[0]" to="b[1]"/><pop id="a" component="tk" size="1"/>'
        '<pop id="b" component="cn" size="2"/>',
    )
    assert _last(traces, body, "b[1]/n") == [4.0]


@METHODS
def test_an_assign_without_receiver_sets_the_targets_own(traces, network_types, method) -> None:
    types = network_types + (
        '<ComponentType name="weighted" extends="con"><Parameter name="w" dimension="none"/>'
        '<Structure><With instance="from" as="a"/><With instance="to" as="b"/>'
        '<EventConnection from="a" to="b"><Assign property="by" value="w * 2"/></EventConnection>'
        "</Structure></ComponentType>"
    )
    body = _net(
        types,
        '<pop id="a" component="tk" size="1"/><pop id="b" component="cn" size="2"/>'
        '<weighted from="a[0]" to="b[1]" w="5"/>',
    )
    found = traces(body, "b[1]/by", "b[0]/by", "b[1]/n", method=method)
    assert (found["b[1]/by"][0], found["b[0]/by"][0]) == (10.0, 1.0)
    assert found["b[1]/n"][-1] % 10 == 0
    assert found["b[1]/n"][-1] > 0


def test_events_run_through_a_chain_in_one_step(traces, network_types) -> None:
    types = network_types + (
        '<ComponentType name="relay"><EventPort name="in" direction="in"/>'
        '<EventPort name="out" direction="out"/><Dynamics><OnEvent port="in">'
        '<EventOut port="out"/></OnEvent></Dynamics></ComponentType><relay id="re"/>'
    )
    body = _net(
        types,
        '<pop id="c" component="cn" size="1"/><pop id="a" component="tk" size="1"/>'
        '<pop id="b" component="re" size="3"/><con from="a[0]" to="b[0]"/>'
        '<con from="b[0]" to="b[1]"/><con from="b[1]" to="b[2]"/>'
        '<con from="b[2]" to="c[0]"/>',
    )
    found = traces(body, "c[0]/n", events=[("b[2]", "out")])
    assert found["b[2]"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert found["c[0]/n"].tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]  # c has advanced when they come


# --- receivers -----------------------------------------------------------------------------------


@METHODS
def test_every_connection_attaches_a_receiver_of_its_own(traces, network_types, method) -> None:
    body = _net(
        network_types + ATTACHING,
        '<pop id="a" component="tk" size="1"/><pop id="b" component="h" size="2"/>'
        '<synapticCon from="a[0]" to="b[0]" synapse="f" w="2" into="synapses"/>'
        '<synapticCon from="a[0]" to="b[0]" synapse="g" w="3" into="synapses"/>'
        '<synapticCon from="a[0]" to="b[0]" synapse="g" w="7" into="inputs"/>',
    )
    found = traces(
        body,
        "b[0]/sum",
        "b[0]/product",
        "b[0]/fast",
        "b[1]/sum",
        "b[1]/product",
        "b[0]/synapses:g:0/x",
        "b[0]/inputs:g:0/x",
        "b[0]/synapses:f:0/square",
        method=method,
    )
    count = found["b[0]/inputs:g:0/x"][-1] / 7
    assert count >= 4
    assert found["b[0]/synapses:g:0/x"][-1] == 3 * count
    assert found["b[0]/sum"][-1] == 5 * count
    assert found["b[0]/fast"][-1] == 2 * count
    assert found["b[0]/product"][-1] == 6 * count**2
    assert (found["b[1]/sum"][-1], found["b[1]/product"][-1]) == (0.0, 1.0)
    assert found["b[0]/synapses:f:0/square"][0] == 4.0


@pytest.mark.parametrize("into", ["", 'into="elsewhere"'])
def test_a_target_with_several_lists_needs_the_name_of_one(faults_of, network_types, into) -> None:
    body = _net(
        network_types + ATTACHING,
        '<pop id="a" component="tk" size="1"/><pop id="b" component="h" size="1"/>'
        f'<synapticCon from="a[0]" to="b[0]" synapse="f" w="2" {into}/>',
    )
    assert any("cannot be attached to 'h'" in fault for fault in faults_of(body))


def test_every_wrong_connection_is_reported(faults_of, network_types) -> None:
    body = _net(
        network_types + ATTACHING,
        '<pop id="a" component="tk" size="1"/><pop id="b" component="h" size="1"/>'
        '<synapticCon from="a[0]" to="b[0]" synapse="ff" w="2" into="synapses"/>'
        '<synapticCon from="a[9]" to="b[0]" synapse="f" w="2" into="synapses"/>'
        '<con from="a[0]" to="q[0]"/>',
    )
    found = faults_of(body)
    assert any("no component has the id 'ff'" in fault for fault in found)
    assert any("'a' has no instance 9 (it has 1)" in fault for fault in found)
    assert any("'q[0]' leads nowhere" in fault for fault in found)


def test_an_input_hears_the_cell_that_it_is_attached_to(traces, network_types) -> None:
    # `explicitInput` names its target as both ends; the cell's events reach the input.
    types = (
        network_types
        + """
    <ComponentType name="loud" extends="tick"><Attachments name="synapses" type="syn0"/>
    </ComponentType>
    <ComponentType name="syn0"><EventPort name="in" direction="in"/><Exposure name="x"
      dimension="none"/><Dynamics><StateVariable name="x" dimension="none" exposure="x"/>
      <OnEvent port="in"><StateAssignment variable="x" value="x + 1"/></OnEvent></Dynamics>
    </ComponentType>
    <ComponentType name="input" extends="connects"><Path name="target"/>
      <ComponentReference name="input" type="syn0"/><Structure>
      <With instance="target" as="a"/><EventConnection from="a" to="a" receiver="input"/>
      </Structure></ComponentType>
    <loud id="l"/><syn0 id="s"/>"""
    )
    body = _net(types, '<pop id="a" component="l" size="2"/><input target="a[1]" input="s"/>')
    found = traces(body, "a[1]/synapses:s:0/x")
    assert found["a[1]/synapses:s:0/x"][-1] >= 3


# --- tunnels -------------------------------------------------------------------------------------

TUNNEL = """
<ComponentType name="tcell">
  <Attachments name="gaps" type="gap"/> <Parameter name="v0" dimension="none"/>
  <Exposure name="v" dimension="none"/> <Exposure name="i" dimension="none"/>
  <Dynamics>
    <StateVariable name="v" exposure="v" dimension="none"/>
    <OnStart><StateAssignment variable="v" value="v0"/></OnStart>
    <DerivedVariable name="i" exposure="i" dimension="none" select="gaps[*]/i" reduce="add"/>
  </Dynamics>
</ComponentType>
<ComponentType name="gap">
  <Property name="weight" dimension="none" defaultValue="1"/>
  <InstanceRequirement name="peer" type="gap"/> <Requirement name="v" dimension="none"/>
  <Exposure name="i" dimension="none"/>
  <Dynamics>
    <DerivedVariable name="far" dimension="none" select="peer/v"/>
    <DerivedVariable name="i" exposure="i" dimension="none" value="weight * (far - v)"/>
  </Dynamics>
</ComponentType>
<ComponentType name="gapCon" extends="connects">
  <Path name="from"/> <Path name="to"/> <Parameter name="w" dimension="none"/>
  <ComponentReference name="of" type="gap"/>
  <Structure>
    <With instance="from" as="a"/> <With instance="to" as="b"/>
    <Tunnel name="peer" endA="a" endB="b" componentA="of" componentB="of">
      <Assign property="weight" value="w"/>
    </Tunnel>
  </Structure>
</ComponentType>
<tcell id="low" v0="1"/> <tcell id="high" v0="5"/> <gap id="g"/>
"""


@METHODS
def test_both_ends_of_a_tunnel_see_each_other(traces, network_types, method) -> None:
    body = _net(
        network_types + TUNNEL,
        '<pop id="a" component="low" size="2"/><pop id="b" component="high" size="1"/>'
        '<gapCon from="a[0]" to="b[0]" of="g" w="10"/>'
        '<gapCon from="a[1]" to="b[0]" of="g" w="1"/>',
    )
    a0, a1, b = _last(traces, body, "a[0]/i", "a[1]/i", "b[0]/i", method=method)
    assert (a0, a1, b) == (40.0, 4.0, -44.0)


# --- instances -----------------------------------------------------------------------------------


@METHODS
def test_for_each_connects_all_with_all(traces, network_types, method) -> None:
    types = (
        network_types
        + """
    <ComponentType name="pairs"><Structure><ForEach instances="../source" as="a">
      <ForEach instances="../goal" as="b"><EventConnection from="a" to="b"/></ForEach></ForEach>
      </Structure></ComponentType>
    <ComponentType name="all" extends="connects"><Link name="source" type="pop"/>
      <Link name="goal" type="pop"/><Child name="pattern" type="pairs"/></ComponentType>"""
    )
    body = _net(
        types,
        '<pop id="a" component="tk" size="3"/><pop id="b" component="cn" size="2"/>'
        '<all source="a" goal="b"><pattern/></all>',
    )
    found = traces(body, "a[0]/k", "b[0]/n", "b[1]/n", method=method)
    assert found["b[1]/n"][-1] == 3 * found["a[0]/k"][-1]
    assert np.array_equal(found["b[0]/n"], found["b[1]/n"])


def test_instances_of_a_type_alone_get_what_is_assigned(traces) -> None:
    body = """
    <ComponentType name="item"><Property name="p" dimension="none"/><Constant name="C"
      dimension="none" value="3"/><Exposure name="x" dimension="none"/><Dynamics>
      <DerivedVariable name="x" exposure="x" dimension="none" value="p + C"/></Dynamics>
    </ComponentType>
    <ComponentType name="many"><Parameter name="n" dimension="none"/><Structure>
      <MultiInstantiate componentType="item" number="n"><Assign property="p" value="n * index"/>
      </MultiInstantiate></Structure></ComponentType><many id="u" n="4"/>"""
    assert _last(traces, body, "[0]/x", "[3]/x") == [3.0, 15.0]


def test_a_type_alone_must_not_need_parameters(faults_of) -> None:
    body = """
    <ComponentType name="item"><Parameter name="p" dimension="none"/></ComponentType>
    <ComponentType name="many"><Structure><MultiInstantiate componentType="item" number="2"/>
      </Structure></ComponentType><many id="u"/>"""
    assert any("lack the parameter 'p'" in fault for fault in faults_of(body))


def test_a_population_may_be_empty(traces, network_types) -> None:
    body = _net(
        network_types, '<pop id="a" component="tk" size="1"/><pop id="b" component="cn" size="0"/>'
    )
    assert _last(traces, body, "a[0]/k") == [4.0]


@pytest.mark.parametrize("size", ["-1", "1.5", "1e300"])
def test_a_size_is_a_whole_number(faults_of, network_types, size) -> None:
    body = _net(network_types, f'<pop id="a" component="tk" size="{size}"/>')
    assert any("whole number" in fault for fault in faults_of(body))


def test_what_contains_itself_is_a_fault(faults_of) -> None:
    body = (
        '<ComponentType name="q"><ComponentReference name="c" type="q"/><Structure>'
        '<ChildInstance component="c"/></Structure></ComponentType>'
        '<q id="u" c="v"/><q id="v" c="u"/>'
    )
    assert any("contains itself" in fault for fault in faults_of(body))


def test_a_structure_element_of_no_language_is_a_fault(faults_of) -> None:
    body = '<ComponentType name="q"><Structure><If/></Structure></ComponentType><q id="u"/>'
    assert any("'If' of 'q' is not supported" in fault for fault in faults_of(body))


INDEXED = """
<ComponentType name="group"><Children name="populations" type="pop"/>
  <Children name="lists" type="list"/></ComponentType>
<ComponentType name="list"><Link name="pre" type="pop"/>
  <ComponentReference name="post" type="pop" local="true"/><Children name="ls" type="indexed"/>
</ComponentType>
<ComponentType name="indexed"><IndexParameter name="i"/><IndexParameter name="j"/>
  <ComponentRequirement name="pre"/><ComponentRequirement name="post"/>
  <Structure><With list="pre" index="i" as="a"/><With list="post" index="j" as="b"/>
  <EventConnection from="a" to="b"/></Structure></ComponentType>
"""


def _indexed(types: str, rows: str) -> str:
    return (
        f'{types}{INDEXED}<group id="u"><pop id="a" component="tk" size="2"/>'
        f'<pop id="b" component="cn" size="3"/><list pre="a" post="b">{rows}</list></group>'
    )


def test_a_list_and_an_index_name_an_instance(traces, network_types) -> None:
    body = _indexed(
        network_types, '<indexed i="0" j="1"/><indexed i="1" j="1"/><indexed i="1" j="2"/>'
    )
    assert _last(traces, body, "b[0]/n", "b[1]/n", "b[2]/n") == [0.0, 8.0, 4.0]


def test_an_index_beyond_the_list_is_a_fault(faults_of, network_types) -> None:
    found = faults_of(_indexed(network_types, '<indexed i="0" j="7"/>'))
    assert any("no instance 7" in fault for fault in found)


def test_ids_with_odd_characters_do_not_clash(traces, network_types) -> None:
    types = network_types + (
        '<ComponentType name="holder"><Children name="cs" type="counter"/></ComponentType>'
        '<holder id="h.1"><counter id="a-1"/><counter id="a_1"/><counter id="a.1"/></holder>'
        '<tick id="t-k"/>'
    )
    body = _net(
        types,
        '<pop id="a-1" component="t-k" size="1"/>'
        '<pop id="a_1" component="h.1" size="1"/>'
        '<con from="a-1[0]" to="a_1/0/h.1/a.1"/>',
    )
    found = _last(traces, body, "a_1[0]/a-1/n", "a_1[0]/a_1/n", "a_1[0]/a.1/n")
    assert found == [0.0, 0.0, 4.0]
