"""The default method: a symmetric splitting found from the structure of the equations.

Every state is advanced by its own exponential step, exact where it is linear. States that
depend on no other slowly advanced state but the membrane's are advanced by half a step before
and half a step after the rest (Strang 1968), which makes the whole of second order for the
Hodgkin-Huxley equations and their like, at the cost of exponential Euler.
"""

from __future__ import annotations

from ...converter.expressions import Binary, Choose, Expression, Name, Number
from ...converter.network import Derivative, Population
from ...converter.simplify import simplify
from .exponential import exponential_step
from .updates import DT, Groups, Slopes, Update, closure, slope

HALF_DT = simplify(Binary("*", Number(0.5), DT))
EARLIER = simplify(Binary("*", Number(-0.5), DT))

#: Exponents of backward steps stay below this; a forward step of twice the length undoes them.
LARGEST = 300.0


def structured(population: Population, slopes: Slopes) -> Groups:
    """Return half steps of the outer states, whole steps of the inner, half steps again."""
    layers = layers_of(population, slopes)
    if not layers:
        return ()
    *outer, inner = layers
    before = tuple(group_of(population, layer, slopes, HALF_DT) for layer in outer)
    middle = group_of(population, inner, slopes, DT)
    after = tuple(group_of(population, layer, slopes, HALF_DT) for layer in reversed(outer))
    return (*before, middle, *after)


def staggered(
    population: Population, slopes: Slopes, layers: tuple[tuple[str, ...], ...]
) -> Groups:
    """Return the same splitting with the outermost layer half a step behind the others.

    That layer's half steps of two neighbouring steps see the same values and are one.
    """
    first, *outer = layers[:-1]
    before = tuple(group_of(population, layer, slopes, HALF_DT) for layer in outer)
    after = tuple(group_of(population, layer, slopes, HALF_DT) for layer in reversed(outer))
    opening = group_of(population, first, slopes, DT)
    middle = group_of(population, layers[-1], slopes, DT)
    return (opening, *before, middle, *after)


def late_steps(
    population: Population, slopes: Slopes, layer: tuple[str, ...]
) -> dict[str, Expression]:
    """Return how each state of the outermost layer gets half a step on."""
    return _in_place(group_of(population, layer, slopes, HALF_DT))


def early_steps(
    population: Population, slopes: Slopes, layer: tuple[str, ...]
) -> dict[str, Expression]:
    """Return how each state of the outermost layer gets from the start to half a step before.

    A state that forgets its value within a step may be anything there: its exponent is held
    below what overflows.
    """
    return _in_place(group_of(population, layer, slopes, EARLIER, largest=LARGEST))


def _in_place(updates: tuple[Update, ...]) -> dict[str, Expression]:
    found: dict[str, Expression] = {}
    for update in updates:
        value = update.value
        if update.guard is not None:
            value = Choose(update.guard, value, found.get(update.state, Name(update.state)))
        found[update.state] = value
    return found


def layers_of(population: Population, slopes: Slopes) -> tuple[tuple[str, ...], ...]:
    """Return the states in layers: within a layer none depends on another.

    The last layer holds the states that most others depend on (the membrane potential);
    the earlier ones are split off around it.
    """
    rates: dict[str, list[Expression]] = {}
    for rate in population.derivatives:
        rates.setdefault(rate.state, []).append(rate.value)
    uses = {
        state: frozenset().union(*(closure(population, value) for value in values)) & rates.keys()
        for state, values in rates.items()
    }
    users = {state: sum(state in used for used in uses.values()) for state in rates}
    # A nonlinear state goes outside: its steps are the least exact, and two half steps err a
    # quarter of what one whole step does. Of linear ones the membrane stays inside.
    linear = {state for state in rates if is_linear(population, slopes, state)}
    # Plain decays cost a product: two half steps of them are cheaper than anything else.
    decays = {
        state for state in linear if uses[state] <= {state} and is_decay(population, slopes, state)
    }
    remaining = sorted(
        rates, key=lambda state: (state not in decays, state in linear, users[state])
    )
    layers: list[tuple[str, ...]] = []
    while remaining:
        layer: list[str] = []
        for state in remaining:
            apart = all(other not in uses[state] and state not in uses[other] for other in layer)
            if apart:
                layer.append(state)
        layers.append(tuple(sorted(layer)))
        remaining = [state for state in remaining if state not in layer]
    return tuple(layers)


def is_linear(population: Population, slopes: Slopes, state: str) -> bool:
    """Tell whether a state's derivative is linear in the state itself."""
    for rate in population.derivatives:
        if rate.state == state:
            found = slope(population, rate.value, state, slopes)
            if found is None or state in closure(population, found):
                return False
    return True


def is_decay(population: Population, slopes: Slopes, state: str) -> bool:
    """Tell whether the slope of a linear state is one number for all instances and times."""
    return all(
        isinstance(slope(population, rate.value, state, slopes), Number)
        for rate in population.derivatives
        if rate.state == state
    )


def group_of(
    population: Population,
    layer: tuple[str, ...],
    slopes: Slopes,
    step: Expression,
    *,
    largest: float | None = None,
) -> tuple[Update, ...]:
    """Return the exponential steps of a layer's states."""
    return tuple(
        Update(
            d.state,
            exponential_step(population, d, slopes, step, largest=largest),
            d.guard,
            growth_over(population, d, slopes, step),
        )
        for d in population.derivatives
        if d.state in layer
    )


def growth_over(
    population: Population, rate: Derivative, slopes: Slopes, step: Expression
) -> Expression | None:
    """Return the step times the slope of a state that is nonlinear in itself, else None."""
    found = slope(population, rate.value, rate.state, slopes)
    if found is None or rate.state not in closure(population, found):
        return None
    return simplify(Binary("*", step, found))


__all__ = ["Name", "layers_of", "slope", "structured"]
