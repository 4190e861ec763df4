"""Straight-line bodies: assignments inlined where they are needed, in versions of states.

A body is built statement by statement. Reading a derived variable evaluates its assignment
from the current versions of what it depends on, once per version; writing a state makes a
new version; conditions turn into selections, so that a loop over instances vectorises.
"""

from __future__ import annotations

from ..converter.expressions import (
    ONE,
    ZERO,
    Binary,
    Call,
    Choose,
    Expression,
    Name,
    Negative,
    Number,
    calls,
    names,
    rewrite,
    substitute,
)
from ..converter.network import Assign, Collect, Emit, Flow, Population, Run, Statement, When
from ..converter.simplify import simplify
from ..errors import InternalError
from .methods.updates import Group, Propagation
from .program import BodyStatement, Flag, Propagate, Pull

RUN_DEPTH = 50


class Body:
    """Collects the statements of one kernel or scalar function of a population."""

    def __init__(
        self,
        population: Population,
        *,
        published: frozenset[str] = frozenset(),
        collect_lists: dict[str, str] | None = None,
        heard: frozenset[str] = frozenset(),
        scalar: bool = False,
        late: dict[str, Expression] | None = None,
    ) -> None:
        self.population = population
        self.assignments = {a.variable: a for a in population.assignments}
        self.published = published
        self.collect_lists = collect_lists or {}
        self.heard = heard
        self.scalar = scalar
        #: States stored half a step behind, and their values at the step's end.
        self.late = late or {}
        self.caught_up: dict[str, Expression] = {}
        self.statements: list[BodyStatement] = []
        self.locals: list[str] = []
        self.current: dict[str, Expression] = {}
        self.versions: dict[str, int] = {}
        self.memo: dict[tuple[str, tuple[tuple[str, int], ...]], Expression] = {}
        self.clock: Expression = Name("t")
        self.clock_version = 0
        self.used = set(population.variables) | set(population.parameters)
        self.used |= set(population.reads)
        self.depth = 0
        #: Variable with the time that has passed since an event that is noted now.
        self.ago = ""
        self.dependencies: dict[str, frozenset[str]] = {}

    # --- reading ---------------------------------------------------------------------------

    def local(self, base: str) -> str:
        """Return a new local name."""
        name, number = base, 2
        while name in self.used:
            name = f"{base}_{number}"
            number += 1
        self.used.add(name)
        self.locals.append(name)
        return name

    def leaves(self, name: str) -> frozenset[str]:
        """Return the states and other leaves that a derived variable depends on."""
        if name in self.dependencies:
            return self.dependencies[name]
        self.dependencies[name] = frozenset()
        assignment = self.assignments[name]
        if isinstance(assignment, Collect):
            found = frozenset({name})
        else:
            found = (
                frozenset().union(
                    *(
                        self.leaves(used) if used in self.assignments else frozenset({used})
                        for used in names(assignment.value)
                    )
                )
                if names(assignment.value)
                else frozenset()
            )
        self.dependencies[name] = found
        return found

    def version(self, name: str) -> tuple[tuple[str, int], ...]:
        """Return how often each thing that `name` depends on has changed so far."""
        found = {n: self.versions.get(n, 0) for n in self.leaves(name)}
        if "t" in found:
            found["t"] = self.clock_version
        return tuple(sorted(found.items()))

    def value(self, name: str) -> Expression:
        """Return the present value of a name, evaluating its assignment where needed."""
        if name == "t":
            return self.clock
        if name in self.current:
            return self.current[name]
        if name in self.late:
            return self.catch_up(name)
        if name not in self.assignments:
            return Name(name)
        key = (name, self.version(name))
        if key in self.memo:
            return self.memo[key]
        assignment = self.assignments[name]
        if isinstance(assignment, Collect):
            result: Expression = self.collected(assignment)
        elif (
            name in self.published and not self.scalar and not any(version for _, version in key[1])
        ):
            result = Name(name)
        else:
            tree = self.bound(assignment.value)
            result = tree if _inline(tree) else self.stored(name, tree)
        self.memo[key] = result
        return result

    def catch_up(self, name: str) -> Expression:
        """Return a state that is stored half a step behind as it is at the step's end."""
        if name not in self.caught_up:
            late, self.late = self.late, {}
            memo, self.memo = self.memo, {}
            self.caught_up[name] = self.stored(name, self.bound(late[name]))
            self.late, self.memo = late, memo
        return self.caught_up[name]

    def collected(self, assignment: Collect) -> Expression:
        """Return a local with the present sum over attached instances."""
        name = self.local(f"{assignment.variable}_now")
        listed = self.collect_lists[assignment.variable]
        if self.scalar:
            self.statements.append(Pull(name, listed, assignment.reduce))
        else:
            self.statements.append(Collect(name, ((listed, ""),), assignment.reduce))
        return Name(name)

    def stored(self, base: str, tree: Expression) -> Expression:
        """Put an expression into a new local and return its name."""
        name = self.local(f"{base}_now")
        self.statements.append(Assign(name, tree))
        return Name(name)

    def bound(self, tree: Expression) -> Expression:
        """Return `tree` with every name replaced by its present value."""
        # Evaluate in a fixed order: the text of a program must not depend on a set's order.
        values = {name: self.value(name) for name in sorted(names(tree))}
        return simplify(substitute(tree, values))

    # --- writing ----------------------------------------------------------------------------

    def write(self, name: str, tree: Expression) -> None:
        """Make `tree` the present value of a state."""
        drawn = self.drawn(tree)
        value = drawn if isinstance(drawn, Number) else Name(self.local(f"{name}_next"))
        if isinstance(value, Name):
            self.statements.append(Assign(value.name, drawn))
        self.current[name] = value
        self.versions[name] = self.versions.get(name, 0) + 1

    def drawn(self, tree: Expression, mask: Expression | None = None) -> Expression:
        """Return `tree` with random(x) as x times a draw; draws happen where `mask` holds."""
        if not calls(tree, "random"):
            return tree

        def rule(node: Expression) -> Expression:
            if not (isinstance(node, Call) and node.function == "random"):
                return node
            name = self.local("draw")
            draw: Expression = Call("draw", ())
            self.statements.append(Assign(name, draw if mask is None else Choose(mask, draw, ZERO)))
            return Binary("*", node.arguments[0], Name(name))

        return rewrite(tree, rule)

    def update(self, updates: list[tuple[str, Expression, Expression | None]]) -> None:
        """Write several states from the same present values."""
        found: list[tuple[str, Expression]] = []
        by_state: dict[str, Expression] = {}
        for state, value, guard in updates:
            tree = self.drawn(self.bound(value))
            if guard is not None:
                before = by_state.get(state, self.value(state))
                tree = simplify(Choose(self.bound(guard), tree, before))
            by_state[state] = tree
        found = list(by_state.items())
        new = {}
        for state, tree in found:
            name = self.local(f"{state}_next")
            self.statements.append(Assign(name, tree))
            new[state] = Name(name)
        for state, value in new.items():
            self.current[state] = value
            self.versions[state] = self.versions.get(state, 0) + 1

    def run(self, statements: tuple[Statement, ...], mask: Expression | None = None) -> None:
        """Do statements where `mask` holds, as selections."""
        for statement in statements:
            match statement:
                case Assign(variable, value):
                    tree = self.drawn(self.bound(value), mask)
                    if mask is not None:
                        tree = simplify(Choose(mask, tree, self.value(variable)))
                    self.write(variable, tree)
                case When(condition, body):
                    self.run(body, self.masked(condition, mask))
                case Emit(port):
                    if port in self.heard:
                        holds = mask if mask is not None else TRUE
                        self.statements.append(Flag(port, holds, self.ago))
                case Run(handler):
                    self.depth += 1
                    if self.depth > RUN_DEPTH:
                        raise InternalError(f"the handler {handler!r} runs itself")
                    self.run(self.population.handlers[handler], mask)
                    self.depth -= 1
                case _:
                    raise InternalError(f"{statement!r} cannot stand in a body")

    def masked(self, condition: Expression, mask: Expression | None) -> Expression:
        """Return the mask of a condition inside another, kept in a local."""
        tree = self.drawn(self.bound(condition), mask)
        if mask is not None:
            tree = simplify(Binary("and", mask, tree))
        if not names(tree):
            return tree
        name = self.local("mask")
        self.statements.append(Assign(name, Choose(tree, ONE, ZERO)))
        return Binary("!=", Name(name), ZERO)

    def flow(self, flow: Flow) -> None:
        """Advance a kinetic scheme from present values."""
        states = []
        for state in flow.states:
            name = self.local(f"{state}_next")
            self.statements.append(Assign(name, self.value(state)))
            states.append(name)
        edges = []
        for source, target, forward, reverse in flow.edges:
            rates = []
            for rate in (forward, reverse):
                value = self.value(rate)
                if isinstance(value, Name) and value.name in self.locals:
                    rates.append(value.name)
                else:
                    name = self.local(f"{rate}_rate")
                    self.statements.append(Assign(name, value))
                    rates.append(name)
            edges.append((source, target, rates[0], rates[1]))
        self.statements.append(Flow(tuple(states), tuple(edges), flow.fraction, flow.implicit))
        for state, name in zip(flow.states, states, strict=True):
            self.current[state] = Name(name)
            self.versions[state] = self.versions.get(state, 0) + 1

    def step(self, group: Group) -> None:
        """Advance the states of one group."""
        if isinstance(group, Propagation):
            self.propagate(group)
        else:
            self.update([(u.state, u.value, u.guard) for u in group])

    def propagate(self, linear: Propagation) -> None:
        """Advance a linear system exactly from present values."""
        size = len(linear.states)
        entries: dict[tuple[int, int], Expression] = {}
        rates: list[Expression] = [ZERO] * size
        for guard, matrix, now in linear.modes:
            holds = None if guard is None else self.bound(guard)
            for at in sorted({*matrix, *entries}):
                entry = self.bound(matrix.get(at, ZERO))
                before = entries.get(at, ZERO)
                entries[at] = entry if holds is None else simplify(Choose(holds, entry, before))
            for n, rate in enumerate(now):
                value = self.bound(rate)
                if holds is not None:
                    value = simplify(Choose(holds, value, rates[n]))
                rates[n] = value
        rates = [
            rate if _inline(rate) else self.stored(f"{state}_rate", rate)
            for state, rate in zip(linear.states, rates, strict=True)
        ]
        states = []
        for state in linear.states:
            name = self.local(f"{state}_next")
            self.statements.append(Assign(name, self.value(state)))
            states.append(name)
        matrix_now = tuple((i, j, tree) for (i, j), tree in sorted(entries.items()))
        self.statements.append(Propagate(tuple(states), matrix_now, tuple(rates), linear.scales))
        for state, name in zip(linear.states, states, strict=True):
            self.current[state] = Name(name)
            self.versions[state] = self.versions.get(state, 0) + 1

    def store(self, suffix: str = "") -> None:
        """Write the present values of all changed states back."""
        for state, value in self.current.items():
            self.statements.append(Assign(state + suffix, value))


TRUE = Binary("==", ZERO, ZERO)


def _inline(tree: Expression) -> bool:
    """Tell whether a value is used where it stands, not kept in a local.

    A reciprocal stays visible, so that dividing by it (a rate by its time constant) becomes
    a product.
    """
    match tree:
        case Name() | Number():
            return True
        case Binary("/", Number(), Name()) | Binary("*", Number(), Name()):
            return True
        case Negative(Name()):
            return True
        case Binary("/", Number(1.0), Binary("+", Name(), Name())):
            return True
        case _:
            return False
