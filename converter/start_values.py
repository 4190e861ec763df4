"""Initial values that are no numbers, found before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..errors import Faults, Place
from .instances import Group, Instances
from .network import Array, Record
from .symbols import Symbols


def check_start(
    instances: Instances,
    symbols: Symbols,
    values: Mapping[str, Mapping[str, Array]],
    records: Iterable[Record],
    faults: Faults,
) -> None:
    """Note a fault for every state, and every recorded quantity, that does not start finite."""
    recorded = {(record.population, record.variable) for record in records}
    for group in instances.groups:
        scope = symbols.scope(group)
        names = {symbol: (node, name) for (node, name, _), symbol in scope.names.items()}
        for symbol, start in values.get(group.name, {}).items():
            variable = scope.variables.get(symbol)
            if variable is None or symbol not in names:
                continue
            if variable.kind != "state" and (group.name, symbol) not in recorded:
                continue
            bad = np.flatnonzero(~np.isfinite(start))
            if not bad.size:
                continue
            node, name = names[symbol]
            at = f" (instance {bad[0]})" if group.size > 1 else ""
            faults.error(
                f"{variable.label!r} of {group.top.id or group.top.type.name!r}{at} "
                f"starts as {_shown(float(start[bad[0]]))}",
                node.place if node.component else group.top.place,
                _hint(_definition(group, variable.label.rpartition("/")[2], name)),
            )


def _shown(value: float) -> str:
    return "NaN, which is no number" if np.isnan(value) else "an infinite number"


def _definition(group: Group, *labels: str) -> Place | None:
    """Return where one of `labels` is defined in the types of `group`."""
    for node in group.top.subtree():
        dynamics = node.type.dynamics
        if dynamics is None:
            continue
        for start in dynamics.on_start:
            for assignment in start.assignments:
                if assignment.variable in labels:
                    return assignment.place
        places = {v.name: v.place for v in dynamics.variables if v.name in labels}
        if places:
            return next(reversed(places.values()))
    return None


def _hint(place: Place | None) -> str:
    equation = f" and at its equation, {place}" if place else ""
    return f"look for a division by zero in its parameters{equation}"
