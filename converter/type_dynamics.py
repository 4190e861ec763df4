"""The Dynamics block of a component type from its element, expressions parsed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from ..errors import Place, did_you_mean
from .attributes import SILENT, AttributeReader
from .document import Element
from .expressions import Expression, Name, substitute
from .model import (
    Actions,
    Assignment,
    DerivedVariable,
    Dynamics,
    KineticScheme,
    OnCondition,
    OnEvent,
    Regime,
    StateVariable,
    TimeDerivative,
)

DYNAMICS_ELEMENTS = (
    "StateVariable DerivedVariable ConditionalDerivedVariable TimeDerivative OnStart OnEvent "
    "OnCondition Regime KineticScheme"
).split()

REDUCTIONS = {
    "add": "add",
    "+": "add",
    "sum": "add",
    "plus": "add",
    "multiply": "multiply",
    "*": "multiply",
    "product": "multiply",
    "times": "multiply",
}


@dataclass(slots=True)
class DynamicsReader(AttributeReader):
    """Reads Dynamics elements."""

    def _dynamics(self, block: Element) -> Dynamics:
        parts = _Dynamics()
        for part in block.elements():
            self._dynamics_part(part, parts)
        return Dynamics(
            place=block.place,
            simultaneous=block.get("simultaneous") == "true",
            state_variables=tuple(parts.state_variables),
            derived_variables=(*parts.derived_variables, *parts.conditional),
            time_derivatives=tuple(parts.time_derivatives),
            on_start=tuple(parts.on_start),
            on_events=tuple(parts.on_events),
            on_conditions=tuple(parts.on_conditions),
            regimes=_with_own_locals(parts.regimes),
            kinetic_schemes=tuple(parts.kinetic_schemes),
        )

    def _dynamics_part(self, part: Element, parts: _Dynamics) -> None:
        match part.tag:
            case "StateVariable":
                name = self.required(part, "name")
                if name is not None:
                    parts.state_variables.append(
                        StateVariable(name, self.dimension(part), part.get("exposure"), part.place)
                    )
            case "DerivedVariable":
                variable = self._derived(part)
                if variable is not None:
                    parts.derived_variables.append(variable)
            case "ConditionalDerivedVariable":
                variable = self._conditional(part)
                if variable is not None:
                    parts.conditional.append(variable)
            case "TimeDerivative":
                parts.time_derivatives.extend(self._derivative(part))
            case "OnStart":
                parts.on_start.append(self._actions(part))
            case "OnEvent":
                port = self.required(part, "port")
                if port is not None:
                    parts.on_events.append(OnEvent(port, self._actions(part), part.place))
            case "OnCondition":
                parts.on_conditions.extend(self._condition(part))
            case "Regime":
                parts.regimes.append(self._regime(part))
            case "KineticScheme":
                scheme = self._scheme(part)
                if scheme is not None:
                    parts.kinetic_schemes.append(scheme)
            case "Build":
                pass  # a Structure, read with the type
            case tag if tag in SILENT:
                pass
            case tag:
                self.faults.error(
                    f"Dynamics has no element {tag!r}",
                    part.place,
                    did_you_mean(tag, DYNAMICS_ELEMENTS),
                )

    def _derived(self, part: Element) -> DerivedVariable | None:
        # One without a name is known by what it exposes.
        name = part.get("name") or part.get("exposure") or self.required(part, "name")
        if name is None:
            return None
        select, value = part.get("select"), self.expression(part, "value", optional=True)
        if (select is None) == (part.get("value") is None):
            self.faults.error(
                f"the DerivedVariable {name!r} needs a value or a select (one of them)",
                part.place,
            )
            return None
        reduce = part.get("reduce")
        if reduce is not None and reduce not in REDUCTIONS:
            self.faults.error(
                f"reduce is 'add' or 'multiply', not {reduce!r}", self.locate(part, "reduce")
            )
        if select is None and value is None:
            return None
        return DerivedVariable(
            name,
            self.dimension(part),
            part.get("exposure"),
            part.place,
            value=value,
            select=select,
            reduce=REDUCTIONS.get(reduce or ""),
            required=(part.get("required") or "true") not in ("false", "no"),
        )

    def _conditional(self, part: Element) -> DerivedVariable | None:
        name = part.get("name") or part.get("exposure") or self.required(part, "name")
        if name is None:
            return None
        cases: list[tuple[Expression | None, Expression]] = []
        for case in part.elements("Case"):
            value = self.expression(case, "value")
            condition = None
            if case.get("condition") is not None:
                condition = self.expression(case, "condition", truth=True)
                if condition is None:
                    continue
            if value is not None:
                cases.append((condition, value))
        if not cases:
            self.faults.error(f"{name!r} has no Case", part.place)
            return None
        return DerivedVariable(
            name, self.dimension(part), part.get("exposure"), part.place, cases=tuple(cases)
        )

    def _derivative(self, part: Element) -> list[TimeDerivative]:
        variable, value = self.required(part, "variable"), self.expression(part, "value")
        if variable is None or value is None:
            return []
        return [TimeDerivative(variable, value, part.place)]

    def _condition(self, part: Element) -> list[OnCondition]:
        test = self.expression(part, "test", truth=True)
        actions = self._actions(part)
        return [] if test is None else [OnCondition(test, actions, part.place)]

    def _actions(self, block: Element) -> Actions:
        assignments: list[Assignment] = []
        events: list[tuple[str, Place]] = []
        transition: tuple[str, Place] | None = None
        for part in block.elements():
            if part.tag == "StateAssignment":
                variable, value = self.required(part, "variable"), self.expression(part, "value")
                if variable is not None and value is not None:
                    assignments.append(Assignment(variable, value, part.place))
            elif part.tag == "EventOut":
                port = self.required(part, "port")
                if port is not None:
                    events.append((port, self.locate(part, "port")))
            elif part.tag == "Transition":
                regime = self.required(part, "regime")
                if regime is not None:
                    transition = (regime, self.locate(part, "regime"))
            elif part.tag not in SILENT:
                self.faults.error(
                    f"{block.tag} has no element {part.tag!r}",
                    part.place,
                    did_you_mean(part.tag, ("StateAssignment", "EventOut", "Transition")),
                )
        return Actions(tuple(assignments), tuple(events), transition)

    def _regime(self, block: Element) -> Regime:
        derived: list[DerivedVariable] = []
        derivatives: list[TimeDerivative] = []
        conditions: list[OnCondition] = []
        events: list[OnEvent] = []
        entry = Actions()
        for part in block.elements():
            if part.tag == "TimeDerivative":
                derivatives.extend(self._derivative(part))
            elif part.tag == "OnEntry":
                entry = self._actions(part)
            elif part.tag == "OnCondition":
                conditions.extend(self._condition(part))
            elif part.tag == "OnEvent":
                port = self.required(part, "port")
                if port is not None:
                    events.append(OnEvent(port, self._actions(part), part.place))
            elif part.tag == "DerivedVariable":
                variable = self._derived(part)
                if variable is not None:
                    derived.append(variable)
            elif part.tag == "ConditionalDerivedVariable":
                variable = self._conditional(part)
                if variable is not None:
                    derived.append(variable)
            elif part.tag not in SILENT:
                self.faults.error(f"a Regime has no element {part.tag!r}", part.place)
        return Regime(
            self.required(block, "name") or "",
            block.get("initial") == "true",
            entry,
            tuple(derived),
            tuple(derivatives),
            tuple(conditions),
            tuple(events),
            block.place,
        )

    def _scheme(self, part: Element) -> KineticScheme | None:
        wanted = (
            "name",
            "nodes",
            "edges",
            "stateVariable",
            "edgeSource",
            "edgeTarget",
            "forwardRate",
            "reverseRate",
        )
        values = [self.required(part, name) for name in wanted]
        given = [value for value in values if value is not None]
        return KineticScheme(part.place, *given) if len(given) == len(values) else None


@dataclass(slots=True)
class _Dynamics:
    state_variables: list[StateVariable] = field(default_factory=list)
    derived_variables: list[DerivedVariable] = field(default_factory=list)
    conditional: list[DerivedVariable] = field(default_factory=list)
    time_derivatives: list[TimeDerivative] = field(default_factory=list)
    on_start: list[Actions] = field(default_factory=list)
    on_events: list[OnEvent] = field(default_factory=list)
    on_conditions: list[OnCondition] = field(default_factory=list)
    regimes: list[Regime] = field(default_factory=list)
    kinetic_schemes: list[KineticScheme] = field(default_factory=list)


def _with_own_locals(regimes: list[Regime]) -> tuple[Regime, ...]:
    """Return `regimes` with local derived variables renamed where two have one of a name."""
    counts = Counter(v.name for regime in regimes for v in regime.derived_variables)
    return tuple(
        _renamed(
            regime,
            {
                v.name: f"{regime.name}.{v.name}"
                for v in regime.derived_variables
                if counts[v.name] > 1
            },
        )
        for regime in regimes
    )


def _renamed(regime: Regime, new: dict[str, str]) -> Regime:
    if not new:
        return regime
    names = {old: Name(name) for old, name in new.items()}

    def tree(expression: Expression) -> Expression:
        return substitute(expression, names)

    def actions(block: Actions) -> Actions:
        assignments = tuple(replace(a, value=tree(a.value)) for a in block.assignments)
        return replace(block, assignments=assignments)

    return replace(
        regime,
        on_entry=actions(regime.on_entry),
        derived_variables=tuple(
            replace(
                v,
                name=new.get(v.name, v.name),
                value=tree(v.value) if v.value is not None else None,
                cases=tuple((tree(c) if c is not None else None, tree(x)) for c, x in v.cases),
            )
            for v in regime.derived_variables
        ),
        time_derivatives=tuple(replace(d, value=tree(d.value)) for d in regime.time_derivatives),
        on_conditions=tuple(
            replace(c, test=tree(c.test), actions=actions(c.actions)) for c in regime.on_conditions
        ),
        on_events=tuple(replace(e, actions=actions(e.actions)) for e in regime.on_events),
    )
