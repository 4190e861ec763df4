"""One state for all synapses of a kind on a cell is the sum of their states."""

from __future__ import annotations

import numpy as np
import pytest
from lemsmith.converter.network import Collect
from lemsmith.converter.passes.lump_synapses import lump_synapses
from networks import Values, network_of, random_states
from small_models import CELLS, NETWORKS, SIZE, connections, document

LINEAR = {name: NETWORKS[name] for name in ("events at once", "events later", "equal delays")}


def synapses(network):
    """Return the populations that hang below cells, by component."""
    return {
        p.component: p
        for p in network.populations
        if p.parent == "pop" and p.component in ("fast", "slow")
    }


def summed_states(before, after, states):
    """Return `states` with those of synapses added up per cell, for the lumped network."""
    found = dict(states)
    for component, part in synapses(before).items():
        lumped = synapses(after)[component]
        for derivative in part.derivatives:
            found[lumped.name, derivative.state] = np.bincount(
                part.indices["parent"], states[part.name, derivative.state], SIZE
            )
    return found


@pytest.mark.parametrize("name", LINEAR)
def test_a_cell_keeps_one_instance_of_each_kind(name):
    before, after = network_of(LINEAR[name]), lump_synapses(network_of(LINEAR[name]))
    assert all(part.size > SIZE for part in synapses(before).values())
    assert [part.size for part in synapses(after).values()] == [SIZE, SIZE]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", LINEAR)
def test_a_sums_rate_is_the_sum_of_rates(name, seed):
    before = network_of(LINEAR[name])
    after = lump_synapses(before)
    states = random_states(before, seed)
    whole, lumped = Values(before, states), Values(after, summed_states(before, after, states))
    for component, part in synapses(before).items():
        found = lumped.rates(synapses(after)[component])
        for state, rate in whole.rates(part).items():
            wanted = np.bincount(part.indices["parent"], rate, SIZE)
            np.testing.assert_allclose(found[state], wanted, rtol=1e-9, err_msg=state)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", LINEAR)
def test_a_cell_feels_the_same_current(name, seed):
    before = network_of(LINEAR[name])
    after = lump_synapses(before)
    states = random_states(before, seed)
    wanted = Values(before, states).rates(before.population("pop"))
    found = Values(after, summed_states(before, after, states)).rates(after.population("pop"))
    for state, rate in wanted.items():
        np.testing.assert_allclose(found[state], rate, rtol=1e-9, err_msg=state)


def jumps(network, component, weights_of):
    """Return what one event over every connection adds to each cell's synapses of a kind."""
    part = synapses(network)[component]
    total = np.zeros(SIZE)
    for projection in network.projections:
        if projection.target == part.name:
            weight = weights_of(part, projection)
            parent = part.indices["parent"][projection.target_index]
            np.add.at(total, parent, weight)
    return total


def test_a_weight_goes_along_with_its_connection():
    before = network_of(LINEAR["events later"])
    after = lump_synapses(before)
    for component in ("fast", "slow"):
        assert np.ndim(synapses(before)[component].parameters["weight"])
        wanted = jumps(before, component, lambda p, c: p.parameters["weight"][c.target_index])
        found = jumps(after, component, lambda _, c: c.values["weight"])
        np.testing.assert_allclose(found, wanted)


def test_a_recorded_synapse_keeps_its_own_state():
    text = document(
        CELLS.format(amplitude="0.5nA")
        + f'<network id="net"><population id="pop" component="iaf" size="{SIZE}"/>'
        + connections({0: "1ms"})
        + "</network>",
        ["pop[3]/v", "pop[3]/synapses:fast:0/g"],
    )
    before = network_of(text)
    after = synapses(lump_synapses(before))
    assert after["fast"].size == synapses(before)["fast"].size
    assert after["slow"].size == SIZE


def test_gap_junctions_stay_apart():
    before = network_of(NETWORKS["gap junctions"])
    after = lump_synapses(before)
    assert [p.size for p in after.populations] == [p.size for p in before.populations]


def test_a_network_without_synapses_is_handed_back():
    network = network_of(NETWORKS["conditions"])
    assert lump_synapses(network) is network


def test_no_sum_names_a_population_that_is_gone():
    after = lump_synapses(network_of(LINEAR["events at once"]))
    known = {p.name for p in after.populations}
    for population in after.populations:
        for assignment in population.assignments:
            if isinstance(assignment, Collect):
                assert {name for name, _ in assignment.parts} <= known
