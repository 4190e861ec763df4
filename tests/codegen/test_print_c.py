"""Expressions as C text: numbers, names, and what the compiled text gives."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.codegen.print_c import IDENTIFIER, VECTOR, Printer, identifier, number
from lemsmith.codegen.vector_printer import VectorPrinter
from lemsmith.converter.expressions import Call, Choose, Name, Number, parse
from lemsmith.converter.simplify import simplify
from lemsmith.errors import InternalError


def printed(text):
    return Printer(lambda name: name)(parse(text))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(value):
    text = number(value)
    assert float(text.strip("()")) == value
    assert math.copysign(1, float(text.strip("()"))) == math.copysign(1, value)


def test_numbers_without_digits_have_the_names_of_math_h():
    assert [number(v) for v in (math.nan, math.inf, -math.inf)] == [
        "NAN",
        "INFINITY",
        "(-INFINITY)",
    ]


def test_a_number_is_never_an_integer_of_c():
    assert printed("1 / 2") == "(1.0 / 2.0)"


def test_a_negative_number_does_not_run_into_an_operator():
    assert Printer(str)(parse("x - y")) == "(x - y)"
    assert Printer(lambda name: name)(Number(-1.0)) == "(-1.0)"


def test_single_precision_has_literals_of_its_own():
    assert number(0.1, "float") == "0.1f"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a*b/c", "(a * (b / c))"),
        ("-x^2", "(-pow(x, 2.0))"),
        ("2*-x^2", "(2.0 * pow((-x), 2.0))"),
        ("ln(x) + log(y)", "(log(x) + log(y))"),
        ("abs(x)", "fabs(x)"),
        ("(x .gt. 1) .and. (y .neq. 2)", "((x > 1.0) && (y != 2.0))"),
        ("(x .leq. 1) .or. (y .eq. 2)", "((x <= 1.0) || (y == 2.0))"),
    ],
)
def test_an_expression_is_written_with_the_language_s_precedence(text, expected):
    assert printed(text) == expected


def test_a_choice_is_a_conditional():
    tree = Choose(parse("x .gt. 0"), Name("a"), Number(0.0))
    assert Printer(lambda name: name)(tree) == "((x > 0.0) ? a : 0.0)"


def test_a_function_that_c_lacks_is_our_fault():
    with pytest.raises(InternalError, match="no C function"):
        Printer(lambda name: name)(Call("system", (Name("x"),)))


@given(st.text(max_size=30))
def test_any_text_becomes_an_identifier(text):
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", identifier(text), re.ASCII)


@given(st.text(max_size=10), st.text(max_size=10))
def test_different_texts_become_different_identifiers(one, other):
    assert (identifier(one) == identifier(other)) == (one == other)


@given(st.from_regex(IDENTIFIER))
def test_an_identifier_stays_as_it_is(text):
    assert identifier(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x ^ 2", "ls_power2(x)"),
        ("x ^ 3", "ls_power3(x)"),
        ("x ^ 4", "ls_power4(x)"),
        ("x ^ 0.5", "sqrt(x)"),
        ("x ^ (-1)", "(1.0 / x)"),
    ],
)
def test_small_powers_in_kernels_are_products_and_roots(text, expected):
    printed = VectorPrinter(lambda name: name, VECTOR, "double")(simplify(parse(text)))
    assert printed.removeprefix("ls_") == expected.removeprefix("ls_")
