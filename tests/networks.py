"""Flat networks of small models, and their rates at any values: what passes must keep.

The evaluation here is written apart from the programs': derived variables by recursion, sums
over attached instances by counting.
"""

from __future__ import annotations

import numpy as np
from lemsmith.codegen.lower import schedule_of
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import Expression, names
from lemsmith.converter.flatten import flatten
from lemsmith.converter.network import Assign, Network, Population
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve
from lemsmith.errors import Faults
from lemsmith.runner.request import made
from lemsmith.runner.settings import simulation_for, start_draws

TIME = 0.0031
STEP = 1e-5


def network_of(source: str, method: str = "default") -> Network:
    """Return the network of a document, as no pass has touched it."""
    request, faults = made(source, method=method), Faults()
    model = resolve(read(source), faults)
    simulation = simulation_for(model, request, faults)
    draw = start_draws(simulation, request).next
    network = flatten(model, simulation, schedule=schedule_of(method), draw=draw, faults=faults)
    faults.raise_errors()
    return network


class Values:
    """The values of every symbol of a network, given those of its stored states."""

    def __init__(self, network: Network, states: dict[tuple[str, str], np.ndarray]) -> None:
        self.network = network
        self.states = states
        self.known: dict[tuple[str, str], np.ndarray] = {}

    def value(self, population: Population, name: str) -> np.ndarray:
        """Return the values of a symbol (instances,)."""
        key = population.name, name
        if key not in self.known:
            found = np.asarray(self.find(population, name), dtype=float)
            self.known[key] = np.broadcast_to(found, population.size)
        return self.known[key]

    def find(self, population: Population, name: str) -> object:
        if name in ("t", "dt"):
            return TIME if name == "t" else STEP
        if (population.name, name) in self.states:
            return self.states[population.name, name]
        if name in population.parameters:
            return population.parameters[name]
        if name in population.reads:
            read_from = population.reads[name]
            other = self.network.population(read_from.population)
            return self.value(other, read_from.variable)[population.indices[read_from.index]]
        assignment = next(a for a in population.assignments if a.variable == name)
        if isinstance(assignment, Assign):
            return self.of(population, assignment.value)
        add = assignment.reduce == "add"
        total = np.full(population.size, 0.0 if add else 1.0)
        for part, variable in assignment.parts:
            below = self.network.population(part)
            (np.add if add else np.multiply).at(
                total, below.indices["parent"], self.value(below, variable)
            )
        return total

    def of(self, population: Population, tree: Expression) -> np.ndarray:
        """Return the values of an expression of a population (instances,)."""
        return evaluate(tree, {name: self.value(population, name) for name in names(tree)})

    def rates(self, population: Population) -> dict[str, np.ndarray]:
        """Return the derivatives of a population's states, by state."""
        found: dict[str, np.ndarray] = {}
        for derivative in population.derivatives:
            rate = np.broadcast_to(self.of(population, derivative.value), population.size)
            if derivative.guard is not None:
                holds = self.of(population, derivative.guard)
                rate = np.where(holds, rate, found.get(derivative.state, 0.0))
            found[derivative.state] = rate
        return found


def random_states(network: Network, seed: int) -> dict[tuple[str, str], np.ndarray]:
    """Return values for every stored variable; regimes keep their first."""
    draw = np.random.default_rng(seed)
    return {
        (population.name, name): (
            draw.uniform(-0.09, 0.09, population.size)
            if variable.kind == "state"
            else np.broadcast_to(variable.initial, population.size)
        )
        for population in network.populations
        for name, variable in population.variables.items()
        if variable.kind in ("state", "regime")
    }
