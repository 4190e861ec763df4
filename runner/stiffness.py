"""Notices steps that an explicit method does not bear, and says which step would do.

A state that decays at a rate r is stable under an explicit method while r times the step stays
below a bound. The rates, slopes of the equations, are looked at every now and then along the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..codegen.program import Program, Watch
from ..converter.evaluate import UnknownName, evaluate
from ..converter.network import Array, Assign, Collect

#: The largest part of a run between two looks.
LOOKS = 200

#: A step that would do leaves this much to spare.
SPARE = 0.5


class StiffnessWatch:
    """Keeps the fastest rate of every watched state."""

    def __init__(self, program: Program, variables: Mapping[tuple[str, str], Array]) -> None:
        self.program = program
        self.variables = variables
        self.worst: dict[tuple[str, str], float] = {}

    @property
    def longest(self) -> int:
        """The number of steps after which to look again."""
        if not self.program.watches:
            return self.program.steps + 1
        return max(1, self.program.steps // LOOKS)

    def look(self, time: float) -> None:
        """Take the present rates into account, until one is too fast.

        From there on a run may be unstable, and its rates no longer those of the model.
        """
        bounds = {(w.population, w.state): w.bound for w in self.program.watches}
        if any(rate * self.program.step > bounds[key] for key, rate in self.worst.items()):
            return
        for watch in self.program.watches:
            try:
                rate = self.rate(watch, time)
            except (UnknownName, KeyError):  # a backend that shows no states
                continue
            key = (watch.population, watch.state)
            self.worst[key] = max(self.worst.get(key, 0.0), rate)

    def rate(self, watch: Watch, time: float) -> float:
        """Return the fastest present rate of a state, 1/s."""
        layout = self.program.layout(watch.population)
        values: dict[str, Any] = {"t": time, "dt": self.program.step, **layout.parameters}
        for name in layout.variables:
            values[name] = self.variables[layout.name, name]
        for name, read in layout.reads.items():
            stored = self.variables.get((read.population, read.variable))
            if stored is not None:
                values[name] = stored[layout.indices[read.index]]
        for statement in watch.body:
            if isinstance(statement, Assign):
                values[statement.variable] = evaluate(statement.value, values)
            elif isinstance(statement, Collect):
                values[statement.variable] = self.collected(statement, layout.size)
        slopes = np.asarray(evaluate(watch.slope, values), dtype=float)
        slopes = np.where(np.isfinite(slopes), slopes, 0.0)
        return float(max(0.0, -slopes.min(initial=0.0)))

    def collected(self, collect: Collect, size: int) -> Array:
        """Return what is summed (or multiplied) over attached instances, (size,)."""
        listed = next(c for c in self.program.collect_lists if c.name == collect.parts[0][0])
        owners = np.repeat(np.arange(size), np.diff(listed.starts))
        which = np.zeros(len(owners), np.int32) if listed.which is None else listed.which
        found = np.zeros(size) if collect.reduce == "add" else np.ones(size)
        for number, part in enumerate(listed.parts):
            stored = self.variables.get(part)
            if stored is None:
                raise UnknownName(part[1])
            chosen = which == number
            into = np.add if collect.reduce == "add" else np.multiply
            into.at(found, owners[chosen], stored[listed.entries[chosen]])
        return found

    def warnings(self, method: str) -> list[str]:
        """Return a sentence for every state that the step is too long for."""
        found = []
        bounds = {(w.population, w.state): w.bound for w in self.program.watches}
        for (population, state), rate in self.worst.items():
            bound = bounds[population, state]
            if rate * self.program.step > bound:
                label = self.program.layout(population).labels.get(state, state)
                step = SPARE * bound / rate * 1e3
                found.append(
                    f"the step of {self.program.step * 1e3:g} ms is too long for {label!r} of "
                    f"{population!r} by the method {method}: --step {step:.2g}ms would do, or "
                    "--method default"
                )
        return found
