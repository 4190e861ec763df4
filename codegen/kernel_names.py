"""The C names of what lives inside a kernel or a function, and which names those mention."""

from __future__ import annotations

from ..converter.expressions import names
from ..converter.network import Assign, Flow
from .print_c import identifier
from .program import Flag, Function


def loaded(name: str) -> str:
    """Return the C name of a kernel's own copy of a variable or parameter."""
    return f"x_{identifier(name)}"


def stored(name: str) -> str:
    """Return the C name of what a kernel stores into a variable."""
    return f"y_{identifier(name)}"


def used_names(function: Function) -> set[str]:
    """Return every name that the expressions of a function mention."""
    found: set[str] = set()
    for statement in function.body:
        match statement:
            case Assign(_, value):
                found |= names(value)
            case Flag(_, condition):
                found |= names(condition)
            case Flow(_, edges):
                found.update(rate for _, _, f, r in edges for rate in (f, r))
    return found


#: Names that a model's own must not hide: of our functions' parameters, and C's.
TAKEN = frozenset(
    "m s i k n t dt x y z on bad now real small a work round count list many size lane lanes "
    "alignas alignof and asm auto bool break case catch char class const constexpr continue "
    "decltype default delete do double else enum explicit export extern false float for friend "
    "goto if inline int long mutable namespace new not operator or private protected public "
    "register return short signed sizeof static struct switch template this throw true try "
    "typedef typeid typename union unsigned using virtual void volatile while xor".split()
)


def local_name(name: str) -> str:
    """Return the C name of what lives only inside a function.

    >>> local_name("v"), local_name("x")
    ('v', 'x__own')
    """
    text = identifier(name)
    return f"{text}__own" if text in TAKEN else text
