"""Where the names and paths of Structure blocks lead, for whole columns of rows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .instance_paths import step_into, through
from .instance_tree import Builder, TreeBuilder
from .instances import Index, Node
from .model import StructureElement


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Rows of a builder whose path leads to instances of one node."""

    rows: Index
    node: Node
    index: Index


def common(a: Endpoint, b: Endpoint, rows: int) -> tuple[Index, Index, Index]:
    """Return the rows of both endpoints and the instances that each leads them to."""
    if len(a.rows) == rows and len(b.rows) == rows:
        return a.rows, a.index, b.index
    shared, at_a, at_b = np.intersect1d(a.rows, b.rows, return_indices=True)
    return shared, a.index[at_a], b.index[at_b]


class EndpointFinder(TreeBuilder):
    """Follows paths from the instances of a builder; faults are noted with their row."""

    def endpoints(
        self,
        builder: Builder,
        part: StructureElement,
        attribute: str,
        bound: dict[str, list[Endpoint]],
    ) -> list[Endpoint]:
        """Return what `from`, `to`, `endA` or `endB` names: a bound name, a child, a path."""
        name = part.attributes.get(attribute, "")
        if name in bound:
            return [Endpoint(end.rows, through(end.node), end.index) for end in bound[name]]
        everything = np.arange(builder.rows)
        if name and "/" not in name and name not in ("this", "parent"):
            step = step_into(builder.node, everything, name, None)
            if not isinstance(step, str):
                return [Endpoint(everything, *step)]
        return self.bind_instance(builder, name)

    def bind(self, builder: Builder, part: StructureElement) -> list[Endpoint]:
        """Return what a With binds."""
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
                self.faults.error(
                    f"{node.type.name!r} needs the index {index_name!r}", builder.place
                )
                continue
            bits = [f"[{template}]"]
            start = Endpoint(rows, base, np.zeros(len(rows), np.int64))
            found.extend(self.walk(builder, start, bits, numbers, template))
        return found

    def listed(self, node: Node, name: str) -> Node | None:
        """Return the population that a ComponentRequirement `name` leads to."""
        for holder in (node, *node.above()):
            identity = holder.references.get(name)
            if identity is not None:
                scopes = (holder, *holder.above())
                candidates = (each for scope in scopes for each in scope.inside())
                return next((each for each in candidates if each.id == identity), None)
        return None

    def bind_instance(self, builder: Builder, name: str) -> list[Endpoint]:
        """Return what `this`, `parent`, a child, a path or an attribute with a path means.

        A path starts at the builder's own instance with `./`, at its parent otherwise.
        """
        node, everything = builder.node, np.arange(builder.rows)
        if name == "this":
            return [Endpoint(everything, node, everything)]
        if name == "parent":
            return self.up(builder, Endpoint(everything, node, everything))
        is_attribute = name in node.type.paths or name in node.type.texts
        if not is_attribute and (name in node.child_instances or name in node.children):
            below = node.child_instances.get(name) or node.children[name]
            return [Endpoint(everything, below, everything)]
        found: list[Endpoint] = []
        chosen = builder.text(name) if is_attribute else [(everything, name, None)]
        for rows, template, numbers in chosen:
            if template is None:
                self.faults.error(f"{node.type.name!r} needs the path {name!r}", builder.place)
                continue
            bits = template.replace("[", "/[").split("/")
            start = [Endpoint(rows, node, rows)]
            if bits[0] == ".":
                bits = bits[1:]
            else:
                start = self.up(builder, start[0])
            for at in start:
                found.extend(self.walk(builder, at, bits, numbers, template))
        return found

    def up(self, builder: Builder, at: Endpoint) -> list[Endpoint]:
        """Return the parents of an endpoint's instances."""
        node, parent = at.node, at.node.parent
        if parent is None:
            self.faults.error("a path climbs above the target", builder.place)
            return []
        crossing = node is node.group.root
        above = node.group.parent_index[at.index] if crossing else at.index
        return [Endpoint(at.rows, parent, above)]

    def walk(
        self,
        builder: Builder,
        at: Endpoint,
        bits: list[str],
        numbers: Index | None,
        template: str,
    ) -> list[Endpoint]:
        """Follow `bits` from an endpoint; `numbers` fill the hole "{}"."""
        for bit in bits:
            if bit in ("", "."):
                continue
            if bit == "..":
                climbed = self.up(builder, at)
                if not climbed:
                    return []
                at = climbed[0]
                continue
            step = step_into(at.node, at.index, bit, numbers)
            if isinstance(step, str):
                row = _first_astray(at, bit, numbers)
                shown, place = template, builder.place
                if numbers is not None and len(numbers):
                    shown = template.replace("{}", str(int(numbers[row])))
                if builder.table is not None and len(at.rows):
                    place = builder.table.table.place_of(int(at.rows[row]))
                self.faults.error(f"the path {shown!r} leads nowhere: {step}", place)
                return []
            at = Endpoint(at.rows, *step)
        return [at]

    def instance_set(self, builder: Builder, part: StructureElement) -> list[tuple[Node, Index]]:
        """Return the instances that a ForEach runs over, in order.

        The path is that of an attribute (`../source`), whose text names a list or a
        component with one list of instances, looked for here and then further out
        (StateInstance.quietGetStateInstances).
        """
        literal = part.attributes.get("instances", "")
        holder: Node | None = builder.node
        name = literal.removeprefix("./")
        while name.startswith("../") and holder is not None:
            holder, name = holder.parent, name[3:]
        identity = name
        if holder is not None:
            identity = holder.references.get(name) or holder.texts.get(name) or name
        scope: Node | None = builder.node
        while scope is not None:
            found = _members(scope, identity)
            if found is not None:
                return found
            scope = scope.parent
        self.faults.error(
            f"the ForEach of {builder.node.type.name!r} runs over {literal!r}, "
            f"and no instances are called {identity!r}",
            builder.place,
        )
        return []


def _first_astray(at: Endpoint, bit: str, numbers: Index | None) -> int:
    """Return the first of an endpoint's rows from which `bit` leads nowhere."""
    good, bad = 0, len(at.rows)
    while bad - good > 1:
        middle = (good + bad) // 2
        some = None if numbers is None else numbers[:middle]
        if isinstance(step_into(at.node, at.index[:middle], bit, some), str):
            bad = middle
        else:
            good = middle
    return max(0, bad - 1)


def _members(scope: Node, identity: str) -> list[tuple[Node, Index]] | None:
    """Return the members of the list `identity` of `scope`, or of its child of that id."""
    if identity in scope.lists or identity in scope.groups:
        return _listed(scope, identity)
    for below in scope.inside():
        if below.id == identity:
            lists = dict.fromkeys((*below.lists, *below.groups))
            return [member for name in lists for member in _listed(below, name)]
    return None


def _listed(scope: Node, name: str) -> list[tuple[Node, Index]]:
    one = np.zeros(1, np.int64)
    found: list[tuple[Node, Index]] = [(node, one) for node in scope.lists.get(name, ())]
    found += [(group.top, np.arange(group.size)) for group in scope.groups.get(name, ())]
    return found
