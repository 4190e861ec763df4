"""Unbranched sections of a morphology: the pieces of cable that are cut into compartments.

In: a `Morphology`. Out: `Section`s in document order, as NEURON has them after jNeuroML's export
(JSONCellSerializer of org.neuroml.export): one per unbranched group, or, where a morphology has
no such groups, one per segment. Points are in micrometres, because NEURON rounds them there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np

from .morphology import (
    Morphology,
    MorphologyError,
    Note,
    Point,
    Segment,
    SegmentGroup,
    resolve_groups,
)

PointUm = tuple[float, float, float, float]
"""x, y, z and diameter [um]."""


@dataclass(frozen=True, slots=True)
class Section:
    """An unbranched cable through `points`; segment k of `segments` runs from point k to k + 1.

    `points` are (x, y, z, diameter) in micrometres, from the 0 end to the 1 end. `segments` are
    ids. `offsets[k]` is how far along the section segment k starts [um], and the last offset is
    the section's length: of the document's points, not yet rounded to single precision.
    `parent` is the index of the section that carries this one, at `parent_x` (0 to 1) of its
    length, or None at the root. `divisions` is the number of compartments asked for.
    """

    name: str
    group: str | None
    segments: tuple[int, ...]
    points: tuple[PointUm, ...]
    offsets: tuple[float, ...]
    parent: int | None
    parent_x: float
    divisions: int
    place: object | None
    notes: tuple[Note, ...] = ()

    def x_of(self, segment: int, fraction: float) -> float:
        """Return where `fraction` of `segment` lies, as a fraction of the section's length.

        This is getFractionAlongSegGroupLength in CellUtils of org.neuroml.model.
        """
        if len(self.segments) == 1:
            return fraction
        index = self.segments.index(segment)
        if self.offsets[-1] == 0:
            return (index + fraction) / len(self.segments)
        length = math.dist(self.points[index][:3], self.points[index + 1][:3])
        return (self.offsets[index] + fraction * length) / self.offsets[-1]


def sections_of(morphology: Morphology, *, follow_export: bool = False) -> tuple[Section, ...]:
    """Return the sections of `morphology`, in the order of its groups, then of its segments.

    What NeuroML means is followed, with three conventions of the export that shape a section:
    a diameter or place that a segment's own proximal point gives inside a group is not a jump
    (it is noted instead), a sphere is a cylinder as long as it is wide, and a missing proximal
    point is the parent's distal point wherever along the parent the segment sits. A segment
    outside every unbranched group, which the export cannot load, is a section of its own.

    With `follow_export`, two slips of the export are reproduced: without unbranched groups a
    taper is mirrored, and the shifted end of a sphere also shifts the start of its children.
    """
    return _Builder(morphology, follow_export).build()


class _Builder:
    """What is known of one morphology while its sections are made."""

    def __init__(self, morphology: Morphology, follow_export: bool) -> None:
        self.morphology = morphology
        self.follow_export = follow_export
        self.groups = resolve_groups(morphology)
        self.exported = resolve_groups(morphology, follow_export=True)
        self.segments = {segment.id: segment for segment in morphology.segments}
        self.section_of: dict[int, int] = {}
        self.moved: dict[int, PointUm] = {}

    def build(self) -> tuple[Section, ...]:
        unbranched = [group for group in self.morphology.groups if group.is_unbranched]
        runs = [(group, self._run(group)) for group in unbranched]
        for index, (group, run) in enumerate(runs):
            for segment in run:
                first = self.section_of.setdefault(segment, index)
                if first != index:
                    raise MorphologyError(
                        f"segment {segment} is in two unbranched groups, {runs[first][0].id!r} and"
                        f" {group.id!r}",
                        group.place,
                    )
        alone = [one for one in self.morphology.segments if one.id not in self.section_of]
        if runs and alone and self.follow_export:
            raise MorphologyError(
                f"segment {alone[0].id} is in none of the unbranched groups; NEURON cannot load"
                f" the export",
                alone[0].place,
            )
        for index, one in enumerate(alone, start=len(runs)):
            self.section_of[one.id] = index
        sections = [self._section_of_group(group, run) for group, run in runs]
        sections += [self._section_of_segment(one, bool(runs)) for one in alone]
        # x along a parent needs the parent's points, which may come later in the document.
        return tuple(self._connected(section, sections) for section in sections)

    def _run(self, group: SegmentGroup) -> tuple[int, ...]:
        """Return the segments of an unbranched group, each the parent of the next."""
        run = (self.exported if self.follow_export else self.groups)[group.id]
        if not run:
            raise MorphologyError(f"unbranched group {group.id!r} has no segments", group.place)
        for before, after in pairwise(run):
            parent = self.segments[after].parent
            if parent != before:
                raise MorphologyError(
                    f"unbranched group {group.id!r} is not continuous: segment {after} follows"
                    f" {before}, but its parent is {'none' if parent is None else parent}",
                    group.place,
                )
        return run

    def _start(self, segment: Segment) -> PointUm:
        """Return the proximal point of `segment`: its own, or its parent's distal one."""
        if segment.proximal is not None:
            return segment.proximal.in_micrometres()
        if segment.parent is None:
            raise MorphologyError(f"segment {segment.id} has no proximal point", segment.place)
        if self.follow_export and segment.parent in self.moved:
            return self.moved[segment.parent]
        return self._distal(self.segments[segment.parent]).in_micrometres()

    def _distal(self, segment: Segment) -> Point:
        if segment.distal is None:
            raise MorphologyError(f"segment {segment.id} has no distal point", segment.place)
        return segment.distal

    def _section_of_group(self, group: SegmentGroup, run: tuple[int, ...]) -> Section:
        first = self.segments[run[0]]
        points = [self._start(first)]
        points += [self._distal(self.segments[segment]).in_micrometres() for segment in run]
        if len(run) == 1 and points[0] == points[1]:
            points[1] = _shifted(points[1])
            self.moved[first.id] = points[1]
        notes = list(self._start_notes(first))
        for before, after in pairwise(run):
            notes += self._inner_notes(group, self.segments[before], self.segments[after])
        return Section(
            name=group.id,
            group=group.id,
            segments=run,
            points=tuple(points),
            offsets=_offsets(points),
            parent=None if first.parent is None else self.section_of[first.parent],
            parent_x=first.fraction_along,
            divisions=group.divisions or 1,
            place=group.place,
            notes=tuple(notes),
        )

    def _section_of_segment(self, segment: Segment, among_groups: bool) -> Section:
        start, stop = self._start(segment), self._distal(segment).in_micrometres()
        if start == stop:
            start = _shifted(start)
        notes = list(self._start_notes(segment))
        if among_groups:
            notes.append(
                Note(
                    f"segment {segment.id} is in none of the unbranched groups and becomes a"
                    f" section of its own",
                    segment.place,
                )
            )
        return Section(
            name=segment.name or f"section_{segment.id}",
            group=None,
            segments=(segment.id,),
            points=(stop, start) if self.follow_export else (start, stop),
            offsets=_offsets([start, stop]),
            parent=None if segment.parent is None else self.section_of[segment.parent],
            parent_x=segment.fraction_along,
            divisions=1,
            place=segment.place,
            notes=tuple(notes),
        )

    def _connected(self, section: Section, sections: list[Section]) -> Section:
        """Return `section` with its place on the parent as a fraction of the parent's length."""
        first = self.segments[section.segments[0]]
        if section.parent is None or first.parent is None:
            return section
        parent = sections[section.parent]
        if parent.group is None:
            return section
        x = section.parent_x
        if abs(x - 1) < 1e-4:
            x = 1.0
        at_end = x == 1 and parent.segments[-1] == first.parent
        at_start = x == 0 and parent.segments[0] == first.parent
        if not (at_end or at_start):
            x = parent.x_of(first.parent, float(np.float32(x)))
        return replace(section, parent_x=x)

    def _start_notes(self, first: Segment) -> tuple[Note, ...]:
        if first.proximal is not None or first.fraction_along == 1 or first.parent is None:
            return ()
        return (
            Note(
                f"segment {first.id} sits at {first.fraction_along:g} of segment {first.parent} but"
                f" gives no proximal point; it is drawn from the distal point of that segment",
                first.place,
            ),
        )

    def _inner_notes(self, group: SegmentGroup, before: Segment, after: Segment) -> list[Note]:
        notes = []
        if after.proximal is not None and after.proximal != before.distal:
            notes.append(
                Note(
                    f"inside unbranched group {group.id!r}, segment {after.id} continues from the"
                    f" distal point of segment {before.id}; its own proximal point is not used",
                    after.place,
                )
            )
        if after.fraction_along != 1:
            notes.append(
                Note(
                    f"inside unbranched group {group.id!r}, segment {after.id} continues from the"
                    f" end of segment {before.id}; its fractionAlong is not used",
                    after.place,
                )
            )
        return notes


def _offsets(points: list[PointUm]) -> tuple[float, ...]:
    lengths = (math.dist(a[:3], b[:3]) for a, b in pairwise(points))
    return tuple(accumulate(lengths, initial=0.0))


def _shifted(point: PointUm) -> PointUm:
    """Return a sphere's other end: the cylinder is as long as it is wide, along y."""
    x, y, z, diameter = point
    return x, y + diameter, z, diameter
