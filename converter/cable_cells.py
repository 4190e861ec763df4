"""Cells with a morphology: their shape and biophysics as data over compartments.

In: a `cell` component as the document gives it. Out: a `CableCell`: its compartments, which of
their nodes are compartments of the network and which only junctions, and what the membrane
carries where. `cable_groups` makes run-time instances of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import Faults, Place
from .cable_trees import level_order
from .compartments import (
    Compartments,
    average_over_nodes,
    axial_resistance,
    discretise,
    inhomogeneous_values,
)
from .discretisation import EXPORT, Discretisation
from .evaluate import UnknownName, evaluate
from .expressions import ExpressionError, parse
from .model import Component, ComponentTable, Model
from .morphology import (
    InhomogeneousParameter,
    Morphology,
    MorphologyError,
    Point,
    Region,
    Segment,
    SegmentGroup,
    faults,
    named,
    regions_of,
    values_by_segment,
)
from .network import Array, Cable, Index

#: Slots of a cell that hold its biophysics, and within them the membrane and the cytoplasm.
BIOPHYSICS = ("biophysicalProperties", "biophysicalProperties2CaPools")
MEMBRANE = ("membraneProperties", "membraneProperties2CaPools")
CYTOPLASM = ("intracellularProperties", "intracellularProperties2CaPools")

#: The potential [V] that counts as a spike where a cell gives none, as in NEURON.
DEFAULT_THRESHOLD = 0.0


@dataclass(frozen=True, slots=True)
class Spread:
    """A component of the membrane or cytoplasm and the group or segment that carries it."""

    component: Component
    region: Region


@dataclass(frozen=True, slots=True, eq=False)
class CableCell:
    """One kind of cell, cut into compartments.

    `nodes` (c,) are the nodes of `compartments` that are compartments of the network, in their
    order; `row` (n,) is the inverse, -1 for nodes that are junctions or merged away. `cable` is
    the tree over compartments and junctions, for one cell. `capacitance`, `start` and
    `threshold` (c,) are in F, V and V.
    """

    component: Component
    morphology: Morphology
    compartments: Compartments
    nodes: Index
    row: Index
    cable: Cable
    start: Array
    specific_capacitance: Array
    threshold: Array
    densities: tuple[Spread, ...]
    populations: tuple[Spread, ...]
    species: tuple[Spread, ...]
    names: frozenset[str]

    @property
    def area(self) -> Array:
        """The surface of each compartment (c,) [m2]."""
        return self.compartments.area[self.nodes]

    @property
    def first_segment(self) -> int:
        """The segment that a path or connection without one means."""
        ids = self.compartments.segment_ids
        return 0 if 0 in ids else int(ids[0])

    def rows_of(self, region: Region) -> tuple[Index, Array]:
        """Return the compartments that a group or a segment covers and the share of each."""
        nodes, share = self.compartments.covered_by(region)
        return self.row[nodes], np.asarray(share, np.float64)


def is_cable(component: Component, model: Model, *, single: bool) -> bool:
    """Tell whether a component is a cell to be cut; `single` takes cells of one segment too."""
    if not component.type.is_a("cell"):
        return False
    morphology = part_of(component, "morphology", model)
    if morphology is None:
        return False
    return len(list(morphology.children("segments"))) > (0 if single else 1)


def part_of(component: Component, slot: str, model: Model) -> Component | None:
    """Return what stands in a slot, or the standalone component that its attribute names."""
    found = component.child(slot)
    if found is None and slot in component.references:
        found = model.components.get(component.references[slot])
    return found


def first_part(component: Component, slots: Iterable[str], model: Model) -> Component | None:
    """Return what stands in the first of `slots` that is filled."""
    for slot in slots:
        found = part_of(component, slot, model)
        if found is not None:
            return found
    return None


# --- the shape ----------------------------------------------------------------------------


def morphology_of(component: Component) -> Morphology:
    """Return the shape that a `morphology` component describes."""
    return Morphology(
        component.id or "",
        tuple(_segment(part) for part in component.children("segments")),
        tuple(_group(part) for part in component.children("segmentGroups")),
        component.place,
    )


def _segment(component: Component) -> Segment:
    parent = component.child("parent")
    texts = parent.texts if parent is not None else {}
    return Segment(
        id=_whole(component.id, component.place),
        name=component.texts.get("name", ""),
        parent=None if parent is None else _whole(texts.get("segment"), parent.place),
        fraction_along=_number(texts.get("fractionAlong", "1"), component.place),
        proximal=_point(component.child("proximal")),
        distal=_point(component.child("distal")),
        place=component.place,
    )


def _point(component: Component | None) -> Point | None:
    if component is None:
        return None
    x, y, z, diameter = (component.values.get(n, np.nan) for n in ("x", "y", "z", "diameter"))
    return Point.from_micrometres(x, y, z, diameter, component.place)


def _group(component: Component) -> SegmentGroup:
    return SegmentGroup(
        id=component.id or "",
        neuro_lex_id=component.texts.get("neuroLexId"),
        members=tuple(
            _whole(text, component.place) for text in _texts(component, "members", "segment")
        ),
        includes=tuple(t or "" for t in _texts(component, "includes", "segmentGroup")),
        paths=tuple(_ends(part) for part in component.children("paths")),
        sub_trees=tuple(_ends(part) for part in component.children("subTrees")),
        inhomogeneous_parameters=tuple(
            InhomogeneousParameter(
                part.id or "",
                part.texts.get("variable", ""),
                part.texts.get("metric", ""),
                _detail(part.child("proximal"), "translationStart"),
                _detail(part.child("distal"), "normalizationEnd"),
                part.place,
            )
            for part in component.children("inhomogeneousParameter")
        ),
        divisions=_divisions(component),
        place=component.place,
    )


def _texts(component: Component, slot: str, name: str) -> Iterator[str | None]:
    for of_slot, _, part in component.parts:
        if of_slot != slot:
            continue
        if isinstance(part, ComponentTable):
            column = part.columns.get(name)
            for row in range(part.rows):
                yield None if column is None else column.text(row)
        else:
            yield part.texts.get(name)


def _ends(component: Component) -> tuple[int | None, int | None]:
    found: list[int | None] = []
    for slot in ("from", "to"):
        end = component.child(slot)
        found.append(None if end is None else _whole(end.texts.get("segment"), end.place))
    return found[0], found[1]


def _detail(component: Component | None, name: str) -> float | None:
    if component is None or name not in component.texts:
        return None
    return _number(component.texts[name], component.place)


def _divisions(component: Component) -> int | None:
    for part in component.children("property"):
        if part.texts.get("tag") == "numberInternalDivisions":
            return _whole(part.texts.get("value"), part.place)
    return None


def _whole(text: str | None, place: Place) -> int:
    try:
        return int(text or "")
    except ValueError:
        raise MorphologyError(f"{text!r} is no whole number", place) from None


def _number(text: str, place: Place) -> float:
    try:
        return float(text)
    except ValueError:
        raise MorphologyError(f"{text!r} is no number", place) from None


# --- the whole cell -------------------------------------------------------------------------


def cable_cell(
    component: Component,
    model: Model,
    noted: Faults,
    *,
    held: Iterable[tuple[int, float]] = (),
    discretisation: Discretisation = EXPORT,
) -> CableCell | None:
    """Return a cell cut into compartments; None, with faults noted, where it cannot be.

    `held` are places (segment, fraction along) where something is attached at the very end of
    a section: nodes without area that must stay, for a current to flow into.
    """
    try:
        return _cable_cell(component, model, noted, held, discretisation)
    except MorphologyError as error:
        noted.found.extend(error.faults)
        return None


def _cable_cell(
    component: Component,
    model: Model,
    noted: Faults,
    held: Iterable[tuple[int, float]],
    discretisation: Discretisation,
) -> CableCell | None:
    shape = part_of(component, "morphology", model)
    biophysics = first_part(component, BIOPHYSICS, model)
    membrane = first_part(biophysics, MEMBRANE, model) if biophysics is not None else None
    if shape is None or biophysics is None or membrane is None:
        what = "morphology" if shape is None else "biophysicalProperties with membraneProperties"
        noted.error(f"the cell {component.id!r} has no {what}", component.place)
        return None
    cytoplasm = first_part(biophysics, CYTOPLASM, model)
    morphology = morphology_of(shape)
    wrong = faults(morphology)
    if wrong:
        noted.found.extend(fault for error in wrong for fault in error.faults)
        return None
    regions = regions_of(morphology)

    def pairs(parts: Iterable[Component]) -> list[tuple[Region, float]]:
        return [(_known_region(part, part, regions), part.values["value"]) for part in parts]

    capacitance = pairs(membrane.children("specificCapacitances"))
    resistivity = pairs(cytoplasm.children("resistivity")) if cytoplasm is not None else []
    start = pairs(grouped(membrane, "initMembPotential"))
    threshold = pairs(grouped(membrane, "spikeThresh"))
    for what, given in (("specificCapacitance", capacitance), ("initMembPotential", start)):
        if not given:
            noted.error(f"the cell {component.id!r} gives no {what}", membrane.place)
    many = len(morphology.segments) > 1
    if many and not resistivity:
        noted.error(f"the cell {component.id!r} gives no resistivity", biophysics.place)
    _note_not_positive(membrane.children("specificCapacitances"), "specificCapacitance", noted)
    if many and cytoplasm is not None:
        _note_not_positive(cytoplasm.children("resistivity"), "resistivity", noted)
    if noted.errors:
        return None
    cut = discretise(
        morphology,
        discretisation.rule,
        refine=discretisation.refine,
        lambda_fraction=discretisation.fraction,
        axial_resistivity=resistivity or 1.0,
        specific_capacitance=capacitance,
    )

    def over_nodes(values: list[tuple[Region, float]], default: float | None = None) -> Array:
        each = values_by_segment(morphology, values, default, regions=regions)
        return average_over_nodes(cut, each)

    specific = over_nodes(capacitance)
    potential = values_by_segment(morphology, start, regions=regions)
    first = average_over_nodes(cut, potential)
    over_segments = values_by_segment(morphology, resistivity, 1.0, regions=regions)
    between = axial_resistance(cut, over_segments)
    ends = {cut.node_at(s, f) for s, f in held if s in cut.segment_ids}
    kept = np.array(cut.internal)
    kept[[node for node in ends if not cut.internal[node]]] = True
    nodes = np.flatnonzero(kept)
    row = np.full(len(cut), -1)
    row[nodes] = np.arange(len(nodes))
    junction_start = _spread_down(cut.parent, first, cut.internal)
    start_of = np.where(cut.internal, first, junction_start)
    tree = _joined(cut.parent, between, kept)
    junctions = [node for node in tree.order if not kept[node]]
    # Nodes of one level wait for none of each other: a processor takes several at a time.
    at = {node: number for number, node in enumerate(tree.order)}
    order = level_order([at.get(tree.parent[node], -1) for node in tree.order]).order
    place = {int(node): number for number, node in enumerate([*nodes.tolist(), *junctions])}
    cable = Cable(
        state="",
        current="",
        cells=1,
        capacitance=(specific * cut.area)[nodes],
        parent=np.array(
            [place[tree.parent[n]] if tree.parent[n] >= 0 else -1 for n in place], np.int64
        ),
        conductance=np.array([tree.conductance[n] for n in place]),
        order=np.array([place[tree.order[n]] for n in order], np.int64),
        junctions=np.array([start_of[n] for n in junctions]),
        area=cut.area[nodes],
        start=cut.start[nodes],
        end=cut.end[nodes],
        diameter=cut.diameter[nodes],
    )
    limits = values_by_segment(morphology, threshold, DEFAULT_THRESHOLD, regions=regions)
    if not threshold:
        noted.warning(
            f"the cell {component.id!r} gives no spikeThresh; a spike is a crossing of 0 mV",
            membrane.place,
        )
    names = {p.id or "" for p in (biophysics, membrane, *((cytoplasm,) if cytoplasm else ()))}
    return CableCell(
        component=component,
        morphology=morphology,
        compartments=cut,
        nodes=nodes,
        row=row,
        cable=cable,
        start=start_of[nodes],
        specific_capacitance=specific[nodes],
        threshold=limits,
        densities=_spreads(membrane, "channelDensities", regions),
        populations=_spreads(membrane, "populations", regions),
        species=() if cytoplasm is None else _spreads(cytoplasm, "speciesList", regions),
        names=frozenset((*names, *BIOPHYSICS, *MEMBRANE, *CYTOPLASM)),
    )


def _note_not_positive(parts: Iterable[Component], what: str, noted: Faults) -> None:
    for part in parts:
        if not part.values["value"] > 0:
            noted.error(f"{what} is {part.values['value']:g} in SI units, not above 0", part.place)


def region_of(component: Component) -> Region:
    """Return the group or the segment that a part of the biophysics is about.

    The schema's default of `segmentGroup` is "all", so that it and a segment mean the segment.
    """
    group, segment = component.texts.get("segmentGroup"), component.texts.get("segment")
    if segment is None:
        return group or "all"
    if group not in (None, "", "all"):
        raise MorphologyError(
            f"{component.id or component.tag!r} names both the segment group {group!r} and the "
            f"segment {segment}; leave one of them out",
            component.place,
        )
    return _whole(segment, component.place)


def _known_region(
    component: Component, named_by: Component, regions: Mapping[Region, tuple[int, ...]]
) -> Region:
    """Return the region that `named_by` names for `component`, which must exist."""
    region = region_of(named_by)
    if region not in regions:
        raise MorphologyError(
            f"{component.id or component.tag!r} names {named(region)}, which the cell's "
            f"morphology does not have",
            component.place,
        )
    return region


def grouped(membrane: Component, slot: str) -> Iterator[Component]:
    """Yield what stands in a slot that holds one component per segment group."""
    for name, _, part in membrane.parts:
        if name == slot and isinstance(part, Component):
            yield part


def _spreads(
    holder: Component, slot: str, regions: Mapping[Region, tuple[int, ...]]
) -> tuple[Spread, ...]:
    found = []
    for part in holder.children(slot):
        varied = part.child("variableParameter")
        if varied is not None and "segment" in {**part.texts, **varied.texts}:
            raise MorphologyError(
                f"{part.id or part.tag!r} varies along a segment group and names a segment; "
                f"leave the segment out",
                part.place,
            )
        region = _known_region(part, part if varied is None else varied, regions)
        found.append(Spread(part, region))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Tree:
    order: list[int]
    parent: dict[int, int]
    conductance: dict[int, float]


def _joined(parent: NDArray[np.int32], resistance: Array, kept: NDArray[np.bool_]) -> _Tree:
    """Return the tree without nodes that have no area and at most two neighbours.

    Such a node only passes current on: two resistances in series are one, exactly, and a
    loose end carries none.
    """
    size = len(parent)
    parents = {n: int(parent[n]) for n in range(size)}
    between = {n: float(resistance[n]) for n in range(size)}
    children: dict[int, list[int]] = {n: [] for n in range(size)}
    for node, above in parents.items():
        if above >= 0:
            children[above].append(node)
    gone: set[int] = set()
    for node in range(size - 1, -1, -1):
        if kept[node] or len(children[node]) > 1:
            continue
        above = parents[node]
        if above < 0:
            continue
        children[above].remove(node)
        gone.add(node)
        for child in children[node]:
            parents[child] = above
            between[child] += between[node]
            children[above].append(child)
    root = next(n for n in range(size) if parents[n] < 0)
    if not kept[root] and len(children[root]) <= 2:
        heir, *others = sorted(children[root])
        gone.add(root)
        parents[heir] = -1
        for other in others:
            parents[other] = heir
            between[other] += between[heir]
    order = [n for n in range(size) if n not in gone]
    return _Tree(
        order,
        {n: parents[n] for n in order},
        {n: 0.0 if parents[n] < 0 else 1.0 / between[n] for n in order},
    )


def _spread_down(parent: NDArray[np.int32], values: Array, known: NDArray[np.bool_]) -> Array:
    """Return `values`, those of unknown nodes taken from the node that carries them."""
    found = np.array(values)
    for node in range(len(parent)):
        if known[node]:
            continue
        above = parent[node]
        if above >= 0:
            found[node] = found[above]
        else:
            found[node] = values[np.flatnonzero(known)[0]]
    return found


# --- values that vary along a group ------------------------------------------------------------


def varied_values(cell: CableCell, component: Component, noted: Faults) -> Array | None:
    """Return what an inhomogeneousValue gives at the compartments of its group (k,), SI."""
    varied = component.child("variableParameter")
    value = varied.child("inhomogeneousValue") if varied is not None else None
    if varied is None or value is None:
        noted.error(
            f"{component.id!r} needs a variableParameter with an inhomogeneousValue",
            component.place,
        )
        return None
    name, wanted = str(region_of(varied)), value.texts.get("inhomogeneousParameter", "")
    group = cell.morphology.group(name)
    parameter = next((p for p in group.inhomogeneous_parameters if p.id == wanted), None)
    if parameter is None:
        noted.error(
            f"the segment group {name!r} has no inhomogeneousParameter {wanted!r}", value.place
        )
        return None
    at = inhomogeneous_values(cell.compartments, group, parameter)
    try:
        found = evaluate(parse(value.texts.get("value", "")), {parameter.variable: at})
    except ExpressionError as fault:
        noted.error(f"the value is no expression: {fault.message}", value.place)
        return None
    except UnknownName as unknown:
        noted.error(
            f"the value uses {str(unknown)!r}; it may use {parameter.variable!r}", value.place
        )
        return None
    return np.array(np.broadcast_to(np.asarray(found, np.float64), at.shape))
