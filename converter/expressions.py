"""Expressions of the model language: their tree, their parser, their text.

The grammar is LEMS's, with the precedence that the reference interpreter gives it: `^`
binds tightest, then `/`, `*`, `-`, `+`, the comparisons, and last `.eq.`, `.and.`, `.or.`
on one level; every level associates to the left. A minus that starts an expression is
subtraction from zero (`-x^2` is `-(x^2)`), one that follows an operator binds tightest
(`2*-x^2` is `2*(-x)^2`). The parser is ours because model text is hostile input: nothing
here evaluates anything.

Nodes are frozen and compare by value; the same tree serves every later form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

#: Functions of one argument that the language knows.
FUNCTIONS: Final = frozenset(
    "sin cos tan sinh cosh tanh exp sqrt ceil ln log random factorial abs H".split()
)

#: Comparison and logical operators as the language spells them.
WORDS: Final = {
    ".gt.": ">",
    ".lt.": "<",
    ".geq.": ">=",
    ".leq.": "<=",
    ".eq.": "==",
    ".neq.": "!=",
    ".and.": "and",
    ".or.": "or",
}

#: Operators from the tightest level to the loosest.
LEVELS: Final = (
    ("^",),
    ("/",),
    ("*",),
    ("-",),
    ("+",),
    (">", "<", ">=", "<="),
    ("==", "!=", "and", "or"),
)

#: The level of each operator.
LEVEL_OF: Final = {operator: n for n, level in enumerate(LEVELS) for operator in level}
LOOSEST: Final = len(LEVELS) - 1

COMPARISONS: Final = frozenset((">", "<", ">=", "<=", "==", "!="))
LOGICAL: Final = frozenset(("and", "or"))

#: Depth of a tree: what the parser and every later walk can do within Python's own limit.
DEPTH_LIMIT: Final = 200

#: Characters of one expression.
LENGTH_LIMIT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Number:
    """A plain number."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A variable or parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class Negative:
    """`-operand`."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`, operator one of those in `LEVELS`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """A function applied; besides `FUNCTIONS` the optimiser's own names occur."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Choose:
    """`then` where `condition` holds, else `otherwise`."""

    condition: Expression
    then: Expression
    otherwise: Expression


Expression = Number | Name | Negative | Binary | Call | Choose

ZERO: Final = Number(0.0)
ONE: Final = Number(1.0)


