"""The four calls of the package: run, load, show and check."""

from __future__ import annotations

import os
from pathlib import Path

import lemsmith
import numpy as np
import pytest
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made

MODELS = Path(__file__).parents[1] / "models"

#: A decay with a Simulation, as text; `{}` takes what a test adds to the Simulation.
DECAY = """
<Lems>
  <Target component="sim"/>
  <Include file="Simulation.xml"/>
  <ComponentType name="decay">
    <Parameter name="tau" dimension="time"/>
    <Parameter name="start" dimension="none"/>
    <Exposure name="x" dimension="none"/>
    <Dynamics>
      <StateVariable name="x" dimension="none" exposure="x"/>
      <OnStart><StateAssignment variable="x" value="start"/></OnStart>
      <TimeDerivative variable="x" value="-x / tau"/>
    </Dynamics>
  </ComponentType>
  <decay id="c" tau="2 ms" start="1"/>
  <Simulation id="sim" length="1ms" step="0.1ms" target="c">
    <OutputFile id="of" fileName="out.dat"><OutputColumn id="x" quantity="x"/></OutputFile>
  </Simulation>
</Lems>
"""

#: Draws a number at the start.
DRAW = DECAY.replace('value="start"', 'value="start * random(1)"')


def test_a_text_runs_like_the_file_that_holds_it(tmp_path):
    path = tmp_path / "decay.xml"
    path.write_text(DECAY)
    from_file, from_text = lemsmith.run(path), lemsmith.run(DECAY)
    np.testing.assert_array_equal(from_file["x"], from_text["x"])
    assert (from_file.source, from_text.source) == (str(path), "model")


def test_euler_is_what_the_book_says():
    recording = lemsmith.run(DECAY, method="euler")
    assert recording["t"][-1] == pytest.approx(1e-3)
    np.testing.assert_allclose(recording["x"], 0.95 ** np.arange(11), rtol=1e-12)


def test_the_working_directory_does_not_matter(tmp_path, monkeypatch):
    path = MODELS / "LEMS_hh.xml"
    options = {"length": "1ms", "method": "jlems"}
    here = lemsmith.run(os.path.relpath(path), **options)
    monkeypatch.chdir(tmp_path)
    there = lemsmith.run(path, **options)
    np.testing.assert_array_equal(here["hhpop[0]/v"], there["hhpop[0]/v"])
    assert lemsmith.check([path]) == ()
    assert lemsmith.load(path).components["hhcell"].type.name == "cell"


def test_nothing_is_written_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "decay.xml"
    path.write_text(DECAY)
    lemsmith.run(path)
    lemsmith.load(path)
    lemsmith.check([path])
    lemsmith.show(path, "network")
    assert [entry.name for entry in tmp_path.iterdir()] == ["decay.xml"]


