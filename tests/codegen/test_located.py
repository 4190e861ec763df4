"""Conditions inside a step: what can be located, and what the kernel leaves to it."""

from __future__ import annotations

import lemsmith
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.codegen import located
from lemsmith.codegen.body import Body
from lemsmith.codegen.located import (
    CROSSED,
    GROWTH,
    act_function,
    can_locate,
    changing,
    gap,
    kinds_of,
    located_kernel,
    step_function,
    touched_by_handlers,
    truth,
)
from lemsmith.codegen.methods.euler import euler
from lemsmith.codegen.methods.structured import structured
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import Binary, parse
from lemsmith.converter.network import Collect, Emit, Read
from straight_line import execute, population, sets

#: Tests of conditions, joined by and and or.
TESTS = st.recursive(
    st.builds(
        lambda operator, left, right: Binary(operator, parse(left), parse(right)),
        st.sampled_from([">", "<", ">=", "<="]),
        st.sampled_from(["x", "y", "x + y", "2 * x"]),
        st.sampled_from(["0", "1", "y", "z"]),
    ),
    lambda inner: st.builds(Binary, st.sampled_from(["and", "or"]), inner, inner),
    max_leaves=4,
)
POINTS = st.fixed_dictionaries({name: st.floats(-3, 3) for name in "xyz"})


@given(TESTS, POINTS)
def test_a_gap_has_the_sign_of_its_test(test, values):
    width = float(evaluate(gap(test), values))
    if width != 0:
        assert (width > 0) == bool(evaluate(test, values))


@given(TESTS, POINTS)
def test_truth_is_one_where_a_test_holds(test, values):
    assert evaluate(truth(test), values) == float(evaluate(test, values))


@given(TESTS)
def test_a_gap_is_continuous(test):
    line = {"x": np.linspace(-3, 3, 2001), "y": 0.3, "z": -0.2}
    width = np.broadcast_to(evaluate(gap(test), line), 2001)
    assert np.abs(np.diff(width)).max() < 0.02


def spiking(**more):
    """Return a state that grows by 1 per s and goes back to 0 at 1, counting."""
    given = {
        "rates": {"v": "k"},
        "conditions": {"v .gt. 1": (*sets(v="0", n="n + 1"), Emit("spike"))},
        "parameters": {"k": 1.0},
        "states": ("n",),
    }
    return population(**{**given, **more})


def kernel(given):
    body = Body(given, heard=frozenset({"spike"}))
    groups = euler(given, {})
    located_kernel(body, groups, changing(given, groups), "")
    return body


def run_kernel(given, **values):
    found = {"t": 0.0, "dt": 0.1, **given.parameters, **values}
    raised = execute(kernel(given).statements, found)
    return found, raised


def test_a_step_that_crosses_nothing_is_taken():
    values, raised = run_kernel(spiking(), v=0.5, n=0.0)
    assert (values["v"], values["n"], raised) == (pytest.approx(0.6), 0.0, [])


def test_a_step_that_crosses_is_left_to_be_located():
    values, raised = run_kernel(spiking(), v=0.95, n=0.0)
    assert (values["v"], values["n"], raised) == (0.95, 0.0, [CROSSED])


def test_a_condition_that_lasts_acts_at_the_end_of_the_step():
    counting = spiking(conditions={"v .gt. 1": (*sets(n="n + v"), Emit("spike"))})
    values, raised = run_kernel(counting, v=1.5, n=0.0)
    assert (values["v"], values["n"], raised) == (1.6, 1.6, ["spike"])


def test_a_condition_that_held_before_and_ends_itself_is_left_to_the_scalar_function():
    values, raised = run_kernel(spiking(), v=1.5, n=0.0)
    assert (values["v"], values["n"], raised) == (1.5, 0.0, [CROSSED])


