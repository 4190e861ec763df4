"""Derived parameters of components: expressions of parameters, and paths to other components'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import Faults, did_you_mean
from .evaluate import UnknownName, evaluate
from .model import Component, DerivedParameter


def derive_parameters(
    order: Iterable[Component], components: Mapping[str, Component], faults: Faults
) -> None:
    """Put the derived parameters of every component in `order`, and below, into its values."""
    tree = _Tree(components, faults)
    for top in order:
        tree.add(top, None)
    for component in tree.every:
        if component.type.derived_parameters:
            tree.derive(component)


@dataclass(slots=True)
class _Tree:
    """Components with their parents, which a path may climb to."""

    components: Mapping[str, Component]
    faults: Faults
    every: list[Component] = field(default_factory=list)
    parents: dict[Component, Component | None] = field(default_factory=dict)
    done: set[Component] = field(default_factory=set)

    def add(self, component: Component, parent: Component | None) -> None:
        waiting = [(component, parent)]
        while waiting:
            found, above = waiting.pop()
            self.every.append(found)
            self.parents[found] = above
            below = [part for _, _, part in found.parts if isinstance(part, Component)]
            waiting.extend((part, found) for part in reversed(below))

    def derive(self, component: Component) -> None:
        """Fill in what `component` derives, once; a path may ask for another's first."""
        if component in self.done:
            return
        self.done.add(component)
        values = component.values
        assert isinstance(values, dict)
        pending = [
            derived
            for name, derived in component.type.derived_parameters.items()
            if name not in component.type.parameters or name not in values
        ]
        while pending:
            waiting = [one for one in pending if not self.derive_one(component, values, one)]
            if len(waiting) == len(pending):
                self.unresolved(values, waiting)
                return
            pending = waiting

    def derive_one(
        self, component: Component, values: dict[str, float], derived: DerivedParameter
    ) -> bool:
        """Return False where something that `derived` uses is not known yet."""
        if derived.value is None:
            found = self.selected(component, derived)
            if found is not None:
                values[derived.name] = found
            return True
        try:
            values[derived.name] = float(evaluate(derived.value, values))
        except UnknownName:
            return False
        return True

    def unresolved(self, values: Mapping[str, float], waiting: Iterable[DerivedParameter]) -> None:
        for derived in waiting:
            assert derived.value is not None
            try:
                evaluate(derived.value, values)
            except UnknownName as unknown:
                self.faults.error(
                    f"the DerivedParameter {derived.name!r} uses {str(unknown)!r}, "
                    "which is no parameter",
                    derived.place,
                    did_you_mean(str(unknown), values),
                )

    # --- paths ----------------------------------------------------------------------------

    def selected(self, component: Component, derived: DerivedParameter) -> float | None:
        """Return the parameter that a select path leads to; None with a fault noted."""
        path = (derived.select or "").strip()
        head, _, name = path.rpartition("/")
        found = self.reached(component, head)
        if isinstance(found, str):
            self.faults.error(
                f"the path {path!r} of the DerivedParameter {derived.name!r} leads nowhere "
                f"from {component.id or component.tag!r}: {found}",
                component.place,
                f"it is defined at {derived.place}",
            )
            return None
        self.derive(found)
        if name not in found.values:
            self.faults.error(
                f"{found.id or found.tag!r} has no parameter {name!r}, which the "
                f"DerivedParameter {derived.name!r} selects",
                component.place,
                did_you_mean(name, found.values) or f"it is defined at {derived.place}",
            )
            return None
        return found.values[name]

    def reached(self, component: Component, path: str) -> Component | str:
        """Return the component at `path`; a string says why there is none."""
        current = component
        if path.startswith("//"):
            bits = _bits(path[2:])
            kind, predicate = _predicate(bits[0])
            candidates = [c for c in self.every if c.type.is_a(kind)]
            chosen = self.matching(component, candidates, predicate, bits[0])
            if isinstance(chosen, str):
                return chosen
            current, bits = chosen, bits[1:]
        else:
            bits = _bits(path)
        for bit in bits:
            step = self.step(component, current, bit)
            if isinstance(step, str):
                return step
            current = step
        return current

    def step(self, root: Component, current: Component, bit: str) -> Component | str:
        if bit in ("", ".", "this"):
            return current
        if bit == "..":
            return self.parents.get(current) or f"nothing is above {current.id or current.tag!r}"
        name, predicate = _predicate(bit)
        if predicate is not None:
            return self.matching(root, list(current.children(name)), predicate, bit)
        below = current.child(bit)
        if below is not None:
            return below
        identity = current.references.get(bit)
        if identity is not None and identity in self.components:
            return self.components[identity]
        named = (p for _, _, p in current.parts if isinstance(p, Component) and p.id == bit)
        return next(named, None) or f"{current.id or current.tag!r} has no {bit!r}"

    def matching(
        self, root: Component, candidates: list[Component], predicate: str | None, bit: str
    ) -> Component | str:
        """Return the last candidate for which `attribute = path` holds, as the reference does.

        The attribute is followed from the candidate, the path from `root`; quoted text is
        compared with the candidate's attribute as written.
        """
        if predicate is None or predicate.strip() == "*":
            return candidates[-1] if candidates else f"nothing matches {bit!r}"
        left, equals, right = predicate.partition("=")
        left, right = left.strip(), right.strip()
        if not equals:
            return f"[{predicate}] is not of the form [attribute=path]"
        if right[:1] in "'\"":
            text = right.strip("'\"")
            fitting = [
                c
                for c in candidates
                if (c.texts.get(left) or c.references.get(left) or (c.id if left == "id" else None))
                == text
            ]
            return fitting[-1] if fitting else f"nothing matches {bit!r}"
        wanted = self.reached(root, right)
        if isinstance(wanted, str):
            return wanted
        fitting = [c for c in candidates if self.reached(c, left) is wanted]
        return fitting[-1] if fitting else f"nothing matches {bit!r}"


def _bits(path: str) -> list[str]:
    """Split a path at the slashes outside brackets."""
    bits, depth = [""], 0
    for char in path:
        depth += (char == "[") - (char == "]")
        if char == "/" and depth == 0:
            bits.append("")
        else:
            bits[-1] += char
    return bits


def _predicate(bit: str) -> tuple[str, str | None]:
    """Split "list[inside]" into its two parts; the second is None without brackets."""
    name, bracket, inside = bit.partition("[")
    return name, inside.rstrip("]") if bracket else None
