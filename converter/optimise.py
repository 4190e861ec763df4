"""The optimiser: an ordered tuple of passes, each a function from network to network."""

from __future__ import annotations

from collections.abc import Callable

from .network import Network
from .passes.fold_constants import fold_constants
from .passes.guard_singularities import guard_singularities
from .passes.inline_attached import inline_attached
from .passes.lump_synapses import lump_synapses

Pass = Callable[[Network], Network]

#: The passes for equations, in order. The schedule "jlems" keeps order: none of them runs.
PASSES: tuple[Pass, ...] = (
    fold_constants,
    guard_singularities,
    lump_synapses,
    inline_attached,
    fold_constants,
)

#: Those that leave populations apart, for the schedule "compartments".
KEEPING: tuple[Pass, ...] = (fold_constants, guard_singularities)


def optimise(network: Network) -> Network:
    """Return an exactly equivalent network with fewer and cheaper equations."""
    if network.schedule == "jlems":
        return network
    # Methods that follow another program's steps need every population as it is there.
    passes = KEEPING if network.schedule == "compartments" else PASSES
    for run_pass in passes:
        network = run_pass(network)
    return network