def test_what_may_act_late_acts_at_the_end_of_the_step_that_crosses():
    marking = spiking(conditions={"v .gt. 1": sets(n="1")})
    assert kinds_of(marking)[0].late
    values, raised = run_kernel(marking, v=0.95, n=0.0)
    assert (values["v"], values["n"], raised) == (pytest.approx(1.05), 1.0, [])


def test_what_moves_others_or_is_heard_may_not_act_late():
    assert not kinds_of(spiking(conditions={"v .gt. 1": sets(k2="1")}, rates={"v": "k2"}))[0].late
    assert not kinds_of(spiking(conditions={"v .gt. 1": (Emit("spike"),)}))[0].late
    assert not kinds_of(spiking(conditions={"v .gt. 1": sets(n="v")}))[0].late
    assert not kinds_of(spiking(conditions={"v .gt. 1": sets(n="t")}))[0].late


PULSE = {"t .geq. 1 .and. t .lt. 2": sets(n="k"), "t .geq. 2": sets(n="0")}


def test_a_test_of_the_time_alone_concerns_instances_only_when_it_turns():
    pulsed = spiking(conditions=PULSE, states=("n",))
    assert all(kind.timed for kind in kinds_of(pulsed))
    for t in (0.0, 0.5, 1.5, 3.0):
        assert run_kernel(pulsed, v=0.5, n=0.0, t=t)[1] == []
    for t in (0.95, 1.95):
        assert run_kernel(pulsed, v=0.5, n=0.0, t=t)[1] == [CROSSED]


def test_a_test_of_the_time_counts_always_where_others_undo_what_it_did():
    undone = spiking(conditions={**PULSE, "v .gt. 1": sets(v="0", n="2")}, states=("n",))
    assert not any(kind.timed for kind in kinds_of(undone)[:2])
    undone = spiking(conditions=PULSE, states=("n",), handlers={"jump": sets(n="n + 1")})
    assert not any(kind.timed for kind in kinds_of(undone))


def test_a_condition_that_is_sure_to_hold_after_it_has_acted_lasts():
    assert not kinds_of(spiking(conditions={"v .geq. 1": sets(v="1")}))[0].rare
    assert kinds_of(spiking(conditions={"v .geq. 1": sets(v="0")}))[0].rare


def test_a_spike_that_changes_nothing_that_moves_is_passive():
    assert kinds_of(spiking(conditions={"v .gt. 1": (*sets(n="1"), Emit("spike"))}))[0].passive
    assert not kinds_of(spiking())[0].passive
    reading = spiking(conditions={"v .gt. 1": (*sets(n="v"), Emit("spike"))})
    assert not kinds_of(reading)[0].passive


def test_a_condition_that_nothing_moving_changes_is_a_clock():
    ending = spiking(conditions={"t .gt. n + 1": sets(v="0")})
    assert kinds_of(ending)[0].clock
    assert not kinds_of(spiking())[0].clock


def test_a_step_to_infinity_is_left_to_be_taken_in_smaller_ones():
    blown = spiking(rates={"v": "k * exp(800 * v)"})
    values, raised = run_kernel(blown, v=0.95, n=0.0)
    assert (values["v"], raised) == (0.95, [CROSSED])


def test_a_step_over_which_a_state_grows_fast_is_left_to_be_taken_in_smaller_ones():
    given = spiking(rates={"v": "k * v ^ 2"})
    groups = structured(given, {})
    body = Body(given, heard=frozenset({"spike"}))
    located_kernel(body, groups, changing(given, groups), "")
    for v, crosses in ((0.5, []), (0.9, [CROSSED])):
        values = {"t": 0.0, "dt": 0.1, "k": 1.2, "v": v, "n": 0.0}
        assert execute(body.statements, values) == crosses
        assert (values["v"] == v) == bool(crosses)
    function = step_function(Body(given), groups, ("n", "v"))
    *_, growth = results(function, t=0.0, dt=0.1, v=0.9, n=0.0, k=1.2)
    assert growth == pytest.approx(0.1 * 2 * 1.2 * 0.9 / GROWTH)


def test_a_condition_on_own_state_can_be_located():
    assert can_locate(spiking())


