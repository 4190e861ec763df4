"""Derivatives are those that sympy finds, and those that differences show."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from expression_trees import NAMES, SMOOTH, TREES, VALUES
from hypothesis import given
from lemsmith.converter.calculus import NoDerivative, derivative
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import (
    ZERO,
    Binary,
    Call,
    Choose,
    Name,
    Negative,
    Number,
    names,
    parse,
    show,
)

SYMBOLS = {name: sympy.Symbol(name, real=True) for name in NAMES}


def to_sympy(tree):
    match tree:
        case Number(value):
            return sympy.Float(value)
        case Name(name):
            return SYMBOLS[name]
        case Negative(inner):
            return -to_sympy(inner)
        case Binary(operator, left, right):
            a, b = to_sympy(left), to_sympy(right)
            return {"+": a + b, "-": a - b, "*": a * b, "^": a**b}[operator]
        case Call(function, (inner,)):
            return getattr(sympy, function)(to_sympy(inner))
    raise ValueError(tree)


@given(SMOOTH, VALUES)
def test_a_slope_is_the_one_that_sympy_finds(tree, values):
    found = float(evaluate(derivative(tree, "x"), values))
    at = {SYMBOLS[name]: value for name, value in values.items()}
    expected = sympy.diff(to_sympy(tree), SYMBOLS["x"]).evalf(subs=at)
    if expected.is_finite and abs(expected) < 1e100:
        assert found == pytest.approx(float(expected), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(
    "text",
    [
        "exp(2 * x)", "ln(1 + x^2)", "sqrt(3 + x)", "sin(x) * cos(x)", "tan(x / 3)",
        "sinh(x) / cosh(x)", "tanh(3 * x)", "abs(x - 5)", "a / (x + 4)", "(2 + x) ^ a",
        "3 ^ x", "(2 + x) ^ x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("x", [-0.7, 0.3, 1.1])
def test_a_slope_is_the_one_that_differences_show(text, x):
    tree, step = parse(text), 1e-6
    ahead, behind = (evaluate(tree, {"x": x + d, "a": 1.7}) for d in (step, -step))
    found = evaluate(derivative(tree, "x"), {"x": x, "a": 1.7})
    assert found == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("x", [-40.0, -3.0, -1e-4, -1e-6, 0.0, 1e-9, 2e-5, 0.5, 30.0])
def test_the_slope_of_exprelr_is_accurate_through_its_removed_singularity(x):
    at = sympy.Float(x, 60)
    y = sympy.Symbol("y")
    expected = (
        sympy.Rational(-1, 2)
        if x == 0
        else sympy.diff(y / (sympy.exp(y) - 1), y).evalf(40, subs={y: at})
    )
    found = evaluate(derivative(Call("exprelr", (Name("x"),)), "x"), {"x": x})
    assert found == pytest.approx(float(expected), rel=2e-5, abs=1e-15)


@given(TREES)
def test_what_a_tree_does_not_name_has_no_slope(tree):
    assert derivative(tree, "q") == ZERO


def test_a_name_that_depends_on_another_brings_its_slope():
    inner = {"m": Name("dm")}
    assert show(derivative(parse("g * m"), "v", inner)) == "g * dm"


def test_a_function_without_a_derivative_says_so():
    with pytest.raises(NoDerivative):
        derivative(Call("random", (Name("x"),)), "x")


@given(TREES)
def test_a_slope_names_nothing_new(tree):
    assert names(derivative(tree, "x")) <= names(tree)


def test_a_choice_has_the_slope_of_what_it_chooses():
    tree = derivative(Choose(parse("x .gt. 0"), parse("x^2"), parse("3 * x")), "x")
    values = [float(evaluate(tree, {"x": x})) for x in (2.0, -2.0)]
    np.testing.assert_allclose(values, [4.0, 3.0])
