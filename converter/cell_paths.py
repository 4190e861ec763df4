"""One spelling for the paths that lead to a cell: `pop/3/hh` and `pop[3]` are one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .model import Component, ComponentTable, Model
from .tables import Unstorable, split

_CELL: Final = re.compile(
    r"((?:\.\.?/)*)([A-Za-z_]\w*)(?:\[(\{\}|\d{1,9})\]|/(\{\}|\d{1,9})(?=/|$))(.*)", re.DOTALL
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spelling:
    """A path's one template; `ids` turn positions that fill its hole into instances' ids."""

    template: str
    ids: Ints | None = None
    fixed: int | None = None

    @property
    def changes_numbers(self) -> bool:
        """Whether the numbers that fill the hole become others."""
        return self.ids is not None or self.fixed is not None

    def numbers(self, written: NDArray[np.int64] | NDArray[np.float64]) -> Ints:
        """Return what fills the hole where the model has `written`."""
        positions = written.astype(np.int64)
        if self.fixed is not None:
            positions = np.full(len(written), self.fixed)
        if self.ids is None:
            return positions
        # A position that no instance has stays apart from every id.
        inside = positions < len(self.ids)
        return np.where(inside, self.ids[np.where(inside, positions, 0)], -1 - positions)


class CellPaths:
    """Knows a model's populations; `renamed` maps ids to what the other model calls them."""

    def __init__(self, model: Model, renamed: Mapping[str, str] | None = None) -> None:
        self.renamed = dict(renamed or {})
        self.populations: dict[str, tuple[str, Ints | None]] = {}
        for top in model.order:
            if not top.type.is_a("network"):
                continue
            for component in top.descendants():
                if component.id is not None and component.type.is_a("basePopulation"):
                    cell = component.references.get("component", "")
                    self.populations[component.id] = (cell, _ids(component))

    def spelling(self, template: str) -> Spelling:
        """Return the one spelling of a template."""
        found = _CELL.fullmatch(template)
        if found is None or found[2] not in self.populations:
            return Spelling(self.rename(template))
        steps, population, bracketed, slashed, rest = found.groups()
        cell, ids = self.populations[population]
        number = bracketed if bracketed is not None else slashed
        if number != "{}" and "{}" in rest:
            return Spelling(self.rename(template))
        if rest == f"/{cell}" or rest.startswith(f"/{cell}/"):
            rest = rest[len(cell) + 1 :]
        return Spelling(
            self.rename(f"{steps}{population}[{{}}]{rest}"),
            ids if bracketed is not None else None,
            None if number == "{}" else int(number),
        )

    def spelled(self, text: str) -> tuple[str, int]:
        """Return the one spelling of a path as template and number.

        >>> from .model import Model
        >>> CellPaths(Model({}, {}, {}, {}, {}, None)).spelled("pop[3]/v")
        ('pop[{}]/v', 3)
        """
        try:
            template, number = split(text.strip())
        except Unstorable:
            return text, 0
        spelling = self.spelling(template)
        return spelling.template, int(spelling.numbers(np.array([number]))[0])

    def rename(self, text: str) -> str:
        """Return `text` with the other model's ids in place of this one's."""
        if not self.renamed:
            return text
        return _NAME.sub(lambda found: self.renamed.get(found[0], found[0]), text)


def _ids(population: Component) -> Ints | None:
    """Return the ids of listed instances, None where they are the positions."""
    found: list[Ints] = []
    for slot, _, part in population.parts:
        if slot != "instances":
            continue
        if isinstance(part, ComponentTable):
            column = part.columns.get("id")
            if column is None or column.kind != "integer" or column.present is not None:
                return None
            found.append(column.numbers.astype(np.int64))
        elif part.id is None or not part.id.isdecimal():
            return None
        else:
            found.append(np.array([int(part.id)]))
    ids = np.concatenate(found) if found else np.zeros(0, np.int64)
    return None if np.array_equal(ids, np.arange(len(ids))) else ids
