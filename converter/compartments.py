"""A morphology cut into compartments: areas, axial resistances, positions, and who lies where.

In: a `Morphology`. Out: `Compartments`, plain arrays in SI units. The rule "neuron" gives the
nodes that NEURON makes of jNeuroML's export; "d_lambda" chooses their number by the length
constant (Hines and Carnevale 2001, The Neuroscientist 7:123). The integrals follow
`diam_from_list` in treeset.cpp of NEURON 9, whose numbers they reproduce to the last bits.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .cable_geometry import Cuts, Polylines, cut, odd_counts, polylines, sum_at
from .morphology import (
    PATH_LENGTH,
    InhomogeneousParameter,
    Morphology,
    MorphologyError,
    Note,
    Region,
    SegmentGroup,
    resolve_groups,
    values_by_segment,
)
from .sections import Section, sections_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Rule = Literal["neuron", "d_lambda"]
Values = float | Sequence[tuple[Region, float]]
"""One value for the whole cell, or (region, value) pairs of which the later overwrites."""

MOST_NODES = 100_000_000
"""Compartments of one cell beyond which a count is a slip of the pen, not a model."""

SLIVER = 1e-9
"""A share of a node's area below which a segment touches the node by round-off alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Compartments:
    """The nodes of a cable: internal ones with area, and points without area at the ends.

    Nodes are in Hines order: a node's parent has a lower index, and the internal nodes of a
    section follow each other from its 0 end to its 1 end. Arrays over nodes have shape (n,):

    parent    index of the parent node, -1 at the root
    section   index in `sections`; the root node without area belongs to the root section
    x         place along the section, 0 to 1: a node's centre, or 0 or 1 at the ends
    area      lateral surface [m2], 0 for nodes without area
    volume    [m3]
    diameter  mean over the length [m]; at nodes without area, the diameter there
    length    along the cable [m]
    left      integral of dx over the cross-section [1/m] from the 0-side border to the centre
    right     the same from the centre to the 1-side border
    axial     the same from the parent node to this one; resistivity times this is a resistance
              [ohm]; infinite at the root
    distance  path length from the root section's 0 end to the node [m]
    internal  whether the node has membrane
    centre, start, end  positions (n, 3) [m]

    Arrays over sections have shape (s,): `nseg`, `first` (first internal node), `end0` and
    `end1` (the nodes at x = 0, which for a non-root is the node it hangs on, and x = 1) and
    `section_length` [m]. Arrays over segments, in the morphology's order, have shape (m,):
    `segment_ids`, `segment_section`, `segment_start` and `segment_end` (distance of the ends
    from the root [m]). `cover` says which segments make up which nodes.

    `segments_of[group]` holds the indices of a group's segments, `nodes_of[group]` the internal
    nodes that they cover, and `weights_of[group]` the share of each node's area that they cover:
    1 but where a group ends inside a compartment.
    """

    parent: Ints
    section: Ints
    x: Floats
    area: Floats
    volume: Floats
    diameter: Floats
    length: Floats
    left: Floats
    right: Floats
    axial: Floats
    distance: Floats
    internal: NDArray[np.bool_]
    centre: Floats
    start: Floats
    end: Floats
    sections: tuple[Section, ...]
    nseg: Ints
    first: Ints
    end0: Ints
    end1: Ints
    section_length: Floats
    segment_ids: NDArray[np.int64]
    segment_section: Ints
    segment_start: Floats
    segment_end: Floats
    cover: Cover
    segments_of: Mapping[str, Ints]
    nodes_of: Mapping[str, Ints]
    weights_of: Mapping[str, Floats]
    notes: tuple[Note, ...]

    def __len__(self) -> int:
        return len(self.parent)

    def node_at(self, segment: int, fraction: float = 0.5) -> int:
        """Return the node at `fraction` along the segment with id `segment`."""
        return int(self.nodes_at(np.array([segment]), np.array([fraction]))[0])

    def nodes_at(self, segments: ArrayLike, fractions: ArrayLike = 0.5) -> Ints:
        """Return the node at each pair of a segment id and a fraction along it.

        Inside a section this is the compartment that holds the point, at its ends the node
        without area there. The fraction along the section passes through the shortest text of
        a single-precision number, as it does in the export (a border of two compartments may
        lie on either side of it).
        """
        ids, along = np.broadcast_arrays(np.asarray(segments), np.asarray(fractions, np.float64))
        order = np.argsort(self.segment_ids, kind="stable")
        sought = np.searchsorted(self.segment_ids, ids, sorter=order)
        index = order[np.minimum(sought, len(order) - 1)]
        unknown = self.segment_ids[index] != ids
        if unknown.any():
            raise MorphologyError(f"there is no segment {ids[unknown].flat[0]}")
        outside = ~((along >= 0) & (along <= 1))
        if outside.any():
            raise MorphologyError(
                f"{along[outside].flat[0]:g} along segment {ids[outside].flat[0]} is outside 0 to 1"
            )
        # A pair as one complex number: many connections share few places.
        pairs, back = np.unique(index + 1j * along, return_inverse=True)
        nodes = [self._node(int(pair.real), float(pair.imag)) for pair in pairs]
        return np.array(nodes, np.int32)[back.reshape(ids.shape)]

    def covered_by(self, region: Region) -> tuple[Ints, Floats]:
        """Return the internal nodes (k,) that a region covers and the share of each one's area.

        The share is 1 but where the region ends inside a compartment. Raises `KeyError` for a
        group that does not exist, and `MorphologyError` for such a segment.
        """
        if isinstance(region, str):
            return self.nodes_of[region], self.weights_of[region]
        index = np.flatnonzero(self.segment_ids == region).astype(np.int32)
        if not len(index):
            raise MorphologyError(f"there is no segment {region}")
        return _covered(self.cover, index, len(self), len(self.segment_ids))

    def _node(self, index: int, fraction: float) -> int:
        number = int(self.segment_section[index])
        single = float(np.float32(fraction))
        exact = self.sections[number].x_of(int(self.segment_ids[index]), single)
        ends = int(self.first[number]), int(self.end0[number]), int(self.end1[number])
        return _node_on(_shortest(exact), *ends, int(self.nseg[number]))


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """The parts of segments in nodes: one entry for each segment that reaches into each node.

    `node` and `segment` (an index, not an id) have shape (k,), and with them the `area` [m2],
    `length` [m], and the `left` and `right` shares [1/m] of the node's own.
    """

    node: Ints
    segment: Ints
    area: Floats
    length: Floats
    left: Floats
    right: Floats


