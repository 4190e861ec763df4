"""What the commands return, and that the examples in the documentation of code hold."""

from __future__ import annotations

import doctest
import json
from importlib import import_module
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from lemsmith.errors import UsageError
from lemsmith.runner.validation.commands import run_against, run_compare, run_verify
from lemsmith.runner.validation.peers import PEERS, peer_named


def table(path, scale=1.0):
    time = np.arange(100) / 1000
    np.savetxt(path, np.stack([time, scale * np.sin(60 * time)], axis=1))
    return path


@pytest.mark.parametrize(("scale", "code"), [(1.0, 0), (1 + 1e-8, 0), (1.01, 1)])
def test_compare_returns_0_for_equal_and_1_for_different(tmp_path, scale, code):
    a, b = table(tmp_path / "a.dat", scale), table(tmp_path / "b.dat")
    found, text = run_compare(a, b)
    assert found == code
    assert text.splitlines()[-1].startswith("A and B are")
    assert json.loads(run_compare(a, b, as_json=True)[1])["verdict"] in {
        "identical",
        "equal",
        "different",
    }


def test_compare_reads_every_format_alike(tmp_path):
    import gzip

    a = table(tmp_path / "a.dat")
    data = np.loadtxt(a)
    (tmp_path / "a.dat.gz").write_bytes(gzip.compress(a.read_bytes()))
    np.savetxt(tmp_path / "a.csv", data, delimiter=",", header="t,v", comments="")
    np.savez(tmp_path / "a.npz", time=data[:, 0], v=data[:, 1])
    for name in ("a.dat.gz", "a.csv", "a.npz"):
        code, text = run_compare(tmp_path / name, a)
        assert (code, text.splitlines()[-1]) == (0, "A and B are identical")


@pytest.mark.parametrize(("late", "code"), [(0.0, 0), (1e-3, 1)])
def test_compare_takes_files_of_events_for_what_they_are(tmp_path, late, code):
    for name, shift in (("a.spikes", late), ("b.spikes", 0.0)):
        lines = (f"{source}\t{0.1 * step + shift}" for step in range(1, 5) for source in (0, 1))
        (tmp_path / name).write_text("\n".join(lines))
    found, text = run_compare(tmp_path / "a.spikes", tmp_path / "b.spikes")
    assert found == code
    assert "4/4" in text


def test_events_that_only_a_recording_can_hold_are_no_difference_from_a_table(tmp_path):
    a = table(tmp_path / "a.dat")
    time, values = np.loadtxt(a).T
    for name, events in (("a.npz", [0.1, 0.2]), ("b.npz", [0.1])):
        np.savez(tmp_path / name, **{"t": time, "v": values, "events/pop:spike": events})
    assert run_compare(tmp_path / "a.npz", a)[0] == 0
    code, text = run_compare(tmp_path / "a.npz", tmp_path / "b.npz")
    assert code == 1
    assert "1 spike extra (at 0.2 s)" in text


def test_compare_says_which_file_is_missing(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.dat"):
        run_compare(tmp_path / "gone.dat", tmp_path / "gone.dat")


def test_compare_draws_a_picture(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    a, b = table(tmp_path / "a.dat", 1.1), table(tmp_path / "b.dat")
    run_compare(a, b, plot=tmp_path / "pictures" / "both.png")
    assert (tmp_path / "pictures" / "both.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_of_results_of_one_name_from_two_folders_lie_side_by_side(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.xml").write_text(
        '<Lems><Simulation id="s" step="1ms" length="99ms"><OutputFile fileName="v.dat">'
        '<OutputColumn id="v" quantity="v"/></OutputFile></Simulation></Lems>'
    )
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        table(tmp_path / folder / "v.dat")

    def simulate(source, *, method, out, progress):
        table(out / "v.dat")

    peers = ["old/v.dat", "../" + tmp_path.name + "/new/v.dat"]
    run_against([tmp_path / "a.xml"], peers, plot=tmp_path / "p", refine=0, simulate=simulate)
    found = {path.name for path in (tmp_path / "p").iterdir()}
    assert found == {"a.old_v.v.dat.png", f"a.{tmp_path.name}_new_v.v.dat.png"}


@pytest.mark.parametrize(("spike", "code"), [(10, 0), (11, 1)])
def test_verify_returns_the_code_for_ci_and_writes_every_report(tmp_path, spike, code):
    (tmp_path / "LEMS_a.xml").write_text("<Lems/>")
    (tmp_path / ".test.mep").write_text(
        f"experiments: {{one: {{expected: {{spike times: [{spike}]}}}}}}\n"
    )
    (tmp_path / ".test.omt").write_text(
        "target: LEMS_a.xml\nengine: jNeuroML\nmep: .test.mep\n"
        "experiments: {one: {observables: {spike times: {file: {path: v.dat, columns: [0]}}}}}\n"
    )

    def simulate(source, *, method, out, progress):
        (out / "v.dat").write_text("10\n")

    out = [tmp_path / "out" / name for name in ("a.json", "a.xml", "a.md", "b.xml")]
    tolerance = tmp_path / ".test.omt"
    tolerance.write_text(tolerance.read_text().replace("[0]}}", "[0]}, tolerance: 0.01}"))
    found, text = run_verify([tmp_path], simulate=simulate, files=out)
    assert found == code
    assert text.splitlines()[-1].startswith("1 passed" if code == 0 else "1 failed")
    assert json.loads(out[0].read_text())["ok"] is (code == 0)
    assert ET.parse(out[1]).getroot().get("failures") == str(code)
    assert "| one | spike times |" in out[2].read_text()
    assert out[3].read_text() == out[1].read_text()


def test_against_needs_a_known_peer_or_a_file(tmp_path):
    (tmp_path / "a.xml").write_text(
        '<Lems><Simulation id="s" step="1ms"><OutputFile fileName="v.dat"/></Simulation></Lems>'
    )
    with pytest.raises(UsageError, match="no peer is called 'nest'"):
        run_against([tmp_path / "a.xml"], ["nest"])


def test_a_peer_is_known_in_any_case_and_a_near_name_is_suggested():
    assert peer_named("jNeuroML") is PEERS["jneuroml"]
    with pytest.raises(UsageError, match="did you mean 'neuron'"):
        peer_named("neurn")


def test_a_file_of_results_that_is_not_there_is_not_taken_for_a_peer():
    with pytest.raises(UsageError, match=r"no file 'results/hh_v.dat' is there"):
        peer_named("results/hh_v.dat")


@pytest.mark.parametrize(
    "module",
    ["cell_figures", "compare", "detection", "explain", "last_words", "model_files",
     "observables", "sampling", "text_table", "trains", "verify"],
)  # fmt: skip
def test_the_examples_in_the_code_hold(module):
    results = doctest.testmod(import_module(f"lemsmith.runner.validation.{module}"))
    assert results.attempted > 0
    assert results.failed == 0
