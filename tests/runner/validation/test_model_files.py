"""What a LEMS file says of its own run, and copies of it elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from lemsmith.errors import UsageError
from lemsmith.runner.validation import model_files
from lemsmith.runner.validation.model_files import OutputFile

LEMS = """<Lems>
  <Target component="sim2"/>
  <Include file="Cells.xml"/>
  <Include file="../cells/hh.nml"/>
  <Component id="sim1" type="Simulation" step="1ms" length="1s" target="net"/>
  <Simulation id="sim2" length="300ms" step = '0.01 ms' target="net" seed="7">
    <Display id="d"><Line id="v" quantity="pop[0]/v"/></Display>
    <OutputFile id="of" fileName="results/v.dat">
      <OutputColumn id="v" quantity="pop[0]/v"/>
      <OutputColumn id="u" quantity="pop[0]/u"/>
    </OutputFile>
    <EventOutputFile id="ef" fileName="a.spikes" format="ID_TIME">
      <EventSelection id="0" select="pop[0]" eventPort="spike"/>
    </EventOutputFile>
  </Simulation>
</Lems>
"""


@pytest.fixture
def model(tmp_path):
    """Return a LEMS file that includes a cell, which includes a channel."""
    folder = tmp_path / "models"
    (folder / "cells" / "channels").mkdir(parents=True)
    (folder / "run").mkdir()
    (folder / "run" / "LEMS_a.xml").write_text(LEMS)
    (folder / "run" / "results.dat").write_text("left by someone")
    (folder / "cells" / "hh.nml").write_text(
        '<neuroml xmlns="http://www.neuroml.org/schema/neuroml2">'
        '<include href="channels/na.nml"/><include href="gone.nml"/></neuroml>'
    )
    (folder / "cells" / "channels" / "na.nml").write_text(
        '<neuroml><include href="../hh.nml"/></neuroml>'
    )
    return folder / "run" / "LEMS_a.xml"


def test_the_settings_are_those_of_the_simulation_that_is_targeted(model):
    settings = model_files.read_settings(model)
    assert (settings.id, settings.step, settings.length) == ("sim2", "0.01 ms", "300ms")
    assert settings.seed == "7"
    assert settings.outputs == (
        OutputFile("results/v.dat", ("pop[0]/v", "pop[0]/u")),
        OutputFile("a.spikes", ("pop[0]",), events=True),
    )


def test_includes_are_followed_once_each_and_core_types_left_out(model):
    names = [path.name for path in model_files.included(model)]
    assert names == ["LEMS_a.xml", "hh.nml", "na.nml"]


def test_a_copy_holds_all_it_includes_and_nothing_else(model, tmp_path):
    copy = model_files.copy_model(model, tmp_path / "copy")
    files = sorted(path.name for path in (tmp_path / "copy").rglob("*") if path.is_file())
    assert files == ["LEMS_a.xml", "hh.nml", "na.nml"]
    assert copy.read_text() == LEMS
    assert (copy.parent / "results").is_dir()
    assert model_files.included(copy)[1].is_relative_to(tmp_path / "copy")


def test_a_copy_takes_new_settings_and_leaves_the_original(model, tmp_path):
    settings = {"step": "0.001ms", "seed": "9"}
    copy = model_files.copy_model(model, tmp_path / "copy", settings)
    found = model_files.read_settings(copy)
    assert (found.step, found.length, found.seed) == ("0.001ms", "300ms", "9")
    assert model.read_text() == LEMS


def test_a_setting_that_the_author_left_out_is_added():
    text = model_files.with_settings('<Simulation id="a"\n  target="b" />', {"seed": "1"})
    assert text == '<Simulation id="a"\n  target="b" seed="1"/>'


def test_a_setting_of_another_element_is_left_alone():
    text = '<pulseGenerator id="p" step="1ms"/><SimulationLike step="1ms"/>'
    assert model_files.with_settings(text, {"step": "2ms"}) == text


@pytest.mark.parametrize("name", ["/tmp/v.dat", "../../../../../../../../../v.dat"])
def test_an_output_outside_of_the_copy_is_refused(model, tmp_path, name):
    model.write_text(LEMS.replace("results/v.dat", name))
    with pytest.raises(UsageError, match=r"v\.dat; a peer runs with relative paths only"):
        model_files.copy_model(model, tmp_path / "copy")


def test_a_file_without_a_simulation_is_no_run(tmp_path):
    path = tmp_path / "a.nml"
    path.write_text("<neuroml/>")
    with pytest.raises(UsageError, match="no Simulation"):
        model_files.read_settings(path)


def test_a_file_that_is_no_xml_is_said(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text("<Lems>")
    with pytest.raises(UsageError, match="is no XML"):
        model_files.read_settings(path)


def test_a_file_that_is_missing_is_said(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        model_files.read_settings(Path(tmp_path / "gone.xml"))


@pytest.mark.parametrize(
    ("quantity", "tenth"),
    [("0.01ms", "0.001ms"), ("1e-5 s", "0.000001s"), ("5 us", "0.5us"), ("0.025ms", "0.0025ms")],
)
def test_a_step_is_divided_with_its_unit(quantity, tenth):
    assert model_files.divided(quantity, 10) == tenth


@pytest.mark.parametrize("quantity", ["", "ms", "fast", "1 + 2 ms"])
def test_a_step_that_is_no_quantity_is_refused(quantity):
    with pytest.raises(UsageError, match="no quantity"):
        model_files.divided(quantity, 10)
