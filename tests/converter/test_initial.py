"""What variables start with, and the order and number of draws and OnStart blocks."""

from __future__ import annotations

import pytest

COUNTING = """
<ComponentType name="p"><Child name="c" type="q"/><Exposure name="n" dimension="none"/>
  <Dynamics><StateVariable name="n" exposure="n" dimension="none"/>
  <OnStart><StateAssignment variable="n" value="n + 1"/></OnStart></Dynamics></ComponentType>
<ComponentType name="q" extends="p"/><p id="u"><c><c/></c></p>
"""


def test_the_reference_runs_onstart_twice_as_often_at_each_level(traces) -> None:
    found = traces(COUNTING, "n", "c/n", "c/c/n")
    assert [found[path][0] for path in ("n", "c/n", "c/c/n")] == [6.0, 12.0, 24.0]


def test_other_methods_run_it_once(traces) -> None:
    found = traces(COUNTING, "n", "c/n", "c/c/n", method="euler")
    assert [found[path][0] for path in ("n", "c/n", "c/c/n")] == [1.0, 1.0, 1.0]


def test_assignments_of_one_block_see_each_other(flattened) -> None:
    body = """
    <ComponentType name="p"><Dynamics><StateVariable name="x" dimension="none"/>
      <StateVariable name="y" dimension="none"/><OnStart><StateAssignment variable="x" value="3"/>
      <StateAssignment variable="y" value="x * 2"/><StateAssignment variable="x" value="x + y"/>
      </OnStart></Dynamics></ComponentType><p id="u"/>"""
    for schedule in ("jlems", "equations"):
        variables = flattened(body, schedule).population("u").variables
        assert (variables["x"].initial, variables["y"].initial) == (9.0, 6.0)


def test_a_parent_starts_from_what_its_children_expose(flattened) -> None:
    body = """
    <ComponentType name="p"><Child name="c" type="q"/><Dynamics>
      <StateVariable name="x" dimension="none"/><DerivedVariable name="y" dimension="none"
      select="c/y"/><OnStart><StateAssignment variable="x" value="y + 1"/></OnStart></Dynamics>
    </ComponentType>
    <ComponentType name="q"><Exposure name="y" dimension="none"/><Dynamics>
      <StateVariable name="z" dimension="none"/><DerivedVariable name="y" exposure="y"
      dimension="none" value="z * 10"/><OnStart><StateAssignment variable="z" value="4"/></OnStart>
      </Dynamics></ComponentType><p id="u"><c/></p>"""
    for schedule in ("jlems", "equations"):
        assert flattened(body, schedule).population("u").variables["x"].initial == 41.0


RANDOM = """
<ComponentType name="r"><Exposure name="u" dimension="none"/><Dynamics>
  <StateVariable name="u" dimension="none" exposure="u"/>
  <OnStart><StateAssignment variable="u" value="random(1)"/></OnStart></Dynamics></ComponentType>
<r id="r"/><net id="u"><pop id="a" component="r" size="3"/></net>
"""


def test_instances_draw_one_after_the_other(traces, network_types) -> None:
    found = traces(network_types + RANDOM, "a[0]/u", "a[1]/u", "a[2]/u", seed="7")
    values = [found[path][0] for path in found]
    assert len(set(values)) == 3
    again = traces(network_types + RANDOM, "a[0]/u", "a[1]/u", "a[2]/u", seed="7")
    assert [again[path][0] for path in again] == values
    other = traces(network_types + RANDOM, "a[0]/u", "a[1]/u", "a[2]/u", seed="8")
    assert [other[path][0] for path in other] != values


def test_draws_follow_javas_generator(traces) -> None:
    # java.util.Random(7).nextDouble() for the fourth time: OnStart of the target runs 6 times.
    body = RANDOM.split('<r id="r"/>', maxsplit=1)[0] + '<r id="u"/>'
    found = traces(body, "u", seed="7")
    state, draws = (7 ^ 0x5DEECE66D) & (2**48 - 1), []
    for _ in range(6):
        bits = []
        for width in (26, 27):
            state = (state * 0x5DEECE66D + 0xB) & (2**48 - 1)
            bits.append(state >> (48 - width))
        draws.append(((bits[0] << 27) + bits[1]) / (1 << 53))
    assert found["u"][0] == draws[-1]


def test_a_property_that_dynamics_assign_starts_with_its_value(traces) -> None:
    body = """
    <ComponentType name="p"><Property name="w" dimension="none" defaultValue="4"/><Dynamics>
      <StateVariable name="x" dimension="none"/><OnCondition test="x .geq. 0"><StateAssignment
      variable="w" value="w + 1"/></OnCondition></Dynamics></ComponentType><p id="u" w="9"/>"""
    assert traces(body, "w")["w"].tolist() == [9.0, 10.0, 11.0, 12.0, 13.0]


def test_a_deep_tree_settles_quickly(flattened) -> None:
    types = """
    <ComponentType name="p"><Child name="p" type="p"/><Parameter name="k" dimension="none"/>
      <Fixed parameter="k" value="1"/><Exposure name="n" dimension="none"/><Dynamics>
      <StateVariable name="n" exposure="n" dimension="none"/><OnStart><StateAssignment
      variable="n" value="k"/></OnStart></Dynamics></ComponentType>"""
    body = types + '<p id="u">' + "<p>" * 30 + "</p>" * 31
    variables = flattened(body, "jlems").population("u").variables  # 2^30 runs, done naively
    assert all(v.initial == 1.0 for v in variables.values() if v.kind == "state")


def test_a_start_that_is_no_number_is_a_fault(faults_of) -> None:
    body = """
    <ComponentType name="p"><Parameter name="k" dimension="none"/><Dynamics>
      <StateVariable name="x" dimension="none"/><OnStart><StateAssignment variable="x"
      value="1 / k"/></OnStart></Dynamics></ComponentType><p id="u" k="0"/>"""
    assert any("'x' of 'u' starts as an infinite number" in fault for fault in faults_of(body))


@pytest.mark.parametrize("schedule", ["jlems", "equations"])
def test_the_first_state_of_a_scheme_holds_everything(flattened, schedule) -> None:
    body = """
    <ComponentType name="c"><Children name="states" type="st"/><Children name="edges" type="tr"/>
      <Dynamics><KineticScheme name="k" nodes="states" edges="edges" stateVariable="o"
      edgeSource="from" edgeTarget="to" forwardRate="rf" reverseRate="rr"/></Dynamics>
    </ComponentType><ComponentType name="st"><Dynamics><StateVariable name="o" dimension="none"/>
      </Dynamics></ComponentType><ComponentType name="tr"><Link name="from" type="st"/>
      <Link name="to" type="st"/><Exposure name="rf" dimension="per_time"/><Exposure name="rr"
      dimension="per_time"/><Dynamics><DerivedVariable name="rf" exposure="rf"
      dimension="per_time" value="1 / SEC"/><DerivedVariable name="rr" exposure="rr"
      dimension="per_time" value="1 / SEC"/></Dynamics></ComponentType>
    <c id="u"><st id="a"/><st id="b"/><tr from="a" to="b"/></c>"""
    variables = flattened(body, schedule).population("u").variables
    assert (variables["a_o"].initial, variables["b_o"].initial) == (1.0, 0.0)
