"""Two resolved models: what differs between them, and where.

Types and components are paired by name and id. Values are compared in SI, equations up to
symbolic equality, lists of connections as multisets. An id that changed and took its
references along is one difference.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import Place
from .cell_paths import CellPaths
from .compare_rows import compare_rows, family
from .compare_types import compare_types
from .difference import TOLERANCE, Difference, Findings, Section, same_text, told
from .model import Component, ComponentTable, ComponentType, Model
from .resolve import has_run

__all__ = ["SECTIONS", "Difference", "differences"]

#: The parts of a model that differences are told by, in this order.
SECTIONS: tuple[Section, ...] = ("types", "components", "networks", "simulation")

#: Rounds in which renamed ids are followed: a renamed cell may hold a renamed channel.
ROUNDS = 3

#: Types of what covers part of a cell; one that names no part covers the group `all`.
COVERS = (
    "baseChannelDensity", "baseChannelPopulation", "spikeThresh", "specificCapacitance",
    "initMembPotential", "resistivity", "species",
)  # fmt: skip

Pair = tuple[Component, Component]
Fingerprint = tuple[object, ...]


def differences(a: Model, b: Model, *, tolerance: float = TOLERANCE) -> tuple[Difference, ...]:
    """Return everything in which two models differ, nothing where they are the same model.

    Values are the same within the relative `tolerance`. Comments, notes, the order of
    elements and attributes, the units in which values are written, unused core types and
    the division into files make no difference.
    """
    renamed: dict[str, str] = {}
    for _ in range(ROUNDS):
        comparison = _Comparison(a, b, tolerance, renamed)
        comparison.compare()
        if comparison.renamed == renamed:
            break
        renamed = comparison.renamed
    return tuple(d for section in SECTIONS for d in comparison.findings[section].found)


@dataclass(slots=True)
class _Comparison:
    left: Model
    right: Model
    tolerance: float
    known: dict[str, str]
    findings: dict[Section, Findings] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    ids: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    paths: tuple[CellPaths, CellPaths] = field(init=False)

    def __post_init__(self) -> None:
        self.findings = {s: Findings(s, self.tolerance) for s in SECTIONS}
        self.paths = CellPaths(self.left, self.known), CellPaths(self.right)
        self.ids = _ids(self.left), _ids(self.right)

    def compare(self) -> None:
        self.types()
        pairs, left, right = self.paired(
            [("", c) for c in self.left.order], [("", c) for c in self.right.order]
        )
        for a, b in pairs:
            self.pair(_name(a), a, b, self.findings[_section(a)])
        for component in left:
            self.findings[_section(component)].add(
                _name(component), *_alone(component, on_left=True)
            )
        for component in right:
            self.findings[_section(component)].add(
                _name(component), *_alone(component, on_left=False)
            )
        target, other = self.left.target, self.right.target
        if target != other and self.known.get(target or "") != other:
            places = _place(self.left, target), _place(self.right, other)
            self.findings["simulation"].add("", "Target", target, other, places)

    # --- types -------------------------------------------------------------------------------

    def types(self) -> None:
        """Compare the types that a component is of, and those that the author wrote."""
        findings = self.findings["types"]
        left, right = self.left.types, self.right.types
        names = _written_or_used(self.left) | _written_or_used(self.right)
        for name in sorted(names, key=lambda name: _generation(left, name)):
            a, b = left.get(name), right.get(name)
            if a is not None and b is not None:
                compare_types(a, b, {**self.right.units, **self.left.units}, findings)
                continue
            kind = a or b
            if kind is not None and not kind.packaged:
                texts = [None if side is None else "defined" for side in (a, b)]
                findings.add(
                    f"ComponentType {name}",
                    "ComponentType",
                    texts[0],
                    texts[1],
                    (kind.place, kind.place),
                )
        _tell_what_is_inherited_once(findings)
        for name in self.left.constants.keys() & self.right.constants.keys():
            values = self.left.constants[name], self.right.constants[name]
            if not findings.close(*values):
                findings.add(f"Constant {name}", "value", *told(*values, None), (None, None))

    # --- components --------------------------------------------------------------------------

    def pair(self, path: str, a: Component, b: Component, findings: Findings) -> None:
        """Compare two components that stand for one another, and what is inside them."""
        places = a.place, b.place
        if a.id != b.id:
            findings.add(path, "id", a.id or "", b.id or "", places, "id")
        if a.type.name != b.type.name:
            findings.add(path, "component type", a.type.name, b.type.name, places, "type")
        self.values(path, a, b, findings)
        for name in _either(a.texts, b.texts):
            if name == "size" and a.type.is_a("populationList"):
                continue  # the list counts
            text, other = _text(a, name), _text(b, name)
            if name in a.type.paths and self.same_path(text, other):
                continue
            renamed = name in a.type.paths and self.known
            if renamed or not (same_text(text, other) or self.same_path(text, other)):
                findings.add(path, name, text, other, places, name)
        for name in _either(a.references, b.references):
            text, other = a.references.get(name), b.references.get(name)
            if self.known.get(text or "", text) != other:
                findings.add(path, name, text, other, places, name)
        self.parts(path, a, b, findings)

    def values(self, path: str, a: Component, b: Component, findings: Findings) -> None:
        names = _either(a.type.parameters, b.type.parameters, a.type.properties, b.type.properties)
        for name in names:
            value, other = _value(a, name), _value(b, name)
            if value is None and other is None:
                continue
            if value is not None and other is not None and findings.close(value, other):
                continue
            if _at_default(a, name, value, other) or _at_default(b, name, other, value):
                continue  # a property that one release of the core types has
            quantity = (
                a.type.parameters.get(name)
                or b.type.parameters.get(name)
                or a.type.properties.get(name)
                or b.type.properties.get(name)
            )
            dimension = quantity.dimension if quantity is not None else None
            if value is None or other is None:
                texts = [v if v is None else told(v, v, dimension)[0] for v in (value, other)]
                findings.add(path, name, texts[0], texts[1], (a.place, b.place), name)
            else:
                findings.add(path, name, *told(value, other, dimension), (a.place, b.place), name)

    def same_path(self, text: str | None, other: str | None) -> bool:
        if text is None or other is None:
            return False
        return self.paths[0].spelled(text) == self.paths[1].spelled(other)

    def parts(self, path: str, a: Component, b: Component, findings: Findings) -> None:
        """Compare what is inside two components: lists as rows, the rest one by one."""
        tables = {
            family(part.type)
            for side in (a, b)
            for _, _, part in side.parts
            if isinstance(part, ComponentTable)
        }
        for name in sorted(tables):
            rows = [[p for _, _, p in side.parts if family(p.type) == name] for side in (a, b)]
            compare_rows(path, rows[0], rows[1], self.paths, findings)
        rest = [
            [
                (slot, p)
                for slot, _, p in side.parts
                if isinstance(p, Component) and family(p.type) not in tables
            ]
            for side in (a, b)
        ]
        pairs, left, right = self.paired(rest[0], rest[1], a.type.child)
        seen: dict[str, int] = {}
        for one, other in pairs:
            self.pair(f"{path}/{_numbered(one, seen)}", one, other, findings)
        for one in left:
            findings.add(f"{path}/{_numbered(one, seen)}", *_alone(one, on_left=True))
        for other in right:
            findings.add(f"{path}/{_numbered(other, seen)}", *_alone(other, on_left=False))
        # A column is known by its place in the file. `pairs` are in the order of the left.
        writes = not left + right and any(p.kind == "DataWriter" for p in a.type.simulation)
        if writes and [other for _, other in pairs] != [other for _, other in rest[1]]:
            texts = [", ".join(c.texts.get("quantity", "") for _, c in side) for side in rest]
            findings.add(path, "order of columns", texts[0], texts[1], (a.place, b.place))

    # --- pairing -------------------------------------------------------------------------------

    def paired(
        self,
        left: Sequence[tuple[str, Component]],
        right: Sequence[tuple[str, Component]],
        single: Collection[str] = (),
    ) -> tuple[list[Pair], list[Component], list[Component]]:
        """Return which components stand for one another, and those that only one side has.

        By id; without one by content; then those that are alone, as what fills a `single` slot
        is; and last those that are alike in all but their id.
        """
        pairs: list[tuple[int, int]] = []
        free = list(range(len(left))), list(range(len(right)))

        def pair_by(key: Callable[[str, Component], Fingerprint | None], *, alone: bool) -> None:
            groups = [_grouped(side, of, key) for side, of in zip(free, (left, right), strict=True)]
            for group, mine in groups[0].items():
                theirs = groups[1].get(group, [])
                if not alone or len(mine) == len(theirs) == 1:
                    pairs.extend(zip(mine, theirs, strict=False))
            for side, taken in enumerate(zip(*pairs, strict=True)):
                gone = set(taken)
                free[side][:] = [at for at in free[side] if at not in gone]

        pair_by(lambda slot, c: (slot, c.id) if c.id is not None else None, alone=False)
        pair_by(
            lambda slot, c: (slot, _content(c, loose=False)) if c.id is None else None, alone=False
        )
        pair_by(
            lambda slot, c: (
                (slot, c.type.name, _text(c, "segmentGroup"), c.texts.get("segment"))
                if c.id is None
                else None
            ),
            alone=False,
        )
        pair_by(lambda slot, _: (slot,) if slot in single else None, alone=True)
        pair_by(_the_only_one, alone=True)
        pair_by(
            lambda slot, c: (slot, _content(c, loose=True)) if c.id is not None else None,
            alone=False,
        )
        found = sorted(pairs)
        for i, j in found:
            self.rename(left[i][1].id, right[j][1].id)
        return (
            [(left[i][1], right[j][1]) for i, j in found],
            [left[i][1] for i in free[0]],
            [right[j][1] for j in free[1]],
        )

    def rename(self, old: str | None, new: str | None) -> None:
        """Remember an id that another one took the place of, if it means one thing alone."""
        if old is None or new is None or old == new or old.isdecimal():
            return
        if old not in self.ids[1] and new not in self.ids[0]:
            self.renamed[old] = new


def _the_only_one(slot: str, component: Component) -> Fingerprint | None:
    """Return a key for what a model mostly has one of, whatever it is called."""
    if component.type.is_a("network"):
        return (slot, "network")
    return (slot, "Simulation") if has_run(component.type) else None


def _grouped(
    free: Iterable[int],
    components: Sequence[tuple[str, Component]],
    key: Callable[[str, Component], Fingerprint | None],
) -> dict[Fingerprint, list[int]]:
    groups: dict[Fingerprint, list[int]] = {}
    for at in free:
        found = key(*components[at])
        if found is not None:
            groups.setdefault(found, []).append(at)
    return groups


def _content(component: Component, *, loose: bool) -> Fingerprint:
    """Return what components that are alike have in common; loosely but for ids and references."""
    names = component.type.parameters.keys() | component.type.properties.keys()
    values = ((name, _value(component, name)) for name in sorted(names))
    inside = sorted(
        repr(
            _content(part, loose=loose)
            if isinstance(part, Component)
            else (slot, part.type.name, part.rows)
        )
        for slot, _, part in component.parts
    )
    texts = {
        name: " ".join(text.split())
        for name, text in component.texts.items()
        if not (loose and (name in component.type.paths or "/" in text or "[" in text))
    }
    named = {} if loose else {"id": component.id, **component.references}
    return (
        component.type.name,
        tuple(f"{name} {value:.9g}" for name, value in values if value is not None),
        tuple(sorted(texts.items())),
        tuple(sorted((k, str(v)) for k, v in named.items())),
        tuple(inside),
    )


def _value(component: Component, name: str) -> float | None:
    """Return a parameter's value, or a property's, SI."""
    value = component.values.get(name)
    if value is None and name in component.type.properties:
        return component.type.properties[name].default
    return value


def _text(component: Component, name: str) -> str | None:
    """Return a text, or what one that was left out means (NeuroML 2.3, Cells)."""
    text = component.texts.get(name)
    if text is None and name == "fractionAlong" and component.type.name == "parent":
        return "1"
    if text is None and name == "segmentGroup" and "segment" not in component.texts:
        return "all" if any(component.type.is_a(kind) for kind in COVERS) else None
    return text


def _at_default(component: Component, name: str, value: float | None, other: float | None) -> bool:
    """Tell whether a property is as if it weren't there, and isn't on the other side."""
    prop = component.type.properties.get(name)
    return other is None and prop is not None and value == prop.default


def _either(*mappings: Iterable[str]) -> Iterator[str]:
    """Yield the keys of all mappings, each once, in order."""
    return iter(dict.fromkeys(name for mapping in mappings for name in mapping))


def _written_or_used(model: Model) -> dict[str, None]:
    """Return the names of types that the author wrote or that a component is of, in order."""
    found = dict.fromkeys(name for name, kind in model.types.items() if not kind.packaged)
    for top in model.order:
        for component in top.descendants():
            found.setdefault(component.type.name)
            for _, _, part in component.parts:
                found.setdefault(part.type.name)
    for name in tuple(found):
        for bare in _bare(model.types.get(name)):
            found.setdefault(bare)
    return found


def _generation(types: Mapping[str, ComponentType], name: str) -> int:
    """Return how many ancestors a type has."""
    return len(types[name].ancestors) if name in types else 0


def _tell_what_is_inherited_once(findings: Findings) -> None:
    """Leave out what differs in types that inherit it, and was told of their ancestor."""
    once: dict[object, Difference] = {}
    for found in findings.found:
        known = (found.what, found.left, found.right, found.left_place, found.right_place)
        once.setdefault(known, found)
    findings.found[:] = once.values()


def _bare(kind: ComponentType | None) -> Iterator[str]:
    """Yield the types of which a Structure makes instances without a component."""
    for part in kind.structure if kind is not None else ():
        if "componentType" in part.attributes:
            yield part.attributes["componentType"]


def _place(model: Model, target: str | None) -> Place | None:
    component = model.components.get(target or "")
    return None if component is None else component.place


def _ids(model: Model) -> set[str]:
    return {c.id for top in model.order for c in top.descendants() if c.id is not None}


def _section(component: Component) -> Section:
    if component.type.is_a("network"):
        return "networks"
    return "simulation" if any(has_run(c.type) for c in component.descendants()) else "components"


def _name(component: Component) -> str:
    return component.id if component.id is not None else component.tag


def _numbered(component: Component, seen: dict[str, int]) -> str:
    """Return what a part is called: its id, or its tag, numbered where there are several."""
    if component.id is not None:
        return f"{component.tag} {component.id}" if component.id.isdecimal() else component.id
    seen[component.tag] = seen.get(component.tag, 0) + 1
    count = seen[component.tag]
    return component.tag if count == 1 else f"{component.tag} {count}"


def _alone(
    component: Component, *, on_left: bool
) -> tuple[str, str | None, str | None, tuple[Place | None, Place | None]]:
    """Return what a component that only one side has is told as."""
    shown = f"{component.type.name} {component.id or ''}".strip()
    if on_left:
        return component.type.name, shown, None, (component.place, None)
    return component.type.name, None, shown, (None, component.place)