def discretise(
    morphology: Morphology,
    rule: Rule = "neuron",
    *,
    follow_export: bool = False,
    refine: int = 1,
    position: tuple[float, float, float] | None = None,
    axial_resistivity: Values | None = None,
    specific_capacitance: Values | None = None,
    lambda_frequency: float = 100.0,
    lambda_fraction: float = 0.1,
) -> Compartments:
    """Return the compartments of `morphology`.

    "neuron" takes each section's numberInternalDivisions. "d_lambda" takes the smallest odd
    number that keeps a compartment at or under `lambda_fraction` of the length constant at
    `lambda_frequency` [Hz], from `axial_resistivity` [ohm m] and `specific_capacitance` [F/m2];
    the published formula, int((L / (0.1 lambda) + 0.9) / 2) * 2 + 1, stays under that number by
    2 where a compartment would be too long by less than a tenth of its limit.

    `refine` is odd and multiplies every count, for convergence tests. `position` [m] is where
    the cell stands: NEURON rounds the shifted points to single precision, which changes short
    lengths by some 1e-5. `follow_export` reproduces slips of the NEURON export that change what
    a model means: see `sections_of` and `resolve_groups`.
    """
    if refine < 1 or refine % 2 == 0:
        raise MorphologyError(f"the number of compartments is refined by {refine}, not an odd one")
    sections = sections_of(morphology, follow_export=follow_export)
    numbers = {segment.id: number for number, segment in enumerate(morphology.segments)}
    lines = polylines(sections, numbers, position)
    if rule == "neuron":
        counts = np.array([section.divisions for section in sections], np.float64)
    elif rule == "d_lambda":
        if axial_resistivity is None or specific_capacitance is None:
            raise MorphologyError(
                "the rule d_lambda needs an axial resistivity and a specific capacitance",
                morphology.place,
            )
        resistivity = _by_segment(morphology, axial_resistivity, "axial resistivity")
        capacitance = _by_segment(morphology, specific_capacitance, "specific capacitance")
        if not (lambda_frequency > 0 and lambda_fraction > 0):
            raise MorphologyError("the rule d_lambda needs a frequency and a fraction above zero")
        product = resistivity * capacitance
        counts = odd_counts(lines, product, lambda_frequency, lambda_fraction)
    else:
        raise MorphologyError(f"there is no rule {rule!r}; there are 'neuron' and 'd_lambda'")
    if not counts.sum() * refine < MOST_NODES:
        raise MorphologyError(
            f"morphology {morphology.id!r} would have {counts.sum() * refine:.0f} compartments",
            morphology.place,
        )
    nseg = counts.astype(np.int64) * refine
    groups = resolve_groups(morphology, follow_export=follow_export)
    cuts = cut(lines, nseg, snap=not follow_export)
    return _assemble(morphology, groups, sections, lines, nseg, cuts)


