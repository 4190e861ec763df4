"""The run-time instances that a target component gives rise to, as groups of equal structure.

A `Group` holds many instances of one component (the cells of a population, the synapses that
a projection attaches); everything that is one-to-one below it (children, child instances) is
a tree of `Node`s inside it. Groups hang below a node of their parent group, `parent_index`
telling for each instance which one. Structure blocks are evaluated for whole columns at
once, so a million connections stay arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import Faults, Place, did_you_mean
from .document import Column
from .evaluate import UnknownName, Value, evaluate
from .expressions import ExpressionError, parse
from .java_order import hash_order
from .model import Component, ComponentTable, ComponentType, Model, StructureElement

Index = NDArray[np.int64]

#: Instances that one model may have; a `size` beyond it is refused before memory is gone.
INSTANCE_LIMIT = 100_000_000

DEPTH_LIMIT = 100


@dataclass(eq=False, slots=True)
class Node:
    """One component in every instance of a group."""

    key: str
    component: Component | None
    type: ComponentType
    group: Group
    parent: Node | None
    path: tuple[str, ...]
    values: dict[str, Value]
    texts: Mapping[str, str]
    references: dict[str, str]
    children: dict[str, Node] = field(default_factory=dict)
    child_instances: dict[str, Node] = field(default_factory=dict)
    lists: dict[str, list[Node]] = field(default_factory=dict)
    groups: dict[str, list[Group]] = field(default_factory=dict)
    peers: dict[str, tuple[Node, Index]] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    consolidated: bool = True

    @property
    def id(self) -> str | None:
        """The component's id."""
        return self.component.id if self.component else None

    @property
    def place(self) -> Place:
        """Where the component stands."""
        return self.component.place if self.component else self.type.place

    def inside(self) -> Iterator[Node]:
        """Yield the nodes one level below, within this group, in the reference's order."""
        yield from self.children.values()
        yield from self.child_instances.values()
        for nodes in self.lists.values():
            yield from nodes

    def subtree(self) -> Iterator[Node]:
        """Yield this node and all below it within the group, parents first."""
        yield self
        for node in self.inside():
            yield from node.subtree()


@dataclass(eq=False, slots=True)
class Group:
    """Instances of one component; `ids` are their keys where the document names them."""

    name: str
    size: int
    kind: str  # "root", "population", "rows" or "attachments"
    parent: Node | None
    parent_index: Index
    sequence: Index
    ids: Index | None = None
    root: Node | None = None

    @property
    def top(self) -> Node:
        """The group's root node."""
        assert self.root is not None
        return self.root


