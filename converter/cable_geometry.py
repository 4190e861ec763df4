"""Integrals along tapering cables: what a compartment's surface, volume and resistances are.

In: sections' points. Out: areas and integrals per half compartment, all in micrometres, and in
the arithmetic of `diam_from_list` (treeset.cpp of NEURON 9): points in single precision, arc
lengths as running sums in double precision, and a piece of no length that still has the annulus
between two diameters as its surface. All sections are cut at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .morphology import micrometres
from .sections import Section

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

SHORTEST_PIECE = 1e-15
"""The length [um] that a piece of no length has in the integrals."""

SHORTEST_SECTION = 1e-9
"""The length [um] that a section of no length has."""


@dataclass(frozen=True, slots=True, eq=False)
class Polylines:
    """The points of all sections, one section after the other [um].

    `points` (p, 4) hold x, y, z and diameter as NEURON stores them; `bounds` (s + 1,) says where
    each section's points begin, `arc` (p,) how far along its section each point is, `section`
    (p,) whose it is, and `segment` (p,) the index of the segment that begins at it (-1 at the
    last point of a section). `length` (s,) is each section's.
    """

    points: Floats
    bounds: Indices
    arc: Floats
    section: Indices
    segment: Indices
    length: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """Compartments of all sections, one section after the other [um].

    Over compartments (n,): `section`, `area`, `volume`, mean `diameter`, `length`, the integrals
    `left` and `right` of dx over diameter squared [1/um], and the positions (n, 3) `start`,
    `centre` and `end`. Over the parts (k,) that segments take of them: `part_node`,
    `part_segment`, `part_area`, `part_length`, `part_left`, `part_right`.
    """

    section: Indices
    area: Floats
    volume: Floats
    diameter: Floats
    length: Floats
    left: Floats
    right: Floats
    start: Floats
    centre: Floats
    end: Floats
    part_node: Indices
    part_segment: Indices
    part_area: Floats
    part_length: Floats
    part_left: Floats
    part_right: Floats


def polylines(
    sections: Sequence[Section],
    segment_numbers: Mapping[int, int],
    position: tuple[float, float, float] | None = None,
) -> Polylines:
    """Return the points of `sections` as NEURON stores them, moved by `position` [m] if given."""
    points = np.array([point for section in sections for point in section.points])
    points = _single(points)
    if position is not None:
        points[:, :3] = _single(points[:, :3] + [micrometres(value) for value in position])
    counts = np.array([len(section.points) for section in sections])
    bounds = np.concatenate([[0], np.cumsum(counts)])
    owner = np.repeat(np.arange(len(sections)), counts)
    segment = np.full(len(points), -1)
    segment[np.arange(len(points)) != bounds[owner + 1] - 1] = [
        segment_numbers[one] for section in sections for one in section.segments
    ]
    difference = _single(np.diff(points[:, :3], axis=0))
    step = np.zeros(len(points))
    step[1:] = np.sqrt(difference[:, 0] ** 2 + difference[:, 1] ** 2 + difference[:, 2] ** 2)
    step[bounds[:-1]] = 0.0
    # One running sum per section: a sum over all would round differently.
    arc = np.concatenate([np.cumsum(step[a:b]) for a, b in pairwise(bounds)])
    length = arc[bounds[1:] - 1]
    length = np.where(length > 0, length, SHORTEST_SECTION)
    return Polylines(points, bounds, arc, owner, segment, length)


def odd_counts(lines: Polylines, product: Floats, frequency: float, fraction: float) -> Floats:
    """Return the smallest odd number of compartments per section that `fraction` allows.

    `product` is axial resistivity times specific capacitance per segment [ohm m F/m2]. The length
    constant at `frequency` [Hz] of a cable of diameter d is sqrt(d / (pi f Ra cm)) / 2; lengths
    are summed in units of it, piece by piece.
    """
    last = lines.bounds[1:] - 1
    piece = np.delete(np.arange(len(lines.points)), last)
    diameter = (lines.points[piece, 3] + lines.points[piece + 1, 3]) / 2 * 1e-6
    length = (lines.arc[piece + 1] - lines.arc[piece]) * 1e-6
    constant = 0.5 * np.sqrt(diameter / (np.pi * frequency * product[lines.segment[piece]]))
    electrotonic = sum_at(lines.section[piece], length / constant, len(last))
    # A quotient that round-off lifts over a whole number does not ask for two more.
    needed = np.ceil(electrotonic / fraction * (1 - 1e-12))
    return np.asarray(np.maximum(1.0, 2 * np.floor(needed / 2) + 1), np.float64)


def cut(lines: Polylines, nseg: Indices, *, snap: bool) -> Cuts:
    """Return the compartments of cutting section s into `nseg[s]` parts of equal length.

    The borders and centres of compartments and the points between them are merged into one list
    of events; between two events lies a frustum. A point on a border comes before it. With `snap`
    the last border is the section's end exactly, so that a step of the diameter there cannot fall
    outside by round-off, as it may in NEURON.
    """
    events = _events(lines, nseg, snap)
    inner = events.section[1:] == events.section[:-1]
    halves = 2 * int(nseg.sum())
    # How many borders and centres came before a piece tells in which half compartment it lies.
    half: Indices = (np.cumsum(events.is_border) - events.is_border)[1:]
    inner &= half < 2 * np.cumsum(nseg)[events.section[1:]]
    stop = np.flatnonzero(inner) + 1
    start, half = stop - 1, half[stop - 1]
    node = half // 2
    x1, x2 = events.arc[start], events.arc[stop]
    y1, y2 = events.diameter[start], events.diameter[stop]
    run = x2 - x1
    delta = np.maximum(run, SHORTEST_PIECE)
    resistance = 1 / (y1 * y2 / delta)
    surface = (y1 + y2) * np.sqrt(delta * delta + (0.5 * (y2 - y1)) ** 2)
    nodes = halves // 2
    by_half = sum_at(half, resistance, halves)
    length = np.repeat(lines.length / nseg, nseg)
    borders = events.position[events.is_border]
    begin = np.concatenate([np.zeros((1, 3)), borders[1:-1:2]])
    firsts = np.cumsum(nseg) - nseg
    begin[firsts] = lines.points[lines.bounds[:-1], :3]
    segments = lines.segment[events.point[start]]
    keys, part = np.unique(node * (segments.max() + 1) + segments, return_inverse=True)
    is_left = half % 2 == 0
    return Cuts(
        section=np.repeat(np.arange(len(nseg)), nseg),
        area=sum_at(node, surface, nodes) * (0.5 * np.pi),
        volume=sum_at(node, run * (y1 * y1 + y1 * y2 + y2 * y2), nodes) * (np.pi / 12),
        diameter=sum_at(node, (y1 + y2) * run, nodes) * 0.5 / length,
        length=length,
        left=by_half[0::2],
        right=by_half[1::2],
        start=begin,
        centre=borders[0::2],
        end=borders[1::2],
        part_node=keys // (segments.max() + 1),
        part_segment=keys % (segments.max() + 1),
        part_area=sum_at(part, surface, len(keys)) * (0.5 * np.pi),
        part_length=sum_at(part, run, len(keys)),
        part_left=sum_at(part, np.where(is_left, resistance, 0.0), len(keys)),
        part_right=sum_at(part, np.where(is_left, 0.0, resistance), len(keys)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Events:
    """Points, centres and borders in the order in which a walk along the sections meets them."""

    section: Indices
    arc: Floats
    diameter: Floats
    position: Floats
    is_border: NDArray[np.bool_]
    point: Indices


def _events(lines: Polylines, nseg: Indices, snap: bool) -> _Events:
    owner = np.repeat(np.arange(len(nseg)), nseg)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(nseg) - nseg, nseg)
    length = (lines.length / nseg)[owner]
    centre = number * length + length / 2
    border = centre + length / 2
    if snap:
        border[np.cumsum(nseg) - 1] = lines.length
    last = lines.bounds[1:] - 1
    kept = np.delete(np.arange(len(lines.points)), last)
    arc = np.concatenate([lines.arc[kept], np.stack([centre, border], axis=1).ravel()])
    section = np.concatenate([lines.section[kept], np.repeat(owner, 2)])
    is_border = np.arange(len(arc)) >= len(kept)
    order = np.lexsort((is_border, arc, section))
    section, arc, is_border = section[order], arc[order], is_border[order]
    # The latest point at or before each event; sections begin with a point, so it is their own.
    own = np.concatenate([kept, np.zeros(2 * len(owner), np.int64)])
    point = np.maximum.accumulate(own[order])
    following = np.where(is_border, point + 1, point)
    span = lines.arc[following] - lines.arc[point]
    along = np.ones(len(arc))
    np.divide(arc - lines.arc[point], span, out=along, where=span >= 1e-10)
    along = along[:, None]
    between = (1 - along) * lines.points[point] + along * lines.points[following]
    return _Events(section, arc, between[:, 3], between[:, :3], is_border, point)


def sum_at(index: NDArray[np.integer], values: Floats, size: int) -> Floats:
    """Return the sums (size,) of the `values` at each index, added in order."""
    return np.asarray(np.bincount(index, values, size), np.float64)


def _single(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)
