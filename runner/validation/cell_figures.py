"""Figures of a model that no run writes: the membrane area of a cell, the temperature.

OMV asks them of an engine's live cell; here they are read off the resolved model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from ...converter.cable_cells import is_cable, morphology_of, part_of
from ...converter.model import Component, Model
from ...converter.morphology import Morphology, Point, resolve_groups
from ..pipeline import load
from .observables import Unsupported
from .omv import Morphology as AreaAsked
from .omv import Temperature

#: 0 degrees Celsius in kelvin.
FREEZING = 273.15


def cell_figure(asked: AreaAsked | Temperature, source: Path) -> float:
    """Return the membrane area in um2, scaled as asked, or the temperature in degrees Celsius.

    Raises `Unsupported` where the model at `source` has no such figure, or several, and
    `ModelError` where it cannot be resolved.
    """
    model = load(source)
    if isinstance(asked, Temperature):
        return temperature(model)
    return asked.scaling * area(model, asked.base_section)


def temperature(model: Model) -> float:
    """Return the temperature, in degrees Celsius, that all networks of `model` share."""
    found = {
        component.values["temperature"]
        for component in model.order
        if component.type.is_a("network") and "temperature" in component.values
    }
    if len(found) != 1:
        told = "no network of the model has" if not found else "its networks have several"
        raise Unsupported(f"{told} a temperature")
    return found.pop() - FREEZING


def area(model: Model, base: str) -> float:
    """Return the lateral surface [um2] of the cell or the group of its segments called `base`.

    NEURON's names of sections stand for a cell: `cell[0]`, the default of OMV, or any other
    that no group has, is the whole cell, where the model has a single one.
    """
    cells = {cell.id or "": shape for cell, shape in _shapes(model)}
    wanted = base.partition("[")[0]
    if wanted in cells:
        return sum(surface(cells[wanted]).values())
    if len(cells) != 1:
        told = f"name one of its cells: {', '.join(sorted(cells))}" if cells else "it has no cell"
        raise Unsupported(f"the model has no single cell whose area is {base!r}; {told}")
    (shape,) = cells.values()
    surfaces = surface(shape)
    groups = resolve_groups(shape)
    return sum(surfaces[segment] for segment in groups.get(base, tuple(surfaces)))


def surface(shape: Morphology) -> dict[int, float]:
    """Return the lateral surface [um2] of every segment: of a frustum, or of a sphere.

    A segment whose ends coincide is a sphere, as the export to NEURON and jNeuroML have it.

    >>> from lemsmith.converter.morphology import Segment
    >>> ball = Point.from_micrometres(0, 0, 0, 10)
    >>> tube = Point.from_micrometres(0, 0, 0, 2), Point.from_micrometres(9, 0, 0, 2)
    >>> segments = Segment(0, proximal=ball, distal=ball), Segment(1, "", 0, 1.0, *tube)
    >>> [round(found, 6) for found in surface(Morphology("m", segments)).values()]
    [314.159265, 56.548668]
    """
    distal = {segment.id: segment.distal for segment in shape.segments}
    found = {}
    for segment in shape.segments:
        start = segment.proximal
        if start is None and segment.parent is not None:
            start = distal.get(segment.parent)
        if start is None or segment.distal is None:
            raise Unsupported(f"segment {segment.id} of {shape.id} has no two ends")
        found[segment.id] = _surface(start, segment.distal)
    return found


def _surface(start: Point, stop: Point) -> float:
    a, b = (1e6 * (point.diameter / 2) for point in (start, stop))
    length = 1e6 * math.dist((start.x, start.y, start.z), (stop.x, stop.y, stop.z))
    if not length:
        return 4 * math.pi * b * b
    return math.pi * (a + b) * math.hypot(length, a - b)


def _shapes(model: Model) -> Iterator[tuple[Component, Morphology]]:
    for component in model.order:
        if is_cable(component, model, single=True):
            shape = part_of(component, "morphology", model)
            if shape is not None:
                yield component, morphology_of(shape)
