"""The Jacobian of a network's equations, from symbolic partial derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..codegen.continuous import rates_of
from ..codegen.continuous_cable import AXIAL, axial_matrix
from ..converter.network import Array, Collect, Population

if TYPE_CHECKING:
    from .adaptive import AdaptiveRun

#: States from which the Jacobian is kept sparse.
SPARSE_FROM = 30


class Jacobian:
    """d rates / d y, chained through assignments, reads and sums over what is attached."""

    def __init__(self, run: AdaptiveRun) -> None:
        from scipy import sparse  # noqa: PLC0415 - optional, and its one user

        self.run = run
        self.make = sparse
        self.size = len(run.y)
        self.sparse = self.size >= SPARSE_FROM
        self.partials: list[tuple[str, str, str]] = run.functions["PARTIALS"]
        self.uses: dict[tuple[str, str], list[int]] = {}
        for n, (population, what, _) in enumerate(self.partials):
            self.uses.setdefault((population, what), []).append(n)
        self.kept: Any = None

    @staticmethod
    def of(run: AdaptiveRun) -> Jacobian:
        """Return the run's Jacobian, made once."""
        if getattr(run, "jacobian", None) is None:
            run.jacobian = Jacobian(run)
        assert run.jacobian is not None
        return run.jacobian

    def matrix(self, t: float, y: Array, *, pattern: bool = False) -> Any:
        """Return the Jacobian at a state, sparse (states, states).

        `pattern` gives ones wherever an entry can be other than zero.
        """
        values: list[Any] = (
            [1.0] * len(self.partials)
            if pattern
            else self.run.functions["partials"](t, y, self.run.d)
        )
        memo: dict[tuple[str, str], Any] = {}
        rows = []
        order = []
        for population in self.run.populations.values():
            for state in rates_of(population):
                rows.append(self.of_tree(population, state, values, memo))
                start = self.run.text.places[population.name, state][1]
                order.append(np.arange(start, start + population.size))
        whole = self.make.vstack(rows).tocsr()
        back = np.empty(self.size, dtype=int)
        back[np.concatenate(order)] = np.arange(self.size)
        return whole[back]

    def of_tree(
        self,
        population: Population,
        what: str,
        values: list[Any],
        memo: dict[tuple[str, str], Any],
    ) -> Any:
        """Return the gradient of one rate or derived variable, (instances, states)."""
        total = self.make.csr_matrix((population.size, self.size))
        for n in self.uses.get((population.name, what), ()):
            name = self.partials[n][2]
            scale = np.broadcast_to(np.asarray(values[n], float), population.size)
            total = total + self.make.diags(scale) @ self.of_name(population, name, values, memo)
        return total

    def of_name(
        self,
        population: Population,
        name: str,
        values: list[Any],
        memo: dict[tuple[str, str], Any],
    ) -> Any:
        """Return the gradient of a name of a population, (instances, states)."""
        key = (population.name, name)
        if key in memo:
            return memo[key]
        run, size = self.run, population.size
        assigned = next((a for a in population.assignments if a.variable == name), None)
        if isinstance(assigned, Collect):
            found = self.make.csr_matrix((size, self.size))
            for part_name, variable in assigned.parts:
                part = run.network.population(part_name)
                if part.size and assigned.reduce == "add":
                    owners = np.asarray(part.indices["parent"])
                    select = self.make.csr_matrix(
                        (np.ones(part.size), (owners, np.arange(part.size))), (size, part.size)
                    )
                    found = found + select @ self.of_name(part, variable, values, memo)
        elif name == AXIAL and population.cable is not None:
            potential = self.of_name(population, population.cable.state, values, memo)
            found = axial_matrix(population.cable) @ potential
        elif assigned is not None:
            found = self.of_tree(population, f"={name}", values, memo)
        elif name in population.reads:
            read = population.reads[name]
            other = run.network.population(read.population)
            found = self.of_name(other, read.variable, values, memo).tocsr()[
                np.asarray(population.indices[read.index])
            ]
        elif run.text.places.get(key, ("", 0))[0] == "y":
            start = run.text.places[key][1]
            found = self.make.csr_matrix(
                (np.ones(size), (np.arange(size), start + np.arange(size))), (size, self.size)
            )
        else:
            found = self.make.csr_matrix((size, self.size))
        memo[key] = found
        return found

    def pattern(self) -> Any:
        """Return where the Jacobian can be other than zero, the diagonal included."""
        if self.kept is None:
            found = self.matrix(0.0, self.run.y, pattern=True) + self.make.identity(self.size)
            found = found.tocsc()
            found.sort_indices()
            found.data[:] = 1.0
            self.kept = found
        return self.kept

    def entries(self, t: float, y: Array) -> Array:
        """Return the entries of the pattern, by columns."""
        pattern = self.pattern()
        now = self.matrix(t, y).tocsc()
        columns = np.repeat(np.arange(self.size), np.diff(pattern.indptr))
        return np.asarray(now[pattern.indices, columns]).ravel()
