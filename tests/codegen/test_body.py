"""Straight-line bodies do what their statements say, each value as it is at that point."""

from __future__ import annotations

import pytest
from lemsmith.codegen.body import Body
from lemsmith.codegen.program import Flag
from lemsmith.converter.expressions import Call, Choose, Name, Number, parse
from lemsmith.converter.network import Assign, Emit, Flow, Run, When
from lemsmith.errors import InternalError
from straight_line import execute, population, sets


def after(body, values, draws=()):
    """Return the stored values after a body, and the flags that it raised."""
    values = {"t": 0.0, "dt": 0.1, **values}
    raised = execute(body.statements, values, draws)
    return values, raised


def update(body, **values):
    body.update([(name, parse(text), None) for name, text in values.items()])


def test_states_of_one_update_see_the_same_values():
    body = Body(population(states=("x", "y")))
    update(body, x="y", y="x")
    body.store()
    values, _ = after(body, {"x": 1.0, "y": 2.0})
    assert (values["x"], values["y"]) == (2.0, 1.0)


def test_a_second_update_sees_the_first():
    body = Body(population(states=("x", "y")))
    update(body, x="x + 1")
    update(body, y="x * 10")
    body.store()
    values, _ = after(body, {"x": 1.0, "y": 0.0})
    assert values["y"] == 20.0


def test_a_derived_variable_is_evaluated_once_while_nothing_changes():
    body = Body(population(derived={"a": "exp(x) + x"}, states=("x",)))
    assert body.value("a") == body.value("a")
    assert len(body.statements) == 1


def test_a_derived_variable_follows_what_it_depends_on():
    body = Body(population(derived={"b": "x^2 + 1", "a": "exp(b)"}, states=("x", "seen")))
    body.value("a")
    body.run((*sets(x="x + 1"), *sets(seen="b")))
    body.store()
    values, _ = after(body, {"x": 2.0})
    assert values["seen"] == 10.0


def test_what_does_not_depend_on_a_state_is_not_evaluated_again():
    body = Body(population(derived={"a": "exp(y)"}, states=("x", "y")))
    first = body.value("a")
    body.run(sets(x="x + 1"))
    assert body.value("a") == first


def test_only_changed_states_are_stored():
    body = Body(population(states=("x", "y")))
    body.run(sets(x="y"))
    body.store()
    assert {s.variable for s in body.statements} - set(body.locals) == {"x"}


def test_a_store_goes_to_the_copy_where_one_is_asked_for():
    body = Body(population(states=("x",)))
    body.run(sets(x="x + 1"))
    body.store("__next")
    values, _ = after(body, {"x": 1.0})
    assert (values["x"], values["x__next"]) == (1.0, 2.0)


@pytest.mark.parametrize(("x", "y", "expected"), [(1, 1, 5), (1, -1, 0), (-1, 1, 0), (-1, -1, 0)])
def test_a_block_acts_where_every_condition_around_it_holds(x, y, expected):
    inner = When(parse("y .gt. 0"), (*sets(z="5"), Emit("out")))
    body = Body(population(states=("x", "y", "z")), heard=frozenset({"out"}))
    body.run((When(parse("x .gt. 0"), (inner,)),))
    body.store()
    values, raised = after(body, {"x": x, "y": y, "z": 0.0})
    assert values["z"] == expected
    assert raised == (["out"] if expected else [])


def test_a_condition_is_what_it_was_before_its_own_block():
    block = When(parse("x .gt. 0"), sets(x="0 - 1", y="7"))
    body = Body(population(states=("x", "y")))
    body.run((block,))
    body.store()
    values, _ = after(body, {"x": 1.0, "y": 0.0})
    assert (values["x"], values["y"]) == (-1.0, 7.0)


def test_an_event_that_nobody_hears_is_no_statement():
    body = Body(population(), heard=frozenset({"other"}))
    body.run((Emit("out"),))
    assert body.statements == []


def test_an_event_without_condition_always_goes():
    body = Body(population(), heard=frozenset({"out"}))
    body.run((Emit("out"),))
    assert after(body, {})[1] == ["out"]
    assert isinstance(body.statements[0], Flag)


def test_a_handler_acts_under_the_condition_that_runs_it():
    handled = population(states=("x", "n"), handlers={"in": sets(n="n + 1")})
    body = Body(handled)
    body.run((When(parse("x .gt. 0"), (Run("in"), Run("in"))),))
    body.store()
    assert after(body, {"x": 1.0, "n": 0.0})[0]["n"] == 2.0
    assert after(body, {"x": -1.0, "n": 0.0})[0]["n"] == 0.0


def test_a_handler_that_runs_itself_is_a_fault_of_ours():
    with pytest.raises(InternalError, match="runs itself"):
        Body(population(handlers={"in": (Run("in"),)})).run((Run("in"),))


@pytest.mark.parametrize(("mode", "expected"), [(0, 10.0), (1, 20.0), (2, 1.0)])
def test_a_guarded_update_leaves_a_state_where_no_guard_holds(mode, expected):
    body = Body(population(states=("x", "mode")))
    body.update(
        [
            ("x", Number(10.0), parse("mode .eq. 0")),
            ("x", Number(20.0), parse("mode .eq. 1")),
        ]
    )
    body.store()
    assert after(body, {"x": 1.0, "mode": mode})[0]["x"] == expected


@pytest.mark.parametrize(("x", "expected"), [(1.0, 0.75), (-1.0, 0.0)])
def test_a_draw_is_taken_where_its_block_acts(x, expected):
    body = Body(population(states=("x", "y")))
    body.run((When(parse("x .gt. 0"), (Assign("y", Call("random", (Number(3.0),))),)),))
    body.store()
    assert after(body, {"x": x, "y": 0.0}, draws=[0.25])[0]["y"] == expected
    draws = [s for s in body.statements if isinstance(s, Assign) and s.variable == "draw"]
    assert isinstance(draws[0].value, Choose)


def test_a_local_never_takes_a_name_of_the_model():
    body = Body(population(states=("x", "x_next", "x_next_2"), parameters={"x_next_3": 1.0}))
    update(body, x="x + 1")
    assert body.locals == ["x_next_4"]


def test_the_time_is_the_bodys_own():
    body = Body(population(derived={"a": "exp(t)"}, states=("x",)))
    body.clock = parse("t + dt")
    update(body, x="t")
    body.store()
    assert after(body, {"x": 0.0})[0]["x"] == pytest.approx(0.1)


def test_a_published_variable_is_read_as_it_is_stored():
    given = population(derived={"a": "exp(x)"}, states=("x",))
    body = Body(given, published=frozenset({"a"}))
    assert body.value("a") == Name("a")
    body.run(sets(x="x + 1"))
    assert body.value("a") != Name("a")


def test_occupancies_flow_from_present_values():
    flow = Flow(("c", "o"), ((0, 1, "open", "shut"),))
    body = Body(population(derived={"open": "3 + x", "shut": "1"}, states=("c", "o", "x")))
    body.run(sets(x="x + 1"))
    body.flow(flow)
    body.store()
    values, _ = after(body, {"c": 1.0, "o": 0.0, "x": 0.0, "dt": 50.0})
    assert values["c"] == pytest.approx(0.2)
    assert values["o"] == pytest.approx(0.8)


def test_a_state_behind_by_half_a_step_is_read_as_caught_up():
    body = Body(population(states=("x", "y")), late={"x": parse("x + 0.5")})
    update(body, y="x")
    body.store()
    values, _ = after(body, {"x": 1.0, "y": 0.0})
    assert (values["x"], values["y"]) == (1.0, 1.5)
