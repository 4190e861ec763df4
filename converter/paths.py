"""What a `select` path of a derived variable reaches, and what a recorded path means."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..errors import did_you_mean
from .expressions import ONE, ZERO, Binary, Expression, Name, Number
from .instance_paths import step_into, through
from .instances import Group, Instances, Node
from .model import DerivedVariable
from .network import Index
from .symbols import Symbols
from .units import Dimension

PREDICATE = re.compile(r"^(?P<list>[^\[\]]+)\[(?P<inside>[^\[\]]*)\]$")
EQUALS = re.compile(r"""^\s*(?P<name>[\w:]+)\s*=\s*(?P<quote>['"])(?P<value>.*)(?P=quote)\s*$""")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a path reaches: a value within the instance, and parts in attached populations."""

    value: Expression | None
    parts: tuple[tuple[str, str], ...] = ()
    reduce: str = "add"


def select(symbols: Symbols, node: Node, variable: DerivedVariable) -> Selection:
    """Return what `variable` of `node` selects; faults are noted with their place."""
    path = variable.select or ""
    bits = [bit.strip() for bit in path.strip().split("/") if bit.strip() != "."]
    if not bits:
        symbols.faults.error(f"the path {path!r} is empty", variable.place)
        return Selection(ZERO)
    if any("[" in bit for bit in bits):
        return _reduced(symbols, node, variable, bits)
    current: Node | None = node
    for bit in bits[:-1]:
        if current is None:
            break
        if bit == "..":
            current = current.parent
            continue
        found = current.children.get(bit) or current.child_instances.get(bit)
        if found is None and bit in current.peers:
            found = current.peers[bit][0]
        current = found
    if current is None:
        return _nothing(symbols, node, variable)
    value = _value(symbols, node, current, bits[-1])
    if value is None:
        return _nothing(symbols, node, variable)
    return Selection(value)


def _value(symbols: Symbols, node: Node, found: Node, name: str) -> Expression | None:
    return symbols.public(node.group, found, name)


def _nothing(symbols: Symbols, node: Node, variable: DerivedVariable) -> Selection:
    # A sum over nothing is 0; a product over nothing is 1 where it may be absent.
    if variable.reduce == "add":
        return Selection(ZERO)
    if variable.reduce == "multiply" and not variable.required:
        return Selection(ONE)
    first, _, last = (variable.select or "").partition("/")
    found = node.children.get(first) or node.child_instances.get(first)
    slot = node.type.child.get(first)
    if found is not None:
        at, known = found.place, [*found.type.exposures, *found.values]
        hint = did_you_mean(last, known) or f"{first!r} has {', '.join(known) or 'no variables'}"
    elif slot is not None:
        at, hint = node.place, f"give it the child {first!r}, of type {slot.type!r}"
    else:
        at, known = node.place, [*node.children, *node.child_instances]
        hint = did_you_mean(first, known) or f"{node.type.name!r} declares no Child {first!r}"
    symbols.faults.error(
        f"{node.id or node.type.name!r} selects {variable.select!r} for {variable.name!r}, "
        f"and nothing is there",
        at,
        hint,
    )
    return Selection(ZERO)


def _reduced(symbols: Symbols, node: Node, variable: DerivedVariable, bits: list[str]) -> Selection:
    reduce = variable.reduce
    if reduce is None:
        symbols.faults.error(
            f"{variable.name!r} selects from a list and needs reduce='add' or 'multiply'",
            variable.place,
        )
        return Selection(ZERO)
    found = [node]
    for bit in bits[:-1]:
        found = [
            item for current in found for item in _items(symbols, node, current, bit, variable)
        ]
    total: Expression | None = None
    parts: list[tuple[str, str]] = []
    for item in found:
        value = symbols.public(item.group, item, bits[-1])
        own = item.group is node.group or symbols.holds(item, bits[-1]) is not None
        if value is None or not own:
            symbols.faults.error(
                f"{item.id or item.type.name!r} lacks {bits[-1]!r}, which {variable.name!r} "
                f"{'adds up' if reduce == 'add' else 'multiplies'}",
                item.place,
                did_you_mean(bits[-1], [*item.type.exposures, *item.values]),
            )
        elif item.group is not node.group:
            parts.append((item.group.name, _stored(symbols, item, bits[-1], value)))
        else:
            operator = "+" if reduce == "add" else "*"
            total = value if total is None else Binary(operator, total, value)
    if total is None and not parts:
        total = ZERO if reduce == "add" else ONE
    return Selection(total, tuple(parts), reduce)


def _items(
    symbols: Symbols, base: Node, current: Node, bit: str, variable: DerivedVariable
) -> list[Node]:
    """Return what one bit of a path with a list in it reaches from `current`."""
    match = PREDICATE.match(bit)
    if match is None:
        below = current.children.get(bit) or current.child_instances.get(bit)
        if below is None:
            symbols.faults.error(
                f"{current.id or current.type.name!r} has no {bit!r}, on the path "
                f"{variable.select!r} of {variable.name!r}",
                current.place,
                did_you_mean(bit, [*current.children, *current.child_instances]),
            )
            return []
        return [below]
    groups = current.groups.get(match["list"], ())
    if groups and current.group is not base.group:
        symbols.faults.error(
            f"{variable.name!r} selects what is attached to something attached, which is not "
            "supported",
            variable.place,
        )
    every = [*current.lists.get(match["list"], ()), *(group.top for group in groups)]
    return [item for item in every if _matches(symbols, item, match["inside"], variable)]


def _stored(symbols: Symbols, item: Node, name: str, value: Expression) -> str:
    """Return the symbol of a value of another group; a number gets a variable that holds it."""
    scope = symbols.scope(item.group)
    if isinstance(value, Name) and value.name in scope.variables:
        return value.name
    symbol = scope.variable(item, name, "constant", None, "selected")
    scope.starts[symbol] = item.values.get(name, 0.0)
    return symbol


def _matches(symbols: Symbols, node: Node, predicate: str, variable: DerivedVariable) -> bool:
    if predicate.strip() == "*":
        return True
    match = EQUALS.match(predicate)
    if match is None:
        symbols.faults.error(
            f"the predicate [{predicate}] is not of the form [name='value']", variable.place
        )
        return False
    given = node.texts.get(match["name"]) or node.references.get(match["name"])
    return given == match["value"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a recorded path means: a symbol of one instance of a group."""

    group: Group
    symbol: str
    instance: int
    dimension: Dimension | None
    value: float | None = None


def locate(instances: Instances, symbols: Symbols, path: str) -> Found | str:
    """Return the variable that a recorded `path` means; a string says why there is none."""
    reached = walk(instances, path, 1)
    if isinstance(reached, str):
        return reached
    node, index, name = reached
    if node.cable is not None:
        node, index = node.cable.holder(node, index, name)
    kind = symbols.holds(node, name)
    if kind is None and through(node) is not node:
        node = through(node)
        if node.cable is not None:
            node, index = node.cable.holder(node, index, name)
        kind = symbols.holds(node, name)
    if kind is None:
        if name in node.type.exposures:
            return f"{node.type.name!r} exposes {name!r}, but says nowhere what it is"
        known = [*node.type.exposures, *node.values]
        near = did_you_mean(name, known)
        extra = f"; {near}" if near else f"; it has {', '.join(sorted(set(known))) or 'nothing'}"
        return f"{node.id or node.type.name!r} has no variable {name!r}{extra}"
    if kind == "parameter":
        value = float(
            np.asarray(node.values[name]).ravel()[index if np.ndim(node.values[name]) else 0]
        )
        quantity = node.type.parameters.get(name)
        return Found(node.group, "", index, quantity.dimension if quantity else None, value)
    seen = symbols.seen(node.group, node, name, kind)
    if isinstance(seen, Number):
        return Found(node.group, "", index, None, seen.value)
    assert isinstance(seen, Name)
    scope = symbols.scope(node.group)
    return Found(node.group, seen.name, index, scope.dimensions.get(seen.name))


def walk(instances: Instances, path: str, keep: int) -> tuple[Node, int, str] | str:
    """Follow a path from the root; return the node, the instance and the last bit."""
    bits = [bit for bit in path.strip().replace("[", "/[").split("/") if bit not in ("", ".")]
    if not bits and (keep or not path.strip()):
        return "the path is empty"
    node, index = instances.root.top, np.zeros(1, np.int64)
    last = bits.pop() if keep else ""
    for bit in bits:
        step = step_into(node, index, bit, None)
        if isinstance(step, str):
            return step
        node, index = step
    return node, int(index[0]), last


def ports_at(instances: Instances, path: str) -> tuple[Node, int] | str:
    """Return the node and instance that an EventSelection's path means."""
    reached = walk(instances, path, 0)
    if isinstance(reached, str):
        return reached
    node, index, _ = reached
    node = through(node)
    return (node, index) if node.cable is None else node.cable.source(node, index)


__all__ = ["Found", "Index", "Selection", "locate", "ports_at", "select", "walk"]
