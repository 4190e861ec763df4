"""The canonical form of expressions: equal forms mean equal expressions.

A number-valued expression becomes a sum of monomials with exact rational coefficients over
atoms: names, functions of canonical arguments, powers and reciprocals of sums. Literals count
as the decimals that were written, so `0.1 * 10` is `1`. Forms that differ prove nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import count

from .expressions import (
    COMPARISONS,
    LOGICAL,
    Binary,
    Call,
    Choose,
    Expression,
    Name,
    Negative,
    Number,
    calls,
    rewrite,
)

#: Atoms with their exponents, sorted.
Monomial = tuple[tuple[str, Fraction], ...]
#: Monomials with their coefficients, none of them zero.
Form = Mapping[Monomial, Fraction]

#: Terms that multiplying out may give; a larger product stays one.
TERMS = 400

#: Whole powers that are multiplied out.
POWERS = 8

#: Characters of an atom; a longer one is known by its digest.
ATOM = 400

#: Bits of a coefficient, above or below the line, that are written as decimals; and at all.
DIGITS = 2000
LONGEST = 6000

ODD = frozenset(("sin", "tan", "sinh", "tanh"))
EVEN = frozenset(("cos", "abs"))


@lru_cache(maxsize=65536)
def canonical(tree: Expression) -> str:
    """Return the canonical form of `tree` as text.

    >>> from .expressions import parse
    >>> canonical(parse("a * (b + c)")) == canonical(parse("c*a + a*b"))
    True
    >>> canonical(parse("x/(2*y)")) == canonical(parse("x/y")), canonical(parse("v .gt. w"))
    (False, '(1*v^1+-1*w^1 > 0)')
    """
    return _text(_form(draws_apart(tree)))


def draws_apart(tree: Expression) -> Expression:
    """Return `tree` with a name of its own for each draw: random(x) is x times one."""
    if not calls(tree, "random"):
        return tree
    numbers = count()

    def rule(node: Expression) -> Expression:
        if isinstance(node, Call) and node.function == "random":
            return Binary("*", node.arguments[0], Name(f"draw {next(numbers)}"))
        return node

    return rewrite(tree, rule)


def rational(value: float) -> Fraction | None:
    """Return the decimal that was written as `value`, None for what isn't finite."""
    return Fraction(repr(value)) if math.isfinite(value) else None


def _form(tree: Expression) -> Form:
    match tree:
        case Number(value):
            exact = rational(value)
            return _atom(f"<{value}>") if exact is None else _number(exact)
        case Name(name):
            return _atom(name)
        case Negative(operand):
            return _scaled(_form(operand), Fraction(-1))
        case Binary("+", left, right):
            return _sum(_form(left), _form(right))
        case Binary("-", left, right):
            return _sum(_form(left), _scaled(_form(right), Fraction(-1)))
        case Binary("*", left, right):
            return _product(_form(left), _form(right))
        case Binary("/", left, right):
            return _product(_form(left), _reciprocal(_form(right)))
        case Binary("^", base, exponent):
            return _power(_form(base), _form(exponent))
        case Binary(operator, left, right) if operator in COMPARISONS:
            return _atom(_comparison(operator, _form(left), _form(right)))
        case Binary(operator, _, _) if operator in LOGICAL:
            parts = sorted({_text(_form(part)) for part in _joined(tree, operator)})
            return _atom(f"({f' {operator} '.join(parts)})") if len(parts) > 1 else _atom(parts[0])
        case Choose(condition, then, otherwise):
            parts = [_text(_form(part)) for part in (condition, then, otherwise)]
            return _form(then) if parts[1] == parts[2] else _atom(f"choose({', '.join(parts)})")
        case Call("sqrt", (argument,)):
            return _power(_form(argument), _number(Fraction(1, 2)))
        case Call(function, arguments):
            return _call(function, [_form(argument) for argument in arguments])
        case _:
            raise AssertionError(tree)


def _joined(tree: Expression, operator: str) -> Iterable[Expression]:
    if isinstance(tree, Binary) and tree.operator == operator:
        yield from _joined(tree.left, operator)
        yield from _joined(tree.right, operator)
    else:
        yield tree


def _comparison(operator: str, left: Form, right: Form) -> str:
    if operator in ("<", "<="):
        left, right, operator = right, left, operator.replace("<", ">")
    difference = _sum(left, _scaled(right, Fraction(-1)))
    if difference:
        lead = _lead(difference)
        scale = lead if operator in ("==", "!=") else abs(lead)
        difference = _scaled(difference, 1 / scale)
    return f"({_text(difference)} {operator} 0)"


def _call(function: str, arguments: list[Form]) -> Form:
    if len(arguments) != 1:
        return _atom(f"{function}({', '.join(map(_text, arguments))})")
    argument = arguments[0]
    if not argument and function in ("exp", "cos"):
        return _number(Fraction(1))
    if not argument and function in ODD | {"abs"}:
        return {}
    if argument and _lead(argument) < 0:
        turned = _scaled(argument, Fraction(-1))
        if function == "exp":
            return {((_shortened(f"exp({_text(turned)})"), Fraction(-1)),): Fraction(1)}
        if function in ODD:
            return _scaled(_atom(f"{function}({_text(turned)})"), Fraction(-1))
        if function in EVEN:
            argument = turned
    return _atom(f"{function}({_text(argument)})")