def axial_resistance(compartments: Compartments, resistivity: float | Floats) -> Floats:
    """Return the resistance [ohm] from each node to its parent (n,), infinite at the root.

    `resistivity` [ohm m] is one number or has one per segment (m,), as `values_by_segment` gives.
    """
    if np.ndim(resistivity) == 0:
        return compartments.axial * resistivity
    cover, size = compartments.cover, len(compartments)
    each = np.asarray(resistivity)[cover.segment]
    left = sum_at(cover.node, cover.left * each, size)
    right = sum_at(cover.node, cover.right * each, size)
    return _joined(compartments.parent, compartments.section, left, right)


def average_over_nodes(compartments: Compartments, values: Floats) -> Floats:
    """Return the area-weighted mean of values per segment (m,) over each node (n,).

    Nodes without area get 0.
    """
    cover, size = compartments.cover, len(compartments)
    total = sum_at(cover.node, cover.area * values[cover.segment], size)
    weight = sum_at(cover.node, cover.area, size)
    # Where one value holds throughout, it comes back to the last bit.
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, cover.node, values[cover.segment])
    np.maximum.at(high, cover.node, values[cover.segment])
    mean = np.divide(total, weight, out=np.zeros(size), where=weight > 0)
    return np.where(weight > 0, np.clip(mean, low, high), 0.0)


def inhomogeneous_values(
    compartments: Compartments, group: SegmentGroup, parameter: InhomogeneousParameter
) -> Floats:
    """Return `parameter` at the centres of `compartments.nodes_of[group.id]`, in micrometres.

    By convention, expressions take the number of micrometres. translationStart 0 moves the
    group's nearest end to 0; normalizationEnd 1 then divides by the farthest end's value or by
    1 um, whichever is more (subiter.hoc of NEURON).
    """
    if parameter.metric != PATH_LENGTH:
        raise MorphologyError(
            f"inhomogeneous parameter {parameter.id!r} has the metric {parameter.metric!r};"
            f" NeuroML defines {PATH_LENGTH!r}",
            parameter.place,
        )
    for name, value, defined in (
        ("translationStart", parameter.translation_start, 0.0),
        ("normalizationEnd", parameter.normalization_end, 1.0),
    ):
        if value is not None and value != defined:
            raise MorphologyError(
                f"{name} of inhomogeneous parameter {parameter.id!r} is {value:g}; only"
                f" {defined:g} has a meaning",
                parameter.place,
            )
    nodes = compartments.nodes_of[group.id]
    values = compartments.distance[nodes] * 1e6
    if not len(values):
        return values
    segments = compartments.segments_of[group.id]
    lowest = compartments.segment_start[segments].min() * 1e6
    highest = compartments.segment_end[segments].max() * 1e6
    if parameter.translation_start is not None:
        values, highest = values - lowest, highest - lowest
    if parameter.normalization_end is not None:
        values = values / max(highest, 1.0)
    return values


