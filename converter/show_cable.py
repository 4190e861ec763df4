"""Cables as text for people: compartments with their surface and what joins them."""

from __future__ import annotations

from .network import Cable


def show_cable(cable: Cable) -> list[str]:
    """Return the tree of a population of compartments, a line per node."""
    compartments, nodes = len(cable.capacitance), len(cable.parent)
    lines = [
        f"    cable of {compartments} compartments and {nodes - compartments} junctions",
        f"        in each of {cable.cells} cells; {cable.state} is driven by {cable.current}",
    ]
    for node in cable.order:
        above = int(cable.parent[node])
        what = f"compartment {node}" if node < compartments else f"junction {node - compartments}"
        told = []
        if node < compartments:
            told.append(f"area {1e12 * cable.area[node]:.6g} um2")
            told.append(f"capacitance {1e12 * cable.capacitance[node]:.6g} pF")
        if above >= 0:
            to = (
                f"compartment {above}"
                if above < compartments
                else (f"junction {above - compartments}")
            )
            told.append(f"axial resistance {1e-6 / cable.conductance[node]:.6g} MOhm to {to}")
        else:
            told.append("the root")
        lines.append(f"        {what}: {', '.join(told)}")
    return lines