class ExpressionError(Exception):
    """The text is no expression; `column` counts from 0 within the text."""

    def __init__(self, message: str, column: int) -> None:
        self.message = message
        self.column = column
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # "number", "name", "operator", "(", ")", ",", "end"
    text: str
    column: int


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Return the tree of an expression's text.

    Raises `ExpressionError` with the column of the fault. Types are checked: comparing
    gives a truth value, arithmetic takes numbers.

    >>> show(parse("a*b/c"))
    'a * (b / c)'
    >>> show(parse("-x^2"))
    '-(x ^ 2)'
    """
    if len(text) > LENGTH_LIMIT:
        raise ExpressionError(f"an expression of {len(text)} characters is too long", 0)
    parser = _Parser(tuple(_tokens(text)))
    tree = parser.expression()
    parser.expect("end")
    if depth(tree) > DEPTH_LIMIT:
        raise ExpressionError("the expression is nested too deeply, or its sums too long", 0)
    return tree


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        char = text[position]
        start = position
        if char.isspace():
            position += 1
            continue
        if char.isdigit() or (char == "." and text[position + 1 : position + 2].isdigit()):
            position = _number_end(text, position)
            yield _Token("number", text[start:position], start)
        elif char == ".":
            end = text.find(".", position + 1)
            word = text[position : end + 1] if end > 0 else text[position : position + 6]
            if word not in WORDS:
                known = ", ".join(WORDS)
                raise ExpressionError(f"{word!r} is no operator; those with dots: {known}", start)
            position = end + 1
            yield _Token("operator", WORDS[word], start)
        elif char.isalpha() or char == "_":
            while position < len(text) and (text[position].isalnum() or text[position] == "_"):
                position += 1
            yield _Token("name", text[start:position], start)
        elif char in "+-*/^":
            position += 1
            yield _Token("operator", char, start)
        elif char in "(),":
            position += 1
            yield _Token(char, char, start)
        else:
            raise ExpressionError(f"{char!r} cannot stand in an expression", start)
    yield _Token("end", "", len(text))


def _number_end(text: str, position: int) -> int:
    """Return where the number that starts at `position` ends; ASCII digits only."""
    size = len(text)

    def digits(at: int) -> int:
        while at < size and text[at] in "0123456789":
            at += 1
        return at

    start = position
    position = digits(position)
    # "1.gt.2" is a comparison, "1.5" and "1." are numbers.
    if text[position : position + 1] == "." and not _word_at(text, position):
        position = digits(position + 1)
    if text[position : position + 1] in ("e", "E"):
        after = position + 1
        if text[after : after + 1] in ("+", "-"):
            after += 1
        if digits(after) > after:
            position = digits(after)
    if position == start:
        raise ExpressionError(f"{text[start]!r} is no digit", start)
    return position


def _word_at(text: str, position: int) -> bool:
    return any(text.startswith(word, position) for word in WORDS)


class _Parser:
    """Precedence climbing over a tuple of tokens."""

    def __init__(self, tokens: tuple[_Token, ...]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def expect(self, kind: str) -> None:
        if self.token.kind != kind:
            found = repr(self.token.text) if self.token.text else "the end"
            wanted = "an operator or the end" if kind == "end" else repr(kind)
            raise ExpressionError(f"{wanted} was expected, not {found}", self.token.column)
        self.position += 1

    def expression(self, loosest: int = LOOSEST, *, leading: bool = True) -> Expression:
        """Read operands joined by operators of the levels up to `loosest`."""
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise ExpressionError("the expression is nested too deeply", self.token.column)
        if leading and self.token.text == "-":
            self.position += 1
            column = self.token.column
            operand = self.expression(LEVEL_OF["-"] - 1, leading=False)
            left: Expression = Negative(_number(operand, column))
        else:
            left = self.primary()
        while self.token.kind == "operator" and LEVEL_OF[self.token.text] <= loosest:
            operator, column = self.token.text, self.token.column
            self.position += 1
            right = self.expression(LEVEL_OF[operator] - 1, leading=False)
            left = _combine(operator, left, right, column)
        self.depth -= 1
        return left

    def primary(self) -> Expression:
        """Read a number, a name, a call, parentheses, or one of them after minus signs."""
        signs = 0
        while self.token.text == "-":
            self.position += 1
            signs += 1
        column = self.token.column
        operand = self.operand(self.token)
        for _ in range(signs):
            operand = Negative(_number(operand, column))
        return operand

    def operand(self, token: _Token) -> Expression:
        self.position += 1
        if token.kind == "number":
            return Number(float(token.text))
        if token.kind == "(":
            inner = self.expression()
            self.expect(")")
            return inner
        if token.kind == "name":
            if self.token.kind != "(":
                return Name(token.text)
            if token.text not in FUNCTIONS:
                known = ", ".join(sorted(FUNCTIONS))
                raise ExpressionError(
                    f"no function is called {token.text!r}; there are {known}", token.column
                )
            self.position += 1
            argument = _number(self.expression(), token.column)
            self.expect(")")
            return Call("log" if token.text == "ln" else token.text, (argument,))
        self.position -= 1
        found = repr(token.text) if token.text else "nothing"
        raise ExpressionError(
            f"a number, a name or '(' was expected, but {found} follows", token.column
        )


def is_truth(tree: Expression) -> bool:
    """Tell whether `tree` gives a truth value."""
    return isinstance(tree, Binary) and tree.operator in COMPARISONS | LOGICAL


def _number(tree: Expression, column: int) -> Expression:
    if is_truth(tree):
        raise ExpressionError("a comparison stands where a number is needed", column)
    return tree


def _combine(operator: str, left: Expression, right: Expression, column: int) -> Expression:
    for side in (left, right):
        if operator in LOGICAL and not is_truth(side):
            raise ExpressionError(f"'.{operator}.' takes comparisons, in parentheses", column)
        if operator not in LOGICAL and is_truth(side):
            raise ExpressionError(
                "a comparison stands where a number is needed; put comparisons joined by "
                ".and. or .or. in parentheses",
                column,
            )
    return Binary(operator, left, right)


# --- walking -----------------------------------------------------------------------------


def children(tree: Expression) -> tuple[Expression, ...]:
    """Return the direct parts of `tree`."""
    match tree:
        case Negative(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Call(_, arguments):
            return arguments
        case Choose(condition, then, otherwise):
            return (condition, then, otherwise)
        case _:
            return ()


def rebuild(tree: Expression, parts: tuple[Expression, ...]) -> Expression:
    """Return `tree` with other direct parts; the same object where they are the same."""
    if all(new is old for new, old in zip(parts, children(tree), strict=True)):
        return tree
    match tree:
        case Negative():
            return Negative(parts[0])
        case Binary(operator, _, _):
            return Binary(operator, parts[0], parts[1])
        case Call(function, _):
            return Call(function, parts)
        case Choose():
            return Choose(*parts)
        case _:
            return tree


def rewrite(tree: Expression, rule: Callable[[Expression], Expression]) -> Expression:
    """Return `tree` with `rule` applied to every node, parts before the whole."""
    parts = tuple(rewrite(part, rule) for part in children(tree))
    return rule(rebuild(tree, parts))


def substitute(tree: Expression, values: Mapping[str, Expression]) -> Expression:
    """Return `tree` with names replaced."""
    if not values:
        return tree
    return rewrite(
        tree, lambda node: values.get(node.name, node) if isinstance(node, Name) else node
    )


def walk(tree: Expression) -> Iterator[Expression]:
    """Yield `tree` and every node below it."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(children(node))


