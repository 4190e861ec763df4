"""Simplified expressions keep their values and lose what does nothing."""

from __future__ import annotations

import numpy as np
import pytest
from expression_trees import TREES, VALUES
from hypothesis import given
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import Binary, Choose, Name, Number, operations, parse, show
from lemsmith.converter.simplify import FALSE, TRUE, simplify


@given(TREES, VALUES)
def test_a_value_stays_what_it_was(tree, values):
    before = float(evaluate(tree, values))
    after = float(evaluate(simplify(tree), values))
    if np.isfinite(before):
        # 0 * x becomes 0 and a - a becomes 0: only what was infinite may become finite.
        np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)


@given(TREES)
def test_nothing_grows(tree):
    assert operations(simplify(tree)) <= operations(tree)


@given(TREES)
def test_what_is_simple_stays_as_it_is(tree):
    once = simplify(simplify(tree))
    assert simplify(once) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x + 0", "x"),
        ("0 + x", "x"),
        ("x * 1", "x"),
        ("x * 0", "0"),
        ("x / 1", "x"),
        ("0 / x", "0"),
        ("x - x", "0"),
        ("x ^ 1", "x"),
        ("x ^ 0", "1"),
        ("0 - x", "-x"),
        ("2 * (3 * x)", "6 * x"),
        ("a / (x / b)", "(a * b) / x"),
        ("exp(0)", "1"),
        ("2 + 3 * 4", "14"),
    ],
)
def test_what_does_nothing_goes(text, expected):
    assert show(simplify(parse(text))) == expected


def test_a_quotient_by_zero_is_left_for_the_run():
    assert simplify(parse("1 / 0")) == Binary("/", Number(1.0), Number(0.0))


def test_a_choice_between_equals_is_no_choice():
    assert simplify(Choose(parse("x .gt. 0"), Name("a"), Name("a"))) == Name("a")


def test_a_decided_condition_chooses():
    assert simplify(Choose(TRUE, Name("a"), Name("b"))) == Name("a")
    assert simplify(Choose(FALSE, Name("a"), Name("b"))) == Name("b")
