"""Attributes of a type definition's elements: names, dimensions, quantities, expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import Faults, Place, did_you_mean
from .document import Element
from .expressions import Expression, ExpressionError, is_truth, parse
from .quantities import read_quantity
from .units import NONE, Dimension, Unit

#: Elements of a type that carry words for people only.
SILENT = frozenset({"About", "Meta", "Display", "notes", "annotation", "Annotation", "Doc"})

#: Variables whose dimension follows from what defines them, where they name none.
DERIVED = ("DerivedVariable", "ConditionalDerivedVariable")

Locate = Callable[[Element, str], Place]


@dataclass(slots=True)
class AttributeReader:
    """Reads attributes; faults go to `faults`, places come from `locate`."""

    dimensions: Mapping[str, Dimension]
    units: Mapping[str, Unit]
    faults: Faults
    locate: Locate

    def required(self, element: Element, name: str) -> str | None:
        """Return an attribute that must be there."""
        value = element.get(name)
        if value is None or value == "":
            self.faults.error(f"{element.tag} needs the attribute {name!r}", element.place)
            return None
        return value

    def dimension(self, element: Element) -> Dimension | None:
        """Return the dimension that an element names; "*" is None, absent is no dimension.

        A derived variable without one has that of its expression (`infer_dimensions`).
        """
        name = element.get("dimension")
        if name is None and (element.get("exposure") is not None or element.tag in DERIVED):
            return None
        if name is None or name == "none":
            return NONE
        if name == "*":
            return None
        if name not in self.dimensions:
            self.faults.error(
                f"no dimension is called {name!r}",
                self.locate(element, "dimension"),
                did_you_mean(name, self.dimensions)
                or "define it with Dimension, or include the file that does",
            )
            return None
        return self.dimensions[name]

    def quantity(self, element: Element, name: str) -> float | None:
        """Return an attribute's value in SI, checked against the element's dimension."""
        text = self.required(element, name)
        if text is None:
            return None
        return read_quantity(
            text, self.dimension(element), self.units, self.faults, self.locate(element, name)
        )

    def plain_number(self, element: Element, name: str) -> float | None:
        """Return an attribute that is a number without a unit, or None."""
        text = element.get(name)
        if text is None:
            return None
        try:
            return float(text)
        except ValueError:
            self.faults.error(f"{text[:40]!r} is no plain number", self.locate(element, name))
            return None

    def expression(
        self, element: Element, name: str, *, truth: bool = False, optional: bool = False
    ) -> Expression | None:
        """Return an attribute's expression; its faults are placed at their column."""
        text = element.get(name)
        if text is None or not text.strip():
            if not optional:
                self.faults.error(f"{element.tag} needs the attribute {name!r}", element.place)
            return None
        try:
            tree = parse(text)
        except ExpressionError as fault:
            at = self.locate(element, name)
            self.faults.error(
                f"{name} of {element.tag} is no expression: {fault.message}",
                Place(at.file, at.line, at.column + fault.column),
            )
            return None
        if is_truth(tree) != truth:
            wanted = "a comparison" if truth else "a number, not a comparison"
            self.faults.error(f"{name} must give {wanted}", self.locate(element, name))
            return None
        return tree
