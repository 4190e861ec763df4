"""EventConnections and Tunnels: links between instances, and what they attach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import Faults, Place, did_you_mean
from .endpoints import Endpoint, EndpointFinder, common
from .evaluate import UnknownName, Value, evaluate
from .expressions import ExpressionError, parse
from .instance_tree import Builder, by_template
from .instances import EventLink, Group, Index, Node
from .model import Component, Model, StructureElement


@dataclass(frozen=True, slots=True, eq=False)
class Wire:
    """The events that reach what is attached, row by row."""

    source: Node
    source_port: str | None
    source_index: Index
    target_port: str | None
    delay: NDArray[np.float64]

    def key(self) -> tuple[object, ...]:
        """Return what wires of one link have in common."""
        return (self.source, self.source_port, self.target_port)


@dataclass(slots=True, eq=False)
class Batch:
    """Instances to attach, all of one component, to instances of one node."""

    component: Component
    target: Node
    container: str
    at_target: Index
    sequence: Index
    assigns: dict[str, NDArray[np.float64]]
    wire: Wire | None
    place: Place
    tunnel: tuple[str, list[Batch]] | None = None


class ConnectionBuilder(EndpointFinder):
    """Collects links and attachments; `attach` makes groups of those that are alike."""

    def __init__(self, model: Model, faults: Faults) -> None:
        super().__init__(model, faults)
        self.attached: dict[tuple[object, ...], list[Batch]] = {}
        self.sequence = 0

    # --- event connections ------------------------------------------------------------------

    def event_connection(
        self, builder: Builder, part: StructureElement, bound: dict[str, list[Endpoint]]
    ) -> None:
        """Link the two ends, or attach a receiver to the target and link to that."""
        sources = self.endpoints(builder, part, "from", bound)
        targets = self.endpoints(builder, part, "to", bound)
        delays = self.delays(builder, part)
        source_port = self.port(builder, part, "sourcePort")
        target_port = self.port(builder, part, "targetPort")
        receiver = part.attributes.get("receiver")
        # A target's attachments keep the order of the rows, whatever they come from.
        start = self.sequence
        self.sequence += builder.rows
        for source in sources:
            for target in targets:
                rows, at_source, at_target = common(source, target, builder.rows)
                if not rows.size:
                    continue
                if receiver is None:
                    self.assign_target(builder, part, target.node, at_target, rows)
                    self.links.append(
                        EventLink(
                            source.node,
                            source_port,
                            at_source,
                            target.node,
                            target_port,
                            at_target,
                            delays[rows],
                            builder.place,
                        )
                    )
                    continue
                for component, chosen in self.receivers(builder, receiver, rows):
                    at = slice(None) if len(chosen) == len(rows) else np.searchsorted(rows, chosen)
                    wire = Wire(
                        source.node, source_port, at_source[at], target_port, delays[chosen]
                    )
                    batch = self.batch(
                        builder,
                        part,
                        component,
                        chosen,
                        Endpoint(chosen, target.node, at_target[at]),
                        start + chosen,
                        wire,
                    )
                    if batch is not None:
                        key = (
                            component,
                            target.node,
                            batch.container,
                            wire.key(),
                            tuple(batch.assigns),
                        )
                        self.attached.setdefault(key, []).append(batch)

    def port(self, builder: Builder, part: StructureElement, name: str) -> str | None:
        """Return the port that an attribute names; None means the first."""
        attribute = part.attributes.get(name)
        if attribute is None:
            return None
        if attribute in builder.node.type.texts:
            texts = {template for _, template, _ in builder.text(attribute)}
            given = texts - {None}
            if len(given) > 1:
                self.faults.error(
                    f"rows with different {attribute!r} are not supported", builder.place
                )
            return next(iter(given), None)
        # The name of a Text that this type does not declare stands for "not given".
        return None if attribute in ("sourcePort", "targetPort") else attribute

    def delays(self, builder: Builder, part: StructureElement) -> NDArray[np.float64]:
        """Return the delay of every row, s."""
        name = part.attributes.get("delay")
        if name is None:
            return np.zeros(builder.rows)
        value = builder.node.values.get(name)
        if value is None:
            self.faults.error(f"{builder.node.type.name!r} has no parameter {name!r}", part.place)
            return np.zeros(builder.rows)
        delays = np.array(np.broadcast_to(np.asarray(value, float), builder.rows))
        early = np.flatnonzero(~(delays >= 0))
        if early.size:
            self.faults.error(
                f"a delay of {delays[early[0]]:g} s is negative: events arrive after they are sent",
                builder.place,
            )
        return delays

    def receivers(
        self, builder: Builder, receiver: str, rows: Index
    ) -> list[tuple[Component, Index]]:
        """Return the receiver components and the rows that each serves."""
        node = builder.node
        column = builder.table.columns.get(receiver) if builder.table is not None else None
        if column is None:
            found = self.referenced(node, receiver, builder.place)
            return [] if found is None else [(found, rows)]
        result: list[tuple[Component, Index]] = []
        for at, template, numbers in by_template(column, np.arange(builder.rows)):
            if template is None:
                continue
            if numbers is None:
                named = [(template, at)]
            else:
                named = [
                    (template.replace("{}", str(int(number))), at[numbers == number])
                    for number in np.unique(numbers)
                ]
            for text, of_text in named:
                found = self.component(text, node, builder.place)
                if found is not None:
                    result.append((found, np.intersect1d(of_text, rows)))
        return result

    # --- assignments ------------------------------------------------------------------------

    def assigned(self, part: StructureElement, scope: Mapping[str, Value]) -> dict[str, Value]:
        """Return what the Assigns inside `part` set, by name."""
        found: dict[str, Value] = {}
        for assign in part.inside:
            if assign.kind != "Assign":
                continue
            name = assign.attributes.get("property", "")
            try:
                found[name] = evaluate(parse(assign.attributes.get("value", "")), scope)
            except ExpressionError as fault:
                self.faults.error(f"an Assign is no expression: {fault.message}", assign.place)
            except UnknownName as unknown:
                self.faults.error(
                    f"an Assign uses {str(unknown)!r}, which is not known there",
                    assign.place,
                    did_you_mean(str(unknown), scope),
                )
        return found

    def assign_target(
        self,
        builder: Builder,
        part: StructureElement,
        target: Node,
        at_target: Index,
        rows: Index,
    ) -> None:
        """Set what a connection without a receiver assigns on its target; the last row wins."""
        for name, value in self.assigned(part, builder.node.values).items():
            before = np.asarray(target.values.get(name, 0.0), dtype=float)
            values = np.array(np.broadcast_to(before, target.group.size))
            values[at_target] = np.broadcast_to(np.asarray(value, float), builder.rows)[rows]
            set_value(target, name, values)

    # --- attachments --------------------------------------------------------------------------

    def batch(
        self,
        builder: Builder,
        part: StructureElement,
        component: Component,
        rows: Index,
        target: Endpoint,
        sequence: Index,
        wire: Wire | None,
    ) -> Batch | None:
        """Return what `rows` attach to `target`; None, with a fault noted, if it takes none."""
        container = self.container(builder, part, target.node)
        if container is None:
            self.faults.error(
                f"{component.id!r} cannot be attached to "
                f"{target.node.id or target.node.type.name!r}",
                builder.place,
                f"the type {target.node.type.name!r} takes "
                + (
                    f"attachments in {', '.join(target.node.type.attachments)}; name one of them"
                    if target.node.type.attachments
                    else "no synapses or inputs"
                ),
            )
            return None
        assigns = {
            name: np.array(np.broadcast_to(np.asarray(value, float), builder.rows))[rows]
            for name, value in self.assigned(part, builder.node.values).items()
        }
        return Batch(
            component,
            target.node,
            container,
            target.index,
            sequence,
            assigns,
            wire,
            builder.place,
        )

    def container(self, builder: Builder, part: StructureElement, target: Node) -> str | None:
        """Return the Attachments that a receiver goes to: the one named, else the only one."""
        name = part.attributes.get("receiverContainer")
        attachments = target.type.attachments
        if name is not None:
            texts = {template for _, template, _ in builder.text(name)} - {None}
            if len(texts) == 1:
                chosen = next(iter(texts))
                return chosen if chosen in attachments else None
        return next(iter(attachments)) if len(attachments) == 1 else None

    def tunnel(
        self, builder: Builder, part: StructureElement, bound: dict[str, list[Endpoint]]
    ) -> None:
        """Attach a component at each end; each sees the other under the tunnel's name."""
        name = part.attributes.get("name", "peer")
        ends = [self.endpoints(builder, part, end, bound) for end in ("endA", "endB")]
        start = self.sequence
        self.sequence += 2 * builder.rows
        for a in ends[0]:
            for b in ends[1]:
                rows, at_a, at_b = common(a, b, builder.rows)
                if not rows.size:
                    continue
                first = self.receivers(builder, part.attributes.get("componentA", ""), rows)
                second = self.receivers(builder, part.attributes.get("componentB", ""), rows)
                for component_a, rows_a in first:
                    for component_b, rows_b in second:
                        chosen = np.intersect1d(rows_a, rows_b)
                        at = np.searchsorted(rows, chosen)
                        if not chosen.size:
                            continue
                        one = self.batch(
                            builder,
                            part,
                            component_a,
                            chosen,
                            Endpoint(chosen, a.node, at_a[at]),
                            start + 2 * chosen,
                            None,
                        )
                        two = self.batch(
                            builder,
                            part,
                            component_b,
                            chosen,
                            Endpoint(chosen, b.node, at_b[at]),
                            start + 2 * chosen + 1,
                            None,
                        )
                        if one is not None and two is not None:
                            key = (
                                component_a,
                                component_b,
                                a.node,
                                b.node,
                                builder.node.type.name,
                                name,
                            )
                            self.pair(key, one, two, name)

    def pair(self, key: tuple[object, ...], one: Batch, two: Batch, name: str) -> None:
        """Keep the two ends of a tunnel in step: row i of one sees row i of the other."""
        ones = self.attached.setdefault(("tunnel", 0, *key), [])
        twos = self.attached.setdefault(("tunnel", 1, *key), [])
        one.tunnel, two.tunnel = (name, twos), (name, ones)
        ones.append(one)
        twos.append(two)

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

    def attachment_group(self, batches: list[Batch]) -> Group:
        """Make the group of the instances of `batches`, and the link to them."""
        first = batches[0]
        parents = np.concatenate([batch.at_target for batch in batches])
        sequence = np.concatenate([batch.sequence for batch in batches])
        name = f"{first.target.group.name}_{first.component.id or first.component.tag}"
        group = self.group(name, len(parents), "attachments", first.target, parents)
        group.sequence = sequence[: group.size]
        first.target.groups.setdefault(first.container, []).append(group)
        node = self.grow(first.component, group, first.target, first.component.id or "")
        for variable in first.assigns:
            set_value(
                node, variable, np.concatenate([batch.assigns[variable] for batch in batches])
            )
        wires = [batch.wire for batch in batches if batch.wire is not None]
        if wires and not (_self_wired(wires, first.target, parents) and not _hears(node)):
            self.links.append(
                EventLink(
                    wires[0].source,
                    wires[0].source_port,
                    np.concatenate([wire.source_index for wire in wires]),
                    node,
                    wires[0].target_port,
                    np.arange(group.size),
                    np.concatenate([wire.delay for wire in wires]),
                    first.place,
                )
            )
        return group


def set_value(node: Node, name: str, values: Value) -> None:
    """Give instances a value of their own: one number where all have the same."""
    shared = np.ndim(values) == 0 or (values.size > 0 and bool(np.all(values == values[0])))
    node.values[name] = float(np.ravel(values)[0]) if shared else values
    node.assigned.add(name)


def _self_wired(wires: list[Wire], target: Node, parents: Index) -> bool:
    """Tell whether an input's `from` and `to` are one instance.

    `explicitInput` and `input` name their target twice because an EventConnection needs two
    ends; the events that then flow from a cell to its own current source matter only where
    that has a handler.
    """
    if wires[0].source is not target:
        return False
    sources = np.concatenate([wire.source_index for wire in wires])
    return bool(np.array_equal(sources, parents))


def _hears(node: Node) -> bool:
    dynamics = node.type.dynamics
    return dynamics is not None and bool(
        dynamics.on_events or any(regime.on_events for regime in dynamics.regimes)
    )
