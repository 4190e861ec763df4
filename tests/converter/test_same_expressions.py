"""Equality of expressions: shown, refuted, or left open."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lemsmith.converter.expressions import Binary, Expression, Name, Negative, Number, parse
from lemsmith.converter.same_expressions import Verdict, verdict

SAME = [
    ("a*(b+c)", "a*b + a*c"),
    ("(a+b)^2", "a^2 + 2*a*b + b^2"),
    ("1/(1 + exp(0-x))", "exp(x)/(1 + exp(x))"),
    ("0.1 * 10 * x", "x"),
    ("tanh(x/2)", "(exp(x) - 1)/(exp(x) + 1)"),
    ("a/(b+c) + d/(b+c)", "(a+d)/(c+b)"),
    ("1/(a*b + a*c)", "1/a/(c+b)"),
    ("exp((v-w)/s)", "exp(-(w-v)/s)"),
    ("sqrt(x)*sqrt(x)", "x"),
    ("sin(x)^2 + cos(x)^2", "1"),
    ("(v .gt. 3) .and. (w .lt. 2)", "(2 .gt. w) .and. (3 .lt. v)"),
    ("v - 3 .geq. 0", "v .geq. 3"),
    ("(1 + x)^100", "(x + 1)^100"),
]
DIFFERENT = [
    ("m^3 * h", "m^4 * h"),
    ("x/3", "x*0.3333333"),
    ("x + 1e-9", "x + 2e-9"),
    ("sqrt(x^2)", "x"),
    ("random(1) - random(1)", "0"),
    ("v .gt. 3", "v .lt. 3"),
    ("v .gt. 20*u", "v .gt. 21*u"),
    ("(v .gt. w) .and. (v .gt. 0)", "v .gt. w"),
    ("H(x)", "1"),
    ("a-b", "b-a"),
    ("a/b/c", "a/(b/c)"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_expressions_that_are_equal_are_the_same(a, b):
    assert verdict(parse(a), parse(b)) is Verdict.SAME


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_expressions_that_differ_are_different(a, b):
    assert verdict(parse(a), parse(b)) is Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("v .gt. 3", "v .geq. 3"),  # no random point lies on 3
        ("x^1000000000", "x^1000000001"),
        ("10^(10^(10^9)) * x", "x"),
        ("exp(exp(exp(exp(99*x))))", "x + exp(exp(exp(exp(99*x))))"),
    ],
)
def test_what_can_be_neither_shown_nor_refuted_is_never_called_the_same(a, b):
    assert verdict(parse(a), parse(b)) is not Verdict.SAME


leaves = st.one_of(
    st.sampled_from("abc").map(Name), st.integers(0, 4).map(lambda n: Number(float(n)))
)
trees: st.SearchStrategy[Expression] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Binary, st.sampled_from("+-*/"), inner, inner), st.builds(Negative, inner)
    ),
    max_leaves=8,
)


def turned(tree: Expression) -> Expression:
    """Return `tree` with the sides of every sum and product exchanged, differences as sums."""
    match tree:
        case Binary("+" | "*" as operator, left, right):
            return Binary(operator, turned(right), turned(left))
        case Binary("-", left, right):
            return Binary("+", Negative(turned(right)), turned(left))
        case Binary(operator, left, right):
            return Binary(operator, turned(left), turned(right))
        case Negative(operand):
            return Binary("*", turned(operand), Number(-1.0))
        case _:
            return tree


@settings(deadline=None)
@given(trees)
def test_an_expression_is_the_same_with_its_sides_exchanged(tree):
    assert verdict(tree, turned(tree)) is Verdict.SAME


@settings(deadline=None)
@given(trees, trees)
def test_the_verdict_is_the_same_from_either_side(a, b):
    assert verdict(a, b) is verdict(b, a)


@settings(deadline=None)
@given(trees)
def test_an_expression_plus_a_name_of_its_own_is_another_one(tree):
    assert verdict(tree, Binary("+", tree, Name("d"))) is not Verdict.SAME
