"""The form of what a comparison of models finds, and how its values are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..errors import Place
from .units import NONE, Dimension

Section = Literal["types", "components", "networks", "simulation"]

#: Relative difference of two values up to which they are the same: what units' factors cost.
TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two models differ; a side without it has neither text nor place.

    `path` is ids joined by slashes, or a type's name; `what` says which part of that
    differs. `attribute` is the XML attribute that holds it, where one does.
    """

    path: str
    what: str
    left: str | None
    right: str | None
    left_place: Place | None
    right_place: Place | None
    section: Section = "components"
    attribute: str = ""


@dataclass(slots=True)
class Findings:
    """Collects the differences of one section."""

    section: Section
    tolerance: float = TOLERANCE
    found: list[Difference] = field(default_factory=list)

    def add(
        self,
        path: str,
        what: str,
        left: str | None,
        right: str | None,
        places: tuple[Place | None, Place | None],
        attribute: str = "",
    ) -> None:
        """Note a difference."""
        at_left = places[0] if left is not None else None
        at_right = places[1] if right is not None else None
        self.found.append(
            Difference(path, what, left, right, at_left, at_right, self.section, attribute)
        )

    def apart(self) -> Findings:
        """Return a collector of the same kind, to try a comparison with."""
        return Findings(self.section, self.tolerance)

    def close(self, a: float, b: float) -> bool:
        """Tell whether two values are the same."""
        return close(a, b, self.tolerance)

    def finds(self, compare: Callable[[Findings], None]) -> bool:
        """Tell whether a comparison would find anything."""
        trial = self.apart()
        compare(trial)
        return bool(trial.found)


def close(a: float, b: float, tolerance: float = TOLERANCE) -> bool:
    """Tell whether two values are the same but for rounding; two that are NaN are.

    >>> close(-65.0 * 1e-3, -0.065), close(0.1, 0.1001)
    (True, False)
    """
    return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b)) or (a != a and b != b)  # noqa: PLR0124 - NaN


def told(a: float, b: float, dimension: Dimension | None) -> tuple[str, str]:
    """Return two values that differ as texts that differ, with their SI unit.

    >>> from .units import VOLTAGE
    >>> told(-0.065, -0.0650000001, VOLTAGE)
    ('-0.065 V', '-0.0650000001 V')
    """
    unit = "" if dimension is None or dimension == NONE else f" {dimension}"
    for digits in (6, 12, 17):
        texts = f"{a:.{digits}g}{unit}", f"{b:.{digits}g}{unit}"
        if texts[0] != texts[1]:
            break
    return texts


def same_text(a: str | None, b: str | None) -> bool:
    """Tell whether two attributes' texts are the same, as text or as plain numbers."""
    if a is None or b is None:
        return a is b
    if a.split() == b.split():
        return True
    x, y = plain_number(a), plain_number(b)
    return x is not None and y is not None and close(x, y)


def plain_number(text: str) -> float | None:
    """Return the number that `text` is, None if it is anything else."""
    stripped = text.strip()
    if not stripped or not set(stripped) <= set("0123456789+-.eE"):
        return None
    try:
        value = float(stripped)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
