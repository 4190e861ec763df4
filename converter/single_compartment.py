"""Cells of one segment, which are points: the refusal of others, and regions that are not there."""

from __future__ import annotations

from ..errors import Faults, UsageError
from .cable_cells import BIOPHYSICS, first_part, morphology_of, part_of, region_of
from .instances import Instances, Node
from .model import Model
from .morphology import MorphologyError, faults, named, regions_of


def refuse_compartments(instances: Instances) -> None:
    """Raise `UsageError` if a cell has several segments.

    A `cell` of the component types is one membrane potential; its morphology only sets the
    area. The reference refuses longer ones too.
    """
    for group in instances.groups:
        for node in group.top.subtree():
            count = segments(node)
            if count > 1:
                raise UsageError(
                    f"method jlems runs single-compartment cells only, and "
                    f"{node.id or node.type.name!r} ({node.place}) has {count} segments; "
                    "choose another method"
                )


def check_regions(instances: Instances, model: Model, noted: Faults) -> None:
    """Warn where the biophysics of a point names a segment or group that its cell has not.

    All of it acts on the one membrane, as in the reference, whatever it names. Cells of several
    segments are refused for it where they are cut.
    """
    seen = set()
    for group in instances.groups:
        for node in group.top.subtree():
            cell = node.component
            if cell is None or cell in seen or segments(node) != 1:
                continue
            seen.add(cell)
            shape = part_of(cell, "morphology", model)
            biophysics = first_part(cell, BIOPHYSICS, model)
            if shape is None or biophysics is None:
                continue
            try:
                morphology = morphology_of(shape)
            except MorphologyError:
                continue  # ids that are no numbers: a point needs none
            if wrong := faults(morphology):
                for fault in wrong:
                    noted.warning(
                        f"{fault.message}; its one segment is run as a point", fault.place
                    )
                continue
            regions = regions_of(morphology)
            for part in biophysics.descendants():
                try:
                    region = region_of(part)
                except MorphologyError as error:
                    noted.found.extend(error.faults)
                    continue
                if region not in regions:
                    noted.warning(
                        f"{part.id or part.tag!r} names {named(region)}, which the cell's "
                        f"morphology does not have; it acts on the whole cell",
                        part.place,
                    )


def segments(node: Node) -> int:
    """Return how many segments the morphology of `node` has; 0 if it is no cell."""
    if not node.type.is_a("cell") or "morphology" not in node.children:
        return 0
    return len(node.children["morphology"].lists.get("segments", ()))
