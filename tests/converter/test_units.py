"""Quantities in SI and dimensions of expressions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.converter.expressions import Binary, Name, parse
from lemsmith.converter.units import (
    NONE,
    TIME,
    VOLTAGE,
    Dimension,
    DimensionError,
    Unit,
    dimension,
    infer,
    split_quantity,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("10 mV", (10.0, "mV")),
        ("10mV", (10.0, "mV")),
        ("-6.5e1mV", (-65.0, "mV")),
        ("3", (3.0, "")),
        ("1e3", (1000.0, "")),
        ("0.3 mS_per_cm2", (0.3, "mS_per_cm2")),
        ("  5   ms ", (5.0, "ms")),
        ("2E", (2.0, "E")),
    ],
)
def test_a_quantity_splits_into_number_and_unit(text: str, parts: tuple[float, str]) -> None:
    assert split_quantity(text) == parts


@pytest.mark.parametrize("text", ["mV", "", "nan mV", "inf", "1_000x_"[5:], "\u0663 mV"])
def test_what_starts_with_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        split_quantity(text)


def test_scale_offset_and_power_apply_in_the_references_order() -> None:
    assert Unit("degC", dimension(k=1), offset=273.15).si(20.0) == pytest.approx(293.15)
    assert Unit("mV", VOLTAGE, power=-3).si(-65.0) == -0.065
    assert Unit("min", TIME, scale=60.0).si(2.0) == 120.0


DIMENSIONS = st.builds(
    lambda a, b, c: dimension(m=a, l=b, t=c),
    *(st.integers(min_value=-4, max_value=4) for _ in range(3)),
)


@given(DIMENSIONS, DIMENSIONS)
def test_the_dimension_of_a_product_is_the_product(a: Dimension, b: Dimension) -> None:
    known = {"a": a, "b": b}
    assert infer(parse("a * b"), known) == a * b
    assert infer(parse("a * b / b"), known) == a
    assert infer(Binary("/", Name("a"), Name("b")), known) == a / b
    assert infer(parse("(a * b)^2"), known) == (a * b).power(Fraction(2))
    assert infer(parse("sqrt(a * a)"), known) == a


@given(DIMENSIONS, DIMENSIONS)
def test_a_sum_needs_one_dimension(a: Dimension, b: Dimension) -> None:
    known = {"a": a, "b": b}
    if a == b:
        assert infer(parse("a + b"), known) == a
        return
    for text in ("a + b", "a - b", "a .gt. b"):
        with pytest.raises(DimensionError):
            infer(parse(text), known)


def test_zero_fits_any_dimension() -> None:
    assert infer(parse("v + 0"), {"v": VOLTAGE}) == VOLTAGE
    assert infer(parse("0"), {}) is None


def test_functions_take_plain_numbers() -> None:
    assert infer(parse("exp(v / v)"), {"v": VOLTAGE}) == NONE
    with pytest.raises(DimensionError, match="exp"):
        infer(parse("exp(v)"), {"v": VOLTAGE})
    with pytest.raises(DimensionError, match="exponent"):
        infer(parse("2^v"), {"v": VOLTAGE})
    with pytest.raises(DimensionError, match="varies"):
        infer(parse("v^x"), {"v": VOLTAGE, "x": NONE})
