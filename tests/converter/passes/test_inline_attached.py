"""What is attached one to one becomes part of what it is attached to, with the same rates."""

from __future__ import annotations

import numpy as np
import pytest
from lemsmith.converter.network import Collect
from lemsmith.converter.passes.inline_attached import inline_attached
from lemsmith.converter.passes.lump_synapses import lump_synapses
from networks import Values, network_of, random_states
from small_models import CELLS, NETWORKS, SIZE, document

LUMPED = ("events at once", "events later", "generators")

#: Every cell has a current of its own; cell n is attached to last but n.
BACKWARDS = document(
    CELLS.format(amplitude="0.5nA")
    + f'<network id="net"><population id="pop" component="iaf" size="{SIZE}"/>'
    + "".join(f'<explicitInput target="pop[{n}]" input="pulse"/>' for n in reversed(range(SIZE)))
    + "</network>",
    [f"pop[{n}]/v" for n in range(SIZE)] + ["pop[3]/pulse/i"],
)


def pairs(before, after):
    """Return ((population, state) before, (population, state) after, place) of every state.

    `place` says where an instance went. States are known by what they were called: the
    merged one's name ends in the old one.
    """
    gone = {p.name for p in before.populations} - {p.name for p in after.populations}
    found = []
    for population in before.populations:
        kept, place, prefix = population, np.arange(population.size), ""
        while kept.name in gone:
            place = kept.indices["parent"][place]
            prefix = f"{kept.component}_{prefix}"
            kept = before.population(kept.parent)
        for name, variable in population.variables.items():
            if variable.kind in ("state", "regime"):
                found.append(((population.name, name), (kept.name, prefix + name), place))
    return found


def moved(before, after, states):
    found = {}
    for old, new, place in pairs(before, after):
        found[new] = np.empty(len(place))
        found[new][place] = states[old]
    return {**states, **found}


@pytest.mark.parametrize("name", LUMPED)
def test_lumped_synapses_become_part_of_their_cells(name):
    before = lump_synapses(network_of(NETWORKS[name]))
    after = inline_attached(before)
    assert len(after.populations) < len(before.populations)
    assert not any(p.parent == "pop" and p.size == SIZE for p in after.populations)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", LUMPED)
def test_every_state_keeps_its_rate(name, seed):
    before = lump_synapses(network_of(NETWORKS[name]))
    after = inline_attached(before)
    states = random_states(before, seed)
    old, new = Values(before, states), Values(after, moved(before, after, states))
    for (population, state), (kept, name_now), place in pairs(before, after):
        wanted = old.rates(before.population(population)).get(state)
        if wanted is None:
            continue
        found = new.rates(after.population(kept))[name_now]
        np.testing.assert_allclose(found[place], wanted, rtol=1e-9, err_msg=state)


def test_instances_in_another_order_find_their_own_cell():
    before = network_of(BACKWARDS)
    after = inline_attached(before)
    states = random_states(before, seed=4)
    wanted = Values(before, states).rates(before.population("pop"))
    found = Values(after, moved(before, after, states)).rates(after.population("pop"))
    for state, rate in wanted.items():
        np.testing.assert_allclose(found[state], rate, rtol=1e-12, err_msg=state)


def test_a_record_follows_its_instance():
    before = network_of(BACKWARDS)
    after = inline_attached(before)
    old, new = before.records[-1], after.records[-1]
    assert (new.name, new.path) == (old.name, old.path)
    assert new.population == "pop"
    assert new.instance == 3
    assert new.variable in after.population("pop").variables


def test_what_is_not_one_to_one_stays():
    before = network_of(NETWORKS["events at once"])
    after = {p.name: p.size for p in inline_attached(before).populations}
    for population in before.populations:
        if population.component in ("fast", "slow"):
            assert after[population.name] == population.size


def test_no_sum_names_a_population_that_is_gone():
    after = inline_attached(lump_synapses(network_of(NETWORKS["events at once"])))
    known = {p.name for p in after.populations}
    for population in after.populations:
        assert all(read.population in known for read in population.reads.values())
        for assignment in population.assignments:
            if isinstance(assignment, Collect):
                assert {name for name, _ in assignment.parts} <= known


def test_a_network_with_nothing_attached_is_handed_back():
    network = network_of(NETWORKS["conditions"])
    assert inline_attached(network) is network
