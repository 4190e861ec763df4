"""What is taken out of the loops of C++ kernels before they are written.

A loop goes in blocks that stay in the first-level cache. What is the same for all instances is
evaluated before it. How far an exponential step goes, phi(z) = (exp(z) - 1) / z or expm1(z), is
evaluated in a loop of its own, block by block: a polynomial where all z of a block are small,
which they are for any step that resolves the model, the exponential where one is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..converter.expressions import (
    Binary,
    Call,
    Expression,
    Name,
    Number,
    calls,
    names,
    rewrite,
    walk,
)
from ..converter.network import Assign
from .program import BodyStatement, Flag, Function

#: Instances of a block: a few arrays of them fit into the first-level cache.
BLOCK = 128

#: What is evaluated in blocks, and how many rows of such evaluations may follow one another.
IN_BLOCKS = frozenset({"phi", "expm1"})
MOST_STAGES = 3

#: Functions that cost next to nothing.
CHEAP = frozenset({"min", "max", "abs", "finite"})


def shared_part(function: Function) -> tuple[Function, Function]:
    """Split a kernel into the locals that are alike for all instances, and the rest."""
    local, fixed = set(function.locals), {"t", "dt"}
    shared: list[BodyStatement] = []
    own: list[BodyStatement] = []
    for statement in function.body:
        match statement:
            case Assign(variable, value) if (
                variable in local and names(value) <= fixed and not calls(value, "draw")
            ):
                fixed.add(variable)
                shared.append(statement)
            case _:
                own.append(statement)
    return replace(function, body=tuple(shared)), replace(function, body=tuple(own))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A function of one argument that is evaluated for a block at once, into a local's buffer."""

    local: str
    function: str
    argument: Expression


@dataclass(frozen=True, slots=True)
class Stage:
    """A loop before the last one: what it computes, evaluates afterwards, keeps and reads.

    `kept` and `read` are locals that live in buffers of a block's length.
    """

    body: tuple[Assign, ...]
    evaluations: tuple[Evaluation, ...]
    kept: tuple[str, ...]
    read: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loops:
    """A kernel as a row of loops over a block; `read` are the buffers that the last one reads."""

    stages: tuple[Stage, ...]
    last: Function
    read: tuple[str, ...]


def staged(function: Function) -> Loops:
    """Return a kernel as loops between which phi and expm1 are evaluated block by block."""
    if not all(isinstance(s, (Assign, Flag)) for s in function.body):
        return Loops((), function, ())
    found, body = _replaced(function)
    if not found:
        return Loops((), function, ())
    local = {*function.locals, *(e.local for e, _ in found)}
    known = {s.variable: s for s in body if isinstance(s, Assign) and s.variable in local}
    buffered: list[str] = []
    stages: list[Stage] = []
    for level in range(max(at for _, at in found) + 1):
        here = tuple(e for e, at in found if at == level)
        needed = _slice(
            [e.argument for e in here], known, {*buffered, *(e.local for e, _ in found)}
        )
        part = tuple(known[name] for name in known if name in needed)
        kept = tuple(s.variable for s in part if heavy(s.value))
        used = set().union(*(names(s.value) for s in part), *(names(e.argument) for e in here))
        stages.append(Stage(part, here, kept, tuple(n for n in buffered if n in used)))
        buffered += [*kept, *(e.local for e in here)]
    rest = tuple(s for s in body if not (isinstance(s, Assign) and s.variable in buffered))
    last = replace(function, body=rest, locals=tuple(sorted(local)))
    trees = [s.value if isinstance(s, Assign) else s.condition for s in rest]
    used = set().union(*(names(tree) for tree in trees))
    return Loops(tuple(stages), last, tuple(n for n in buffered if n in used))


def _replaced(function: Function) -> tuple[list[tuple[Evaluation, int]], list[Assign | Flag]]:
    """Return the evaluations of a kernel, each with its stage, and the body that reads them."""
    local, taken = set(function.locals), set(function.locals)
    level: dict[str, int] = {}
    found: dict[tuple[str, Expression], tuple[Evaluation, int]] = {}

    def rule(node: Expression) -> Expression:
        if not (isinstance(node, Call) and node.function in IN_BLOCKS):
            return node
        (argument,) = node.arguments
        at = max((level.get(name, 0) for name in names(argument)), default=0)
        if at >= MOST_STAGES or not names(argument):
            return node
        key = (node.function, argument)
        if key not in found:
            number = len(found)
            while f"{node.function}_{number}" in taken:
                number += 1
            name = f"{node.function}_{number}"
            taken.add(name)
            found[key] = (Evaluation(name, node.function, argument), at)
            level[name] = at + 1
        return Name(found[key][0].local)

    body: list[Assign | Flag] = []
    for statement in function.body:
        if isinstance(statement, Assign):
            value = rewrite(statement.value, rule)
            body.append(Assign(statement.variable, value))
            if statement.variable in local:
                level[statement.variable] = max((level.get(n, 0) for n in names(value)), default=0)
        elif isinstance(statement, Flag):
            condition = rewrite(statement.condition, rule)
            body.append(Flag(statement.port, condition, statement.ago))
    return list(found.values()), body


def heavy(tree: Expression) -> bool:
    """Tell whether it pays to keep a value rather than to compute it again."""
    return any(
        (isinstance(n, Call) and n.function not in CHEAP)
        or (isinstance(n, Binary) and n.operator in "/^" and not isinstance(n.right, Number))
        for n in walk(tree)
    )


def _slice(trees: list[Expression], known: dict[str, Assign], stop: set[str]) -> set[str]:
    """Return the locals that `trees` need, through assignments, but for those in `stop`."""
    needed: set[str] = set()
    pending = list(trees)
    while pending:
        for name in names(pending.pop()) & known.keys() - stop - needed:
            needed.add(name)
            pending.append(known[name].value)
    return needed