def _shortest(value: float) -> float:
    """Return the number that a Java float prints as and hoc reads."""
    return float(str(np.float32(value)))


def _node_on(x: float, first: int, end0: int, end1: int, nseg: int) -> int:
    """Return the node that holds `x` of a section's length: an end, or a compartment."""
    if x <= 0:
        return end0
    if x >= 1:
        return end1
    return first + min(int(nseg * x), nseg - 1)


def _joined(parent: Ints, section: Ints, left: Floats, right: Floats) -> Floats:
    """Return what lies between each node and its parent, infinite at the root.

    Where the parent is another section's, its half adds nothing: a child hangs on the node.
    """
    own = (parent >= 0) & (section[parent] == section)
    joined = left + np.where(own, right[parent], 0.0)
    joined[parent < 0] = np.inf
    return joined


def _covered(cover: Cover, segments: Ints, size: int, count: int) -> tuple[Ints, Floats]:
    """Return the nodes that `segments` cover and the shares of their areas."""
    chosen = np.zeros(count, np.bool_)
    chosen[segments] = True
    inside = sum_at(cover.node, cover.area * chosen[cover.segment], size)
    whole = sum_at(cover.node, cover.area, size)
    share = np.divide(inside, whole, out=np.zeros(size), where=whole > 0)
    share[share > 1 - SLIVER] = 1.0
    nodes = np.flatnonzero(share > SLIVER)
    return nodes.astype(np.int32), share[nodes]


def _by_segment(morphology: Morphology, values: Values, what: str) -> Floats:
    if isinstance(values, int | float):
        each = np.full(len(morphology.segments), float(values))
    else:
        each = values_by_segment(morphology, values)
    wrong = np.flatnonzero(~((each > 0) & np.isfinite(each)))
    if len(wrong):
        segment = morphology.segments[int(wrong[0])]
        raise MorphologyError(
            f"the {what} of segment {segment.id} is {each[wrong[0]]:g}, not above zero",
            segment.place,
        )
    return each


