"""The simulators that are installed here, run from the command line on our own examples.

By the method that takes a simulator's steps both sides give the same numbers: a reading of
the model that differed anywhere would show. A simulator that is not here is skipped, by name.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from lemsmith.command_line import cli
from lemsmith.runner.validation.peers import PEERS, missing_needs

MODELS = Path(__file__).parents[3] / "models"
EXAMPLES = MODELS.parents[1] / "shared" / "corpus" / "neuroml2" / "LEMSexamples"


def held(model, peer, *options):
    """Return the exit code and the report of `lemsmith verify MODEL --against PEER`."""
    lacking = missing_needs(PEERS[peer])
    if lacking:
        pytest.skip(f"not installed: {', '.join(need.name for need in lacking)}")
    if not model.is_file():
        pytest.skip(f"{model} is not there")
    words = ["verify", str(model), "--against", peer, "--json", *options]
    done = CliRunner().invoke(cli, words)
    (report,) = json.loads(done.stdout)
    return done.exit_code, report


def columns(report):
    """Return every column's comparison; that there are some is part of every test."""
    found = [column for file in report["files"] for column in file["comparison"]["columns"]]
    assert found
    return found


def trains(report):
    return [train for events in report["events"] for train in events["trains"].values()]


@pytest.mark.parametrize("name", ["LEMS_hh.xml", "LEMS_network.xml"])
def test_jneuroml_gives_the_very_numbers_that_its_steps_give_here(name):
    code, report = held(
        MODELS / name, "jneuroml", "--method", "jlems", "--length", "60ms", "--refine", "0"
    )
    assert (code, report["skipped"], report["missing"]) == (0, "", [])
    assert {column["verdict"] for column in columns(report)} == {"identical"}
    assert bool(trains(report)) == (name == "LEMS_network.xml")
    assert all(train["deviation_s"] in {0.0, None} for train in trains(report))


@pytest.mark.parametrize("name", ["LEMS_hh.xml", "iaf.xml"])
def test_neuron_gives_what_its_steps_give_here(name):
    code, report = held(
        MODELS / name, "neuron", "--method", "neuron", "--length", "40ms", "--refine", "0"
    )
    assert (code, report["skipped"], report["missing"]) == (0, "", [])
    # NEURON's text has seven digits.
    assert max(column["peak"] for column in columns(report)) < 2e-6
    assert all(train["deviation_s"] < 1e-9 for train in trains(report))


def test_the_default_method_is_told_to_be_nearer_the_solution_than_jneuroml():
    _, report = held(MODELS / "LEMS_hh.xml", "jneuroml", "--length", "20ms")
    found = [nearness for file in report["files"] for nearness in file["nearness"]]
    assert len(found) == len(columns(report))
    assert {nearness["nearer"] for nearness in found} == {"lemsmith"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("peer", "name", "peak"),
    [
        ("pylems", "LEMS_hh.xml", 1e-5),
        ("pylems", "iaf.xml", 1e-5),
        # Its script records one step late.
        ("brian2", "LEMS_hh.xml", 0.02),
    ],
)
def test_simulators_of_forward_euler_give_what_its_steps_give_here(peer, name, peak):
    _, report = held(MODELS / name, peer, "--method", "euler", "--refine", "0")
    assert report["skipped"] == ""
    assert max(column["peak"] for column in columns(report)) < peak
    assert all(c["spikes"]["count_a"] == c["spikes"]["count_b"] for c in columns(report))


@pytest.mark.slow
def test_eden_gives_what_forward_euler_gives_here_where_nothing_is_a_gate():
    _, report = held(
        EXAMPLES / "LEMS_NML2_Ex9_FN.xml", "eden", "--method", "euler", "--refine", "0"
    )
    # It computes in single precision.
    assert max(column["rms"] for column in columns(report)) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LEMS_NML2_Ex5_DetCell.xml", "LEMS_NML2_Ex1_HH.xml"])
@pytest.mark.parametrize("peer", ["jneuroml", "neuron"])
def test_a_simulator_gives_what_its_steps_give_here_on_an_official_example(peer, name):
    method = PEERS[peer].method
    code, report = held(EXAMPLES / name, peer, "--method", method, "--refine", "0")
    assert (code, report["skipped"], report["missing"]) == (0, "", [])
    assert max(column["peak"] for column in columns(report)) < 2e-6
