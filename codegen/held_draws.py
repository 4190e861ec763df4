"""Random draws in equations: drawn once per step, and held while it lasts.

`random()` in a derived variable or a derivative is noise that is piecewise constant: each
occurrence in each instance has one value per step, whatever the method evaluates and however
often, so that every stage of a step, every reader and the record see the same number. (The
reference interpreter draws at each evaluation, which comes to the same for its Euler steps.)
`random()` in a condition's test or in an assignment draws where it is done, as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..converter.expressions import Binary, Call, Expression, Name, calls, rewrite
from ..converter.network import Assign, Collect, Network, Population, Variable
from .random_numbers import uniform

#: What the names of held draws end in, before their number.
DRAW = "__draw"

#: The counter of the first initial draw of an instance; those of the run count from 0.
AT_START = 1 << 63


def is_draw(name: str) -> bool:
    """Tell whether a name is that of a held draw.

    >>> is_draw("rate__draw1"), is_draw("rate")
    (True, False)
    """
    return name.rpartition(DRAW)[2].isdigit() and DRAW in name


def hold_draws(network: Network) -> Network:
    """Return `network` with every draw in an equation as a stored variable.

    Its initial value is drawn from the population's own stream; `held_draws` lists what is
    to be drawn anew at the beginning of each step.
    """
    populations = tuple(
        _held(population, number, network.settings.seed)
        for number, population in enumerate(network.populations)
    )
    if all(a is b for a, b in zip(populations, network.populations, strict=True)):
        return network
    return replace(network, populations=populations)


def held_draws(population: Population) -> tuple[str, ...]:
    """Return the names of the held draws of a population, in the order they are drawn in."""
    return tuple(name for name in population.variables if is_draw(name))


def _held(population: Population, number: int, seed: int) -> Population:
    """Return the population number `number` with its draws held."""
    if not any(calls(tree, "random") for tree in _equations(population)):
        return population
    variables = dict(population.variables)
    instances = np.arange(population.size, dtype=np.uint64)
    streams = np.uint64(number << 40) + instances

    def held(owner: str, tree: Expression) -> Expression:
        def rule(node: Expression) -> Expression:
            if not (isinstance(node, Call) and node.function == "random"):
                return node
            drawn = sum(map(is_draw, variables))
            name = f"{owner}{DRAW}{drawn}"
            first = uniform(seed, streams, AT_START + drawn)
            variables[name] = Variable(name, "state", None, f"random() in {owner}", first)
            return Binary("*", node.arguments[0], Name(name))

        return rewrite(tree, rule)

    assignments: list[Assign | Collect] = [
        replace(a, value=held(a.variable, a.value)) if isinstance(a, Assign) else a
        for a in population.assignments
    ]
    derivatives = [
        replace(d, value=held(d.state, d.value), guard=d.guard and held(d.state, d.guard))
        for d in population.derivatives
    ]
    return replace(
        population,
        variables=variables,
        assignments=tuple(assignments),
        derivatives=tuple(derivatives),
    )


def _equations(population: Population) -> Iterator[Expression]:
    """Yield every expression that a method evaluates as often as it likes."""
    yield from (a.value for a in population.assignments if isinstance(a, Assign))
    for derivative in population.derivatives:
        yield derivative.value
        if derivative.guard is not None:
            yield derivative.guard
