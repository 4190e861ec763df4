"""Which states of what hangs on cables run half a step behind the potentials.

A gate's half step at the end of one step and its half step at the beginning of the next see the
same potentials and concentrations, and are one whole step (Hines 1984): half the exponentials.
That holds for states that are linear in themselves, follow from nothing else, and that nobody
looks at in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..converter.expressions import Expression, Name, calls, names
from ..converter.network import Collect, Population
from ..converter.passes.renaming import written_by
from .methods.structured import is_linear
from .methods.updates import Slopes

#: A symbol of a population: its name and the population's.
Symbol = tuple[str, str]


class Sources:
    """What expressions of a network's populations follow from, across populations."""

    def __init__(self, populations: Mapping[str, Population]) -> None:
        self.populations = populations
        self.found: dict[Symbol, frozenset[Symbol]] = {}

    def of(self, population: str, trees: Iterable[Expression]) -> frozenset[Symbol]:
        """Return the states, parameters and "t" (of no population) that `trees` follow from."""
        parts: set[Symbol] = set()
        for tree in trees:
            if calls(tree, "random") or calls(tree, "draw"):
                parts.add(("", "random"))
            for name in names(tree):
                parts |= self.of_symbol((population, name))
        return frozenset(parts)

    def of_symbol(self, symbol: Symbol) -> frozenset[Symbol]:
        """Return what one symbol follows from; itself where it is a state or a parameter."""
        if symbol in self.found:
            return self.found[symbol]
        name, variable = symbol
        if variable in ("t", "dt"):
            return frozenset({("", variable)})
        population = self.populations[name]
        self.found[symbol] = frozenset()
        read = population.reads.get(variable)
        assignment = next((a for a in population.assignments if a.variable == variable), None)
        if read is not None:
            found = self.of_symbol((read.population, read.variable))
        elif assignment is None:
            found = frozenset({symbol})
        elif isinstance(assignment, Collect):
            found = frozenset().union(*map(self.of_symbol, assignment.parts))
        else:
            found = self.of(name, [assignment.value])
        self.found[symbol] = found
        return found


def late_states(
    population: Population,
    slopes: Slopes,
    sources: Sources,
    looked_at: frozenset[Symbol],
    is_pool: Callable[[Population], bool],
) -> tuple[str, ...]:
    """Return the states of a population on a cable that may run half a step behind."""
    written = written_in(population)
    rates = [d.state for d in population.derivatives]

    def steady(symbol: Symbol, state: str) -> bool:
        """Tell whether nothing but potentials, pools and the state itself moves `symbol`."""
        name, variable = symbol
        if name == "":
            return variable == "dt"
        if symbol == (population.name, state):
            return True
        of = sources.populations[name]
        if of.cable is not None and variable == of.cable.state:
            return True
        moves = variable in {d.state for d in of.derivatives} | flowing(of)
        return is_pool(of) if moves else variable not in written_in(of)

    return tuple(
        d.state
        for d in population.derivatives
        if d.guard is None
        and rates.count(d.state) == 1
        and d.state not in written
        and (population.name, d.state) not in looked_at
        and is_linear(population, slopes, d.state)
        and all(steady(symbol, d.state) for symbol in sources.of(population.name, [d.value]))
    )


def written_in(population: Population) -> set[str]:
    """Return what the handlers and conditions of a population write."""
    found: set[str] = set()
    for body in population.handlers.values():
        found |= written_by(body)
    for condition in population.conditions:
        found |= written_by(condition.body)
    return found


def flowing(population: Population) -> set[str]:
    """Return the states of a population's kinetic schemes."""
    return {state for flow in population.flows for state in flow.states}


def seen_by_rates(population: Population, sources: Sources) -> frozenset[Symbol]:
    """Return what the rates of a population follow from, each state's own rate apart."""
    found: set[Symbol] = set()
    for d in population.derivatives:
        trees = [d.value] if d.guard is None else [d.value, d.guard]
        found |= sources.of(population.name, trees) - {(population.name, d.state)}
    for flow in population.flows:
        rates = [Name(rate) for _, _, f, r in flow.edges for rate in (f, r)]
        found |= sources.of(population.name, rates)
    return frozenset(found)
