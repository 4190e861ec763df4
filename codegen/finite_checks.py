"""Which states of a kernel must be looked at for NaN and infinity.

A loop pays for every state that it looks at. Where a state that is not finite is sure to make
another value so that is looked at anyway, that one tells of both: `find_fault` then looks at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..converter.expressions import Binary, Choose, Expression, Name, Negative, Number, names
from ..converter.network import Assign
from .program import NEXT, Function


def stepped(function: Function) -> dict[str, Expression]:
    """Return what a kernel stores, by variable; of what it may leave as it was, the new value.

    A choice between the variable itself and a new value leaves it as it was: it is finite then.
    """
    found: dict[str, Expression] = {}
    for statement in function.body:
        if isinstance(statement, Assign) and statement.variable not in function.locals:
            value = statement.value
            if isinstance(value, Choose) and value.then == Name(_old(statement.variable)):
                value = value.otherwise
            found[statement.variable] = value
    return found


def _old(variable: str) -> str:
    return variable.removesuffix(NEXT)


def told_by(
    function: Function, evaluated: Sequence[Expression], checked: Sequence[str]
) -> set[str]:
    """Return which of the `checked` states others tell of.

    `evaluated`: arguments of functions that are looked at where they are evaluated.
    """
    new = stepped(function)
    local = {
        s.variable: s.value
        for s in function.body
        if isinstance(s, Assign) and s.variable in function.locals
    }
    by_argument = set().union(*(_carried(tree, local) for tree in evaluated))
    told: set[str] = set()
    for state in checked:
        value = new[state]
        others = set(by_argument)
        for other in checked:
            if other != state and other not in told:
                others |= _carried(new[other], local)
        while isinstance(value, Name) and value.name not in others and value.name in local:
            value = local[value.name]
        if _alone(value) & others:
            told.add(state)
    return told


def _carried(tree: Expression, local: dict[str, Expression]) -> set[str]:
    """Return the locals that make a value infinite or NaN by being so, on every way it takes."""
    found: set[str] = set()
    pending = list(_terms(tree))
    while pending:
        name = pending.pop()
        if name not in found and name in local:
            found.add(name)
            pending.extend(_terms(local[name]))
    return found


def _terms(tree: Expression) -> Iterator[str]:
    """Return the names in the sums and products of a value."""
    match tree:
        case Name(name):
            yield name
        case Negative(inner):
            yield from _terms(inner)
        case Binary("+" | "-" | "*", left, right):
            yield from _terms(left)
            yield from _terms(right)
        case Binary("/", left, _):
            yield from _terms(left)
        case Binary("^", left, Number(exponent)) if exponent > 0:
            yield from _terms(left)
        case _:
            pass


def _alone(tree: Expression) -> set[str]:
    """Return the one name of a value that is a multiple of it: finite as long as that is."""
    found = set(names(tree))
    return found if len(found) == 1 and _is_sum(tree) else set()


def _is_sum(tree: Expression) -> bool:
    match tree:
        case Name() | Number():
            return True
        case Negative(inner):
            return _is_sum(inner)
        case Binary("+" | "-", left, right):
            return _is_sum(left) and _is_sum(right)
        case Binary("*", Number(), inner) | Binary("*", inner, Number()):
            return _is_sum(inner)
        case _:
            return False
