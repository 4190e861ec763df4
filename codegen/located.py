"""Conditions located inside the step.

A condition that is false at the start of a step and true at its end became true somewhere
between. The kernel keeps such an instance's old state and flags it; a scalar function then
finds the time by bracketing (inverse quadratic interpolation, Chandrupatla 1997) on the very
formula that advances the state, acts there, and goes on from there to the end of the step, as
often as needed (Hansel, Mato, Meunier and Neltner 1998; exact where the step is exact,
Morrison, Straube, Plesser and Diesmann 2007). A condition that already held at the start is a
level: it acts at the end of the step.

The same function takes a step in smaller ones where a state that is nonlinear in itself grows
too fast for it: the upstroke of an exponential or quadratic cell.

The kernel does little more than advance: `kinds_of` tells which conditions it must look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    substitute,
    walk,
)
from ..converter.network import Assign, Collect, Condition, Emit, Population, Run, Statement, When
from ..converter.simplify import FALSE, TRUE, simplify
from .body import Body
from .held_draws import is_draw
from .methods.updates import Group, Groups, Propagation, closure, slope
from .program import Flag, Function


def can_locate(population: Population) -> bool:
    """Tell whether every condition of `population` is a function of its own state and time."""
    reads = set(population.reads)
    collected = {a.variable for a in population.assignments if isinstance(a, Collect)}
    for condition in population.conditions:
        trees = [condition.test, *_trees(condition.body, population)]
        if condition.guard is not None:
            trees.append(condition.guard)
        looked_at = [condition.test, *((condition.guard,) if condition.guard else ())]
        # What is drawn anew at the start of a step jumps there, and has no crossing.
        if any(calls(tree, "random") for tree in looked_at):
            return False
        if any(map(is_draw, set().union(*(closure(population, tree) for tree in looked_at)))):
            return False
        if any(closure(population, tree) & (reads | collected) for tree in trees):
            return False
    return bool(population.conditions)


#: A comparison and what holds where it does not.
OPPOSITE = {">": "<=", "<": ">=", ">=": "<", "<=": ">"}


def with_switches(population: Population) -> Population:
    """Return a population that is cut, too, where an equation switches at a time.

    An input that is one expression before a time and another after it (a pulse written as
    a conditional variable) jumps there: the step goes up to that time, and on from it.
    """
    fixed = {"t", *population.parameters, *population.variables}
    fixed -= {a.variable for a in population.assignments}
    fixed -= {d.state for d in population.derivatives}
    fixed -= {s for flow in population.flows for s in flow.states}
    trees = [a.value for a in population.assignments if isinstance(a, Assign)]
    trees += [d.value for d in population.derivatives]
    found: dict[Expression, None] = {}
    for node in (n for tree in trees for n in walk(tree)):
        if isinstance(node, Choose):
            for test in walk(node.condition):
                if (
                    isinstance(test, Binary)
                    and test.operator in OPPOSITE
                    and "t" in names(test)
                    and names(test) <= fixed
                ):
                    found[test] = None
                    found[Binary(OPPOSITE[test.operator], test.left, test.right)] = None
    cuts = tuple(Condition(test, ()) for test in found)
    return replace(population, conditions=(*population.conditions, *cuts)) if cuts else population


def touched_by_handlers(population: Population, handlers: set[str]) -> bool:
    """Tell whether an event changes something that a condition looks at."""
    written: set[str] = set()
    for name in handlers:
        written |= _written(population.handlers[name], population)
    return any(
        closure(population, tree) & written
        for condition in population.conditions
        for tree in (condition.test, *((condition.guard,) if condition.guard else ()))
    )


def changing(population: Population, groups: Groups) -> tuple[str, ...]:
    """Return every stored variable that a step or a condition of `population` changes."""
    found = {u.state for group in groups for u in group}
    found |= {s for flow in population.flows for s in flow.states}
    for condition in population.conditions:
        found |= _written(condition.body, population)
    return tuple(sorted(found))


def full_tests(population: Population) -> list[Expression]:
    """Return every condition's test with its regime's guard."""
    return [
        c.test if c.guard is None else Binary("and", c.guard, c.test) for c in population.conditions
    ]


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be made of a condition.

    `timed`: a matter of the time alone, alike for all instances, and to act on it again changes
    nothing: instances need it only in the steps in which it turns. `late`: acting at the step's
    end is the same as acting at once. `rare`: it does not last once it has acted, so that an
    instance for which it holds may always be left to the scalar function. `passive`: it changes
    nothing that moves. `clock`: nothing that moves changes its truth.
    """

    timed: bool = False
    late: bool = False
    rare: bool = False
    passive: bool = False
    clock: bool = False

    @property
    def roles(self) -> frozenset[str]:
        """What the scalar function is told."""
        return frozenset(
            name for name in ("timed", "late", "passive", "clock") if getattr(self, name)
        )


