"""References between components: that they lead somewhere, and to the right kind of thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..converter.document import Column
from ..converter.model import Component, ComponentTable, Model, Slot
from ..errors import Faults, Place, did_you_mean

#: Rows of a column that are looked at one by one, where each has a text of its own.
DISTINCT = 100_000

#: Attributes that name a population of the same network.
POPULATIONS = ("presynapticPopulation", "postsynapticPopulation", "population")

#: Types whose parts are told from each other by their ids.
UNIQUE = ("network", "morphology", "baseIonChannel")

#: Types whose parts may be missing: their equations follow from the morphology, or not.
WITHOUT_EQUATIONS = ("cell", "segment")


@dataclass(slots=True)
class ReferenceChecker:
    """Checks every component of the user's own files; faults go to `faults`.

    `at` finds the place of an attribute. In a `fragment`, a file to be included by others,
    a reference that leads nowhere is a warning: the file that includes it may supply it.
    """

    model: Model
    faults: Faults
    own: Callable[[Place], bool]
    at: Callable[[Place, str], Place]
    fragment: bool

    def check(self) -> None:
        """Note every reference that leads nowhere, and every id that is given twice."""
        for top in self.model.order:
            for component, above in _with_ancestors(top):
                if self.own(component.place):
                    self._component(component, above)

    def _component(self, component: Component, above: tuple[Component, ...]) -> None:
        for name, slot in (*component.type.references.items(), *component.type.links.items()):
            identity = component.references.get(name)
            if identity is not None:
                place = self.at(component.place, name)
                self._reference(identity, slot, place, (component, *above), _named(component))
        for name in POPULATIONS:
            if name in component.texts and above and above[0].type.is_a("network"):
                self._population(component, name, above[0])
        self._select(component)
        seen: dict[tuple[str, str], Place] = {}
        for slot_name, kind, part in component.parts:
            if isinstance(part, ComponentTable):
                self._table(part, (component, *above))
            elif kind == "children" and part.id is not None and self.own(part.place):
                first = seen.setdefault((slot_name, part.id), part.place)
                if first is not part.place and any(map(component.type.is_a, UNIQUE)):
                    self.faults.error(
                        f"the id {part.id!r} is given twice in {_named(component)}",
                        self.at(part.place, "id"),
                        f"the first is at {first}",
                    )

    def _table(self, part: ComponentTable, above: tuple[Component, ...]) -> None:
        table = part.table
        for name, slot in (*part.type.references.items(), *part.type.links.items()):
            column = table.columns.get(name)
            if column is not None:
                for identity, row in _distinct(column):
                    self._reference(identity, slot, table.place_of(row), above, f"a {table.tag}")
        ids = table.columns.get("id")
        if ids is not None and ids.kind == "integer":
            order = np.argsort(ids.numbers, kind="stable")
            twice = order[1:][np.diff(ids.numbers[order]) == 0]
            if twice.size:
                row = int(twice.min())
                self.faults.error(
                    f"the id {int(ids.numbers[row])} of a {table.tag} is given twice in "
                    f"{_named(above[0])}",
                    table.place_of(row),
                    f"{twice.size} ids are" if twice.size > 1 else None,
                )

    def _reference(
        self, identity: str, slot: Slot, place: Place, above: tuple[Component, ...], what: str
    ) -> None:
        found = self.model.components.get(identity)
        if found is None or not self.fits(found, slot):
            near = (p for p in _inside(above) if p.id == identity and self.fits(p, slot))
            found = next(near, found)
        if found is None:
            note = self.faults.warning if self.fragment else self.faults.error
            known = [
                component.id or ""
                for component in (*self.model.components.values(), *_inside(above))
                if self.fits(component, slot)
            ]
            note(
                f"{slot.name} of {what} names {identity!r}, and no {slot.type} has that id",
                place,
                did_you_mean(identity, known)
                or ("the file that includes this one has to define it" if self.fragment else None),
            )
        elif not self.fits(found, slot):
            self.faults.error(
                f"{slot.name} of {what} names {identity!r}, a {found.type.name}, "
                f"and needs a {slot.type}",
                place,
            )

    def _population(self, component: Component, name: str, network: Component) -> None:
        """Note a population that the network does not have; NeuroML writes it as a path."""
        identity = component.texts[name]
        known = [part.id or "" for part in network.children("populations")]
        if identity not in known:
            self.faults.error(
                f"{name} of {_named(component)} names {identity!r}, and {_named(network)} has no "
                f"population of that id",
                self.at(component.place, name),
                did_you_mean(identity, known),
            )

    def fits(self, component: Component, slot: Slot) -> bool:
        """Tell whether a component may stand in a slot.

        Models take the declared types loosely (a population of spike sources names a
        "baseCell"): anything does that exposes what the slot's type exposes, and has its
        ports.
        """
        wanted = self.model.types.get(slot.type)
        if wanted is None or component.type.is_a(slot.type):
            return True
        if component.type.is_a(f"{slot.type}DL"):
            return True
        has = component.type
        return (
            wanted.exposures.keys() <= has.exposures.keys()
            and wanted.ports.keys() <= has.ports.keys()
        )

    def _select(self, component: Component) -> None:
        """Note a child that an equation of the component reads, and that is not there."""
        dynamics = component.type.dynamics
        if dynamics is None or any(map(component.type.is_a, WITHOUT_EQUATIONS)):
            return
        for variable in dynamics.derived_variables:
            first, _, rest = (variable.select or "").partition("/")
            slot = component.type.child.get(first)
            if not rest or slot is None or variable.reduce is not None:
                continue
            if component.child(first) is None:
                self.faults.error(
                    f"{_named(component)} needs the child {first!r}",
                    component.place,
                    f"add a <{first}> of type {slot.type!r}",
                )


def _with_ancestors(
    top: Component,
) -> Iterator[tuple[Component, tuple[Component, ...]]]:
    waiting: list[tuple[Component, tuple[Component, ...]]] = [(top, ())]
    while waiting:
        component, above = waiting.pop()
        yield component, above
        for _, _, part in component.parts:
            if isinstance(part, Component):
                waiting.append((part, (component, *above)))


def _inside(above: tuple[Component, ...]) -> Iterator[Component]:
    for component in above:
        for _, _, part in component.parts:
            if isinstance(part, Component):
                yield part


def _named(component: Component) -> str:
    return f"{component.tag} {component.id!r}" if component.id else component.tag


def _distinct(column: Column) -> Iterator[tuple[str, int]]:
    """Yield each text of a column once, with the first row that has it."""
    if column.kind != "text":
        numbers, rows = np.unique(column.numbers, return_index=True)
        for number, row in zip(numbers[:DISTINCT].tolist(), rows.tolist(), strict=False):
            yield str(number), row
        return
    for code, template in enumerate(column.templates):
        rows_of = np.flatnonzero(column.codes == code)
        if not rows_of.size:
            continue
        if "{}" not in template:
            yield template, int(rows_of[0])
            continue
        numbers, first = np.unique(column.numbers[rows_of], return_index=True)
        for number, row in zip(numbers[:DISTINCT].tolist(), first.tolist(), strict=False):
            yield template.replace("{}", str(int(number))), int(rows_of[row])
