"""Programs of phases: what they hold together, and the order of a step."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from lemsmith.codegen.lower_phases import NEXT, ONE_STAGE, lower_phases
from lemsmith.codegen.methods.runge_kutta import TABLEAUS
from lemsmith.codegen.program import Flag, Propagate, Pull
from lemsmith.converter.expressions import names
from lemsmith.converter.network import Assign, Collect, Flow
from lemsmith.converter.optimise import optimise
from networks import network_of
from small_models import NETWORKS

METHODS = (*ONE_STAGE, *TABLEAUS)
EVERY = [(name, method) for name in NETWORKS for method in METHODS]


@cache
def program_of(name, method="default"):
    return lower_phases(optimise(network_of(NETWORKS[name])), method)


def uses(statement):
    """Return what a statement reads."""
    match statement:
        case Assign(_, value):
            return names(value)
        case Flag(_, condition):
            return names(condition)
        case Propagate(states, matrix, rates, _):
            trees = [*(tree for _, _, tree in matrix), *rates]
            return {*states, *(n for tree in trees for n in names(tree))}
        case Flow(states, edges):
            return {*states, *(rate for edge in edges for rate in edge[2:])}
        case _:
            return set()


def makes(statement):
    match statement:
        case Assign(variable, _) | Collect(variable, _, _) | Pull(variable, _, _):
            return {variable}
        case _:
            return set()


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_every_name_in_a_function_is_stored_or_made_before(name, method):
    program = program_of(name, method)
    for function in program.functions:
        layout = program.layout(function.population)
        known = {"t", "dt", *layout.variables, *layout.parameters, *layout.reads}
        known |= {*function.arguments, *function.states, *layout.published}
        for statement in function.body:
            assert uses(statement) <= known, f"{function.name}: {statement}"
            known |= makes(statement)
        for tree in function.results:
            assert names(tree) <= known, function.name


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_every_local_is_told(name, method):
    program = program_of(name, method)
    for function in program.functions:
        layout = program.layout(function.population)
        stored = {*layout.variables, *layout.published}
        made = set().union(*map(makes, function.body))
        assert made <= stored | set(function.locals), function.name


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_every_kernel_of_a_step_exists(name, method):
    program = program_of(name, method)
    known = {function.name for function in program.functions}
    for phase in (*program.start, *program.phases):
        if phase.kind == "kernel":
            assert phase.name in known
    assert len(known) == len(program.functions)


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_time_goes_on_before_events_arrive(name, method):
    kinds = [phase.kind for phase in program_of(name, method).phases]
    assert kinds.count("tick") == 1
    assert kinds.index("tick") < kinds.index("deliver")
    assert kinds[-1] == "record"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_the_same_program_every_time(name):
    first, second = program_of.__wrapped__(name), program_of(name)
    assert [f.name for f in first.functions] == [f.name for f in second.functions]
    assert first.functions == second.functions
    assert first.phases == second.phases


def test_a_delay_is_a_whole_number_of_steps():
    program = program_of("events later")
    between_cells = [d for d in program.deliveries if d.source == d.target == "pop"]
    found = {step for d in between_cells for step in np.unique(d.delay_steps)}
    # 0.35, 1.2 and 2 ms in steps of 0.1 ms.
    assert found in ({3, 12, 20}, {4, 12, 20})


def test_events_of_a_delivery_are_sorted_by_source():
    for delivery in program_of("equal delays").deliveries:
        source = program_of("equal delays").layout(delivery.source)
        assert delivery.starts.size == source.size + 1
        assert (np.diff(delivery.starts) >= 0).all()
        assert delivery.starts[-1] == delivery.targets.size


def test_neighbours_that_read_each_other_get_a_second_copy():
    program = program_of("gap junctions", "euler")
    moves = [phase.move for phase in program.phases if phase.kind == "move"]
    assert any(pair == ("v", "v" + NEXT) for move in moves for pair in move.pairs)


def test_cells_that_nobody_reads_are_advanced_in_place():
    assert not any(phase.kind == "move" for phase in program_of("conditions", "euler").phases)


def test_conditions_are_located_under_the_default_method_alone():
    def kinds(method):
        return {phase.kind for phase in program_of("events later", method).phases}

    assert "locate" in kinds("default")
    assert "locate" not in kinds("euler")
    assert "locate" not in kinds("rk4")


@pytest.mark.parametrize("method", TABLEAUS)
def test_a_tableau_takes_a_kernel_of_rates_for_each_of_its_stages(method):
    program = program_of("conditions", method)
    rates = [f.name for f in program.functions if f.name.startswith("rates ")]
    assert len(rates) == len(TABLEAUS[method].weights)


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_the_step_is_a_number_in_kernels(name, method):
    program = program_of(name, method)
    for function in (f for f in program.functions if f.kind == "kernel"):
        for statement in function.body:
            if isinstance(statement, (Assign, Flag)):
                assert "dt" not in uses(statement), f"{function.name}: {statement}"


def test_connections_to_a_handler_that_does_nothing_are_dropped():
    network = optimise(network_of(NETWORKS["kinetic schemes"]))
    # A cell's spike reaches the pulse generator that drives it, which does not listen.
    assert network.projections
    assert lower_phases(network, "default").deliveries == ()