def kinds_of(population: Population) -> list[Kind]:
    """Return the kind of every condition of `population`."""
    moving = {d.state for d in population.derivatives}
    moving |= {s for flow in population.flows for s in flow.states}
    driving = _driving(population)
    handled = set().union(*(_written(b, population) for b in population.handlers.values()))
    looked_at: list[frozenset[str]] = [closure(population, test) for test in full_tests(population)]
    writes = [_written(c.body, population) for c in population.conditions]
    timed = [
        c.guard is None and n <= {"t"}
        for c, n in zip(population.conditions, looked_at, strict=True)
    ]
    #: What others than timed conditions write.
    elsewhere = moving | handled
    elsewhere = elsewhere.union(*(w for w, t in zip(writes, timed, strict=True) if not t))
    # A condition that does nothing stands for an equation's switch: the step is cut there.
    cuts = [not condition.body for condition in population.conditions]
    found: list[Kind] = []
    for n, condition in enumerate(population.conditions):
        plain = all(isinstance(s, Assign) for s in condition.body)
        read = frozenset().union(
            *(closure(population, tree) for tree in _trees(condition.body, population))
        )
        random = any(calls(tree, "random") for tree in _trees(condition.body, population))
        constant = read <= set(population.parameters) and not random
        found.append(
            Kind(
                timed=timed[n] and plain and constant and not writes[n] & elsewhere,
                late=not cuts[n] and plain and constant and not writes[n] & (driving | moving),
                rare=bool(writes[n] & looked_at[n]) and not _lasts(condition),
                passive=not cuts[n]
                and not writes[n] & (driving | moving)
                and not (read - {"t"}) & moving
                and not random,
                clock=not looked_at[n] & moving,
            )
        )
    return found


def _driving(population: Population) -> frozenset[str]:
    """Return everything that what advances depends on."""
    trees = [d.value for d in population.derivatives]
    trees += [d.guard for d in population.derivatives if d.guard is not None]
    for flow in population.flows:
        trees += [
            Name(rate) for _, _, forward, reverse in flow.edges for rate in (forward, reverse)
        ]
    return frozenset().union(*(closure(population, tree) for tree in trees))


def _lasts(condition: Condition) -> bool:
    """Tell whether a condition is sure to hold still after it has acted."""
    new = {s.variable: s.value for s in condition.body if isinstance(s, Assign)}
    test = condition.test
    if condition.guard is not None:
        test = Binary("and", condition.guard, test)
    return simplify(substitute(test, new)) == TRUE


