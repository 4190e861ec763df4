"""Dimensions, units and constants of a document."""

from __future__ import annotations

import pytest


def test_a_constants_symbol_is_its_name_in_expressions(resolved) -> None:
    model = resolved('<Constant name="of gravity" symbol="G" dimension="time" value="9.8"/>')
    assert model.constants["G"] == 9.8
    assert "of gravity" not in model.constants


def test_a_constant_may_use_constants_before_it(resolved) -> None:
    model = resolved(
        '<Constant name="N" dimension="none" value="3"/>'
        '<Constant name="R" dimension="none" value="N * 2 / SEC"/>'
    )
    assert model.constants["R"] == 6.0


def test_a_constant_may_have_a_unit(resolved) -> None:
    assert resolved('<Constant name="c" dimension="voltage" value="-65 mV"/>').constants[
        "c"
    ] == pytest.approx(-0.065)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<Constant name="R" dimension="none" value="2 * Q"/>', "uses 'Q'"),
        ('<Constant name="R" dimension="none" value="2 * * 3"/>', "no expression"),
        ('<Constant name="R" dimension="tiem" value="2"/>', "did you mean 'time'"),
        ('<Constant name="R" dimension="time" value="2 mV"/>', "measures V"),
        ('<Dimension name="x" m="a"/>', "whole numbers"),
        ('<Dimension name="time" m="1"/>', "defined twice, differently"),
        ('<Unit symbol="q" dimension="tmie"/>', "did you mean 'time'"),
        ('<Unit symbol="q" dimension="time" power="x"/>', "no number"),
        ('<Unit symbol="q" dimension="time" power="999"/>', "out of range"),
        ('<Unit symbol="ms" dimension="voltage"/>', "defined twice, differently"),
    ],
)
def test_a_wrong_definition_is_a_fault(faults_of, body: str, words: str) -> None:
    assert any(words in fault for fault in faults_of(body))


def test_the_same_definition_twice_is_none(resolved) -> None:
    assert resolved('<Dimension name="time" t="1"/><Unit symbol="s" dimension="time"/>')


def test_every_faulty_definition_is_reported(faults_of) -> None:
    found = faults_of('<Unit symbol="q" dimension="tmie"/><Dimension name="x" m="a"/>')
    assert len([fault for fault in found if "tmie" in fault or "whole" in fault]) == 2
