"""Make one population of the densities of one channel on different parts of a cable.

A cell names a channel several times, once for each group of segments with its own conductance.
What differs between these is a number or two: as one population, sorted by compartment, they
advance in one long loop instead of several short ones, and are compiled once. The same goes for
synapses of one kind on the compartments of one population.

    kdr_soma     (4 compartments)   iDensity = 1000 * fopen * (-0.095 - v)
    kdr_dend   (461 compartments)   iDensity =   75 * fopen * (-0.095 - v)
->  kdr_soma   (465 compartments)   iDensity = value_1 * fopen * (-0.095 - v)
"""

from __future__ import annotations

from ..network import Network, Population
from .literals import literals
from .merge_alike import Merging, alike

#: How many numbers may differ between merged populations: each becomes a value per instance,
#: which is loaded, and nothing that depends on it can be folded.
MOST_VARIED = 3


def merge_spread(network: Network) -> Network:
    """Return `network` with alike populations on the same cable merged.

    >>> from ..network import RunSettings
    >>> network = Network("equations", (), (), (), (), RunSettings(1e-5, 1e-3, 0))
    >>> merge_spread(network) is network
    True
    """
    cables = {p.name for p in network.populations if p.cable is not None}
    if not cables:
        return network
    owners = {p.parent for p in network.populations}
    chosen = [p for p in network.populations if p.parent in cables and p.name not in owners]
    kinds = alike(network.populations)
    clusters: dict[int, list[list[Population]]] = {}
    for population in chosen:
        of_kind = clusters.setdefault(kinds[population.name], [])
        place = next((c for c in of_kind if _varied([*c, population]) <= MOST_VARIED), None)
        if place is None:
            of_kind.append([population])
        else:
            place.append(population)
    joined = [c for found in clusters.values() for c in found if len(c) > 1]
    if not joined:
        return network
    classes = {p.name: number for number, p in enumerate(network.populations)}
    for cluster in joined:
        classes.update({p.name: classes[cluster[0].name] for p in cluster})
    return Merging(network, classes, by_parent=True).network_of()


def _varied(populations: list[Population]) -> int:
    """Return how many numbers differ between populations of one form."""
    columns = set(zip(*map(literals, populations), strict=True))
    return sum(len(set(column)) > 1 for column in columns)
