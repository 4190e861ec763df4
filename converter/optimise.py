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


def optimise(network: Network) -> Network:
    """Return an exactly equivalent network with fewer and cheaper equations."""
    if network.schedule == "jlems":
        return network
    for run_pass in PASSES:
        network = run_pass(network)
    return network
