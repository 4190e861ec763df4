"""Small populations written by hand, and what the statements of a body do to one instance."""

from __future__ import annotations

import numpy as np
from lemsmith.codegen.program import Flag, Propagate
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import Call, Number, parse, rewrite
from lemsmith.converter.network import (
    Assign,
    Condition,
    Derivative,
    Flow,
    Population,
    Variable,
)
from scipy.linalg import expm


def population(
    rates: dict[str, str] | None = None,
    derived: dict[str, str] | None = None,
    conditions: dict[str, tuple] | None = None,
    parameters: dict[str, float] | None = None,
    **more,
) -> Population:
    """Return one instance whose equations are given as texts.

    `conditions` are bodies by test; `more` are fields of Population.
    """
    rates, derived = rates or {}, derived or {}
    kinds = dict.fromkeys(rates, "state") | dict.fromkeys(more.pop("states", ()), "state")
    kinds |= dict.fromkeys(derived, "derived")
    fields = {
        "name": "p",
        "size": 1,
        "component": "p",
        "parent": None,
        "indices": {},
        "sequence": np.zeros(1, np.int64),
        "parameters": parameters or {},
        "variables": {n: Variable(n, kind, None, n) for n, kind in kinds.items()},
        "reads": {},
        "exposures": {},
        "ports": (),
        "handlers": {},
        "assignments": tuple(Assign(n, parse(text)) for n, text in derived.items()),
        "derivatives": tuple(Derivative(n, parse(text)) for n, text in rates.items()),
        "conditions": tuple(
            Condition(parse(test), body) for test, body in (conditions or {}).items()
        ),
    }
    return Population(**{**fields, **more})


def sets(**values: str) -> tuple[Assign, ...]:
    """Return assignments given as texts."""
    return tuple(Assign(name, parse(text)) for name, text in values.items())


def execute(statements, values, draws=()):
    """Run straight-line statements on `values`; return the ports whose flags were raised."""
    left, raised = list(draws), []
    for statement in statements:
        match statement:
            case Assign(variable, value):
                values[variable] = float(value_of(value, values, left))
            case Flag(port, condition):
                if value_of(condition, values, left):
                    raised.append(port)
            case Flow(states, edges, fraction, _):
                rates = np.zeros((len(states),) * 2)
                for source, target, forward, reverse in edges:
                    for a, b, rate in ((source, target, forward), (target, source, reverse)):
                        rates[b, a] += values[rate]
                        rates[a, a] -= values[rate]
                moved = expm(rates * values["dt"] * fraction) @ [values[s] for s in states]
                values.update(zip(states, moved.tolist(), strict=True))
            case Propagate(states, matrix, rates, _):
                size = len(states)
                whole = np.zeros((size + 1, size + 1))
                for i, j, tree in matrix:
                    whole[i, j] = value_of(tree, values, left)
                whole[:size, size] = [value_of(tree, values, left) for tree in rates]
                change = expm(whole * values["dt"])[:size, size]
                for state, step in zip(states, change.tolist(), strict=True):
                    values[state] += step
            case _:
                raise TypeError(statement)
    return raised


def value_of(tree, values, draws):
    """Return the value of a tree; draw() takes the next of `draws`."""

    def drawn(node):
        if isinstance(node, Call) and node.function == "draw":
            return Number(draws.pop(0))
        return node

    return evaluate(rewrite(tree, drawn), values)