def _power(base: Form, exponent: Form) -> Form:
    known = _constant(exponent)
    if known is None:
        return _atom(f"({_text(base)})^({_text(exponent)})")
    if known.denominator == 1 and abs(known) <= POWERS:
        result: Form = _number(Fraction(1))
        for _ in range(abs(int(known))):
            result = _product(result, base)
        return result if known >= 0 else _reciprocal(result)
    if len(base) == 1:
        ((monomial, coefficient),) = base.items()
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
            return {((monomial[0][0], known),): Fraction(1)}
    return {((_shortened(f"({_text(base)})"), known),): Fraction(1)}


def _reciprocal(form: Form) -> Form:
    """Return 1 over a form: what all of its terms share is divided by, the rest is an atom."""
    if not form:
        return _atom("1/0")
    exponents = {atom: _shared(form, atom) for monomial in form for atom, _ in monomial}
    shared = _monomial({atom: power for atom, power in exponents.items() if power})
    lead = _lead(form)
    inverse = tuple((atom, -power) for atom, power in shared)
    rest = _product(_scaled(form, 1 / lead), {inverse: Fraction(1)})
    result: Form = {inverse: 1 / lead}
    if rest == _number(Fraction(1)):
        return result
    # Taking out what is shared may have changed which term leads.
    again = _lead(rest)
    atom = _shortened(f"({_text(_scaled(rest, 1 / again))})")
    return _product(result, {((atom, Fraction(-1)),): 1 / again})


def _shared(form: Form, atom: str) -> Fraction:
    return min(dict(monomial).get(atom, Fraction(0)) for monomial in form)


def _product(a: Form, b: Form) -> Form:
    if len(a) * len(b) > TERMS:
        factors = sorted(_shortened(f"({_text(form)})") for form in (a, b))
        return _merged(((factor, Fraction(1)),) for factor in factors)
    result: dict[Monomial, Fraction] = {}
    for left, c in a.items():
        for right, d in b.items():
            powers = dict(left)
            for atom, power in right:
                powers[atom] = powers.get(atom, Fraction(0)) + power
            key = _monomial({atom: power for atom, power in powers.items() if power})
            result[key] = result.get(key, Fraction(0)) + c * d
    return _bounded({key: c for key, c in result.items() if c})


def _merged(factors: Iterable[Monomial]) -> Form:
    powers: dict[str, Fraction] = {}
    for monomial in factors:
        for atom, power in monomial:
            powers[atom] = powers.get(atom, Fraction(0)) + power
    return {_monomial(powers): Fraction(1)}


def _sum(a: Form, b: Form) -> Form:
    result = dict(a)
    for monomial, coefficient in b.items():
        result[monomial] = result.get(monomial, Fraction(0)) + coefficient
    return _bounded({key: c for key, c in result.items() if c})


def _bounded(form: Form) -> Form:
    """Return `form`, or an atom in its place where its coefficients grow without bounds."""
    longest = max((max(abs(c.numerator), c.denominator) for c in form.values()), default=1)
    return form if longest.bit_length() < LONGEST else _atom(f"({_text(form)})")


def _scaled(form: Form, factor: Fraction) -> Form:
    return {monomial: c * factor for monomial, c in form.items()}


def _monomial(powers: Mapping[str, Fraction]) -> Monomial:
    return tuple(sorted(powers.items()))


def _number(value: Fraction) -> Form:
    return {(): value} if value else {}


def _constant(form: Form) -> Fraction | None:
    if not form:
        return Fraction(0)
    return form.get(()) if len(form) == 1 else None


def _atom(text: str) -> Form:
    return {((_shortened(text), Fraction(1)),): Fraction(1)}


def _shortened(text: str) -> str:
    if len(text) <= ATOM:
        return text
    return f"#{hashlib.sha256(text.encode()).hexdigest()}"


def _lead(form: Form) -> Fraction:
    """Return the coefficient of the first monomial; atoms come before the constant."""
    return form[min(form, key=_rank)]


def _rank(monomial: Monomial) -> tuple[bool, Monomial]:
    return (not monomial, monomial)


def _text(form: Form) -> str:
    """Return a form as text; one atom by itself is that atom."""
    if len(form) == 1:
        ((monomial, coefficient),) = form.items()
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
            return monomial[0][0]
    terms = (
        "*".join([_digits(form[key]), *(f"{atom}^{power}" for atom, power in key)])
        for key in sorted(form, key=_rank)
    )
    return "+".join(terms) or "0"


def _digits(value: Fraction) -> str:
    """Return a coefficient as text; Python refuses to write thousands of decimals."""
    if max(abs(value.numerator), value.denominator).bit_length() < DIGITS:
        return str(value)
    return f"{value.numerator:#x}/{value.denominator:#x}"
