"""Trees of nodes: a component with everything one-to-one below it, in groups of instances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import Faults, Place, did_you_mean
from .document import Column
from .instances import EventLink, Group, Index, Node
from .java_order import hash_order
from .model import Component, ComponentTable, ComponentType, Model

#: Instances that one model may have; a `size` beyond it is refused before memory is gone.
INSTANCE_LIMIT = 100_000_000

DEPTH_LIMIT = 100


@dataclass(slots=True, eq=False)
class Builder:
    """What a Structure block is evaluated for: one node, the rows of a table, or a loop."""

    node: Node
    rows: int
    table: ComponentTable | None
    place: Place

    def text(self, name: str) -> list[tuple[Index, str | None, Index | None]]:
        """Return (rows, template, numbers) of a text attribute, by distinct template."""
        everything = np.arange(self.rows)
        if self.table is None:
            value = self.node.texts.get(name) or self.node.references.get(name)
            if value is None and name in self.node.values:
                value = str(self.node.values[name])
            return [(everything, value, None)]
        column = self.table.columns.get(name)
        if column is None:
            return [(everything, None, None)]
        return by_template(column, everything)


def by_template(column: Column, everything: Index) -> list[tuple[Index, str | None, Index | None]]:
    """Return (rows, template, numbers) of a column, by distinct template."""
    if column.kind != "text":
        return [(everything, "{}", column.numbers.astype(np.int64))]
    found: list[tuple[Index, str | None, Index | None]] = []
    present = np.flatnonzero(np.bincount(column.codes + 1)) - 1
    for code in present:
        rows = everything if len(present) == 1 else np.flatnonzero(column.codes == code)
        if code < 0:
            found.append((rows, None, None))
            continue
        template = column.templates[int(code)]
        numbers = column.numbers[rows].astype(np.int64) if "{}" in template else None
        found.append((rows, template, numbers))
    return found


class TreeBuilder:
    """Makes groups and their trees; Structure blocks met on the way wait in `builders`.

    Nodes are `consolidated` as the reference prepares a run: state types of children and of
    what Structure blocks build are replaced by copies, in which OnStart blocks stand twice
    and `simultaneous` Dynamics are flattened; members of Children lists stay as they are.
    A Simulation's `<Meta method="eulerTree">` changes nothing of it (measured: ex-flat.xml).
    """

    def __init__(self, model: Model, faults: Faults) -> None:
        self.model = model
        self.faults = faults
        self.groups: list[Group] = []
        self.links: list[EventLink] = []
        self.builders: list[Builder] = []
        self.names: dict[str, int] = {}
        self.instances = 0

    def group(
        self,
        name: str,
        size: int,
        kind: str,
        parent: Node | None,
        parent_index: Index,
        ids: Index | None = None,
    ) -> Group:
        """Make a group of `size` instances, still without its tree."""
        self.instances += size
        if self.instances > INSTANCE_LIMIT:
            self.faults.error(
                f"the model has more than {INSTANCE_LIMIT:,} instances",
                parent.place if parent else None,
            )
            size, parent_index = 0, parent_index[:0]
        base, number = name, self.names.get(name, 1)
        while name in self.names:
            number += 1
            name = f"{base}_{number}"
        # Where the next one of that name goes on.
        self.names[base] = number
        self.names.setdefault(name, 1)
        made = Group(name, size, kind, parent, parent_index, np.zeros(0, np.int64), ids)
        self.groups.append(made)
        return made

    def grow(self, component: Component, group: Group, parent: Node | None, key: str) -> Node:
        """Make the tree of a group."""
        return self.tree(component, group, parent, key, (), consolidated=True)

    def tree(
        self,
        component: Component,
        group: Group,
        parent: Node | None,
        key: str,
        path: tuple[str, ...],
        *,
        consolidated: bool,
    ) -> Node:
        """Make the node of `component` and of everything one-to-one below it."""
        node = Node(
            key,
            component,
            component.type,
            group,
            parent,
            path,
            dict(component.values),
            component.texts,
            dict(component.references),
        )
        node.consolidated = consolidated
        if len(path) > DEPTH_LIMIT:
            self.faults.error("components are nested too deeply", component.place)
            return node
        if group.root is None:
            group.root = node
        self.properties(node)
        named = {
            slot: part
            for slot, kind, part in component.parts
            if kind == "child" and isinstance(part, Component)
        }
        for slot in component.type.child.keys() & component.references.keys():
            # `<cell morphology="m">`: the child is written elsewhere.
            written = self.component(component.references[slot], parent, component.place)
            if slot not in named and written is not None:
                named[slot] = written
        for slot in hash_order(named):
            node.children[slot] = self.tree(
                named[slot], group, node, slot, (*path, slot), consolidated=consolidated
            )
        for slot, kind, part in component.parts:
            if kind != "children":
                continue
            if isinstance(part, ComponentTable):
                self.rows(node, slot, part)
                continue
            nodes = node.lists.setdefault(slot, [])
            below = part.id or f"{slot}{len(nodes)}"
            nodes.append(self.tree(part, group, node, below, (*path, below), consolidated=False))
        if node.type.structure:
            self.builders.append(Builder(node, group.size, None, node.place))
            self.child_instances(node, path)
        return node

    def properties(self, node: Node) -> None:
        """Give the properties of `node` their defaults."""
        for name, prop in node.type.properties.items():
            node.values.setdefault(name, prop.default if prop.default is not None else 0.0)

    def child_instances(self, node: Node, path: tuple[str, ...]) -> None:
        """Make what the ChildInstances of `node` build; each is known by its literal text."""
        for part in node.type.structure:
            if part.kind != "ChildInstance":
                continue
            literal = part.attributes.get("component", "")
            target = self.referenced(node, literal, part.place)
            if target is None:
                continue
            if within(node, target):
                self.faults.error(f"{target.id!r} contains itself", part.place)
                continue
            below = target.id or literal.rsplit("/", 1)[-1]
            node.child_instances[literal] = self.tree(
                target, node.group, node, literal, (*path, below), consolidated=True
            )

    def rows(self, node: Node, slot: str, table: ComponentTable) -> None:
        """Make a group of the rows of a table; structure-only rows make no instances."""
        place = table.table.place
        if node.group.size != 1:
            self.faults.error(
                f"{table.table.tag!r} elements inside {node.id or node.type.name!r}, which has "
                f"{node.group.size} instances, are not supported",
                place,
            )
            return
        size = table.rows
        identifiers = table.columns.get("id")
        ids = (
            identifiers.numbers.astype(np.int64)
            if (identifiers is not None and identifiers.kind == "integer")
            else None
        )
        parents = np.zeros(size, np.int64)
        if self.runs(table.type):
            made = self.group(node.id or slot, size, "rows", node, parents, ids)
            node.groups.setdefault(slot, []).append(made)
        else:
            made = Group(
                f"{node.id or node.key}_{slot}",
                size,
                "rows",
                node,
                parents,
                np.zeros(0, np.int64),
                ids,
            )
        made.sequence = np.arange(size)
        row = Node(
            slot,
            None,
            table.type,
            made,
            node,
            (),
            dict(table.values),
            {},
            _row_references(table),
        )
        made.root = row
        self.properties(row)
        if table.type.structure:
            self.builders.append(Builder(row, size, table, place))
            self.child_instances(row, ())

    @staticmethod
    def runs(kind: ComponentType) -> bool:
        """Tell whether instances of `kind` have anything to do while time passes."""
        builds = any(part.kind in ("ChildInstance", "MultiInstantiate") for part in kind.structure)
        return builds or kind.dynamics is not None

    # --- references -------------------------------------------------------------------------

    def referenced(self, node: Node, literal: str, place: Place) -> Component | None:
        """Return the component that a structure's reference leads to."""
        holder: Node | None = node
        name = literal
        while name.startswith("../") and holder is not None:
            holder, name = holder.parent, name[3:]
        identity = holder.references.get(name) if holder is not None else None
        if identity is None or holder is None:
            if holder is not None and name in holder.children:
                return holder.children[name].component
            self.faults.error(
                f"{node.type.name!r} builds {literal!r}, but no such reference is given",
                _written(node),
                f'add {name}="..." with the id of a component'
                if name
                else f"the structure at {place} names no component",
            )
            return None
        slot = holder.type.references.get(name)
        local = name in holder.type.links or (slot is not None and slot.local)
        return self.component(identity, holder, _written(holder), local=local)

    def component(
        self, identity: str, holder: Node | None, place: Place, *, local: bool = False
    ) -> Component | None:
        """Return the component called `identity`, as `holder` sees it.

        References are to standalone components; an id inside the network (an input list
        called like the input it holds) only counts where no such component exists. A Link,
        and a reference with `local="true"`, is to something near.
        """
        found = self.model.components.get(identity)
        if found is None or local:
            scope = holder
            near = None
            while near is None and scope is not None:
                near = next((part for part in _own_parts(scope) if part.id == identity), None)
                scope = scope.parent
            found = near or found
        if found is None:
            self.faults.error(
                f"no component has the id {identity!r}",
                place,
                did_you_mean(identity, self.model.components),
            )
        return found


def _written(node: Node) -> Place:
    """Return where `node`, or for the rows of a table what holds them, stands."""
    while node.component is None and node.parent is not None:
        node = node.parent
    return node.place


def within(node: Node, component: Component) -> bool:
    """Tell whether `node` is of `component`, or stands somewhere inside it.

    Components made of a type alone have no id; any two of one type are the same.
    """
    if component.id is not None:
        return any(each.component is component for each in (node, *node.above()))
    return any(e.type is component.type and e.id is None for e in (node, *node.above()))


def _own_parts(node: Node) -> Iterator[Component]:
    if node.component is not None:
        for _, _, part in node.component.parts:
            if isinstance(part, Component):
                yield part


def _row_references(table: ComponentTable) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in (*table.type.references, *table.type.links):
        column = table.columns.get(name)
        if column is not None and column.kind == "text" and len(column.templates) == 1:
            found[name] = column.text(0) or ""
    return found
