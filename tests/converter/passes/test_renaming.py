"""Statements with other symbols, and assignments in order of dependence."""

from __future__ import annotations

import pytest
from lemsmith.converter.expressions import Name, parse
from lemsmith.converter.network import (
    Advance,
    Assign,
    Collect,
    Condition,
    Derivative,
    Emit,
    Flow,
    Run,
    When,
)
from lemsmith.converter.passes.renaming import (
    expressions_of,
    renamed_condition,
    renamed_derivative,
    renamed_statement,
    sorted_assignments,
    written_by,
)

SYMBOLS = {"a": Name("p_a"), "k": Name("p_k")}
PORTS = {"out": "p_out"}
HANDLERS = {"in": "p_in"}
GROWN = Assign("a", parse("a + k * b"))


def renamed(statement):
    return renamed_statement(statement, SYMBOLS, PORTS, HANDLERS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (GROWN, Assign("p_a", parse("p_a + p_k * b"))),
        (Emit("out"), Emit("p_out")),
        (Emit("other"), Emit("other")),
        (Run("in"), Run("p_in")),
        (
            When(parse("a .gt. b"), (GROWN, Emit("out"))),
            When(parse("p_a .gt. b"), (renamed(GROWN), Emit("p_out"))),
        ),
        (Collect("a", (("other", "a"),), "add"), Collect("p_a", (("other", "a"),), "add")),
        (
            Flow(("a", "b"), ((0, 1, "k", "r"),)),
            Flow(("p_a", "b"), ((0, 1, "p_k", "r"),)),
        ),
    ],
)
def test_a_statement_gets_its_new_symbols(before, after):
    assert renamed(before) == after


def test_a_flow_stays_as_much_of_the_step_as_it_was():
    flow = Flow(("a", "b"), ((0, 1, "k", "r"),), fraction=0.5, implicit=True)
    assert (renamed(flow).fraction, renamed(flow).implicit) == (0.5, True)


def test_a_guard_is_renamed_like_what_it_guards():
    guard = parse("k .eq. 1")
    rate = renamed_derivative(Derivative("a", parse("b - a"), guard), SYMBOLS)
    assert rate == Derivative("p_a", parse("b - p_a"), parse("p_k .eq. 1"))
    condition = renamed_condition(
        Condition(parse("a .gt. b"), (GROWN,), guard), SYMBOLS, PORTS, HANDLERS
    )
    assert condition == Condition(parse("p_a .gt. b"), (renamed(GROWN),), parse("p_k .eq. 1"))


def test_an_order_of_steps_cannot_be_renamed():
    with pytest.raises(TypeError):
        renamed(Advance(("pop",)))


def test_what_statements_write_is_found_inside_conditions_too():
    body = (GROWN, When(parse("a .gt. b"), (Assign("c", parse("1")),)), Emit("out"))
    assert written_by(body) == {"a", "c"}
    assert expressions_of(body) == [GROWN.value, parse("a .gt. b"), parse("1")]


def test_assignments_stand_after_what_they_use():
    c, b, a = Assign("c", parse("b + a")), Assign("b", parse("a^2")), Assign("a", parse("x"))
    assert sorted_assignments([c, b, a]) == (a, b, c)


def test_assignments_that_need_nothing_of_each_other_stay_in_order():
    found = (Assign("c", parse("x")), Assign("a", parse("y")), Assign("b", parse("z")))
    assert sorted_assignments(found) == found