def _assemble(
    morphology: Morphology,
    groups: Mapping[str, tuple[int, ...]],
    sections: tuple[Section, ...],
    lines: Polylines,
    nseg: NDArray[np.int64],
    cuts: Cuts,
) -> Compartments:
    """Return the cuts as nodes in Hines order, with nodes without area added, in SI units."""
    tree = _Tree(sections, lines.length, nseg)
    size = tree.size
    node = tree.first[cuts.section] + np.arange(len(cuts.section)) - tree.before[cuts.section]

    def spread(values: Floats, ends: Floats | float = 0.0, starts: Floats | float = 0.0) -> Floats:
        """Return values over nodes from those over compartments, 1 ends and the root's 0 end."""
        over = np.zeros((size, *values.shape[1:]))
        over[node] = values
        over[tree.end1] = ends
        over[tree.root_node] = starts
        return over

    last, head = lines.bounds[1:] - 1, lines.points[lines.bounds[tree.root]]
    tail = lines.points[last]
    section = np.zeros(size, np.int32)
    section[node], section[tree.end1] = cuts.section, np.arange(len(sections))
    section[tree.root_node] = tree.root
    x = spread((np.arange(len(node)) - tree.before[cuts.section] + 0.5) / nseg[cuts.section], 1.0)
    internal = np.zeros(size, np.bool_)
    internal[node] = True
    parent = np.arange(-1, size - 1, dtype=np.int32)
    parent[tree.first] = tree.end0
    parent[tree.root_node] = -1
    left, right = (spread(half * (4e6 / math.pi)) for half in (cuts.left, cuts.right))
    numbers = {segment.id: number for number, segment in enumerate(morphology.segments)}
    owner, ends = np.zeros(len(numbers), np.int32), np.zeros((2, len(numbers)))
    for index, one in enumerate(sections):
        span = one.offsets[-1] or 1.0
        for place, segment in enumerate(one.segments):
            owner[numbers[segment]] = index
            for side in (0, 1):
                along = one.offsets[place + side] / span * lines.length[index]
                ends[side, numbers[segment]] = (tree.distance[index] + along) * 1e-6
    cover = Cover(
        node=node[cuts.part_node].astype(np.int32),
        segment=cuts.part_segment.astype(np.int32),
        area=cuts.part_area * 1e-12,
        length=cuts.part_length * 1e-6,
        left=cuts.part_left * (4e6 / math.pi),
        right=cuts.part_right * (4e6 / math.pi),
    )
    segments_of = {
        name: np.array([numbers[one] for one in ids], np.int32) for name, ids in groups.items()
    }
    covered = {name: _covered(cover, ids, size, len(numbers)) for name, ids in segments_of.items()}
    return Compartments(
        parent=parent,
        section=section,
        x=x,
        area=spread(cuts.area * 1e-12),
        volume=spread(cuts.volume * 1e-18),
        diameter=spread(cuts.diameter * 1e-6, tail[:, 3] * 1e-6, head[3] * 1e-6),
        length=spread(cuts.length * 1e-6),
        left=left,
        right=right,
        axial=_joined(parent, section, left, right),
        distance=(tree.distance[section] + x * lines.length[section]) * 1e-6,
        internal=internal,
        centre=spread(cuts.centre * 1e-6, tail[:, :3] * 1e-6, head[:3] * 1e-6),
        start=spread(cuts.start * 1e-6, tail[:, :3] * 1e-6, head[:3] * 1e-6),
        end=spread(cuts.end * 1e-6, tail[:, :3] * 1e-6, head[:3] * 1e-6),
        sections=sections,
        nseg=nseg.astype(np.int32),
        first=tree.first,
        end0=tree.end0,
        end1=tree.end1,
        section_length=lines.length * 1e-6,
        segment_ids=np.array(list(numbers), np.int64),
        segment_section=owner,
        segment_start=ends[0],
        segment_end=ends[1],
        cover=cover,
        segments_of=MappingProxyType(segments_of),
        nodes_of=MappingProxyType({name: nodes for name, (nodes, _) in covered.items()}),
        weights_of=MappingProxyType({name: weights for name, (_, weights) in covered.items()}),
        notes=tuple(note for one in sections for note in one.notes),
    )


class _Tree:
    """Which nodes each section has, with sections in an order that puts parents first.

    That order is the document's wherever the document puts parents first itself.
    """

    def __init__(
        self, sections: Sequence[Section], length: Floats, nseg: NDArray[np.int64]
    ) -> None:
        children: list[list[int]] = [[] for _ in sections]
        waiting = []
        for index, section in enumerate(sections):
            if section.parent is None:
                waiting.append(index)
            else:
                children[section.parent].append(index)
        self.root = waiting[0]
        self.root_node = 0
        self.size = 1
        self.before = np.cumsum(nseg) - nseg
        self.first, self.end0, self.end1 = np.zeros((3, len(sections)), np.int32)
        self.distance = np.zeros(len(sections))
        while waiting:
            index = heapq.heappop(waiting)
            section, parent = sections[index], sections[index].parent
            if parent is not None:
                self.distance[index] = self.distance[parent] + section.parent_x * length[parent]
                ends = int(self.first[parent]), int(self.end0[parent]), int(self.end1[parent])
                self.end0[index] = _node_on(section.parent_x, *ends, int(nseg[parent]))
            self.first[index] = self.size
            self.size += int(nseg[index])
            self.end1[index] = self.size
            self.size += 1
            for child in children[index]:
                heapq.heappush(waiting, child)
