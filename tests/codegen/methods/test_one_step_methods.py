"""Methods of one step: exact where they claim to be, of their order elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lemsmith.codegen.body import Body
from lemsmith.codegen.methods.euler import euler
from lemsmith.codegen.methods.exact import exact, linear_system, propagator
from lemsmith.codegen.methods.exponential import exponential_euler, over_slope
from lemsmith.codegen.methods.runge_kutta import TABLEAUS
from lemsmith.codegen.methods.structured import layers_of, staggered, structured
from lemsmith.codegen.methods.updates import slope
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import parse, show
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from straight_line import execute, population

#: A membrane with a gate, as in the equations of 1952, smooth and stiff enough.
CELL = population(
    rates={"v": "(i - g * m^3 * (v - e) - v) / tau", "m": "(inf - m) / taum"},
    derived={"inf": "1 / (1 + exp(-v))", "taum": "0.4 + 0.1 * v^2"},
    parameters={"i": 1.5, "g": 2.0, "e": 3.0, "tau": 0.7},
)
START = {"v": -0.5, "m": 0.2}

#: How two gates open with the potential.
GATES = {"m": "-", "h": ""}


def stepped(given, groups, dt, steps, start):
    """Return the states after some steps."""
    values = {"dt": dt, "t": 0.0, **given.parameters, **start}
    body = Body(given)
    for group in groups:
        body.step(group)
    body.store()
    for _ in range(steps):
        execute(body.statements, values)
    return {name: values[name] for name in start}


def solution(given, end, start):
    """Return the states at `end` as an adaptive method of high order finds them."""
    names = list(start)

    def rates(_, state):
        values = {"t": 0.0, **given.parameters, **dict(zip(names, state, strict=True))}
        body = Body(given)
        found = [body.bound(d.value) for d in given.derivatives]
        execute(body.statements, values)
        from_values = [execute_value(tree, values) for tree in found]
        order = [d.state for d in given.derivatives]
        return [from_values[order.index(name)] for name in names]

    done = solve_ivp(rates, (0, end), list(start.values()), rtol=1e-11, atol=1e-12, method="DOP853")
    return dict(zip(names, done.y[:, -1].tolist(), strict=True))


def execute_value(tree, values):
    return float(evaluate(tree, values))


def order_of(method, given=CELL, start=START, end=2.0):
    """Return the order of convergence between 40 and 80 steps."""
    true = solution(given, end, start)
    errors = []
    for steps in (40, 80):
        found = stepped(given, method(given, {}), end / steps, steps, start)
        errors.append(max(abs(found[name] - true[name]) for name in start))
    return math.log2(errors[0] / errors[1])


@pytest.mark.parametrize(("method", "order"), [(euler, 1), (exponential_euler, 1), (structured, 2)])
def test_a_method_converges_at_its_order(method, order):
    assert order_of(method) == pytest.approx(order, abs=0.2)


def test_half_a_step_apart_is_the_same_splitting():
    layers = layers_of(CELL, {})
    first, second = staggered(CELL, {}, layers), structured(CELL, {})
    assert len(first) == len(second) - 1
    # Half a step of the outermost layer opens and closes what the other does whole.
    opening = second[0]
    whole = stepped(CELL, second * 1, 0.1, 1, START)
    apart = stepped(CELL, (opening,), 0.1, 1, START)
    apart = stepped(CELL, first[1:], 0.1, 1, apart)
    apart = stepped(CELL, (opening,), 0.1, 1, apart)
    assert apart == pytest.approx(whole)


def test_euler_takes_the_derivative_times_the_step():
    found = stepped(population(rates={"x": "x * y", "y": "1 - x"}), (), 0.1, 1, {"x": 3.0})
    assert found == {"x": 3.0}
    given = population(rates={"x": "x * y", "y": "1 - x"})
    found = stepped(given, euler(given, {}), 0.1, 1, {"x": 3.0, "y": 2.0})
    assert found == pytest.approx({"x": 3.6, "y": 1.8})


def test_a_method_of_nothing_has_no_groups():
    assert euler(population(), {}) == ()
    assert exponential_euler(population(), {}) == ()
    assert structured(population(), {}) == ()


@pytest.mark.parametrize("method", [exponential_euler, structured])
@pytest.mark.parametrize("dt", [0.01, 1.0, 50.0])
@pytest.mark.parametrize(
    "text", ["(inf - x) / tau", "-(x - inf) / tau", "a * (1 - x) - b * x", "inf - 3 * x", "inf"]
)
def test_a_linear_state_is_exact_whatever_the_step(method, dt, text):
    given = population(rates={"x": text}, parameters={"inf": 0.8, "tau": 0.5, "a": 2.0, "b": 0.7})
    found = stepped(given, method(given, {}), dt, 1, {"x": 0.1})["x"]
    values = given.parameters
    rate_at = [execute_value(parse(text), {**values, "x": x}) for x in (0.0, 1.0)]
    k = rate_at[1] - rate_at[0]
    if k == 0:
        expected = 0.1 + dt * rate_at[0]
    else:
        rest = -rate_at[0] / k
        expected = rest + (0.1 - rest) * math.exp(k * dt)
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_nonlinear_state_goes_as_euler_says_under_exponential_euler():
    given = population(rates={"x": "0 - x^2"})
    found = stepped(given, exponential_euler(given, {}), 0.1, 1, {"x": 2.0})["x"]
    assert found == pytest.approx(2.0 - 0.1 * 4.0)


def test_a_distance_to_rest_is_found_without_dividing():
    given = population(rates={"x": "(inf - x) / tau"}, parameters={"inf": 1.0, "tau": 2.0})
    rate = given.derivatives[0].value
    found = over_slope(given, rate, slope(given, rate, "x", {}))
    assert show(found) in ("-(inf - x)", "x - inf")


def test_the_membrane_is_advanced_between_half_steps_of_what_it_moves():
    gates = {name: f"(1 / (1 + exp({sign}v)) - {name}) / (1 + v^2)" for name, sign in GATES.items()}
    given = population(rates={"v": "i - m^3 * h * v", **gates}, parameters={"i": 1.5})
    states = [{u.state for u in group} for group in structured(given, {})]
    assert states == [{"h", "m"}, {"v"}, {"h", "m"}]


@pytest.mark.parametrize("name", TABLEAUS)
def test_a_tableau_meets_the_conditions_of_its_order(name):
    tableau = TABLEAUS[name]
    stages = len(tableau.weights)
    a = np.zeros((stages, stages))
    for i, row in enumerate(tableau.rows):
        a[i, : len(row)] = row
    b, c = np.array(tableau.weights), np.array(tableau.offsets)
    np.testing.assert_allclose(a.sum(axis=1), c)
    conditions = {
        1: [(b.sum(), 1)],
        2: [(b @ c, 1 / 2)],
        3: [(b @ c**2, 1 / 3), (b @ a @ c, 1 / 6)],
        4: [
            (b @ c**3, 1 / 4),
            (b @ (c * (a @ c)), 1 / 8),
            (b @ a @ c**2, 1 / 12),
            (b @ a @ a @ c, 1 / 24),
        ],
    }
    for order in range(1, tableau.order + 1):
        for found, expected in conditions[order]:
            assert found == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("step", [1e-3, 0.7, 20.0])
def test_a_propagator_is_the_integral_of_the_exponential(seed, step):
    draw = np.random.default_rng(seed)
    a = draw.normal(size=(4, 4)) - 3 * np.eye(4)
    whole = np.zeros((8, 8))
    whole[:4, :4], whole[:4, 4:] = a * step, np.eye(4)
    expected = expm(whole)[:4, 4:] * step
    found = propagator(a[None], step)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * abs(expected).max())


CHAIN = population(
    rates={"v": "(i + s - v) / tau", "s": "x - s / t1", "x": "0 - x / t2"},
    parameters={"i": 0.4, "tau": 2.0, "t1": 0.5, "t2": 0.3},
)


@pytest.mark.parametrize("dt", [0.01, 1.0, 10.0])
def test_a_linear_system_is_exact_whatever_the_step(dt):
    start = {"v": -1.0, "s": 0.3, "x": 2.0}
    made = exact(CHAIN, {}, dt, whole=True)
    for groups in (made.groups, made.partial):
        found = stepped(made.population, groups, dt, 1, start)
        assert found == pytest.approx(solution(CHAIN, dt, start), rel=1e-8, abs=1e-9)


def test_a_part_of_an_exact_step_may_be_of_any_length():
    start = {"v": -1.0, "s": 0.3, "x": 2.0}
    made = exact(CHAIN, {}, 1.0, whole=True)
    found = stepped(made.population, made.partial, 0.37, 1, start)
    assert found == pytest.approx(solution(CHAIN, 0.37, start), rel=1e-8, abs=1e-9)


def test_a_nonlinear_population_has_no_exact_step_of_the_whole():
    assert exact(CELL, {}, 0.1, whole=True) is None


def test_the_linear_states_of_a_population_are_found():
    assert set(linear_system(CHAIN, {})) == {"v", "s", "x"}
    assert set(linear_system(CELL, {})) == set()
