"""The shape of a cell as NeuroML writes it: points, segments, segment groups.

In: plain constructor arguments, one object per element. Out: frozen forms, every structural
fault of a morphology (`faults`), and each group's segments (`resolve_groups`).

Lengths are metres unless a name or a docstring says micrometres. Sections and compartments are
made from these forms in `sections` and `compartments`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, ModelError, Place

UNBRANCHED = "sao864921383"
"""NeuroLex id by which a group says: my segments are one unbranched cable, and only mine."""

Region = str | int
"""Where something lies: a segment group by its id, or one segment by its."""

PATH_LENGTH = "Path Length from root"
"""The one metric of inhomogeneous parameters that NeuroML defines."""


class MorphologyError(ModelError):
    """A fault in the author's morphology."""

    def __init__(self, message: str, place: object | None = None) -> None:
        super().__init__(Fault(message, cast("Place | None", place)))

    @property
    def message(self) -> str:
        """What is wrong."""
        return self.faults[0].message


@dataclass(frozen=True, slots=True)
class Note:
    """Something legal that the discretisation does not take literally, said out loud."""

    message: str
    place: object | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the cable and the diameter there [m].

    >>> Point.from_micrometres(1.5, 0, 0, 2).diameter
    2e-06
    """

    x: float
    y: float
    z: float
    diameter: float
    place: object | None = field(default=None, compare=False)

    @classmethod
    def from_micrometres(
        cls, x: float, y: float, z: float, diameter: float, place: object | None = None
    ) -> Point:
        """Return the point whose coordinates and diameter NeuroML writes in micrometres."""
        return cls(x / 1e6, y / 1e6, z / 1e6, diameter / 1e6, place)

    def in_micrometres(self) -> tuple[float, float, float, float]:
        """Return x, y, z, diameter [um], to the bit what `from_micrometres` was given."""
        return (
            micrometres(self.x),
            micrometres(self.y),
            micrometres(self.z),
            micrometres(self.diameter),
        )


def micrometres(metres: float) -> float:
    """Return `metres` in micrometres, undoing a division by 1e6 exactly.

    A number written with up to 15 digits comes back as written. This matters where a fraction
    of a length falls on the border of two compartments.

    >>> micrometres(17.841242 / 1e6)
    17.841242
    """
    written = float(f"{metres * 1e6:.15g}")
    return written if written / 1e6 == metres else metres * 1e6


@dataclass(frozen=True, slots=True)
class Segment:
    """A frustum between `proximal` (or, where missing, the parent's distal point) and `distal`."""

    id: int
    name: str = ""
    parent: int | None = None
    fraction_along: float = 1.0
    proximal: Point | None = None
    distal: Point | None = None
    place: object | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class InhomogeneousParameter:
    """A variable that runs over a group; `None` where no translation or normalisation is asked."""

    id: str
    variable: str
    metric: str = PATH_LENGTH
    translation_start: float | None = None
    normalization_end: float | None = None
    place: object | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SegmentGroup:
    """A named set of segments; each tuple keeps the document's order.

    `paths` and `sub_trees` are pairs (from, to) of segment ids, `None` where the element is
    missing. `divisions` is the property numberInternalDivisions.
    """

    id: str
    neuro_lex_id: str | None = None
    members: tuple[int, ...] = ()
    includes: tuple[str, ...] = ()
    paths: tuple[tuple[int | None, int | None], ...] = ()
    sub_trees: tuple[tuple[int | None, int | None], ...] = ()
    inhomogeneous_parameters: tuple[InhomogeneousParameter, ...] = ()
    divisions: int | None = None
    place: object | None = field(default=None, compare=False)

    @property
    def is_unbranched(self) -> bool:
        """Whether the group says that it is one unbranched cable."""
        return self.neuro_lex_id == UNBRANCHED


@dataclass(frozen=True, slots=True)
class Morphology:
    """The segments and groups of one cell, in document order."""

    id: str
    segments: tuple[Segment, ...]
    groups: tuple[SegmentGroup, ...] = ()
    place: object | None = field(default=None, compare=False)

    def group(self, name: str) -> SegmentGroup:
        """Return the group whose id is `name`."""
        for group in self.groups:
            if group.id == name:
                return group
        raise MorphologyError(f"morphology {self.id!r} has no segment group {name!r}", self.place)


def check(morphology: Morphology) -> None:
    """Raise the first of the `faults` of `morphology`, if it has any."""
    for fault in faults(morphology):
        raise fault


def faults(morphology: Morphology) -> tuple[MorphologyError, ...]:
    """Return everything that is wrong with `morphology`, in document order.

    The structure of the tree is judged only when ids and parents are sound, and the groups only
    when the tree is, so that one slip is reported once.
    """
    found = tuple(_faults_of_segments(morphology))
    if not found:
        found = tuple(_faults_of_tree(morphology))
    if not found:
        found = tuple(_faults_of_groups(morphology))
    return found


def _faults_of_segments(morphology: Morphology) -> Iterable[MorphologyError]:
    if not morphology.segments:
        yield MorphologyError(f"morphology {morphology.id!r} has no segments", morphology.place)
    ids = {segment.id for segment in morphology.segments}
    seen: set[int] = set()
    for segment in morphology.segments:
        called = f"segment {segment.id}"
        if segment.id in seen:
            yield MorphologyError(f"two segments have the id {segment.id}", segment.place)
        seen.add(segment.id)
        if segment.distal is None:
            yield MorphologyError(f"{called} has no distal point", segment.place)
        for end, point in (("proximal", segment.proximal), ("distal", segment.distal)):
            if point is None:
                continue
            where = point.place if point.place is not None else segment.place
            if not all(map(math.isfinite, (point.x, point.y, point.z, point.diameter))):
                yield MorphologyError(f"the {end} point of {called} is not finite", where)
            elif point.diameter <= 0:
                yield MorphologyError(
                    f"the {end} diameter of {called} is {point.diameter:g} m, not above zero", where
                )
        if segment.parent is None:
            if segment.proximal is None:
                yield MorphologyError(
                    f"{called} has no parent and so needs a proximal point", segment.place
                )
        elif segment.parent not in ids:
            yield MorphologyError(
                f"the parent of {called} is segment {segment.parent}, which does not exist",
                segment.place,
            )
        if not 0 <= segment.fraction_along <= 1:
            yield MorphologyError(
                f"fractionAlong of {called} is {segment.fraction_along:g}, outside 0 to 1",
                segment.place,
            )


def _faults_of_tree(morphology: Morphology) -> Iterable[MorphologyError]:
    by_id = {segment.id: segment for segment in morphology.segments}
    roots = [segment for segment in morphology.segments if segment.parent is None]
    for extra in roots[1:]:
        yield MorphologyError(
            f"segments {roots[0].id} and {extra.id} both have no parent; a cell has one root",
            extra.place,
        )
    settled: set[int] = set()
    for start in by_id:
        walked: dict[int, None] = {}
        at: int | None = start
        while at is not None and at not in settled and at not in walked:
            walked[at] = None
            at = by_id[at].parent
        if at is not None and at in walked:
            trail = list(walked)
            loop = trail[trail.index(at) :]
            yield MorphologyError(
                f"segments {_listed(loop)} are each other's parents in a loop", by_id[at].place
            )
        settled.update(walked)


def _faults_of_groups(morphology: Morphology) -> Iterable[MorphologyError]:
    segments = {segment.id for segment in morphology.segments}
    parents = parents_of(morphology)
    ids = {group.id for group in morphology.groups}
    seen: set[str] = set()
    for group in morphology.groups:
        called = f"segment group {group.id!r}"
        if group.id in seen:
            yield MorphologyError(f"two segment groups are called {group.id!r}", group.place)
        seen.add(group.id)
        if group.divisions is not None and group.divisions < 1:
            yield MorphologyError(
                f"numberInternalDivisions of {called} is {group.divisions}, not 1 or more",
                group.place,
            )
        named = [(member, "a member") for member in group.members]
        named += [
            (end, "an end of a path") for path in group.paths for end in path if end is not None
        ]
        named += [
            (end, "an end of a subTree")
            for tree in group.sub_trees
            for end in tree
            if end is not None
        ]
        for segment, role in named:
            if segment not in segments:
                yield MorphologyError(
                    f"{called} names segment {segment} as {role}, which does not exist", group.place
                )
        for include in group.includes:
            if include not in ids:
                yield MorphologyError(
                    f"{called} includes group {include!r}, which does not exist", group.place
                )
        for start, stop in group.paths:
            if stop is None:
                yield MorphologyError(f"a path of {called} has no end ('to')", group.place)
            elif {start, stop} <= segments and start not in _ancestry(parents, stop):
                yield MorphologyError(
                    f"a path of {called} leads from segment {start} to {stop}, which is not"
                    f" distal to it",
                    group.place,
                )
        for start, stop in group.sub_trees:
            if start is None or stop is not None:
                yield MorphologyError(
                    f"a subTree of {called} needs 'from' and no 'to'; NeuroML gives anything else"
                    f" no meaning",
                    group.place,
                )
    yield from _loops_of_includes(morphology)


def _loops_of_includes(morphology: Morphology) -> Iterable[MorphologyError]:
    groups = {group.id: group for group in morphology.groups}
    done: set[str] = set()
    for start in groups:
        path: dict[str, None] = {}
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                path.pop(name, None)
                done.add(name)
            elif name in path:
                trail = list(path)
                loop = " -> ".join([*trail[trail.index(name) :], name])
                yield MorphologyError(
                    f"segment groups include each other: {loop}", groups[name].place
                )
            elif name not in done and name in groups:
                path[name] = None
                stack.append((name, True))
                stack += [(include, False) for include in reversed(groups[name].includes)]


def parents_of(morphology: Morphology) -> dict[int, int | None]:
    """Return each segment's parent by id, in document order."""
    return {segment.id: segment.parent for segment in morphology.segments}


def resolve_groups(
    morphology: Morphology, *, follow_export: bool = False
) -> dict[str, tuple[int, ...]]:
    """Return the segment ids of every group: members, paths, subTrees, then includes.

    Each id appears once, at its first mention. `all` is added, holding every segment, where the
    document defines no such group. With `follow_export`, groups hold what the NEURON export
    gives them: `all` holds everything, members of groups that are not unbranched cables are
    dropped, and so are paths and subTrees. Raises the first fault of `morphology`.

    >>> cable = Point.from_micrometres(0, 0, 0, 1), Point.from_micrometres(9, 0, 0, 1)
    >>> soma = Segment(0, proximal=cable[0], distal=cable[1])
    >>> resolve_groups(Morphology("m", (soma,), (SegmentGroup("soma", members=(0,)),)))
    {'soma': (0,), 'all': (0,)}
    """
    check(morphology)
    parents = parents_of(morphology)
    children: dict[int, list[int]] = {segment: [] for segment in parents}
    for segment, parent in parents.items():
        if parent is not None:
            children[parent].append(segment)
    groups = {group.id: group for group in morphology.groups}
    resolved: dict[str, tuple[int, ...]] = {}
    for name in groups:
        stack = [name]
        while stack:
            group = groups[stack[-1]]
            waiting = [include for include in group.includes if include not in resolved]
            if waiting:
                stack += waiting
                continue
            found: list[int] = []
            if group.is_unbranched or not follow_export:
                found += group.members
            if not follow_export:
                for start, stop in group.paths:
                    found += _path(parents, start, stop)
                for start, _ in group.sub_trees:
                    found += _descendants(children, start)
            for include in group.includes:
                found += resolved[include]
            resolved[group.id] = tuple(dict.fromkeys(found))
            stack.pop()
    resolved = {name: resolved[name] for name in groups}
    if follow_export or "all" not in resolved:
        resolved["all"] = tuple(parents)
    return resolved


def regions_of(
    morphology: Morphology, groups: Mapping[str, tuple[int, ...]] | None = None
) -> dict[Region, tuple[int, ...]]:
    """Return the segment ids of every region: of each group by name, of each segment by its id.

    `groups` is what `resolve_groups` gave, if at hand.
    """
    groups = resolve_groups(morphology) if groups is None else groups
    regions: dict[Region, tuple[int, ...]] = {
        segment.id: (segment.id,) for segment in morphology.segments
    }
    regions.update(groups)
    return regions


def named(region: Region) -> str:
    """Return what a message calls a region.

    >>> named("dend"), named(3)
    ("the segment group 'dend'", 'the segment 3')
    """
    return f"the segment {region}" if isinstance(region, int) else f"the segment group {region!r}"


def values_by_segment(
    morphology: Morphology,
    assignments: Sequence[tuple[Region, float]],
    default: float | None = None,
    *,
    regions: Mapping[Region, tuple[int, ...]] | None = None,
) -> NDArray[np.float64]:
    """Return one value per segment (n_segments,) from (region, value) pairs in document order.

    A later pair overwrites an earlier one. A segment that no pair reaches takes `default`; where
    there is none, that is an error. `regions` is what `regions_of` gave, if at hand.
    """
    regions = regions_of(morphology) if regions is None else regions
    index = {segment.id: number for number, segment in enumerate(morphology.segments)}
    values = np.full(len(index), np.nan if default is None else default)
    reached = np.full(len(index), default is not None)
    for region, value in assignments:
        if region not in regions:
            raise MorphologyError(
                f"morphology {morphology.id!r} does not have {named(region)}", morphology.place
            )
        inside = [index[segment] for segment in regions[region]]
        values[inside] = value
        reached[inside] = True
    if not reached.all():
        missed = morphology.segments[int(np.flatnonzero(~reached)[0])]
        raise MorphologyError(f"no value is given for segment {missed.id}", missed.place)
    return values


def _path(parents: Mapping[int, int | None], start: int | None, stop: int | None) -> list[int]:
    """Return `start` (or the root, if None) and what follows down to `stop`."""
    trail = _ancestry(parents, stop)
    if start is not None:
        trail = trail[: trail.index(start) + 1]
    return trail[::-1]


def _ancestry(parents: Mapping[int, int | None], at: int | None) -> list[int]:
    """Return segment `at`, its parent and so on up to the root."""
    trail = []
    while at is not None:
        trail.append(at)
        at = parents[at]
    return trail


def _descendants(children: Mapping[int, list[int]], start: int | None) -> list[int]:
    """Return `start` and everything distal to it, parents first."""
    found: list[int] = []
    stack = [] if start is None else [start]
    while stack:
        at = stack.pop()
        found.append(at)
        stack += reversed(children[at])
    return found


def _listed(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, ids[:8]))
    return shown + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
