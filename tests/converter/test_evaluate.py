"""Values of expressions."""

from __future__ import annotations

import numpy as np
import pytest
from lemsmith.converter.evaluate import UnknownName, evaluate, exprelr
from lemsmith.converter.expressions import Choose, Name, parse


def test_a_division_by_zero_is_infinite_and_not_an_error() -> None:
    assert np.isposinf(evaluate(parse("1 / x"), {"x": 0.0}))
    assert np.isnan(evaluate(parse("x / x"), {"x": 0.0}))
    assert np.isnan(evaluate(parse("ln(0 - 1)"), {}))


def test_arrays_are_evaluated_element_by_element() -> None:
    tree = Choose(parse("a .gt. 1"), parse("a * 10"), Name("b"))
    found = evaluate(tree, {"a": np.array([0.0, 2.0]), "b": np.array([5.0, 6.0])})
    assert found.tolist() == [5.0, 20.0]


def test_a_single_condition_evaluates_only_what_it_chooses() -> None:
    assert evaluate(Choose(parse("1 .gt. 2"), Name("missing"), Name("b")), {"b": 3.0}) == 3.0


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(UnknownName, match="zz"):
        evaluate(parse("1 + zz"), {})


def test_random_draws_scale_and_need_a_generator() -> None:
    draws = iter([0.25, 0.5])
    assert evaluate(parse("random(8) + random(2)"), {}, lambda: next(draws)) == 3.0
    with pytest.raises(UnknownName):
        evaluate(parse("random(1)"), {})


def test_the_rate_function_has_its_limit_at_zero() -> None:
    assert exprelr(0.0) == 1.0
    assert float(exprelr(1e-8)) == pytest.approx(1.0, abs=1e-7)
    assert float(exprelr(2.0)) == pytest.approx(2.0 / np.expm1(2.0))
