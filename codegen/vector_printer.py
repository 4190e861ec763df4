"""Expressions of kernels as C: what vectorises, and what is quick for one instance alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from ..converter.expressions import (
    COMPARISONS,
    ONE,
    ZERO,
    Binary,
    Choose,
    Expression,
    Name,
    Number,
    calls,
    names,
    walk,
)
from ..converter.network import Assign
from .print_c import VECTOR, Printer, number
from .program import Flag, Function

#: Functions of what carries one instance: short chains of operations rather than what vectorises.
QUICK = {**VECTOR, "phi": "ls_phi_quick", "expm1": "ls_expm1_quick"}


def compares_time(tree: Expression) -> bool:
    """Tell whether a tree is a comparison that mentions the time."""
    return isinstance(tree, Binary) and tree.operator in COMPARISONS and "t" in names(tree)


class VectorPrinter(Printer):
    """Prints powers with small whole exponents as products, and choices without branches.

    `timed` prints comparisons with the time, where that needs more digits than all else: a
    condition that a kernel in single precision sees a step early or late is seen by nobody,
    because instances are carried through a step in double precision.
    """

    def __init__(
        self,
        load: Callable[[str], str],
        functions: Mapping[str, str],
        real: str,
        timed: Printer | None = None,
    ) -> None:
        super().__init__(load, functions, real)
        self.timed = timed

    #: What chooses by a condition: in loops by bits, elsewhere by a jump, which predicts well.
    choice = "ls_where"

    #: Locals that are truths, not numbers: they are compared with 0 and nothing else.
    truths: frozenset[str] = frozenset()

    def __call__(self, tree: Expression) -> str:
        """Return `tree` as C; `and` and `or` evaluate both sides, a choice both values."""
        if self.timed is not None and compares_time(tree):
            return self.timed(tree)
        if self.truths:
            match tree:
                case Binary("!=", Name(name), Number(0.0)) if name in self.truths:
                    return self.load(name)
        if isinstance(tree, Binary) and tree.operator in ("and", "or"):
            symbol = "&" if tree.operator == "and" else "|"
            return f"({self(tree.left)} {symbol} {self(tree.right)})"
        if isinstance(tree, Choose) and not calls(tree, "draw"):
            parts = (tree.condition, tree.then, tree.otherwise)
            return f"{self.choice}({', '.join(map(self, parts))})"
        return super().__call__(tree)

    def power(self, base: Expression, exponent: Expression) -> str:
        """Return a power as C."""
        if isinstance(exponent, Number) and exponent.value in (2.0, 3.0, 4.0, -1.0, 0.5):
            inner = self(base)
            match exponent.value:
                case -1.0:
                    return f"({number(1.0, self.real)} / {inner})"
                case 0.5:
                    return f"{self.functions['sqrt']}({inner})"
                case value:
                    return f"ls_power{int(value)}({inner})"
        return super().power(base, exponent)


def truths_of(function: Function) -> frozenset[str]:
    """Return the locals that are 1 where something holds, else 0, and only asked whether so.

    As numbers they cost a loop two operations more.
    """
    trees = [s.value for s in function.body if isinstance(s, Assign)]
    trees += [s.condition for s in function.body if isinstance(s, Flag)]
    asked: Counter[str] = Counter()
    read: Counter[str] = Counter()
    for node in (n for tree in trees for n in walk(tree)):
        match node:
            case Binary("!=", Name(name), Number(0.0)):
                asked[name] += 1
            case Name(name):
                read[name] += 1
    return frozenset(
        s.variable
        for s in function.body
        if isinstance(s, Assign)
        and s.variable in function.locals
        and isinstance(s.value, Choose)
        and (s.value.then, s.value.otherwise) == (ONE, ZERO)
        and s.variable.startswith("crossed")
        and asked[s.variable] == read[s.variable]
    )