def located_kernel(body: Body, groups: Groups, states: tuple[str, ...], suffix: str) -> None:
    """Fill `body`: advance, act on levels, keep the old state and flag where one crossed.

    The flag's port is `CROSSED`; what is written ends in `suffix`.
    """
    population = body.population
    tests = full_tests(population)
    kinds = kinds_of(population)
    lasting = [not (k.timed or k.late or k.rare) for k in kinds]
    start = [
        kept(body, test, "held") if needed else ZERO
        for test, needed in zip(tests, lasting, strict=True)
    ]
    turning = _turning([test for test, kind in zip(tests, kinds, strict=True) if kind.timed])
    growth = advance(body, groups)
    body.clock = END
    body.clock_version += 1
    end: list[Expression] = []
    #: What leaves an instance to the scalar function.
    reasons: list[Expression] = []
    for test, kind, before in zip(tests, kinds, start, strict=True):
        if kind.rare and not kind.late and not kind.timed:
            end.append(ZERO)
            reasons.append(body.bound(test))
            continue
        after = ZERO if kind.timed else kept(body, test, "holds")
        end.append(after)
        if not (kind.timed or kind.late):
            crossing = simplify(Binary("*", after, Binary("-", ONE, before)))
            reasons.append(Binary("!=", crossing, ZERO))
    turning = local_number(body, turning, TURNING)
    reasons.append(Binary("!=", turning, ZERO))
    if growth != ZERO:
        reasons.append(Binary(">", growth, Number(GROWTH)))
    # A step that ran off to infinity is taken again in smaller ones.
    reasons += [
        Binary("==", Call("finite", (body.value(state),)), ZERO)
        for state in _unbounded(population, groups)
    ]
    any_of: Expression = FALSE
    for reason in reasons:
        any_of = simplify(Binary("or", any_of, simplify(reason)))
    crossed = local_number(body, simplify(Choose(any_of, ONE, ZERO)), "crossed")
    for condition, kind, before, after in zip(
        population.conditions, kinds, start, end, strict=True
    ):
        if kind.timed or (kind.rare and not kind.late):
            continue
        level = after if kind.late else Binary("*", before, after)
        level = Binary("*", level, Binary("-", ONE, crossed))
        number = local_number(body, simplify(level), "level")
        if number != ZERO:
            body.run(condition.body, Binary("!=", number, ZERO))
    for state in states:
        value = body.value(state)
        if value == Name(state) and not suffix:
            continue
        kept_state = (
            value if crossed == ZERO else Choose(Binary("!=", crossed, ZERO), Name(state), value)
        )
        body.statements.append(Assign(state + suffix, simplify(kept_state)))
    if crossed != ZERO:
        body.statements.append(Flag(CROSSED, Binary("!=", crossed, ZERO)))


#: The time of the step's end, rounded as that of the next one's start: t + dt may lie a rounding
#: below it, and what turns between the two would be met a step late.
END = Binary(
    "*",
    Call("ceil", (Binary("+", Binary("/", Name("t"), Name("dt")), Number(0.5)),)),
    Name("dt"),
)


def _turning(tests: list[Expression]) -> Expression:
    """Return 1 in a step in which one of some tests of the time turns, else 0."""
    found: Expression = ZERO
    for test in tests:
        now, after = (truth(simplify(substitute(test, {"t": time}))) for time in (Name("t"), END))
        turn = Call("abs", (Binary("-", now, after),))
        found = turn if found == ZERO else Call("max", (found, turn))
    return found


def _unbounded(population: Population, groups: Groups) -> list[str]:
    """Return the states that a step may carry off to infinity with nothing to tell beforehand.

    Those are nonlinear in themselves, looked at by a condition and of no known growth.
    """
    looked_at = set().union(*(closure(population, test) for test in full_tests(population)))
    growing = {u.state for group in groups for u in group if u.growth is not None}
    found: list[str] = []
    for rate in population.derivatives:
        if rate.state in looked_at - growing and rate.state not in found:
            by_itself = slope(population, rate.value, rate.state, {})
            if by_itself is None or rate.state in closure(population, by_itself):
                found.append(rate.state)
    return found


#: The local of a kernel that is not 0 in a step in which a condition of the time alone turns.
TURNING = "turning"

#: The port name under which kernels flag instances for the scalar function.
CROSSED = "(crossed)"

#: The most that a state may grow over a step, as an exponent, before the step is taken in parts.
GROWTH = 0.2


def kept(body: Body, test: Expression, name: str) -> Expression:
    """Return the present truth of `test` as 0 or 1, kept in a local unless it is constant.

    Truth is arithmetic here: products and differences of 0 and 1 vectorise where chains of
    logical operators become branches.
    """
    bound = body.bound(test)
    if bound == TRUE:
        return ONE
    if bound == FALSE:
        return ZERO
    return local_number(body, truth(bound), name)


def truth(test: Expression) -> Expression:
    """Return a comparison, or several joined, as 0 or 1."""
    match test:
        case Binary("and", left, right):
            return Binary("*", truth(left), truth(right))
        case Binary("or", left, right):
            return Call("max", (truth(left), truth(right)))
        case _:
            return Choose(test, ONE, ZERO)


def local_number(body: Body, tree: Expression, name: str) -> Expression:
    """Return `tree` read from a local of its own, itself where it is a constant or a name."""
    if not names(tree) or isinstance(tree, Name):
        return tree
    local = body.local(name)
    body.statements.append(Assign(local, tree))
    return Name(local)


