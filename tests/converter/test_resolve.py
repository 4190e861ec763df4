"""From a document to a model: what is bound, and every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve
from lemsmith.errors import ModelError

TYPE = '<ComponentType name="q"><Parameter name="a" dimension="time"/></ComponentType>'


def test_the_target_is_bound_and_the_order_kept(resolved) -> None:
    model = resolved(TYPE + '<Target component="u"/><q id="v" a="1s"/><q id="u" a="2s"/>')
    assert model.target == "u"
    assert [component.id for component in model.order] == ["v", "u"]


def test_a_default_run_is_a_target(resolved) -> None:
    assert resolved(TYPE + '<DefaultRun component="u"/><q id="u" a="2s"/>').target == "u"


def test_a_target_that_does_not_exist_is_a_fault(resolved) -> None:
    with pytest.raises(ModelError, match="did you mean 'unit'"):
        resolved(TYPE + '<Target component="unti"/><q id="unit" a="1s"/>')


def test_standalone_components_inside_others_can_be_referred_to() -> None:
    text = """<Lems><Include file="Cells.xml"/><Include file="Networks.xml"/>
    <ComponentType name="holder"><Children name="cells" type="baseCell"/></ComponentType>
    <holder id="h"><iafTauCell id="c" leakReversal="-50mV" thresh="-55mV" reset="-70mV"
    tau="30ms"/></holder></Lems>"""
    assert "c" in resolve(read(text)).components


def test_faults_carry_their_place_and_line(resolved) -> None:
    with pytest.raises(ModelError) as caught:
        resolved(TYPE + '\n<q id="u" a="1 mV"/>')
    text = str(caught.value)
    assert "<q id=" in text
    assert "^" in text


def test_faults_of_types_and_of_components_are_reported_together(resolved) -> None:
    with pytest.raises(ModelError) as caught:
        resolved(
            '<ComponentType name="q"><Rubbish/></ComponentType><q id="u"/><z id="v"/>'
            '<Target component="w"/><Dimension name="d" m="x"/>'
        )
    assert len(caught.value.faults) >= 3


def test_a_models_own_copy_of_an_official_file_is_not_checked_for_dimensions(
    tmp_path: Path,
) -> None:
    loose = """<Lems><Dimension name="time" t="1"/><ComponentType name="{}"><Parameter name="a"
    dimension="time"/><Dynamics><DerivedVariable name="b" dimension="none" value="a"/></Dynamics>
    </ComponentType></Lems>"""
    (tmp_path / "Channels.xml").write_text(loose.format("odd"))
    (tmp_path / "mine.xml").write_text(loose.format("odder"))
    (tmp_path / "a.xml").write_text('<Lems><Include file="Channels.xml"/></Lems>')
    (tmp_path / "b.xml").write_text('<Lems><Include file="mine.xml"/></Lems>')
    assert "odd" in resolve(read(tmp_path / "a.xml")).types
    with pytest.raises(ModelError, match="has the dimension of s"):
        resolve(read(tmp_path / "b.xml"))