@dataclass(frozen=True, slots=True, eq=False)
class EventLink:
    """Events from a port of one node's instances to a port of another's, row by row."""

    source: Node
    source_port: str | None
    source_index: Index
    target: Node
    target_port: str | None
    target_index: Index
    delay: NDArray[np.float64]
    place: Place


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Rows of a table whose path leads to instances of one node."""

    rows: Index
    node: Node
    index: Index


@dataclass(eq=False, slots=True)
class Instances:
    """All groups below a target, in the order of their making, and the event links."""

    root: Group
    groups: list[Group] = field(default_factory=list)
    links: list[EventLink] = field(default_factory=list)


def instantiate(model: Model, target: Component, faults: Faults) -> Instances:
    """Return the instances that `target` gives rise to; faults are noted, placed."""
    return _Instantiation(model, faults).run(target)


@dataclass(slots=True, eq=False)
class _Builder:
    """What a Structure block is evaluated for: one node, or the rows of a table."""

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
        return _by_template(column, everything)


def _by_template(
    column: Column, everything: Index
) -> list[tuple[Index, str | None, Index | None]]:
    if column.kind != "text":
        return [(everything, "{}", column.numbers.astype(np.int64))]
    found: list[tuple[Index, str | None, Index | None]] = []
    for code in np.unique(column.codes):
        rows = np.flatnonzero(column.codes == code)
        if code < 0:
            found.append((rows, None, None))
            continue
        template = column.templates[int(code)]
        numbers = column.numbers[rows].astype(np.int64) if "{}" in template else None
        found.append((rows, template, numbers))
    return found


class _Instantiation:
    def __init__(self, model: Model, faults: Faults) -> None:
        self.model = model
        self.faults = faults
        self.groups: list[Group] = []
        self.links: list[EventLink] = []
        self.builders: list[_Builder] = []
        self.names: set[str] = set()
        self.attached: dict[tuple[object, ...], list[_Batch]] = {}
        self.sequence = 0
        self.instances = 0

    def run(self, target: Component) -> Instances:
        root = self.group(target.id or target.tag, 1, "root", None, np.zeros(0, np.int64))
        self.tree(target, root, None, target.id or target.tag, ())
        # Builders may attach receivers that have structures of their own.
        done = 0
        while done < len(self.builders) and not self.faults.errors:
            end = len(self.builders)
            for builder in self.builders[done:end]:
                self.structure(builder)
            self.attach()
            done = end
        return Instances(root, self.groups, self.links)

    # --- groups and trees -------------------------------------------------------------------

    def group(
        self, name: str, size: int, kind: str, parent: Node | None, parent_index: Index,
        ids: Index | None = None,
    ) -> Group:
        self.instances += size
        if self.instances > INSTANCE_LIMIT:
            self.faults.error(
                f"the model has more than {INSTANCE_LIMIT:,} instances",
                parent.place if parent else None,
            )
            size, parent_index = 0, parent_index[:0]
        base, number = name, 1
        while name in self.names:
            number += 1
            name = f"{base}_{number}"
        self.names.add(name)
        made = Group(name, size, kind, parent, parent_index, np.zeros(0, np.int64), ids)
        self.groups.append(made)
        return made

    def tree(
        self, component: Component, group: Group, parent: Node | None, key: str,
        path: tuple[str, ...], consolidated: bool = True,
    ) -> Node:
        """Make the node of `component` and of everything one-to-one below it."""
        node = Node(
            key, component, component.type, group, parent, path, dict(component.values),
            component.texts, dict(component.references),
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
        for slot in hash_order(named):
            node.children[slot] = self.tree(
                named[slot], group, node, slot, (*path, slot), consolidated
            )
        for slot, kind, part in component.parts:
            if kind != "children":
                continue
            if isinstance(part, ComponentTable):
                self.rows(node, slot, part)
                continue
            nodes = node.lists.setdefault(slot, [])
            below = part.id or f"{slot}{len(nodes)}"
            nodes.append(self.tree(part, group, node, below, (*path, below), False))
        if node.type.structure:
            self.builders.append(_Builder(node, group.size, None, node.place))
            self.child_instances(node, path)
        return node

    def properties(self, node: Node) -> None:
        for name, prop in node.type.properties.items():
            node.values.setdefault(name, prop.default if prop.default is not None else 0.0)

    def child_instances(self, node: Node, path: tuple[str, ...]) -> None:
        for part in node.type.structure:
            if part.kind != "ChildInstance":
                continue
            literal = part.attributes.get("component", "")
            target = self.referenced(node, literal, part.place)
            if target is None:
                continue
            if any(node_.component is target for node_ in _ancestors(node)):
                self.faults.error(f"{target.id!r} contains itself", part.place)
                continue
            below = target.id or literal.rsplit("/", 1)[-1]
            node.child_instances[literal] = self.tree(
                target, node.group, node, literal, (*path, below)
            )

    def rows(self, node: Node, slot: str, table: ComponentTable) -> None:
        """Make a group of the rows of a table; structure-only rows make no instances."""
        place = table.table.place
        if node.group.size != 1:
            self.faults.error(f"a list of {slot!r} inside many instances is not supported", place)
            return
        size = table.rows
        identifiers = table.columns.get("id")
        ids = identifiers.numbers.astype(np.int64) if (
            identifiers is not None and identifiers.kind == "integer"
        ) else None
        active = any(
            part.kind in ("ChildInstance", "MultiInstantiate") for part in table.type.structure
        ) or table.type.dynamics is not None
        name = f"{node.id or node.key}_{slot}" if node.group.kind != "root" or node.parent else slot
        stub = Group(name, size, "rows", node, np.zeros(size, np.int64), np.arange(size), ids)
        if active:
            stub = self.group(
                node.id or slot, size, "rows", node, np.zeros(size, np.int64), ids
            )
            stub.sequence = np.arange(size)
            node.groups.setdefault(slot, []).append(stub)
        row = Node(
            slot, None, table.type, stub, node, (), dict(table.values), {},
            _row_references(table),
        )
        stub.root = row
        self.properties(row)
        if table.type.structure:
            self.builders.append(_Builder(row, size, table, place))
            self.child_instances(row, ())

    def referenced(self, node: Node, literal: str, place: Place) -> Component | None:
        """Return the component that a structure's reference leads to."""
        holder: Node | None = node
        name = literal
        while name.startswith("../") and holder is not None:
            holder, name = holder.parent, name[3:]
        identity = holder.references.get(name) if holder is not None else None
        if identity is None:
            if holder is not None and name in holder.children:
                return holder.children[name].component
            self.faults.error(
                f"{node.type.name!r} builds {literal!r}, but no such reference is given",
                node.place,
                f"add {name}=\"...\" with the id of a component",
            )
            return None
        return self.component(identity, holder, node.place)

    def component(self, identity: str, holder: Node | None, place: Place) -> Component | None:
        # References are to standalone components; an id inside the network (an input list
        # called like the input it holds) only counts where no such component exists.
        found = self.model.components.get(identity)
        scope = holder
        while found is None and scope is not None:
            found = next((part for part in _own_parts(scope) if part.id == identity), None)
            scope = scope.parent
        if found is None:
            self.faults.error(
                f"no component has the id {identity!r}",
                place,
                did_you_mean(identity, self.model.components),
            )
        return found

    # --- structures ----------------------------------------------------------------------------

    def structure(self, builder: _Builder) -> None:
        bound: dict[str, list[Endpoint]] = {}
        for part in builder.node.type.structure:
            self.structure_part(builder, part, bound)

    def structure_part(
        self, builder: _Builder, part: StructureElement, bound: dict[str, list[Endpoint]]
    ) -> None:
        match part.kind:
            case "ChildInstance":
                pass  # built with the tree
            case "MultiInstantiate":
                self.multi(builder, part)
            case "With":
                name = part.attributes.get("as", "")
                bound[name] = self.bind(builder, part)
                for inside in part.inside:
                    self.structure_part(builder, inside, bound)
            case "EventConnection":
                self.event_connection(builder, part, bound)
            case "Tunnel":
                self.tunnel(builder, part, bound)
            case "ForEach":
                self.for_each(builder, part, bound)
            case kind:
                self.faults.error(f"the structure element {kind!r} is not supported", part.place)

    def multi(self, builder: _Builder, part: StructureElement) -> None:
        node = builder.node
        target = self.referenced(node, part.attributes.get("component", ""), part.place)
        number = part.attributes.get("number", "1")
        value = node.values.get(number)
        if value is None:
            try:
                value = float(number)
            except ValueError:
                self.faults.error(f"{node.type.name!r} has no parameter {number!r}", part.place)
                return
        if target is None:
            return
        counts = np.broadcast_to(np.asarray(value, float), (node.group.size,))
        if not np.all((counts >= 0) & (counts == np.floor(counts)) & (counts <= INSTANCE_LIMIT)):
            self.faults.error(
                f"{node.id or node.type.name!r} needs a whole number of instances,"
                f" not {counts.ravel()[0]:g}",
                node.place,
            )
            return
        repeats = counts.astype(np.int64)
        parents = np.repeat(np.arange(node.group.size), repeats)
        total = int(repeats.sum())
        name = node.id or target.id or "instances"
        group = self.group(name, total, "population", node, parents)
        group.size = len(group.parent_index)
        starts = np.repeat(np.cumsum(repeats) - repeats, repeats)
        group.sequence = np.arange(total) - starts
        node.groups.setdefault("", []).append(group)
        inner = self.tree(target, group, node, target.id or target.tag, ())
        for assign in (*part.inside,):
            if assign.kind == "Assign":
                scope: dict[str, Value] = {"index": group.sequence.astype(float)}
                scope.update(node.values)
                self.assign(inner, assign, scope)

    def for_each(
        self, builder: _Builder, part: StructureElement, bound: dict[str, list[Endpoint]]
    ) -> None:
        node, name = builder.node, part.attributes.get("instances", "")
        nodes = node.lists.get(name, [])
        for item in nodes:
            index = np.arange(node.group.size)
            bound[part.attributes.get("as", "")] = [Endpoint(index, item, index)]
            for inside in part.inside:
                self.structure_part(builder, inside, bound)

    def assign(self, node: Node, part: StructureElement, scope: Mapping[str, Value]) -> None:
        name, text = part.attributes.get("property", ""), part.attributes.get("value", "")
        try:
            value = evaluate(parse(text), scope)
        except ExpressionError as fault:
            self.faults.error(f"an Assign is no expression: {fault.message}", part.place)
            return
        except UnknownName as unknown:
            self.faults.error(
                f"an Assign uses {str(unknown)!r}, which is not known there",
                part.place,
                did_you_mean(str(unknown), scope),
            )
            return
        node.values[name] = np.array(value, dtype=float) if np.ndim(value) else float(value)
        node.assigned.add(name)

    # --- paths ------------------------------------------------------------------------------------

    def bind(self, builder: _Builder, part: StructureElement) -> list[Endpoint]:
        if "instance" in part.attributes:
            return self.bind_instance(builder, part.attributes["instance"])
        name, index_name = part.attributes.get("list", ""), part.attributes.get("index", "")
        node = builder.node
        base = self.listed(node, name)
        if base is None:
            self.faults.error(f"no list {name!r} is known to {node.type.name!r}", builder.place)
            return []
        found: list[Endpoint] = []
        for rows, template, numbers in builder.text(index_name):
            if template is None:
                self.faults.error(f"{node.type.name!r} needs the index {index_name!r}",
                                  builder.place)
                continue
            bits = f"[{template}]"
            found.extend(
                self.walk(builder, base, np.zeros(len(rows), np.int64), [bits], rows, numbers,
                          template)
            )
        return found

    def listed(self, node: Node, name: str) -> Node | None:
        """Return the population that a ComponentRequirement `name` leads to."""
        holder: Node | None = node
        while holder is not None:
            identity = holder.references.get(name)
            if identity is not None:
                scope: Node | None = holder
                while scope is not None:
                    for candidate in scope.inside():
                        if candidate.id == identity:
                            return candidate
                    scope = scope.parent
                return None
            holder = holder.parent
        return None

    def bind_instance(self, builder: _Builder, name: str) -> list[Endpoint]:
        node, everything = builder.node, np.arange(builder.rows)
        if name == "this":
            return [Endpoint(everything, node, everything)]
        if name == "parent":
            return self.up(builder, node, everything, everything)
        is_attribute = name in node.type.paths or name in node.type.texts
        found: list[Endpoint] = []
        if not is_attribute and (name in node.child_instances or name in node.children):
            below = node.child_instances.get(name) or node.children[name]
            return [Endpoint(everything, below, everything)]
        chosen = builder.text(name) if is_attribute else [(everything, name, None)]
        for rows, template, numbers in chosen:
            if template is None:
                self.faults.error(
                    f"{node.type.name!r} needs the path {name!r}", builder.place
                )
                continue
            bits = template.replace("[", "/[").split("/")
            if bits[0] == ".":
                start: list[Endpoint] = [Endpoint(rows, node, rows)]
                bits = bits[1:]
            else:
                start = self.up(builder, node, rows, rows)
            for at in start:
                found.extend(
                    self.walk(builder, at.node, at.index, bits, rows, numbers, template)
                )
        return found

    def up(self, builder: _Builder, node: Node, index: Index, rows: Index) -> list[Endpoint]:
        parent = node.parent
        if parent is None:
            self.faults.error("a path climbs above the target", builder.place)
            return []
        crossing = node is node.group.root
        above = node.group.parent_index[index] if crossing else index
        return [Endpoint(rows, parent, above)]

    def walk(
        self, builder: _Builder, node: Node, index: Index, bits: list[str], rows: Index,
        numbers: Index | None, template: str,
    ) -> list[Endpoint]:
        """Follow `bits` from instances `index` of `node`; `numbers` fill the hole "{}"."""
        for bit in bits:
            if bit in ("", "."):
                continue
            if bit == "..":
                climbed = self.up(builder, node, index, rows)
                if not climbed:
                    return []
                node, index = climbed[0].node, climbed[0].index
                continue
            step = step_into(node, index, bit, numbers)
            if isinstance(step, str):
                shown = template.replace("{}", str(int(numbers[0]))) if (
                    numbers is not None and len(numbers)
                ) else template
                place = builder.place
                if builder.table is not None and len(rows):
                    place = builder.table.table.place_of(int(rows[0]))
                self.faults.error(f"the path {shown!r} leads nowhere: {step}", place)
                return []
            node, index = step
        return [Endpoint(rows, node, index)]

    # --- connections ------------------------------------------------------------------------------

    def port(self, builder: _Builder, part: StructureElement, name: str) -> str | None:
        attribute = part.attributes.get(name)
        if attribute is None:
            return None
        if attribute in builder.node.type.texts:
            texts = {template for _, template, _ in builder.text(attribute)}
            given = texts - {None}
            if len(given) > 1:
                self.faults.error(f"rows with different {attribute!r} are not supported",
                                  builder.place)
            return next(iter(given), None)
        # The name of a Text that this type does not declare stands for "not given".
        return None if attribute in ("sourcePort", "targetPort") else attribute

    def endpoints(
        self, builder: _Builder, part: StructureElement, attribute: str,
        bound: dict[str, list[Endpoint]],
    ) -> list[Endpoint]:
        name = part.attributes.get(attribute, "")
        return bound[name] if name in bound else self.bind_instance(builder, name)

    def event_connection(
        self, builder: _Builder, part: StructureElement, bound: dict[str, list[Endpoint]]
    ) -> None:
        sources = self.endpoints(builder, part, "from", bound)
        targets = self.endpoints(builder, part, "to", bound)
        delays = self.delays(builder, part)
        source_port = self.port(builder, part, "sourcePort")
        target_port = self.port(builder, part, "targetPort")
        receiver = part.attributes.get("receiver")
        for source in sources:
            for target in targets:
                rows, at_source, at_target = _common(source, target, builder.rows)
                if not rows.size:
                    continue
                if receiver is None:
                    self.links.append(
                        EventLink(source.node, source_port, at_source, target.node, target_port,
                                  at_target, delays[rows], builder.place)
                    )
                    continue
                for identity, chosen in self.receivers(builder, receiver, rows):
                    at = np.searchsorted(rows, chosen)
                    self.batch(
                        builder, part, identity, chosen, target.node, at_target[at],
                        _Wire(source.node, source_port, at_source[at], target_port,
                              delays[chosen]),
                    )

    def delays(self, builder: _Builder, part: StructureElement) -> NDArray[np.float64]:
        name = part.attributes.get("delay")
        if name is None:
            return np.zeros(builder.rows)
        value = builder.node.values.get(name)
        if value is None:
            self.faults.error(f"{builder.node.type.name!r} has no parameter {name!r}", part.place)
            return np.zeros(builder.rows)
        return np.array(np.broadcast_to(np.asarray(value, float), builder.rows))

    def receivers(
        self, builder: _Builder, receiver: str, rows: Index
    ) -> list[tuple[Component, Index]]:
        """Return the receiver components and the rows that each serves."""
        node = builder.node
        column = builder.table.columns.get(receiver) if builder.table is not None else None
        if column is None:
            found = self.referenced(node, receiver, builder.place)
            return [] if found is None else [(found, rows)]
        result: list[tuple[Component, Index]] = []
        for at, template, numbers in _by_template(column, np.arange(builder.rows)):
            chosen = np.intersect1d(at, rows)
            texts = {template} if numbers is None else {
                (template or "").replace("{}", str(int(n))) for n in np.unique(numbers)
            }
            for text in sorted(t for t in texts if t is not None):
                found = self.component(text, node, builder.place)
                if found is None:
                    continue
                if numbers is not None:
                    mask = [(template or "").replace("{}", str(int(n))) == text for n in numbers]
                    chosen = np.intersect1d(at[np.asarray(mask)], rows)
                result.append((found, chosen))
        return result

    def container(self, builder: _Builder, part: StructureElement, target: Node) -> str | None:
        name = part.attributes.get("receiverContainer")
        if name is not None:
            texts = {template for _, template, _ in builder.text(name)} - {None}
            if len(texts) == 1:
                return next(iter(texts))
        attachments = list(target.type.attachments)
        if len(attachments) == 1:
            return attachments[0]
        return None

    def batch(
        self, builder: _Builder, part: StructureElement, component: Component, rows: Index,
        target: Node, at_target: Index, wire: _Wire | None,
    ) -> _Batch | None:
        container = self.container(builder, part, target)
        slot = target.type.attachments.get(container) if container is not None else None
        if slot is None or container is None:
            self.faults.error(
                f"{component.id!r} cannot be attached to {target.id or target.type.name!r}",
                builder.place,
                f"the type {target.type.name!r} has the attachments "
                f"{', '.join(target.type.attachments) or 'none'}",
            )
            return None
        scope = _scope(builder)
        assigns: dict[str, NDArray[np.float64]] = {}
        for assign in part.inside:
            if assign.kind != "Assign":
                continue
            holder = Node("", None, builder.node.type, builder.node.group, None, (), {}, {}, {})
            self.assign(holder, assign, scope)
            for name, value in holder.values.items():
                assigns[name] = np.array(np.broadcast_to(value, builder.rows))[rows]
        made = _Batch(
            component, target, container, at_target,
            self.sequence + np.arange(len(rows)), assigns, wire, builder.place,
        )
        self.sequence += len(rows)
        key = (component, target, container, wire.key() if wire else builder, tuple(assigns),
               wire is None and id(part))
        self.attached.setdefault(key, []).append(made)
        return made

    def tunnel(
        self, builder: _Builder, part: StructureElement, bound: dict[str, list[Endpoint]]
    ) -> None:
        node = builder.node
        name = part.attributes.get("name", "peer")
        ends = [self.endpoints(builder, part, end, bound) for end in ("endA", "endB")]
        for a in ends[0]:
            for b in ends[1]:
                rows, at_a, at_b = _common(a, b, builder.rows)
                if not rows.size:
                    continue
                first = self.receivers(builder, part.attributes.get("componentA", ""), rows)
                second = self.receivers(builder, part.attributes.get("componentB", ""), rows)
                for component_a, rows_a in first:
                    for component_b, rows_b in second:
                        chosen = np.intersect1d(rows_a, rows_b)
                        if not chosen.size:
                            continue
                        at = np.searchsorted(rows, chosen)
                        key = (component_a, component_b, a.node, b.node, node.type.name, name)
                        one = self.batch(builder, part, component_a, chosen, a.node, at_a[at],
                                         None)
                        self.sequence -= len(chosen)
                        two = self.batch(builder, part, component_b, chosen, b.node, at_b[at],
                                         None)
                        if one is not None and two is not None:
                            one.sequence = one.sequence[0] + 2 * np.arange(len(chosen))
                            two.sequence = one.sequence + 1
                            self.sequence += len(chosen)
                            self.pair(key, one, two, name)

    def pair(self, key: tuple[object, ...], one: _Batch, two: _Batch, name: str) -> None:
        for batches in self.attached.values():
            for batch in (one, two):
                if batch in batches:
                    batches.remove(batch)
        self.attached = {k: v for k, v in self.attached.items() if v}
        ones = self.attached.setdefault(("tunnel", 0, *key), [])
        twos = self.attached.setdefault(("tunnel", 1, *key), [])
        one.tunnel, two.tunnel = (name, twos), (name, ones)
        ones.append(one)
        twos.append(two)

    # --- attachments ------------------------------------------------------------------------------

    def attach(self) -> None:
        """Make one group of every set of receivers that are alike."""
        made: dict[int, Group] = {}
        pending = list(self.attached.values())
        self.attached = {}
        for batches in pending:
            made[id(batches)] = self.attachment_group(batches)
        for batches in pending:
            tunnel = batches[0].tunnel
            if tunnel is not None:
                name, others = tunnel
                group, other = made[id(batches)], made[id(others)]
                group.top.peers[name] = (other.top, np.arange(group.size))

    def attachment_group(self, batches: list[_Batch]) -> Group:
        first = batches[0]
        parents = np.concatenate([batch.at_target for batch in batches])
        sequence = np.concatenate([batch.sequence for batch in batches])
        target_name = first.target.group.name
        name = f"{target_name}_{first.component.id or first.component.tag}"
        group = self.group(name, len(parents), "attachments", first.target, parents)
        group.sequence = sequence[: group.size]
        first.target.groups.setdefault(first.container, []).append(group)
        node = self.tree(first.component, group, first.target, first.component.id or "", ())
        for variable in first.assigns:
            values = np.concatenate([batch.assigns[variable] for batch in batches])
            node.values[variable] = (
                float(values[0]) if values.size and np.all(values == values[0]) else values
            )
            node.assigned.add(variable)
        wires = [batch.wire for batch in batches if batch.wire is not None]
        if wires and not _self_wired(wires, first.target, parents):
            self.links.append(
                EventLink(
                    wires[0].source, wires[0].source_port,
                    np.concatenate([wire.source_index for wire in wires]),
                    node, wires[0].target_port, np.arange(group.size),
                    np.concatenate([wire.delay for wire in wires]), first.place,
                )
            )
        elif wires:
            node.peers.setdefault("", (wires[0].source, parents))
        return group