def advance(body: Body, groups: Sequence[Group], *, watched: bool = True) -> Expression:
    """Advance every state by dt; what depends on the time is taken at the step's middle.

    Returns the largest exponent by which a state grew that is nonlinear in itself, or zero;
    zero as well where nobody watches.
    """
    body.clock = simplify(Binary("+", Name("t"), Binary("*", Number(0.5), Name("dt"))))
    body.clock_version += 1
    growth: Expression = ZERO
    for group in groups:
        if watched and not isinstance(group, Propagation):
            for update in group:
                if update.growth is not None:
                    tree = local_number(body, body.bound(update.growth), "growth")
                    growth = tree if growth == ZERO else Call("max", (growth, tree))
        body.step(group)
    for flow in body.population.flows:
        body.flow(flow)
    return growth


def step_function(body: Body, groups: Sequence[Group], states: tuple[str, ...]) -> Function:
    """Return the scalar function that advances one instance's states by any dt.

    Its last result is how far that dt is too long: the growth over it as a part of `GROWTH`.
    """
    growth = advance(body, groups)
    results = (
        *(body.value(state) for state in states),
        simplify(Binary("/", growth, Number(GROWTH))),
    )
    name = body.population.name
    return Function(
        f"step {name}",
        name,
        tuple(body.statements),
        tuple(body.locals),
        (),
        "step",
        states=states,
        results=results,
    )


def tests_function(body: Body, states: tuple[str, ...]) -> Function:
    """Return the scalar function that tells truth and gap of every condition."""
    results: list[Expression] = []
    for test in full_tests(body.population):
        bound = body.bound(test)
        results.append(Choose(bound, ONE, ZERO))
        results.append(gap(bound))
    name = body.population.name
    return Function(
        f"tests {name}",
        name,
        tuple(body.statements),
        tuple(body.locals),
        (),
        "tests",
        states=states,
        results=tuple(results),
        roles=tuple(kind.roles for kind in kinds_of(body.population)),
    )


def act_function(body: Body, states: tuple[str, ...]) -> Function:
    """Return the scalar function that does the blocks of the conditions marked in on_k."""
    arguments: list[str] = []
    for number, condition in enumerate(body.population.conditions):
        mark = body.local(f"on_{number}")
        body.locals.remove(mark)
        arguments.append(mark)
        body.run(condition.body, Binary("!=", Name(mark), ZERO))
    results = tuple(body.value(state) for state in states)
    name = body.population.name
    return Function(
        f"act {name}",
        name,
        tuple(body.statements),
        tuple(body.locals),
        tuple(arguments),
        "act",
        states=states,
        results=results,
    )


def gap(test: Expression) -> Expression:
    """Return a number that is above zero where `test` holds and below where it does not.

    >>> from ..converter.expressions import parse, show
    >>> show(gap(parse("(v .gt. thresh) .and. (t .lt. end)")))
    'min(v - thresh, end - t)'
    """
    match test:
        case Binary(">" | ">=", left, right):
            return simplify(Binary("-", left, right))
        case Binary("<" | "<=", left, right):
            return simplify(Binary("-", right, left))
        case Binary("and", left, right):
            return Call("min", (gap(left), gap(right)))
        case Binary("or", left, right):
            return Call("max", (gap(left), gap(right)))
        case Binary("==", left, right):
            return Choose(test, ONE, Negative(ONE))
        case _:
            return Choose(test, ONE, Negative(ONE))


def _trees(statements: tuple[Statement, ...], population: Population) -> list[Expression]:
    found: list[Expression] = []
    for statement in statements:
        match statement:
            case Assign(_, value):
                found.append(value)
            case When(condition, body):
                found.append(condition)
                found.extend(_trees(body, population))
            case Run(handler):
                found.extend(_trees(population.handlers[handler], population))
    return found


def _written(statements: tuple[Statement, ...], population: Population) -> set[str]:
    found: set[str] = set()
    for statement in statements:
        match statement:
            case Assign(variable, _):
                found.add(variable)
            case When(_, body):
                found |= _written(body, population)
            case Run(handler):
                found |= _written(population.handlers[handler], population)
            case Emit():
                pass
    return found
