"""Equations that divide by a parameter which is zero: told by name before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import Faults
from .evaluate import evaluate
from .expressions import Binary, Expression, Name, Negative, names, show
from .instances import Instances, Node


def check_divisors(instances: Instances, faults: Faults) -> None:
    """Note a fault where the change of a state is infinite for any state, for a parameter is 0.

    Only what certainly is not finite counts: a division by parameters alone that nothing but
    sums, products and further divisions separate from the derivative. What else divides by
    zero may be in a later regime, a case or a function that makes it harmless.
    """
    told: set[int] = set()
    for group in instances.groups:
        for node in group.top.subtree():
            if id(node.component) not in told and _told(node, faults):
                told.add(id(node.component))


def _told(node: Node, faults: Faults) -> bool:
    """Note a fault for the first derivative of a node that is never finite; tell whether."""
    dynamics = node.type.dynamics
    if dynamics is None or not node.group.size:
        return False
    derived = {v.name: v.value for v in dynamics.derived_variables if v.value is not None}
    begun = (d for regime in dynamics.regimes if regime.initial for d in regime.time_derivatives)
    for derivative in (*dynamics.time_derivatives, *begun):
        divisor = _zero_divisor(derivative.value, node, derived)
        if divisor is not None:
            name = node.id or node.type.name
            faults.error(
                f"the derivative of {derivative.variable!r} of {name!r} is a division by zero: "
                f"{divisor!r} is 0",
                node.place,
                f"give {divisor!r} another value; the equation is at {derivative.place}",
            )
            return True
    return False


def _zero_divisor(
    tree: Expression, node: Node, derived: Mapping[str, Expression], depth: int = 0
) -> str | None:
    """Return the text of parameters that divide `tree` and are zero, if there are any."""
    match tree:
        case Negative(operand):
            return _zero_divisor(operand, node, derived, depth)
        case Binary("/", left, right):
            if names(right) <= node.values.keys():
                with np.errstate(all="ignore"):
                    divisor = np.asarray(evaluate(right, node.values), dtype=float)
                if (divisor == 0).any():
                    return show(right)
            return _zero_divisor(left, node, derived, depth)
        case Binary("+" | "-" | "*", left, right):
            found = _zero_divisor(left, node, derived, depth)
            return found or _zero_divisor(right, node, derived, depth)
        case Name(name) if name in derived and depth < len(derived):
            return _zero_divisor(derived[name], node, derived, depth + 1)
    return None