@dataclass(frozen=True, slots=True, eq=False)
class _Wire:
    source: Node
    source_port: str | None
    source_index: Index
    target_port: str | None
    delay: NDArray[np.float64]

    def key(self) -> tuple[object, ...]:
        return (self.source, self.source_port, self.target_port)


@dataclass(slots=True, eq=False)
class _Batch:
    component: Component
    target: Node
    container: str
    at_target: Index
    sequence: Index
    assigns: dict[str, NDArray[np.float64]]
    wire: _Wire | None
    place: Place
    tunnel: tuple[str, list[_Batch]] | None = None


def _self_wired(wires: list[_Wire], target: Node, parents: Index) -> bool:
    """Tell whether an input's `from` and `to` are one instance: an attachment, no connection.

    `explicitInput` and `input` name their target twice because an EventConnection needs two
    ends; no event is meant to flow from a cell to its own current source.
    """
    if wires[0].source is not target:
        return False
    sources = np.concatenate([wire.source_index for wire in wires])
    return bool(np.array_equal(sources, parents))


def _common(a: Endpoint, b: Endpoint, rows: int) -> tuple[Index, Index, Index]:
    if len(a.rows) == rows and len(b.rows) == rows:
        return a.rows, a.index, b.index
    common, at_a, at_b = np.intersect1d(a.rows, b.rows, return_indices=True)
    return common, a.index[at_a], b.index[at_b]


def _scope(builder: _Builder) -> dict[str, Value]:
    return dict(builder.node.values)


def _ancestors(node: Node) -> Iterator[Node]:
    current: Node | None = node
    while current is not None:
        yield current
        current = current.parent


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


def step_into(
    node: Node, index: Index, bit: str, numbers: Index | None
) -> tuple[Node, Index] | str:
    """Return the node and instances that the path bit `bit` of `node` names.

    `numbers` are the values of a hole "{}" in the bit. A string says why nothing is there.
    """
    if ":" in bit:
        return _attached(node, index, bit)
    bracket = bit.startswith("[") and bit.endswith("]")
    inner = bit[1:-1] if bracket else bit
    if inner == "{}" or inner.isdigit():
        wanted = numbers if inner == "{}" and numbers is not None else np.full(
            len(index), int(inner) if inner.isdigit() else 0
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


def _container_of(node: Node, group: Group) -> str:
    return next(name for name, groups in node.groups.items() if group in groups)


def _numbered(
    node: Node, index: Index, wanted: Index, *, by_key: bool
) -> tuple[Node, Index] | str:
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
