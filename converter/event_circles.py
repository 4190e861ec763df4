"""Events that come back to where they started within one instance, and without delay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import Faults
from .binding import first_in, handler_name
from .instances import Group, Instances
from .network import Run, Statement, When


def check_circles(
    instances: Instances,
    group: Group,
    handlers: Mapping[str, tuple[Statement, ...]],
    faults: Faults,
) -> None:
    """Note a fault where a handler of `group` runs itself again, through others or not."""
    calls = {name: tuple(_runs(body)) for name, body in handlers.items()}
    circle = _circle(calls)
    if circle is None:
        return
    place = next(
        (
            link.place
            for link in instances.links
            if link.target.group is group
            and link.source.group is group
            and handler_name(link.target, link.target_port or first_in(link.target) or "")
            == circle[0]
        ),
        group.top.place,
    )
    faults.error(
        f"events without delay go round in a circle in {group.top.id or group.top.type.name!r}: "
        + " -> ".join(circle),
        place,
        "give one of the connections a delay",
    )


def _runs(statements: tuple[Statement, ...]) -> Iterator[str]:
    for statement in statements:
        if isinstance(statement, Run):
            yield statement.handler
        elif isinstance(statement, When):
            yield from _runs(statement.body)


def _circle(calls: Mapping[str, tuple[str, ...]]) -> list[str] | None:
    """Return a circle of `calls`, its start named again at its end, if there is one."""
    done: set[str] = set()
    for start in calls:
        path: list[str] = []
        waiting = [(start, iter(calls[start]))] if start not in done else []
        path.extend(name for name, _ in waiting)
        while waiting:
            below = next(waiting[-1][1], None)
            if below is None:
                done.add(waiting.pop()[0])
                path.pop()
            elif below in path:
                return [*path[path.index(below) :], below]
            elif below not in done and below in calls:
                waiting.append((below, iter(calls[below])))
                path.append(below)
    return None
