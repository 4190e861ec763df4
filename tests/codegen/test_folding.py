"""Sums of multiples in the kernels of a fixed step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.codegen.folding import summed
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import operations, parse, show

#: A number that a model may have.
NUMBERS = st.floats(0.01, 100.0).map(lambda x: round(x, 3))


def test_multiples_of_one_thing_become_one() -> None:
    assert show(summed(parse("0.7 * (v + 0.5) + 0.7 * (v + 1.5)"))) == "1.4 + (1.4 * v)"


def test_a_decay_keeps_the_digits_of_its_small_factor() -> None:
    tree = parse("x - 1e-9 * x")
    assert summed(tree) == tree


def test_what_a_condition_compares_is_left_alone() -> None:
    tree = parse("t .gt. 3 * (a + 0.005) + 2 * a")
    assert summed(tree) == tree


@pytest.mark.parametrize("form", ["{a} * (x - {b}) + {c} * (y - x)", "({a} - x - y) * {b} / {c}"])
@given(a=NUMBERS, b=NUMBERS, c=NUMBERS, x=NUMBERS, y=NUMBERS)
def test_a_gathered_sum_is_the_same_number_in_no_more_operations(
    form: str, a: float, b: float, c: float, x: float, y: float
) -> None:
    tree = parse(form.format(a=a, b=b, c=c))
    found, values = summed(tree), {"x": x, "y": y}
    size = a * (x + b) + c * (x + y) + (a + x + y) * b / c
    assert math.isclose(
        evaluate(found, values), evaluate(tree, values), rel_tol=0, abs_tol=1e-13 * size
    )
    assert operations(found) <= operations(tree) + 1
