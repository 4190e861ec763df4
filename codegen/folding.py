"""Kernels of a fixed step: what follows from the step's length is a number.

Factors that are numbers are gathered into one, so that a loop multiplies once where the
equations say it several times; sums of multiples of the same things are gathered as well, where
that leaves fewer operations. Last bits change by that: the methods that copy another
simulator's arithmetic do not come here.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..converter.expressions import (
    COMPARISONS,
    Binary,
    Call,
    Expression,
    Negative,
    Number,
    children,
    names,
    rebuild,
    rewrite,
    substitute,
    walk,
)
from ..converter.network import Assign
from ..converter.simplify import simplify
from .program import BodyStatement, Flag


def with_step(statements: tuple[BodyStatement, ...], step: float) -> tuple[BodyStatement, ...]:
    """Return statements with dt replaced by its value and what follows from it folded."""

    def folded(tree: Expression) -> Expression:
        if "dt" in names(tree):
            tree = simplify(substitute(tree, {"dt": Number(step)}))
        return summed(rewrite(tree, gathered))

    found: list[BodyStatement] = []
    for statement in statements:
        match statement:
            case Assign(variable, value):
                found.append(Assign(variable, folded(value)))
            case Flag(port, condition, ago):
                found.append(Flag(port, folded(condition), ago))
            case _:
                found.append(statement)
    return tuple(found)


def gathered(node: Expression) -> Expression:
    """Return a product with its numbers gathered in front; its parts are gathered already.

    >>> from ..converter.expressions import parse, show
    >>> show(rewrite(parse("2 * (x * 3) / 4 * y"), gathered))
    '1.5 * (x * y)'
    """
    if not isinstance(node, (Binary, Negative)):
        return node
    factor, rest = _factored(node)
    if factor == 1.0 or not rest or not 1e-300 < abs(factor) < 1e300:
        return node
    product = rest[0]
    for part in rest[1:]:
        product = Binary("*", product, part)
    return Negative(product) if factor == -1.0 else Binary("*", Number(factor), product)


def _factored(node: Expression) -> tuple[float, list[Expression]]:
    """Return a number and the factors that are none, of a tree that is a product."""
    match node:
        case Number(value):
            return value, []
        case Negative(inner):
            factor, rest = _factored(inner)
            return -factor, rest
        case Binary("*", left, right):
            one, some = _factored(left)
            other, more = _factored(right)
            return one * other, [*some, *more]
        case Binary("/", top, Number(value)) if value != 0:
            factor, rest = _factored(top)
            return factor / value, rest
        case _:
            return 1.0, [node]


def summed(tree: Expression) -> Expression:
    """Return a tree with its sums gathered; what conditions compare is left as it is.

    >>> from ..converter.expressions import parse, show
    >>> show(summed(parse("3 * (v - 2) + 4 * (v - 1)")))
    '-10 + (7 * v)'
    >>> show(summed(parse("5 * ((0 - 1) - a - b)")))
    '-5 - (5 * (a + b))'
    """
    if isinstance(tree, Binary) and tree.operator in COMPARISONS:
        return tree
    tree = rebuild(tree, tuple(map(summed, children(tree))))
    if not isinstance(tree, (Binary, Negative)):
        return tree
    constant, terms = 0.0, _Terms()
    for part, factor in _parts(tree, 1.0):
        if isinstance(part, Number):
            constant += factor * part.value
        else:
            terms.add(part, factor)
    found = terms.total(constant)
    return found if found is not None and _cost(found) < _cost(tree) else tree


def _parts(tree: Expression, factor: float) -> Iterator[tuple[Expression, float]]:
    """Return what a sum adds up, each part with its factor."""
    match tree:
        case Negative(inner):
            yield from _parts(inner, -factor)
        case Binary("+", left, right):
            yield from _parts(left, factor)
            yield from _parts(right, factor)
        case Binary("-", left, right):
            yield from _parts(left, factor)
            yield from _parts(right, -factor)
        case Binary("*", Number(value), inner) | Binary("*", inner, Number(value)):
            yield from _parts(inner, factor * value)
        case Binary("/", inner, Number(value)) if value != 0:
            yield from _parts(inner, factor / value)
        case _:
            yield tree, factor


class _Terms:
    """Things and their factors.

    x and a small multiple of x stay apart: their factors added up would keep fewer digits of the
    small one, which is how far a state decays in a step.
    """

    def __init__(self) -> None:
        self.factors: dict[tuple[Expression, bool], float] = {}

    def add(self, thing: Expression, factor: float) -> None:
        """Add a multiple of a thing."""
        key = (thing, abs(factor) == 1.0)
        self.factors[key] = self.factors.get(key, 0.0) + factor

    def total(self, constant: float) -> Expression | None:
        """Return the sum, or nothing where a number in it is none to write."""
        groups: dict[float, list[tuple[Expression, float]]] = {}
        for (thing, _), factor in self.factors.items():
            if factor != 0.0:
                groups.setdefault(abs(factor), []).append((thing, factor))
        sizes = [*groups, *([abs(constant)] if constant else [])]
        if not groups or not all(1e-290 < size < 1e290 for size in sizes):
            return None
        found: Expression | None = Number(constant) if constant else None
        # What needs no product first: each product then is one operation with its sum.
        for size in sorted(groups, key=lambda size: size != 1.0):
            things = groups[size]
            if size == 1.0 or len(things) == 1:
                for thing, factor in things:
                    found = _plus(found, thing, size, negative=factor < 0)
                continue
            negative = all(factor < 0 for _, factor in things)
            inner: Expression | None = None
            for thing, factor in sorted(things, key=lambda each: each[1] < 0):
                inner = _plus(inner, thing, 1.0, negative=(factor < 0) != negative)
            assert inner is not None
            found = _plus(found, inner, size, negative=negative)
        return found


def _plus(
    total: Expression | None, thing: Expression, size: float, *, negative: bool
) -> Expression:
    """Return a sum with a multiple of a thing added or taken away."""
    if total is None:
        factor = -size if negative else size
        if factor == 1.0:
            return thing
        return Negative(thing) if factor == -1.0 else Binary("*", Number(factor), thing)
    product = thing if size == 1.0 else Binary("*", Number(size), thing)
    return Binary("-" if negative else "+", total, product)


def _cost(tree: Expression) -> int:
    """Return the operations of a tree where a product and the sum it goes into are one."""
    cost = 0
    for node in walk(tree):
        match node:
            case Binary("+" | "-", left, right):
                cost += not (_is_product(left) or _is_product(right))
            case Binary() | Call():
                cost += 1
            case Negative(Number()):
                pass
            case Negative():
                cost += 1
            case _:
                pass
    return cost


def _is_product(tree: Expression) -> bool:
    return isinstance(tree, Binary) and tree.operator == "*"
