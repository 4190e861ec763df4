"""The refusal of cells with several compartments where every component is one state."""

from __future__ import annotations

from ..errors import UsageError
from .instances import Instances, Node


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


def segments(node: Node) -> int:
    """Return how many segments the morphology of `node` has; 0 if it is no cell."""
    if not node.type.is_a("cell") or "morphology" not in node.children:
        return 0
    return len(node.children["morphology"].lists.get("segments", ()))
