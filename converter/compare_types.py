"""Two component types member by member, equations up to symbolic equality."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

from ..errors import Faults, Place
from .difference import Findings, told
from .expressions import Expression, ExpressionError, names, parse, show
from .model import (
    Actions,
    Assignment,
    ComponentType,
    ConstantValue,
    DerivedParameter,
    DerivedVariable,
    Dynamics,
    KineticScheme,
    OnCondition,
    Quantity,
    Regime,
    Slot,
    StateVariable,
    StructureElement,
    TimeDerivative,
)
from .quantities import read_quantity
from .same_expressions import Verdict, verdict
from .units import NONE, Dimension, Unit, split_quantity

T = TypeVar("T")
S = TypeVar("S")
Places = tuple[Place | None, Place | None]

SLOTS = {
    "child": "Child",
    "children": "Children",
    "attachments": "Attachments",
    "references": "ComponentReference",
    "links": "Link",
    "instance_requirements": "InstanceRequirement",
}
QUANTITIES = {
    "parameters": "Parameter",
    "properties": "Property",
    "exposures": "Exposure",
    "requirements": "Requirement",
}
NAMES = {
    "texts": "Text",
    "paths": "Path",
    "index_parameters": "IndexParameter",
    "component_requirements": "ComponentRequirement",
}


def compare_types(
    left: ComponentType, right: ComponentType, units: Mapping[str, Unit], findings: Findings
) -> None:
    """Note how two types of one name differ; the order of members has no meaning.

    `units` are those in which Fixed values are written.
    """
    places = left.place, right.place
    _Pair(f"ComponentType {left.name}", places, findings, units).compare(left, right)


@dataclass(frozen=True, slots=True)
class _Pair:
    path: str
    places: Places
    findings: Findings
    units: Mapping[str, Unit]

    def compare(self, left: ComponentType, right: ComponentType) -> None:
        if not (left.packaged and right.packaged):
            self.declared(left, right)
        for what, a, b in self.both("Constant", left.constants, right.constants):
            self.constant(what, a, b)
        for what, f, g in self.both("Fixed", left.fixed, right.fixed):
            at = _of(f, lambda it: it[1]), _of(g, lambda it: it[1])
            if f is not None and g is not None and self.same_quantity(f[0], g[0]):
                continue
            self.text(what, _of(f, _fixed), _of(g, _fixed), at)
        for what, d, e in self.both(
            "DerivedParameter", left.derived_parameters, right.derived_parameters
        ):
            self.derived_parameter(what, d, e)
        if left.dynamics is None or right.dynamics is None:
            at = _places(left.dynamics, right.dynamics)
            self.text("Dynamics", _of(left.dynamics, _given), _of(right.dynamics, _given), at)
        else:
            self.dynamics(left.dynamics, right.dynamics)
        self.elements("Structure", left.structure, right.structure)
        self.elements("Simulation", left.simulation, right.simulation)

    def declared(self, left: ComponentType, right: ComponentType) -> None:
        """Compare what members there are; releases of the core types differ in theirs."""
        self.text(
            "extends",
            " extends ".join(left.ancestors),
            " extends ".join(right.ancestors),
            self.places,
            "extends",
        )
        for name, tag in NAMES.items():
            of_left, of_right = getattr(left, name), getattr(right, name)
            for member in sorted({*of_left} ^ {*of_right}):
                self.text(
                    tag,
                    member if member in of_left else None,
                    member if member in of_right else None,
                    self.places,
                )
        for name, tag in QUANTITIES.items():
            for what, a, b in self.both(tag, getattr(left, name), getattr(right, name)):
                self.text(what, _of(a, _quantity), _of(b, _quantity), _places(a, b))
        for name, tag in SLOTS.items():
            for what, a, b in self.both(tag, getattr(left, name), getattr(right, name)):
                self.text(what, _of(a, _slot), _of(b, _slot), _places(a, b))
        for what, a, b in self.both("EventPort", left.ports, right.ports):
            self.text(
                what,
                _of(a, lambda p: p.direction),
                _of(b, lambda p: p.direction),
                _places(a, b),
                "direction",
            )

    def same_quantity(self, a: str, b: str) -> bool:
        faults = Faults()
        values = [read_quantity(text, None, self.units, faults, None) for text in (a, b)]
        dimensions = [
            unit.dimension if (unit := self.units.get(split_quantity(text)[1])) else NONE
            for text, value in zip((a, b), values, strict=True)
            if value is not None
        ]
        if values[0] is None or values[1] is None or dimensions[0] != dimensions[1]:
            return False
        return self.findings.close(values[0], values[1])

    # --- members -------------------------------------------------------------------------

    def both(
        self, tag: str, left: Mapping[str, T], right: Mapping[str, T]
    ) -> Iterable[tuple[str, T | None, T | None]]:
        """Yield the members of either side with what they are called."""
        for name in dict.fromkeys((*left, *right)):
            yield f"{tag} {name}", left.get(name), right.get(name)

    def text(
        self, what: str, left: str | None, right: str | None, places: Places, attribute: str = ""
    ) -> None:
        if left != right:
            self.findings.add(self.path, what, left, right, places, attribute)

    def constant(self, what: str, a: ConstantValue | None, b: ConstantValue | None) -> None:
        places = _places(a, b)
        if a is None or b is None or a.dimension != b.dimension:
            texts = [_of(c, lambda c: told(c.value, c.value, c.dimension)[0]) for c in (a, b)]
            self.findings.add(self.path, what, texts[0], texts[1], places, "value")
        elif not self.findings.close(a.value, b.value):
            self.findings.add(
                self.path, what, *told(a.value, b.value, a.dimension), places, "value"
            )

    def derived_parameter(
        self, what: str, a: DerivedParameter | None, b: DerivedParameter | None
    ) -> None:
        if a is None or b is None:
            self.text(what, _of(a, _derivation), _of(b, _derivation), _places(a, b))
            return
        places = _places(a, b)
        self.text(f"dimension of {what}", _dim(a.dimension), _dim(b.dimension), places)
        self.text(f"select of {what}", a.select, b.select, places, "select")
        self.equation(what, a.value, b.value, places)

    def equation(
        self,
        what: str,
        left: Expression | None,
        right: Expression | None,
        places: Places,
        attribute: str = "value",
    ) -> None:
        """Note a difference of two expressions, or that they could not be shown to be equal."""
        if left is None and right is None:
            return
        known = Verdict.DIFFERENT if left is None or right is None else verdict(left, right)
        if known is Verdict.SAME:
            return
        if known is Verdict.OPEN:
            what = f"{what} ({known.value})"
        shown = [None if side is None else show(side) for side in (left, right)]
        self.findings.add(self.path, what, shown[0], shown[1], places, attribute)

    # --- dynamics -------------------------------------------------------------------------

    def dynamics(self, left: Dynamics, right: Dynamics) -> None:
        self.text(
            "simultaneous of Dynamics",
            str(left.simultaneous),
            str(right.simultaneous),
            _places(left, right),
            "simultaneous",
        )
        for what, a, b in self.both(
            "StateVariable", _named(left.state_variables), _named(right.state_variables)
        ):
            self.text(what, _of(a, _state), _of(b, _state), _places(a, b))
        self.equations(left, right, "")
        self.blocks(
            "OnStart", _joined(left.on_start), _joined(right.on_start), _places(left, right)
        )
        for what, r, s in self.both("Regime", _named(left.regimes), _named(right.regimes)):
            self.regime(what, r, s)
        for what, k, m in self.both(
            "KineticScheme", _named(left.kinetic_schemes), _named(right.kinetic_schemes)
        ):
            self.text(what, _of(k, _scheme), _of(m, _scheme), _places(k, m))

    def regime(self, what: str, a: Regime | None, b: Regime | None) -> None:
        if a is None or b is None:
            self.text(what, _of(a, _given), _of(b, _given), _places(a, b))
            return
        self.text(f"initial of {what}", str(a.initial), str(b.initial), _places(a, b), "initial")
        self.blocks(f"OnEntry of {what}", a.on_entry, b.on_entry, _places(a, b))
        self.equations(a, b, f" of {what}")

    def equations(self, left: Dynamics | Regime, right: Dynamics | Regime, of: str) -> None:
        """Compare what Dynamics and its regimes both have."""
        for what, a, b in self.both(
            "DerivedVariable", _named(left.derived_variables), _named(right.derived_variables)
        ):
            self.derived(what + of, a, b)
        for what, s, t in self.both(
            "TimeDerivative",
            _by_variable(left.time_derivatives),
            _by_variable(right.time_derivatives),
        ):
            self.equation(what + of, _of(s, _value), _of(t, _value), _places(s, t))
        events = [
            {
                port: _joined(e.actions for e in side.on_events if e.port == port)
                for port in dict.fromkeys(e.port for e in side.on_events)
            }
            for side in (left, right)
        ]
        for what, c, d in self.both("OnEvent", events[0], events[1]):
            port = what.partition(" ")[2]
            at = [
                next((e.place for e in side.on_events if e.port == port), None)
                for side in (left, right)
            ]
            self.blocks(what + of, c, d, (at[0], at[1]))
        self.conditions(f"OnCondition{of}", left.on_conditions, right.on_conditions)

    def derived(self, what: str, a: DerivedVariable | None, b: DerivedVariable | None) -> None:
        places = _places(a, b)
        if a is None or b is None:
            self.text(what, _of(a, _definition), _of(b, _definition), places)
            return
        self.text(f"dimension of {what}", _dim(a.dimension), _dim(b.dimension), places, "dimension")
        self.text(f"exposure of {what}", a.exposure, b.exposure, places, "exposure")
        self.text(f"reduce of {what}", a.reduce, b.reduce, places, "reduce")
        self.text(f"required of {what}", str(a.required), str(b.required), places, "required")
        if a.value is not None and b.value is not None:
            self.equation(what, a.value, b.value, places)
        elif not (a.cases and b.cases and _same_cases(a, b)):
            self.text(
                what, _of(a, _definition), _of(b, _definition), places, "select" if a.select else ""
            )

    def conditions(
        self, what: str, left: Sequence[OnCondition], right: Sequence[OnCondition]
    ) -> None:
        """Compare blocks whose order matters only where one touches what another does."""

        def compare(a: OnCondition, b: OnCondition, findings: Findings) -> None:
            pair = _Pair(self.path, self.places, findings, self.units)
            pair.equation(f"test of {what}", a.test, b.test, _places(a, b), "test")
            pair.blocks(f"{what} ({show(a.test)})", a.actions, b.actions, _places(a, b))

        matched, alone, other = _matched(
            left, right, lambda a, b: not self.findings.finds(lambda f: compare(a, b, f))
        )
        for a, b in zip(alone, other, strict=False):
            compare(a, b, self.findings)
        for a in alone[len(other) :]:
            self.text(what, show(a.test), None, (a.place, None), "test")
        for b in other[len(alone) :]:
            self.text(what, None, show(b.test), (None, b.place), "test")
        if not _in_order(matched, [_touched(c.actions, c.test) for c in left]):
            first = left[matched[0][0]].place, right[matched[0][1]].place
            self.findings.add(
                self.path,
                f"order of {what}",
                "; ".join(show(c.test) for c in left),
                "; ".join(show(c.test) for c in right),
                first,
            )

    def blocks(
        self, what: str, left: Actions | None, right: Actions | None, places: Places
    ) -> None:
        """Compare what two blocks do."""
        if left is None or right is None:
            self.text(what, _of(left, _doing), _of(right, _doing), places)
            return
        matched, alone, other = _matched(
            left.assignments,
            right.assignments,
            lambda a, b: a.variable == b.variable and verdict(a.value, b.value) is Verdict.SAME,
        )
        for name in dict.fromkeys(a.variable for a in (*alone, *other)):
            pairs = [[a for a in side if a.variable == name] for side in (alone, other)]
            for at in range(max(map(len, pairs))):
                a, b = (side[at] if at < len(side) else None for side in pairs)
                known = (_places(a, b)[0] or places[0], _places(a, b)[1] or places[1])
                self.equation(f"{name} of {what}", _of(a, _value), _of(b, _value), known)
        touched = [(names(a.value), frozenset([a.variable])) for a in left.assignments]
        if not alone and not other and not _in_order(matched, touched):
            self.findings.add(self.path, f"order of {what}", _doing(left), _doing(right), places)
        events = [", ".join(port for port, _ in side.events) for side in (left, right)]
        self.text(f"EventOut of {what}", events[0] or None, events[1] or None, places)
        regimes = [side.transition and side.transition[0] for side in (left, right)]
        self.text(f"Transition of {what}", regimes[0], regimes[1], places)

    # --- structure ------------------------------------------------------------------------

    def elements(
        self, block: str, left: Sequence[StructureElement], right: Sequence[StructureElement]
    ) -> None:
        for at in range(max(len(left), len(right))):
            a = left[at] if at < len(left) else None
            b = right[at] if at < len(right) else None
            if a is None or b is None or not _same_element(a, b):
                self.text(block, _of(a, _element), _of(b, _element), _places(a, b))


# --- matching ------------------------------------------------------------------------------


def _matched(
    left: Sequence[T], right: Sequence[T], same: Callable[[T, T], bool]
) -> tuple[list[tuple[int, int]], list[T], list[T]]:
    """Return the indices of equal members, and what is left over on either side."""
    free = list(range(len(right)))
    pairs: list[tuple[int, int]] = []
    alone: list[T] = []
    for i, member in enumerate(left):
        j = next((j for j in free if same(member, right[j])), None)
        if j is None:
            alone.append(member)
        else:
            free.remove(j)
            pairs.append((i, j))
    return pairs, alone, [right[j] for j in free]


Touched = tuple[frozenset[str], frozenset[str]]


def _in_order(pairs: Sequence[tuple[int, int]], touched: Sequence[Touched]) -> bool:
    """Tell whether members that read or write what another writes follow one another alike."""
    for n, (i, j) in enumerate(pairs):
        for k, m in pairs[n + 1 :]:
            (reads, writes), (later_reads, later_writes) = touched[i], touched[k]
            if m < j and (writes & (later_reads | later_writes) or reads & later_writes):
                return False
    return True


def _touched(actions: Actions, test: Expression) -> Touched:
    reads = names(test).union(*(names(a.value) for a in actions.assignments))
    return reads, frozenset(a.variable for a in actions.assignments)


def _same_cases(a: DerivedVariable, b: DerivedVariable) -> bool:
    pairs = zip(a.cases, b.cases, strict=False)
    return len(a.cases) == len(b.cases) and all(
        (c is None) == (d is None)
        and (c is None or d is None or verdict(c, d) is Verdict.SAME)
        and verdict(x, y) is Verdict.SAME
        for (c, x), (d, y) in pairs
    )


def _same_element(a: StructureElement, b: StructureElement) -> bool:
    if a.kind != b.kind or a.attributes.keys() != b.attributes.keys():
        return False
    if len(a.inside) != len(b.inside) or not all(map(_same_element, a.inside, b.inside)):
        return False
    return all(
        " ".join(text.split()) == " ".join(b.attributes[name].split())
        or (a.kind == "Assign" and name == "value" and _same_formula(text, b.attributes[name]))
        for name, text in a.attributes.items()
    )


def _same_formula(a: str, b: str) -> bool:
    try:
        return verdict(parse(a), parse(b)) is Verdict.SAME
    except ExpressionError:
        return False


def _named(members: Iterable[T]) -> dict[str, T]:
    return {str(getattr(member, "name", "")): member for member in members}


def _by_variable(members: Iterable[TimeDerivative]) -> dict[str, TimeDerivative]:
    return {member.variable: member for member in members}


def _joined(blocks: Iterable[Actions]) -> Actions:
    """Return several blocks that run one after the other as one."""
    every = list(blocks)
    transitions: list[tuple[str, Place]] = [b.transition for b in every if b.transition]
    return Actions(
        tuple(a for block in every for a in block.assignments),
        tuple(e for block in every for e in block.events),
        transitions[-1] if transitions else None,
    )


def _places(a: object, b: object) -> Places:
    return getattr(a, "place", None), getattr(b, "place", None)


# --- text -----------------------------------------------------------------------------------


def _of(member: T | None, part: Callable[[T], S]) -> S | None:
    """Return a part of what is there, None where nothing is."""
    return None if member is None else part(member)


def _value(equation: TimeDerivative | Assignment) -> Expression:
    return equation.value


def _fixed(fixed: tuple[str, Place]) -> str:
    return " ".join(fixed[0].split())


def _given(_: Dynamics | Regime) -> str:
    return "given"


def _derivation(derived: DerivedParameter) -> str:
    return derived.select or ("" if derived.value is None else show(derived.value))


def _dim(dimension: Dimension | None) -> str:
    return "any dimension" if dimension is None else f"dimension {dimension}"


def _quantity(quantity: Quantity) -> str:
    default = "" if quantity.default is None else f", default {quantity.default:.12g}"
    return _dim(quantity.dimension) + default


def _slot(slot: Slot) -> str:
    return f"of type {slot.type}" + (", local" if slot.local else "")


def _state(state: StateVariable) -> str:
    return f"{_dim(state.dimension)}, exposed as {state.exposure or 'nothing'}"


def _scheme(scheme: KineticScheme) -> str:
    named = (f.name for f in fields(scheme) if f.name not in ("place", "name"))
    return ", ".join(f"{name} {getattr(scheme, name)}" for name in named)


def _definition(variable: DerivedVariable) -> str:
    if variable.select is not None:
        return f"select {variable.select}"
    if variable.value is not None:
        return show(variable.value)
    return "; ".join(
        show(value) if condition is None else f"{show(value)} if {show(condition)}"
        for condition, value in variable.cases
    )


def _doing(actions: Actions) -> str:
    told = [f"{a.variable} = {show(a.value)}" for a in actions.assignments]
    told += [f"event {port}" for port, _ in actions.events]
    if actions.transition:
        told.append(f"to {actions.transition[0]}")
    return "; ".join(told) or "nothing"


def _element(element: StructureElement) -> str:
    told = " ".join([element.kind, *(f"{k}={v!r}" for k, v in sorted(element.attributes.items()))])
    inside = "; ".join(map(_element, element.inside))
    return f"{told} [{inside}]" if inside else told
