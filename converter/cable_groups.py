"""Run-time instances of cells with a morphology: compartments and what hangs on them.

For a population of N cells there are a group of N x c compartments, one group per channel
density, channel population and species on the compartments that carry it, and groups that
watch for spikes. Instance i of a group over compartments is its compartment i // N of cell
i % N. Synapses and inputs attach to compartments, by segment and fraction.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, Faults, ModelError, Place, did_you_mean
from .cable_cells import CableCell, Spread, cable_cell, is_cable, varied_values
from .cable_types import UNIFORM, compartment_type, detector_type, structure_only
from .connections import set_value
from .discretisation import EXPORT, Discretisation
from .endpoints import Endpoint
from .instance_tree import Builder
from .instances import Group, Index, Instances, Node
from .model import Component, ComponentTable, Model, StructureElement
from .morphology import MorphologyError
from .network import Array
from .structures import StructureBuilder

#: No segment has such an id, and no fraction along one is as large.
LARGEST = 1e9

#: Attributes that say where on a cell a connection starts or ends, by the end's name.
SEGMENTS = {
    "from": ("preSegmentId", "preSegment"),
    "endA": ("preSegmentId", "preSegment"),
    "to": ("postSegmentId", "postSegment", "segmentId"),
    "endB": ("postSegmentId", "postSegment"),
}
FRACTIONS = {
    "from": ("preFractionAlong",),
    "endA": ("preFractionAlong",),
    "to": ("postFractionAlong", "fractionAlong"),
    "endB": ("postFractionAlong",),
}

#: Lists of a compartment that its cell fills.
SPREAD = ("channelDensities", "populations", "speciesList", "detectors")

#: Parameters that scale with the membrane that a density covers.
DENSITIES = ("condDensity", "permeability")


@dataclass(eq=False, slots=True)
class CableSite:
    """The cells of one group that share a shape, and where their parts are."""

    cell: CableCell
    cells: int
    node: Node
    membrane: Node
    parts: dict[str, list[tuple[Group, Index]]] = field(default_factory=dict)
    detectors: dict[int, Group] = field(default_factory=dict)
    #: Numbers of attachments (as in `Group.sequence`) and the segments that they are on.
    placed: list[tuple[Index, Index]] = field(default_factory=list)

    def rows_at(self, segments: Index, fractions: Array) -> Index:
        """Return the compartment at each place; raises `MorphologyError`."""
        nodes = self.cell.compartments.nodes_at(segments, fractions)
        rows = self.cell.row[nodes]
        if np.any(rows < 0):
            raise MorphologyError("a place at the very end of a section was not foreseen")
        return rows

    def first_row(self) -> int:
        """Return the compartment that stands for a cell as a whole."""
        return int(self.rows_at(np.array([self.cell.first_segment]), np.array([0.5]))[0])

    def step(self, node: Node, index: Index, bit: str) -> tuple[Node, Index] | str | None:
        """Return what a bit of a path means on a cell or a compartment; None: nothing special."""
        if node is self.node:
            if bit == self.cell.component.id:
                return node, index
            if bit.isdigit():
                if int(bit) not in self.cell.compartments.segment_ids:
                    return f"{self.cell.component.id!r} has no segment {bit}"
                middle = int(self.rows_at(np.array([int(bit)]), np.array([0.5]))[0])
                return self.segment(int(bit)), middle * self.cells + index
            if ":" in bit:
                return self.attached(index, bit)
            for container, groups in self.membrane.groups.items():
                if container not in SPREAD and bit in [group.top.id for group in groups]:
                    return self.attached(index, f"{container}:{bit}:0")
            return self.step(self.membrane, self.first_row() * self.cells + index, bit)
        if bit in self.cell.names:
            return node, index
        if bit in self.parts:
            row, cell = index // self.cells, index % self.cells
            for group, rows in self.parts[bit]:
                if np.all(np.isin(row, rows)):
                    order = np.argsort(rows)
                    at = order[np.searchsorted(rows[order], row)]
                    return group.top, at * self.cells + cell
            return f"there is no {bit!r} on that segment of {self.cell.component.id!r}"
        if ":" in bit or bit in [g.top.id for gs in node.groups.values() for g in gs]:
            return None
        near = did_you_mean(bit, [*self.parts, *self.cell.names])
        return f"{self.cell.component.id!r} has no {bit!r} there" + (f"; {near}" if near else "")

    def segment(self, segment: int) -> Node:
        """Return a stand-in for the compartments that remembers which segment is meant."""
        node = Node(
            "segment",
            None,
            self.membrane.type,
            self.membrane.group,
            self.node,
            (),
            {},
            {},
            {},
            groups=self.membrane.groups,
        )
        node.cable = SegmentSite(self, segment, node)
        return node

    def attached(
        self, index: Index, bit: str, segment: int | None = None
    ) -> tuple[Node, Index] | str:
        """Return attachment number k of a cell, on one segment or wherever on it that is."""
        bits = bit.split(":")
        if len(bits) != 3 or not bits[2].isdigit():
            return f"{bit!r} is not of the form attachments:component:number"
        if len(index) != 1:
            return f"{bit!r} names attachments of several instances"
        found: list[tuple[int, Group, int]] = []
        for group in self.membrane.groups.get(bits[0], []):
            if group.top.id == bits[1]:
                mine = group.parent_index % self.cells == index[0]
                if segment is not None:
                    mine &= self.on(group.sequence, segment)
                here = np.flatnonzero(mine)
                found.extend((int(group.sequence[row]), group, int(row)) for row in here)
        found.sort(key=lambda item: item[0])
        if int(bits[2]) >= len(found):
            where = "" if segment is None else f" to segment {segment}"
            return (
                f"{self.cell.component.id!r} has {len(found)} {bits[1]!r} attached{where}, "
                f"no number {bits[2]}"
            )
        _, group, row = found[int(bits[2])]
        return group.top, np.full(1, row, np.int64)

    def on(self, sequence: Index, segment: int) -> NDArray[np.bool_]:
        """Tell which attachments are on a segment."""
        numbers = np.concatenate([n for n, _ in self.placed] or [np.zeros(0, np.int64)])
        segments = np.concatenate([s for _, s in self.placed] or [np.zeros(0, np.int64)])
        return np.isin(sequence, numbers[segments == segment])

    def holder(self, node: Node, index: int, name: str) -> tuple[Node, int]:
        """Return the node and instance that a variable of a cell or compartment belongs to."""
        if node is not self.node:
            return node, index
        if name == "spiking":
            return self.detectors[self.first_row()].top, index
        return self.membrane, self.first_row() * self.cells + index

    def source(self, node: Node, index: int) -> tuple[Node, int] | str:
        """Return the detector whose spikes a path to a cell or compartment means."""
        row = self.first_row() if node is self.node else index // self.cells
        if node not in (self.node, self.membrane):
            return node, index
        if row not in self.detectors:
            return f"nothing watches that segment of {self.cell.component.id!r} for spikes"
        return self.detectors[row].top, index % self.cells


@dataclass(frozen=True, slots=True, eq=False)
class SegmentSite:
    """One segment on the way along a path."""

    site: CableSite
    segment: int
    node: Node

    def step(self, node: Node, index: Index, bit: str) -> tuple[Node, Index] | str | None:
        """Return what a bit of a path means on the segment."""
        if ":" in bit:
            return self.site.attached(index % self.site.cells, bit, self.segment)
        if bit in self.site.cell.names:
            return node, index
        return self.site.step(self.site.membrane, index, bit)

    def holder(self, node: Node, index: int, name: str) -> tuple[Node, int]:  # noqa: ARG002 - a site's
        """Return the compartments."""
        return self.site.membrane, index

    def source(self, node: Node, index: int) -> tuple[Node, int] | str:  # noqa: ARG002 - a site's
        """Return the detector on the segment."""
        return self.site.source(self.site.membrane, index)


def cable_instances(
    model: Model,
    target: Component,
    faults: Faults,
    *,
    single: bool = False,
    discretisation: Discretisation = EXPORT,
) -> Instances:
    """Return the instances below `target`, cells with a morphology as compartments.

    `single` makes compartments of cells of one segment, too.
    """
    return CableBuilder(model, faults, single=single, discretisation=discretisation).run(target)


class CableBuilder(StructureBuilder):
    """Makes compartments where a tree would hold a cell."""

    def __init__(
        self, model: Model, faults: Faults, *, single: bool, discretisation: Discretisation
    ) -> None:
        super().__init__(model, faults)
        self.single = single
        self.discretisation = discretisation
        self.sites: list[CableSite] = []
        self.shapes: dict[Component, CableCell | None] = {}
        self.held: frozenset[tuple[int, float]] | None = None
        self.target: Component | None = None

    def run(self, target: Component) -> Instances:
        """Build everything below `target`."""
        self.target = target
        made = super().run(target)
        membranes = {id(site.membrane) for site in self.sites}
        # An input names its target twice; no event flows from a compartment.
        made.links[:] = [link for link in made.links if id(link.source) not in membranes]
        return made

    # --- trees ------------------------------------------------------------------------------

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
        """Make the node of `component`, of a cell without what its compartments hold."""
        if not is_cable(component, self.model, single=self.single):
            return super().tree(component, group, parent, key, path, consolidated=consolidated)
        node = Node(
            key,
            component,
            structure_only(component.type),
            group,
            parent,
            path,
            dict(component.values),
            component.texts,
            dict(component.references),
        )
        if group.root is None:
            group.root = node
        self.properties(node)
        if component not in self.shapes:
            if self.held is None:
                assert self.target is not None
                self.held = frozenset(_ends_held(self.target))
            self.shapes[component] = cable_cell(
                component,
                self.model,
                self.faults,
                held=self.held,
                discretisation=self.discretisation,
            )
        cell = self.shapes[component]
        if cell is not None:
            self.compartments(cell, node)
        return node

    def compartments(self, cell: CableCell, node: Node) -> None:
        """Make the groups of a cell's compartments and of what is spread over them."""
        cells, rows = node.group.size, len(cell.nodes)
        parents = np.tile(np.arange(cells), rows)
        group = self.group(
            f"{node.group.name}_compartments", cells * rows, "compartments", node, parents
        )
        if group.size != cells * rows:
            return
        group.sequence = np.arange(group.size)
        node.groups.setdefault("compartments", []).append(group)
        kind = compartment_type(self.model, cell.component.place)
        membrane = Node(
            "compartments",
            None,
            kind,
            group,
            node,
            (),
            {},
            {},
            {},
        )
        group.root = membrane
        for name, values in (
            ("surfaceArea", cell.area),
            ("totSpecCap", cell.specific_capacitance),
            ("initMembPot", cell.start),
        ):
            set_value(membrane, name, np.repeat(values, cells))
        membrane.assigned.clear()
        group.cable = replace(cell.cable, cells=cells)
        site = CableSite(cell, cells, node, membrane)
        node.cable = membrane.cable = site
        self.sites.append(site)
        for slot, spreads in (
            ("channelDensities", cell.densities),
            ("populations", cell.populations),
            ("speciesList", cell.species),
        ):
            for spread in spreads:
                self.spread(site, slot, spread)
        self.detector(site, site.first_row())

    def spread(self, site: CableSite, slot: str, spread: Spread) -> None:
        """Make the group of a density, a channel population or a species."""
        component, cell = spread.component, site.cell
        rows, share = cell.rows_of(spread.region)
        given: dict[str, Array] = {}
        uniform = next((u for n, u in UNIFORM.items() if component.type.is_a(n)), None)
        if uniform is not None:
            values = varied_values(cell, component, self.faults)
            if values is None:
                return
            varied = component.child("variableParameter")
            name = varied.texts.get("parameter", "") if varied is not None else ""
            kind = self.model.types[uniform]
            constants = {n: c.value for n, c in kind.constants.items()}
            component = replace(
                component,
                type=kind,
                parts=(),
                values={**component.values, **constants, name: 0.0},
            )
            given[name] = values
        parents = (rows[:, None] * site.cells + np.arange(site.cells)).ravel()
        name = component.id or component.tag
        group = self.group(
            f"{site.membrane.group.name}_{name}",
            len(parents),
            "attachments",
            site.membrane,
            parents,
        )
        group.sequence = np.arange(group.size)
        site.membrane.groups.setdefault(slot, []).append(group)
        site.parts.setdefault(name, []).append((group, rows))
        top = self.grow(component, group, site.membrane, name)
        for parameter in DENSITIES:
            if parameter in top.values and (parameter in given or np.any(share != 1)):
                given[parameter] = (
                    given.get(parameter, np.float64(1.0))
                    * share
                    * (1.0 if parameter in given else np.asarray(top.values[parameter]))
                )
        if slot == "populations" and "number" in top.values:
            # So many channels in all: each compartment has its share of the surface.
            area = cell.area[rows] * share
            given["number"] = np.asarray(top.values["number"]) * area / area.sum()
        for parameter, values in given.items():
            set_value(top, parameter, np.repeat(values, site.cells))
            top.assigned.discard(parameter)

    def detector(self, site: CableSite, row: int) -> Group:
        """Return the group that watches a compartment of every cell for spikes."""
        if row in site.detectors:
            return site.detectors[row]
        parents = row * site.cells + np.arange(site.cells)
        group = self.group(
            f"{site.node.group.name}_spikes", site.cells, "attachments", site.membrane, parents
        )
        group.sequence = np.arange(group.size)
        site.membrane.groups.setdefault("detectors", []).append(group)
        kind = detector_type(self.model, site.cell.component.place)
        group.root = Node("spikes", None, kind, group, site.membrane, (), {}, {}, {})
        group.root.values["thresh"] = self.threshold(site, row)
        site.detectors[row] = group
        return group

    @staticmethod
    def threshold(site: CableSite, row: int) -> float:
        """Return the threshold of the segment that takes most of a compartment."""
        cut, node = site.cell.compartments, int(site.cell.nodes[row])
        mine = np.flatnonzero(cut.cover.node == node)
        if not mine.size:
            mine = np.flatnonzero(cut.segment_section[cut.cover.segment] == cut.section[node])
        best = mine[np.argmax(cut.cover.area[mine])]
        return float(site.cell.threshold[cut.cover.segment[best]])

    # --- ends of connections ------------------------------------------------------------------

    def endpoints(
        self,
        builder: Builder,
        part: StructureElement,
        attribute: str,
        bound: dict[str, list[Endpoint]],
    ) -> list[Endpoint]:
        """Return the compartments or spike detectors that an end on a cell means."""
        found = super().endpoints(builder, part, attribute, bound)
        if all(endpoint.node.cable is None for endpoint in found):
            return found
        side = attribute
        if attribute == "from" and _same(found, super().endpoints(builder, part, "to", bound)):
            side = "to"  # an input: its only end is its target
        return [placed for endpoint in found for placed in self.placed(builder, side, endpoint)]

    def placed(self, builder: Builder, side: str, endpoint: Endpoint) -> Iterator[Endpoint]:
        """Yield an endpoint by the compartments or detectors that its rows name."""
        site = endpoint.node.cable
        if isinstance(site, SegmentSite):
            site = site.site
        if site is None:
            yield endpoint
            return
        if endpoint.node is site.node:
            segments = _numbers(builder, SEGMENTS[side], endpoint.rows, -1.0).astype(np.int64)
            fractions = _numbers(builder, FRACTIONS[side], endpoint.rows, 0.5)
            segments[(segments < 0)] = site.cell.first_segment
            if not np.isin(0, site.cell.compartments.segment_ids):
                segments[segments == 0] = site.cell.first_segment
            try:
                rows = site.rows_at(segments, fractions)
            except MorphologyError as error:
                table = builder.table
                place = (
                    builder.place if table is None else table.table.place_of(int(endpoint.rows[0]))
                )
                self.faults.error(error.message, place)
                return
            index = rows * site.cells + endpoint.index
            if side != "from":
                factor, offset = {"to": (1, 0), "endA": (2, 0), "endB": (2, 1)}[side]
                number = self.sequence + factor * endpoint.rows + offset
                site.placed.append((number, segments))
        else:
            index = endpoint.index
            rows = index // site.cells
        if side != "from":
            yield Endpoint(endpoint.rows, site.membrane, index)
            return
        for row in np.unique(rows):
            here = np.flatnonzero(rows == row)
            yield Endpoint(
                endpoint.rows[here], self.detector(site, int(row)).top, index[here] % site.cells
            )