def test_an_override_is_a_parameter_with_a_unit():
    recording = lemsmith.run(DECAY, method="euler", overrides={"c/tau": "1 ms", "c/start": "2"})
    np.testing.assert_allclose(recording["x"], 2 * 0.9 ** np.arange(11), rtol=1e-12)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"c/tau": "1 mV"}, "the unit 'mV' measures V"),
        ({"c/tua": "1 ms"}, "'decay' has no parameter 'tua'; did you mean 'tau'"),
        ({"d/tau": "1 ms"}, "'d'"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(override, message):
    with pytest.raises(lemsmith.LemsmithError, match=message):
        lemsmith.run(DECAY, overrides=override)


def test_step_and_length_are_texts_or_seconds():
    texts = lemsmith.run(DECAY, step="0.2 ms", length="2ms")
    numbers = lemsmith.run(DECAY, step=2e-4, length=2e-3)
    assert len(texts) == 11
    np.testing.assert_array_equal(texts["x"], numbers["x"])
    assert texts.settings["step"] == 2e-4


def test_a_seed_decides_the_draws_and_is_told():
    one, again, two = (lemsmith.run(DRAW, method="jlems", seed=seed) for seed in (1, 1, 2))
    assert one["x"][0] == again["x"][0] != two["x"][0]
    assert (one.settings["seed"], two.settings["seed"]) == (1, 2)
    given = DRAW.replace('target="c">', 'target="c" seed="1">')
    assert lemsmith.run(given, method="jlems")["x"][0] == one["x"][0]


def test_a_model_without_simulation_runs_with_target_length_and_step():
    recording = lemsmith.run(MODELS / "hh_cell.nml", target="net", length="2ms", step="0.01ms")
    assert recording.keys() == ("hhpop[0]/v",)
    assert recording.units["hhpop[0]/v"] == "V"
    assert len(recording) == 201


def test_every_potential_of_a_network_without_simulation_is_recorded():
    recording = lemsmith.run(MODELS / "network.nml", target="net", length="0.1ms", step="0.05ms")
    assert len(recording.keys()) == 25
    assert recording.keys()[0] == "excpop/0/exc/v"


def test_a_model_without_simulation_says_what_is_missing():
    with pytest.raises(lemsmith.ModelError, match="--target") as raised:
        lemsmith.run(MODELS / "hh_cell.nml")
    assert "perhaps 'net'" in str(raised.value)
    with pytest.raises(lemsmith.LemsmithError, match="--length and --step"):
        lemsmith.run(MODELS / "hh_cell.nml", target="net")


def test_progress_is_told_up_to_the_end():
    told = []
    lemsmith.run(DECAY, progress=lambda *progress: told.append(progress))
    assert told[-1] == (1.0, "t = 0.001 s")
    assert told == sorted(told)


@pytest.mark.parametrize("option", ["backend", "method", "precision", "events"])
def test_an_option_that_does_not_exist_lists_those_that_do(option):
    with pytest.raises(lemsmith.UsageError, match=f"no {option} is called 'fast'; there are"):
        lemsmith.run(DECAY, **{option: "fast"})


def test_load_gives_the_model_with_values_in_si():
    model = lemsmith.load(DECAY)
    assert model.components["c"].values["tau"] == pytest.approx(2e-3)
    assert model.target == "sim"
    assert model.types["decay"].parameters.keys() == {"tau", "start"}


def test_load_raises_every_fault_of_a_model():
    text = DECAY.replace('tau="2 ms" start="1"', 'tau="2 mV"')
    with pytest.raises(lemsmith.ModelError) as raised:
        lemsmith.load(text)
    assert len(raised.value.faults) == 2


@pytest.mark.parametrize(
    ("stage", "shown"),
    [
        ("document", 'decay id="c" tau="2 ms"'),
        ("model", "decay"),
        ("network", "dx/dt"),
        ("program", "x"),
        ("source", "Generated by lemsmith"),
    ],
)
def test_every_stage_can_be_shown(stage, shown):
    text = lemsmith.show(DECAY, stage)
    assert shown in text
    assert text == lemsmith.show(DECAY, stage)


def test_the_source_that_is_shown_is_the_one_that_runs():
    asked = {"precision": "single", "overrides": {"c/tau": "7 ms"}}
    plan, _ = translate(made(DECAY, **asked))
    assert lemsmith.show(DECAY, "source", **asked) == plan.text
    assert lemsmith.show(DECAY, "source") != plan.text


def test_what_is_shown_with_an_unknown_parameter_is_refused():
    with pytest.raises(lemsmith.UsageError, match="tao"):
        lemsmith.show(DECAY, "network", overrides={"c/tao": "7 ms"})


def test_check_takes_many_sources_and_returns_faults_as_data():
    (fault,) = lemsmith.check([DECAY, DECAY.replace('tau="2 ms"', 'tau="2"')])
    assert fault.as_data()["line"] == 15
    assert fault.severity == "error"


def test_a_file_that_changed_is_translated_anew(tmp_path):
    path = tmp_path / "decay.xml"
    path.write_text(DECAY)
    before = lemsmith.run(path, method="euler")["x"][1]
    path.write_text(DECAY.replace('tau="2 ms"', 'tau="1 ms"'))
    assert lemsmith.run(path, method="euler")["x"][1] == pytest.approx(0.9)
    assert before == pytest.approx(0.95)


def test_an_included_file_that_changed_is_translated_anew(tmp_path):
    inner = tmp_path / "cell.xml"
    head, tail = DECAY.split('  <decay id="c"')
    kept = tail.split("/>", 1)[1]
    path = tmp_path / "sim.xml"
    path.write_text(f'{head}  <Include file="cell.xml"/>{kept}')
    inner.write_text('<Lems><decay id="c" tau="2 ms" start="1"/></Lems>')
    assert lemsmith.run(path, method="euler")["x"][1] == pytest.approx(0.95)
    inner.write_text('<Lems><decay id="c" tau="1 ms" start="1"/></Lems>')
    assert lemsmith.run(path, method="euler")["x"][1] == pytest.approx(0.9)


def test_a_missing_file_is_a_fault_that_names_it(tmp_path):
    with pytest.raises(lemsmith.LemsmithError, match=r"nowhere\.xml"):
        lemsmith.run(tmp_path / "nowhere.xml")


def test_an_include_folder_is_searched_and_confinement_holds(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "parts" / "cell.xml").write_text(
        '<Lems><decay id="c" tau="2 ms" start="1"/></Lems>'
    )
    head, tail = DECAY.split('  <decay id="c"')
    path = tmp_path / "models" / "sim.xml"
    path.write_text(f'{head}  <Include file="cell.xml"/>{tail.split("/>", 1)[1]}')
    with pytest.raises(lemsmith.ModelError, match=r"'cell\.xml' can't be included"):
        lemsmith.run(path)
    assert len(lemsmith.run(path, include_dirs=[tmp_path / "parts"])) == 11
    with pytest.raises(lemsmith.ModelError):
        lemsmith.run(path, include_dirs=[tmp_path / "parts"], confine=tmp_path / "models")
