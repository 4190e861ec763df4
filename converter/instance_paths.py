"""What one bit of a path means to instances: a child, a member of a list, an attachment."""

from __future__ import annotations

import numpy as np

from ..errors import did_you_mean
from .instances import Group, Index, Node


def step_into(
    node: Node, index: Index, bit: str, numbers: Index | None
) -> tuple[Node, Index] | str:
    """Return the node and instances that the path bit `bit` of `node` names.

    `numbers` are the values of a hole "{}" in the bit. A string says why nothing is there.
    """
    if node.cable is not None:
        found = node.cable.step(node, index, bit)
        if found is not None:
            return found
    if ":" in bit:
        return _attached(node, index, bit)
    bracket = bit.startswith("[") and bit.endswith("]")
    inner = bit[1:-1] if bracket else bit
    if not bracket and _is_segment(node, inner):
        return node, index
    if inner == "{}" or inner.isdigit():
        wanted = (
            numbers
            if inner == "{}" and numbers is not None
            else np.full(len(index), int(inner) if inner.isdigit() else 0)
        )
        return _numbered(node, index, wanted, by_key=not bracket)
    if "{}" in bit and numbers is not None and len(numbers):
        if np.any(numbers != numbers[0]):
            return f"{bit!r} names different components in one column"
        bit = bit.replace("{}", str(int(numbers[0])))
    if bit in node.children:
        return node.children[bit], index
    if bit in node.child_instances:
        return node.child_instances[bit], index
    for below in node.inside():
        if below.id == bit:
            return below, index
    for groups in node.groups.values():
        for group in groups:
            if group.top.id == bit and group.kind != "attachments" and group.size == 1:
                return group.top, np.zeros(len(index), np.int64)
    if node.id == bit and node is node.group.root and node.group.kind == "population":
        # `pop/3/cell` and `pop[3]` mean the same instance.
        return node, index
    for groups in node.groups.values():
        for group in groups:
            if group.kind == "attachments" and group.top.id == bit:
                return _attached(node, index, f"{_container_of(node, group)}:{bit}:0")
    known = [*node.children, *(n.id for n in node.inside() if n.id)]
    near = did_you_mean(bit, known)
    return f"{node.id or node.type.name!r} has no {bit!r}" + (f"; {near}" if near else "")


def through(node: Node) -> Node:
    """Return what a holder of one component stands for: `pop[3]` means the listed cell.

    The `instance` of a populationList has no variables and ports; its only child has.
    """
    while node.type.dynamics is None and not node.type.ports and (len(node.child_instances) == 1):
        node = next(iter(node.child_instances.values()))
    return node


def _is_segment(node: Node, bit: str) -> bool:
    """Tell whether `bit` is the id of the only segment of a cell, which is the cell itself."""
    if not bit.isdigit() or not node.type.is_a("cell") or "morphology" not in node.children:
        return False
    segments = node.children["morphology"].lists.get("segments", ())
    return len(segments) == 1 and segments[0].id == bit


def _container_of(node: Node, group: Group) -> str:
    return next(name for name, groups in node.groups.items() if group in groups)


def _numbered(node: Node, index: Index, wanted: Index, *, by_key: bool) -> tuple[Node, Index] | str:
    candidates = [
        group for groups in node.groups.values() for group in groups if group.kind != "attachments"
    ]
    if not candidates:
        listed = [n for nodes in node.lists.values() for n in nodes]
        if listed and len(set(wanted.tolist())) == 1:
            number = int(wanted[0])
            keyed = [n for n in listed if n.id == str(number)] if by_key else []
            if keyed:
                return keyed[0], index
            if number < len(listed) and not by_key:
                return listed[number], index
        return f"{node.id or node.type.name!r} has no instances"
    if len(candidates) > 1:
        return f"{node.id or node.type.name!r} has several lists of instances"
    group = candidates[0]
    if by_key and group.ids is not None:
        order = np.argsort(group.ids, kind="stable")
        at = np.searchsorted(group.ids[order], wanted)
        at = np.minimum(at, len(order) - 1)
        found = order[at] if len(order) else at
        bad = group.ids[found] != wanted if len(order) else np.ones(len(wanted), bool)
    elif node.group.size > 1:
        starts = np.searchsorted(group.parent_index, index)
        counts = np.bincount(group.parent_index, minlength=node.group.size)
        found, bad = starts + wanted, wanted >= counts[index]
    else:
        found, bad = wanted, (wanted < 0) | (wanted >= group.size)
    if np.any(bad):
        number = int(wanted[np.flatnonzero(bad)[0]])
        return f"{node.id or node.type.name!r} has no instance {number} (it has {group.size})"
    return group.top, found.astype(np.int64)


def _attached(node: Node, index: Index, bit: str) -> tuple[Node, Index] | str:
    bits = bit.split(":")
    if len(bits) != 3 or not bits[2].isdigit():
        return f"{bit!r} is not of the form attachments:component:number"
    container, identity, number = bits[0], bits[1], int(bits[2])
    groups = [g for g in node.groups.get(container, []) if g.top.id == identity]
    if not groups:
        return f"nothing called {identity!r} is attached to the {container!r} of {node.id!r}"
    if len(index) != 1:
        return f"{bit!r} names attachments of several instances"
    found: list[tuple[int, Group, int]] = []
    for group in groups:
        rows = np.flatnonzero(group.parent_index == index[0])
        found.extend((int(group.sequence[row]), group, int(row)) for row in rows)
    found.sort(key=lambda item: item[0])
    if number >= len(found):
        return f"{node.id!r} has {len(found)} attached {identity!r}, no number {number}"
    _, group, row = found[number]
    return group.top, np.full(1, row, np.int64)