def _same(a: list[Endpoint], b: list[Endpoint]) -> bool:
    return len(a) == len(b) and all(
        x.node is y.node and np.array_equal(x.index, y.index) and np.array_equal(x.rows, y.rows)
        for x, y in zip(a, b, strict=True)
    )


def _numbers(builder: Builder, names: tuple[str, ...], rows: Index, default: float) -> Array:
    """Return the first of the attributes `names` that a builder has, as numbers over `rows`."""
    found = np.full(builder.rows, default)
    for name in names:
        if builder.table is None:
            text = builder.node.texts.get(name)
            if text is not None:
                found[:] = _number(name, text, builder.place)
                break
            continue
        if name in builder.table.columns:
            found = table_numbers(builder.table, name, default)
            break
    return found[rows]


def table_numbers(table: ComponentTable, name: str, default: float) -> Array:
    """Return an attribute of every row as a number (n,), `default` where a row has none.

    Raises `ModelError` where it is no number.
    """
    column = table.columns[name]
    if column.kind != "text":
        values = column.numbers.astype(np.float64)
        absent = np.isnan(values)
        if column.present is not None:
            absent |= ~column.present
        values = np.where(absent, default, values)
        for row in np.flatnonzero(np.abs(values) >= LARGEST)[:1]:
            _number(name, repr(float(values[row])), table.table.place_of(int(row)))
        return values
    texts = map(column.text, range(table.rows))
    return np.array(
        [
            default if text is None else _number(name, text, table.table.place_of(row))
            for row, text in enumerate(texts)
        ]
    )


def _number(name: str, text: str, place: Place) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) < LARGEST:
        raise ModelError(Fault(f"{name} is {text!r}, which is no number of a place", place))
    return value


def _ends_held(target: Component) -> Iterator[tuple[int, float]]:
    """Yield the places at the ends of segments that anything connects to."""
    for component in target.descendants():
        tables = [part for _, _, part in component.parts if isinstance(part, ComponentTable)]
        for table in tables:
            columns = table.columns
            for side, names in SEGMENTS.items():
                along = next((n for n in FRACTIONS[side] if n in columns), None)
                if along is None:
                    continue
                fractions = table_numbers(table, along, 0.5)
                ends = np.flatnonzero((fractions <= 0) | (fractions >= 1))
                if not ends.size:
                    continue
                of = next((n for n in names if n in columns), None)
                segments = np.zeros(table.rows) if of is None else table_numbers(table, of, 0.0)
                yield from {(int(segments[row]), float(fractions[row])) for row in ends}