def depth(tree: Expression) -> int:
    """Return the number of nodes on the longest way down `tree`."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, here = waiting.pop()
        deepest = max(deepest, here)
        waiting.extend((part, here + 1) for part in children(node))
    return deepest


@lru_cache(maxsize=65536)
def names(tree: Expression) -> frozenset[str]:
    """Return the names that occur in `tree`."""
    return frozenset(node.name for node in walk(tree) if isinstance(node, Name))


def calls(tree: Expression, function: str) -> bool:
    """Tell whether `tree` applies `function` anywhere."""
    return any(isinstance(node, Call) and node.function == function for node in walk(tree))


def operations(tree: Expression) -> int:
    """Count the arithmetic operations and function applications of `tree`."""
    return sum(not isinstance(node, Number | Name) for node in walk(tree))


# --- text ----------------------------------------------------------------------------------


def show(tree: Expression) -> str:
    """Return `tree` as text, with parentheses wherever two operators meet."""
    match tree:
        case Number(value):
            return format_number(value)
        case Name(name):
            return name
        case Negative(operand):
            return f"-{_wrapped(operand)}"
        case Binary(operator, left, right):
            return f"{_wrapped(left)} {operator} {_wrapped(right)}"
        case Call(function, arguments):
            return f"{function}({', '.join(map(show, arguments))})"
        case Choose(condition, then, otherwise):
            return f"({show(then)} if {show(condition)} else {show(otherwise)})"


def _wrapped(tree: Expression) -> str:
    return f"({show(tree)})" if isinstance(tree, Binary | Negative) else show(tree)


def format_number(value: float) -> str:
    """Return the shortest text that reads back as `value`, whole numbers without a point."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def to_lems(tree: Expression) -> str:
    """Return `tree` in the language's own spelling; `parse` reads it back as the same tree."""
    words = {symbol: word for word, symbol in WORDS.items()}
    match tree:
        case Number(value):
            return format_number(value)
        case Name(name):
            return name
        case Negative((Number() | Name() | Call()) as operand):
            return f"(-{to_lems(operand)})"
        case Negative(operand):
            return f"(-({to_lems(operand)}))"
        case Binary(operator, left, right):
            return f"({to_lems(left)} {words.get(operator, operator)} {to_lems(right)})"
        case Call(function, arguments):
            return f"{function}({', '.join(map(to_lems, arguments))})"
        case Choose():
            raise ValueError("a choice has no spelling as one LEMS expression")
