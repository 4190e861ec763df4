"""From a target component to run-time instances, by the Structure blocks of its types.

Blocks are evaluated for whole columns at once, so a million connections stay arrays.
"""

from __future__ import annotations

import numpy as np

from ..errors import Faults
from .connections import ConnectionBuilder, set_value
from .endpoints import Endpoint
from .evaluate import Value
from .instance_tree import INSTANCE_LIMIT, Builder, within
from .instances import Index, Instances, Node
from .model import Component, Model, StructureElement
from .quantities import read_quantity


def instantiate(model: Model, target: Component, faults: Faults) -> Instances:
    """Return the instances that `target` gives rise to; faults are noted, placed."""
    return StructureBuilder(model, faults).run(target)


class StructureBuilder(ConnectionBuilder):
    """Evaluates Structure blocks."""

    def run(self, target: Component) -> Instances:
        """Build everything below `target`."""
        name = target.id or target.tag
        root = self.group(name, 1, "root", None, np.zeros(0, np.int64))
        self.grow(target, root, None, name)
        instantiated = connected = 0
        while connected < len(self.builders) and not self.faults.errors:
            # Connections may come before what they connect: all instances are made first.
            while instantiated < len(self.builders):
                self.instantiations(self.builders[instantiated])
                instantiated += 1
            end = len(self.builders)
            for builder in self.builders[connected:end]:
                bound: dict[str, list[Endpoint]] = {}
                for part in builder.node.type.structure:
                    self.structure(builder, part, bound)
            connected = end
            # What is attached may have structures of its own.
            self.attach()
        return Instances(root, self.groups, self.links)

    def instantiations(self, builder: Builder) -> None:
        """Make the instances of the MultiInstantiates of a block."""
        for part in builder.node.type.structure:
            if part.kind == "MultiInstantiate":
                self.multi(builder, part)

    def structure(
        self, builder: Builder, part: StructureElement, bound: dict[str, list[Endpoint]]
    ) -> None:
        """Do one element of a Structure; `bound` are the names that Withs have given."""
        match part.kind:
            case "ChildInstance" | "MultiInstantiate":
                pass  # made before
            case "With":
                bound[part.attributes.get("as", "")] = self.bind(builder, part)
                for inside in part.inside:
                    self.structure(builder, inside, bound)
            case "EventConnection":
                self.event_connection(builder, part, bound)
            case "Tunnel":
                self.tunnel(builder, part, bound)
            case "ForEach":
                self.for_each(builder, part, bound)
            case kind:
                self.faults.error(
                    f"the Structure element {kind!r} of {builder.node.type.name!r} is not "
                    "supported",
                    part.place,
                    "LEMS 0.7.6 has ChildInstance, MultiInstantiate, ForEach, With, Tunnel "
                    "and EventConnection",
                )

    # --- many instances ---------------------------------------------------------------------

    def multi(self, builder: Builder, part: StructureElement) -> None:
        """Make `number` instances, and set on each what the Assigns say."""
        node = builder.node
        if "componentType" in part.attributes:
            target = self.bare(part.attributes["componentType"], part)
        else:
            target = self.referenced(node, part.attributes.get("component", ""), part.place)
        repeats = self.repeats(node, part)
        if target is None or repeats is None:
            return
        if within(node, target):
            self.faults.error(
                f"{node.id or node.type.name!r} is made of {target.id or target.type.name!r}, "
                "which it is itself a part of",
                node.place,
                "name the cell that the population is of",
            )
            return
        parents = np.repeat(np.arange(node.group.size), repeats)
        name = node.id or target.id or "instances"
        group = self.group(name, len(parents), "population", node, parents)
        group.size = len(group.parent_index)
        starts = np.repeat(np.cumsum(repeats) - repeats, repeats)
        group.sequence = (np.arange(len(parents)) - starts)[: group.size]
        node.groups.setdefault("", []).append(group)
        inner = self.grow(target, group, node, target.id or target.tag)
        scope: dict[str, Value] = {
            name: value if np.ndim(value) == 0 else value[group.parent_index]
            for name, value in node.values.items()
        }
        scope.update(inner.values)
        scope["index"] = group.sequence.astype(float)
        if "index" in inner.type.properties:
            set_value(inner, "index", scope["index"])
        for name, value in self.assigned(part, scope).items():
            set_value(inner, name, value)

    def repeats(self, node: Node, part: StructureElement) -> Index | None:
        """Return how many instances each instance of `node` makes."""
        number = part.attributes.get("number", "1")
        value = node.values.get(number)
        if value is None:
            try:
                value = float(number)
            except ValueError:
                self.faults.error(f"{node.type.name!r} has no parameter {number!r}", part.place)
                return None
        counts = np.broadcast_to(np.asarray(value, float), (node.group.size,))
        if not np.all((counts >= 0) & (counts == np.floor(counts)) & (counts <= INSTANCE_LIMIT)):
            self.faults.error(
                f"{node.id or node.type.name!r} needs a whole number of instances,"
                f" not {counts.ravel()[0]:g}",
                node.place,
            )
            return None
        return counts.astype(np.int64)

    def bare(self, name: str, part: StructureElement) -> Component | None:
        """Return a component of a type alone, which `componentType` asks for."""
        kind = self.model.types.get(name)
        if kind is None:
            self.faults.error(f"no component type is called {name!r}", part.place)
            return None
        missing = [p for p in kind.parameters if p not in kind.fixed]
        if missing:
            self.faults.error(
                f"instances of the type {name!r} alone lack the parameter {missing[0]!r}",
                part.place,
                f"declare {missing[0]!r} as a Property and assign it, or name a component",
            )
            return None
        values = {**self.model.constants, **{n: c.value for n, c in kind.constants.items()}}
        for parameter, (text, place) in kind.fixed.items():
            declared = kind.parameters.get(parameter)
            value = read_quantity(
                text,
                declared.dimension if declared else None,
                self.model.units,
                self.faults,
                place,
            )
            if value is not None:
                values[parameter] = value
        return Component(None, kind.name, kind, kind.place, values, {}, {})

    # --- loops -------------------------------------------------------------------------------

    def for_each(
        self, builder: Builder, part: StructureElement, bound: dict[str, list[Endpoint]]
    ) -> None:
        """Do what stands inside for every instance of a set: rows times members."""
        node, name = builder.node, part.attributes.get("as", "")
        if builder.table is not None or node.group.size != 1:
            self.faults.error(
                f"a ForEach in {node.type.name!r}, which has many instances, is not supported",
                part.place,
            )
            return
        members = self.instance_set(builder, part)
        size = sum(len(index) for _, index in members)
        if builder.rows * size > INSTANCE_LIMIT:
            self.faults.error(
                f"a ForEach makes more than {INSTANCE_LIMIT:,} connections", part.place
            )
            return
        inner = Builder(node, builder.rows * size, None, builder.place)
        starts = np.arange(builder.rows)[:, None] * size
        expanded = {
            known: [_expanded(endpoint, size) for endpoint in endpoints]
            for known, endpoints in bound.items()
        }
        expanded[name] = []
        offset = 0
        for member, index in members:
            rows = (starts + offset + np.arange(len(index))).ravel()
            expanded[name].append(Endpoint(rows, member, np.tile(index, builder.rows)))
            offset += len(index)
        for inside in part.inside:
            self.structure(inner, inside, expanded)


def _expanded(endpoint: Endpoint, size: int) -> Endpoint:
    """Return `endpoint` with each of its rows repeated `size` times."""
    rows = (endpoint.rows[:, None] * size + np.arange(size)).ravel()
    return Endpoint(rows, endpoint.node, np.repeat(endpoint.index, size))
