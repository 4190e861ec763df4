"""Our example models give what `*.expected.json` beside them says, on every backend."""

from __future__ import annotations

import json
import re
from pathlib import Path

import lemsmith
import numpy as np
import pytest
from lemsmith.runner.backends import BACKENDS

MODELS = Path(__file__).parents[2] / "models"
EXPECTED = sorted(MODELS.glob("*.expected.json"))

#: The order of convergence of each method that the models are run by.
METHODS = {"default": "second order", "euler": "first order", "jlems": "first order"}


def run(path, backend, method):
    try:
        return lemsmith.run(path, backend=backend, method=method)
    except (lemsmith.UsageError, lemsmith.MissingTool) as error:
        pytest.skip(str(error))


def observed(recording, expectation):
    """Return the figures that an expectation is about."""
    of = expectation["of"]
    match expectation["what"]:
        case "events":
            return recording.event_times(of)
        case "rises":
            return recording.spikes(expectation["threshold"])[of]
        case "end":
            return recording[of][-1:]
        case "rate":
            trains = [train for train in recording.events if train.path.startswith(of)]
            spikes = sum(len(train.times) for train in trains)
            return np.array([spikes / len(trains) / recording.time[-1]])
        case what:
            raise ValueError(what)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", sorted(BACKENDS))
@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.name.partition(".")[0])
def test_a_model_gives_what_it_should(path, backend, method):
    expected = json.loads(path.read_text(encoding="utf-8"))
    recording = run(path.parent / expected["model"], backend, method)
    held = 0
    for expectation in expected["expect"]:
        tolerance = expectation["tolerance"].get(METHODS[method])
        if tolerance is None:
            continue
        held += 1
        figures = observed(recording, expectation)
        assert len(figures) == len(expectation["values"]), expectation["why"]
        np.testing.assert_allclose(
            figures, expectation["values"], rtol=0, atol=tolerance, err_msg=expectation["why"]
        )
    assert held > 0


@pytest.mark.parametrize(
    "path", sorted([*MODELS.glob("*.xml"), *MODELS.glob("*.nml")]), ids=lambda path: path.name
)
def test_a_model_is_without_fault(path):
    assert lemsmith.check([path]) == ()


def test_every_model_says_what_it_should_give_and_is_explained():
    simulations = {path.name for path in MODELS.glob("*.xml")}
    assert {json.loads(path.read_text())["model"] for path in EXPECTED} == simulations
    table = (MODELS / "README.md").read_text(encoding="utf-8")
    for path in (*MODELS.glob("*.xml"), *MODELS.glob("*.nml")):
        assert f"`{path.name}`" in table
    for path in EXPECTED:
        for expectation in json.loads(path.read_text())["expect"]:
            assert len(expectation["why"]) > 20


def test_the_network_has_the_connections_it_lists():
    shown = lemsmith.show(MODELS / "LEMS_network.xml", "network")
    counts = re.findall(r"^projection .*: (\d+) connections", shown, re.MULTILINE)
    listed = (MODELS / "network.nml").read_text().count("<connectionWD ")
    assert (len(counts), sum(map(int, counts))) == (4, listed)


def test_the_hh_models_spikes_are_those_of_the_equations_of_1952():
    integrate = pytest.importorskip("scipy.integrate")
    area = np.pi * 20e-4 * 20e-4  # cm2

    def linear(rate, midpoint, scale):
        def value(v):
            x = (v - midpoint) / scale
            return rate * (x / -np.expm1(-x) if x else 1.0)

        return value

    opening = {"m": linear(1, -40, 10), "n": linear(0.1, -55, 10)}
    opening["h"] = lambda v: 0.07 * np.exp(-(v + 65) / 20)
    closing = {
        "m": lambda v: 4 * np.exp(-(v + 65) / 18),
        "h": lambda v: 1 / (1 + np.exp(-(v + 35) / 10)),
        "n": lambda v: 0.125 * np.exp(-(v + 65) / 80),
    }

    def slopes(time, state, current):
        v, m, h, n = state
        ionic = 120 * m**3 * h * (v - 50) + 36 * n**4 * (v + 77) + 0.3 * (v + 54.387)
        gates = zip("mhn", (m, h, n), strict=True)
        return [
            current / area - ionic,
            *(opening[g](v) * (1 - q) - closing[g](v) * q for g, q in gates),
        ]

    def rises(time, state, current):
        return state[0]

    rises.direction = 1
    state = [-65.0, *(opening[g](-65) / (opening[g](-65) + closing[g](-65)) for g in "mhn")]
    spikes = []
    for start, stop, microamperes in ((0, 5, 0.0), (5, 45, 0.13e-3), (45, 50, 0.0)):
        part = integrate.solve_ivp(
            slopes,
            (start, stop),
            state,
            "DOP853",
            rtol=1e-11,
            atol=1e-12,
            events=rises,
            args=(microamperes,),
        )
        state = part.y[:, -1]
        spikes.extend(part.t_events[0] * 1e-3)
    expected = json.loads((MODELS / "LEMS_hh.expected.json").read_text())["expect"]
    np.testing.assert_allclose(spikes, expected[0]["values"], atol=1e-8)
    np.testing.assert_allclose(state[0] * 1e-3, expected[1]["values"][0], atol=1e-7)
