"""From equations to statements over arrays: the numerical method is applied here."""

from __future__ import annotations

from dataclasses import replace

from ..converter.network import Network
from ..errors import UsageError
from .cable_neuron import lower_neuron
from .continuous import lower_continuous
from .held_draws import hold_draws
from .lower_cable import has_cables, lower_cable
from .lower_phases import ONE_STAGE, lower_phases
from .lower_steps import lower_steps
from .methods.runge_kutta import TABLEAUS
from .program import Program


def schedule_of(method: str) -> str:
    """Return the schedule that `flatten` must use for `method`."""
    if method in ("neuron", "cn"):
        return "compartments"
    return "jlems" if method == "jlems" else "equations"


def lower(
    network: Network, method: str, precision: str = "double", events: str = "grid"
) -> Program:
    """Return the program that advances `network` by `method` in a precision.

    `events` "exact" delivers them at their exact times, inside steps.
    """
    grid_only = method in ("jlems", "neuron", "cn") or has_cables(network)
    if events == "exact" and grid_only:
        raise UsageError(
            "--events exact is for point models by the methods default and exact; reference and "
            "cvode always deliver at exact times"
        )
    if method == "jlems":
        if precision != "double":
            raise UsageError("the method 'jlems' is that of the reference: double precision only")
        return lower_steps(network)
    if method in ADAPTIVE:
        if precision != "double":
            raise UsageError(f"the method {method!r} runs in double precision only")
        return lower_continuous(network)
    return replace(_phases(hold_draws(network), method, events), precision=precision)


#: Methods that choose their own steps.
ADAPTIVE = ("reference", "cvode")


def _phases(network: Network, method: str, events: str) -> Program:
    if method == "neuron":
        return lower_neuron(network)
    if has_cables(network) or method == "cn":
        return lower_cable(network, method)
    if method in ONE_STAGE or method in TABLEAUS:
        return lower_phases(network, method, events)
    raise UsageError(f"the method {method!r} is not there yet")
