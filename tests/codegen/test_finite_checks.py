"""Which states a kernel looks at for NaN and infinity."""

from __future__ import annotations

from lemsmith.codegen.finite_checks import told_by
from lemsmith.codegen.program import Function
from lemsmith.converter.expressions import parse
from lemsmith.converter.network import Assign


def kernel(**values: str) -> Function:
    """Return a kernel of assignments; those whose names end in _next are locals."""
    body = tuple(Assign(name, parse(text)) for name, text in values.items())
    local = tuple(name for name in values if name.endswith("_next"))
    return Function("advance cells", "cells", body, local, (), "kernel")


def test_a_decaying_state_in_an_evaluated_argument_is_told_of() -> None:
    function = kernel(g_next="g - 0.1 * g", v_next="v + g_next * 2", g="g_next * 0.9", v="v_next")
    assert told_by(function, [parse("0 - g_next * 3")], ["g", "v"]) == {"g"}


def test_a_state_that_another_adds_up_is_told_of() -> None:
    function = kernel(g_next="g * 0.9", v_next="v + g_next * (5 - v)", g="g_next", v="v_next")
    assert told_by(function, [], ["g", "v"]) == {"g"}


def test_a_state_that_may_hide_in_a_denominator_or_a_function_is_looked_at() -> None:
    function = kernel(g_next="g * 0.9", v_next="v + 1 / g_next", g="g_next", v="v_next")
    assert told_by(function, [], ["g", "v"]) == set()
    function = kernel(g_next="g * 0.9", v_next="v + exp(g_next)", g="g_next", v="v_next")
    assert told_by(function, [], ["g", "v"]) == set()


def test_of_two_states_that_tell_of_one_another_one_is_looked_at() -> None:
    function = kernel(a_next="a + b_next", b_next="b * 0.5", c_next="a_next + b_next",
                      a="a_next", b="b_next", c="c_next")  # fmt: skip
    left = {"a", "b", "c"} - told_by(function, [], ["a", "b", "c"])
    assert left == {"c"}