def test_without_conditions_there_is_nothing_to_locate():
    assert not can_locate(spiking(conditions={}))


def test_a_condition_on_what_others_change_cannot_be_located():
    reading = {"other": Read("q", "w", "parent")}
    assert not can_locate(spiking(conditions={"other .gt. 1": sets(v="0")}, reads=reading))
    assert not can_locate(spiking(conditions={"v .gt. 1": sets(v="other")}, reads=reading))


def test_a_condition_on_a_sum_over_attached_cannot_be_located():
    total = (Collect("sum", (("q", "i"),), "add"),)
    assert not can_locate(spiking(conditions={"sum .gt. 1": sets(v="0")}, assignments=total))


def test_a_random_condition_cannot_be_located():
    assert not can_locate(spiking(conditions={"v .gt. random(1)": sets(v="0")}))


def test_an_event_that_moves_what_a_condition_looks_at_is_noticed():
    given = spiking(
        derived={"above": "v - 1"},
        conditions={"above .gt. 0": sets(v="0")},
        handlers={"jump": sets(v="v + 1"), "count": sets(n="n + 1")},
    )
    assert touched_by_handlers(given, {"jump"})
    assert not touched_by_handlers(given, {"count"})


def test_what_a_condition_writes_counts_as_changing():
    given = spiking()
    assert changing(given, euler(given, {})) == ("n", "v")


def results(function, **values):
    execute(function.body, values)
    return [float(evaluate(tree, values)) for tree in function.results]


def test_the_scalar_step_goes_as_far_as_it_is_told():
    given = spiking()
    function = step_function(Body(given), euler(given, {}), ("n", "v"))
    found = results(function, t=0.0, dt=0.03, v=0.95, n=2.0, k=1.0)
    assert found == [2.0, pytest.approx(0.98), 0.0]


def test_the_scalar_tests_tell_truth_and_distance():
    function = located.tests_function(Body(spiking()), ("n", "v"))
    assert results(function, t=0.0, v=1.25) == [1.0, 0.25]
    assert results(function, t=0.0, v=0.75) == [0.0, -0.25]


def test_the_scalar_act_does_the_marked_blocks():
    given = spiking(conditions={"v .gt. 1": sets(v="0"), "n .gt. 5": sets(n="0")})
    function = act_function(Body(given), ("n", "v"))
    assert function.arguments == ("on_0", "on_1")
    assert results(function, t=0.0, v=2.0, n=9.0, on_0=1.0, on_1=0.0) == [9.0, 0.0]
    assert results(function, t=0.0, v=2.0, n=9.0, on_0=0.0, on_1=1.0) == [0.0, 2.0]


STATELESS = """<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<ComponentType name="clock" extends="baseSpikeSource"><Parameter name="at" dimension="time"/>
<Dynamics><OnCondition test="t .gt. at .and. t .lt. at + at">{action}</OnCondition></Dynamics>
</ComponentType><clock id="c" at="5.03ms"/>
<network id="net"><population id="p" component="c" size="3"/></network>
<Simulation id="sim" length="10ms" step="0.1ms" target="net">
<EventOutputFile id="e" fileName="e.dat" format="TIME_ID">
<EventSelection id="0" select="p[0]" eventPort="spike"/></EventOutputFile></Simulation></Lems>"""


@pytest.mark.parametrize("backend", ["cpp", "numpy", "cuda-on-host"])
def test_a_condition_of_what_has_no_state_is_located(backend):
    times = lemsmith.run(STATELESS.format(action='<EventOut port="spike"/>'), backend=backend)
    (train,) = times.events
    assert train.times[0] == pytest.approx(5.03e-3, abs=1e-10)


@pytest.mark.parametrize("backend", ["cpp", "numpy", "cuda-on-host"])
def test_a_condition_without_action_does_nothing(backend):
    (train,) = lemsmith.run(STATELESS.format(action=""), backend=backend).events
    assert len(train.times) == 0
