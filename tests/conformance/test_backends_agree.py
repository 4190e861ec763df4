"""The backends follow the reference's order of steps alike: step by step and run by run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import corpus
import numpy as np
import pytest
import small_models
from lemsmith.codegen.emit_numpy_steps import BATCH, emit_numpy_steps
from lemsmith.runner.backends import start_cpp
from lemsmith.runner.numpy_run import NumpyRun
from lemsmith.runner.pipeline import translate
from lemsmith.runner.plan import Plan
from lemsmith.runner.recording import crossings
from lemsmith.runner.request import Request, made
from lemsmith.runner.simulate import times
from usable import unusable

EXAMPLES = (
    "LEMS_NML2_Ex0_IaF.xml",
    "LEMS_NML2_Ex1_HH.xml",
    "LEMS_NML2_Ex3_Net.xml",
    "LEMS_NML2_Ex5_DetCell.xml",
    "LEMS_NML2_Ex9_FN.xml",
)
STATES = 100
TOLERANCE = 1e-12

#: From how many instances on the Python text works on arrays: always, as it does, never.
BATCHES = {"arrays": 1, "as it is": BATCH, "plain floats": 10**9}

needs_compiler = pytest.mark.skipif(unusable("cpp") is not None, reason=str(unusable("cpp")))
pytestmark = needs_compiler
examples = pytest.mark.parametrize("name", EXAMPLES)
networks = pytest.mark.parametrize("name", small_models.NETWORKS)
batches = pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)


@dataclass(frozen=True)
class Model:
    """A translated model, ready to run on both."""

    request: Request
    plan: Plan

    def cpp(self):
        return start_cpp(self.plan, self.request)

    def python(self, batch):
        text, names = emit_numpy_steps(self.plan.program, self.request.name, batch)
        return NumpyRun(self.plan.program, text, names, self.plan.random_state)

    @property
    def steps(self):
        return self.plan.program.steps


@cache
def model_of(source):
    request = made(source, method="jlems", backend="cpp")
    plan, _ = translate(request)
    return Model(request, plan)


def example(name):
    path = corpus.EXAMPLES / name
    if not path.is_file():
        pytest.skip(f"the shared corpus has no {path}")
    return model_of(path)


def network(name):
    return model_of(small_models.NETWORKS[name])


def rows_of(model, steps):
    return np.empty((steps, len(model.plan.program.columns)))


def values_of(run):
    return {key: values.copy() for key, values in run.variables.items()}


@cache
def states_along(model):
    """Return `STATES` (values, time) of a run of C++, and the range of each variable."""
    run = model.cpp()
    chunk = max(1, model.steps // STATES)
    states = []
    for _ in range(STATES):
        run.advance(chunk, rows_of(model, chunk))
        states.append((values_of(run), run.time))
    ranges = {key: np.ptp([values[key] for values, _ in states]) for key in run.variables}
    return states, ranges


def perturbed(states, ranges):
    """Yield the states with what varies moved by up to a twentieth of its range."""
    generator = np.random.default_rng(5)
    smooth = {key for key in ranges if len({v for values, _ in states for v in values[key]}) > 8}
    for values, time in states:
        yield (
            {
                key: value + 0.05 * ranges[key] * generator.uniform(-1, 1, value.shape)
                if key in smooth
                else value
                for key, value in values.items()
            },
            time,
        )


def assert_steps_agree(model, batch):
    states, ranges = states_along(model)
    python, cpp = model.python(batch), model.cpp()
    rows = rows_of(model, 1)
    for values, time in perturbed(states, ranges):
        for run in (python, cpp):
            run.place(values, time)
            assert run.advance(1, rows) == 1
        assert python.time == cpp.time
        for key, expected in cpp.variables.items():
            scale = max(ranges[key], np.abs(expected).max(initial=0.0))
            difference = np.abs(python.variables[key] - expected).max(initial=0.0)
            assert difference <= TOLERANCE * scale, key


def assert_runs_agree(model, batch, steps, tolerance):
    python, cpp = model.python(batch), model.cpp()
    ours, theirs = rows_of(model, steps), rows_of(model, steps)
    np.testing.assert_array_equal(python.initial_row(), cpp.initial_row())
    assert python.advance(steps, ours) == cpp.advance(steps, theirs) == steps
    scale = np.maximum(np.ptp(theirs, axis=0), np.abs(theirs).max(axis=0))
    assert (np.abs(ours - theirs) <= tolerance * scale).all()
    assert python.events() == cpp.events()
    return theirs, cpp.events()


@examples
@pytest.mark.parametrize("batch", [1, BATCH], ids=["arrays", "as it is"])
def test_one_step_from_the_same_state_agrees(name, batch):
    assert_steps_agree(example(name), batch)


@networks
@batches
def test_one_step_of_a_network_agrees(name, batch):
    if name == "generators":
        # Python's and C++'s generators go on from where the states were taken.
        pytest.skip("its draws are compared over the whole run")
    assert_steps_agree(network(name), batch)


@examples
def test_whole_runs_spike_alike(name):
    model = example(name)
    python, cpp = model.python(BATCH), model.cpp()
    ours, theirs = rows_of(model, model.steps), rows_of(model, model.steps)
    python.advance(model.steps, ours)
    cpp.advance(model.steps, theirs)
    step = model.plan.program.step
    time = times(step, model.steps)
    spikes = 0
    for column, trace, other in zip(model.plan.program.columns, ours.T, theirs.T, strict=True):
        middle = (other.min() + other.max()) / 2
        expected = crossings(time, other, middle)
        found = crossings(time, trace, middle)
        assert len(found) == len(expected), column.path
        assert np.all(np.abs(found - expected) <= step), column.path
        spikes += len(expected)
    assert spikes > 0
    for found, expected in zip(python.events(), cpp.events(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=step)


@networks
@batches
def test_whole_runs_of_networks_agree(name, batch):
    model = network(name)
    rows, events = assert_runs_agree(model, batch, min(model.steps, 400), 1e-9)
    assert np.ptp(rows, axis=0).max() > 0
    assert name == "kinetic schemes" or sum(map(len, events)) > 0


def test_events_that_arrive_later_let_a_population_advance_at_once():
    program = network("events later").plan.program
    assert "def advance_all_" in emit_numpy_steps(program, "m")[0]


def test_events_that_arrive_at_once_make_it_go_one_by_one():
    program = network("events at once").plan.program
    assert "def advance_all_" not in emit_numpy_steps(program, "m", 1)[0]


def test_neighbours_that_read_one_another_go_one_by_one():
    program = network("gap junctions").plan.program
    assert "def advance_all_" not in emit_numpy_steps(program, "m", 1)[0]
