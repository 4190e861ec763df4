"""The area of a cell and the temperature, as a test of a repository asks for them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from lemsmith.runner.validation.cell_figures import cell_figure
from lemsmith.runner.validation.observables import Unsupported
from lemsmith.runner.validation.omv import Morphology, Temperature
from lemsmith.runner.validation.verify import verify

HH = Path(__file__).parents[3] / "models" / "LEMS_hh.xml"

CELL = """<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="doc">
  <cell id="{id}"><morphology id="m">
    <segment id="0" name="soma"><proximal x="0" y="0" z="0" diameter="10"/>
      <distal x="10" y="0" z="0" diameter="10"/></segment>
    <segment id="1" name="dend"><parent segment="0"/>
      <proximal x="10" y="0" z="0" diameter="2"/>
      <distal x="10" y="30" z="0" diameter="2"/></segment>
    <segmentGroup id="tree"><member segment="1"/></segmentGroup>
  </morphology></cell>
  <network id="net"{more}><population id="pop" component="{id}" size="1"/></network>
</neuroml>"""


@pytest.fixture
def model(tmp_path):
    def write(id="cell_a", more=""):
        path = tmp_path / "cell.nml"
        path.write_text(CELL.format(id=id, more=more))
        return path

    return write


@pytest.mark.parametrize("base", ["cell[0]", "cell_a", "Soma[0]"])
def test_a_cell_has_the_lateral_area_of_its_frusta(model, base):
    found = cell_figure(Morphology(base), model())
    assert found == pytest.approx(math.pi * (10 * 10 + 2 * 30), rel=1e-12)


def test_a_group_has_the_area_of_its_segments_scaled_as_asked(model):
    found = cell_figure(Morphology("tree", scaling=0.5), model())
    assert found == pytest.approx(0.5 * math.pi * 2 * 30, rel=1e-12)


def test_the_temperature_is_that_of_the_network(model):
    warm = model(more=' type="networkWithTemperature" temperature="37 degC"')
    assert cell_figure(Temperature(), warm) == pytest.approx(37)
    with pytest.raises(Unsupported, match="no network of the model has a temperature"):
        cell_figure(Temperature(), model())


@pytest.mark.parametrize(("area", "status"), [(1256.6, "pass"), (1258.6, "fail")])
def test_verify_holds_the_area_of_a_cell_against_what_is_expected(tmp_path, area, status):
    (tmp_path / ".mep").write_text(
        f"experiments: {{one: {{expected: {{morphology: {{total area: {area}}}}}}}}}\n"
    )
    (tmp_path / "a.omt").write_text(
        f"target: {HH}\nengine: jNeuroML_NEURON\nmep: .mep\n"
        "experiments: {one: {observables: {morphology: {tolerance: 1e-3}}}}\n"
    )
    (result,) = verify([tmp_path], simulate=lambda *_, **__: None).results
    assert (result.status, result.message) == (status, "" if status == "pass" else "too far off")
    assert result.finding.observed == pytest.approx((math.pi * 20 * 20,))
