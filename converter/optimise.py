"""The optimiser: an ordered tuple of passes, each a function from network to network."""

from __future__ import annotations

from collections.abc import Callable

from .expressions import operations
from .network import Assign, Network
from .passes.fold_constants import fold_constants
from .passes.guard_singularities import guard_singularities
from .passes.inline_attached import inline_attached
from .passes.lump_synapses import lump_synapses
from .passes.merge_alike import merge_alike
from .passes.merge_spread import merge_spread

Pass = Callable[[Network], Network]

#: The passes for equations, in order.
PASSES: tuple[Pass, ...] = (
    merge_alike,
    merge_spread,
    fold_constants,
    guard_singularities,
    lump_synapses,
    inline_attached,
    fold_constants,
)

#: The schedule "jlems" keeps order, which merging does not touch.
ORDERED: tuple[Pass, ...] = (merge_alike,)

#: Those that leave to every component its own states, for the schedule "compartments".
KEEPING: tuple[Pass, ...] = (merge_spread, fold_constants, guard_singularities)


def optimise(network: Network) -> Network:
    """Return an exactly equivalent network with fewer and cheaper equations."""
    for run_pass in passes_for(network.schedule):
        network = run_pass(network)
    return network


def passes_for(schedule: str) -> tuple[Pass, ...]:
    """Return the passes that run under `schedule`."""
    if schedule == "jlems":
        return ORDERED
    # Methods that follow another program's steps need every component as it is there.
    return KEEPING if schedule == "compartments" else PASSES


def explained(network: Network) -> str:
    """Return what each pass does to `network`, a line each."""
    lines: list[str] = []
    for run_pass in passes_for(network.schedule):
        before, network = network, run_pass(network)
        counts = zip(_counts(before).items(), _counts(network).values(), strict=True)
        changes = [f"{name} {old} -> {new}" for (name, old), new in counts if old != new]
        lines.append(f"{run_pass.__name__}: {', '.join(changes) or 'no fewer, no more'}")
    return "\n".join(lines) or f"the schedule {network.schedule!r} keeps every equation as it is"


def _counts(network: Network) -> dict[str, int]:
    populations = network.populations
    trees = [d.value for p in populations for d in p.derivatives]
    trees += [a.value for p in populations for a in p.assignments if isinstance(a, Assign)]
    return {
        "populations": len(populations),
        "instances": sum(p.size for p in populations),
        "derived variables": sum(len(p.assignments) for p in populations),
        "derivatives": sum(len(p.derivatives) for p in populations),
        "operations": sum(map(operations, trees)),
    }
