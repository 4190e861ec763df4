"""Assignments in an order in which each stands after what it uses."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Faults
from .expressions import names
from .instances import Node
from .network import Assign, Collect


def by_dependence(
    assignments: Sequence[Assign | Collect], owner: Node, faults: Faults
) -> tuple[Assign | Collect, ...]:
    """Return `assignments` sorted; one that depends on itself is a fault of `owner`."""
    by_name = {a.variable: a for a in assignments}
    done: dict[str, Assign | Collect] = {}
    active: set[str] = set()
    for first in by_name:
        stack: list[tuple[str, bool]] = [(first, False)]
        while stack:
            name, entered = stack.pop()
            if name in done:
                continue
            if entered:
                active.discard(name)
                done[name] = by_name[name]
                continue
            if name in active:
                faults.error(
                    f"the derived variable {name!r} of {owner.id or owner.type.name!r} depends "
                    "on itself",
                    owner.place,
                )
                return tuple(assignments)
            active.add(name)
            stack.append((name, True))
            statement = by_name[name]
            if isinstance(statement, Assign):
                used = sorted(names(statement.value), reverse=True)
                stack.extend((n, False) for n in used if n in by_name and n not in done)
    return tuple(done.values())
