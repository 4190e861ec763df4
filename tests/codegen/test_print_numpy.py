"""Python text computes what compiled C text computes, for numbers and for arrays."""

from __future__ import annotations

import ctypes
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.codegen.print_c import Printer
from lemsmith.codegen.print_numpy import ArrayPrinter, NumberPrinter, number, risky
from lemsmith.converter.expressions import (
    COMPARISONS,
    FUNCTIONS,
    Binary,
    Call,
    Choose,
    Name,
    Negative,
    Number,
    parse,
    walk,
)
from lemsmith.errors import InternalError
from lemsmith.runner.build import build
from lemsmith.runner.numpy_functions import ALL, functions
from usable import unusable

VARIABLES = ("x", "y", "z")
EDGES = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    3.0,
    1e-308,
    1e308,
    -1e308,
    710.0,
    -750.0,
    math.inf,
    -math.inf,
    math.nan,
)

#: Functions of the language as trees know them; a draw is no function of its arguments.
CALLED = sorted(FUNCTIONS - {"random", "ln"})


def trees(count=100):
    """Return trees of every function and operator, the same ones each time."""
    draw = random.Random(11)

    def value(depth):
        kind = draw.randrange(7) if depth else 6
        if kind == 0:
            return Call(draw.choice(CALLED), (value(depth - 1),))
        if kind == 1:
            return Choose(truth(depth - 1), value(depth - 1), value(depth - 1))
        if kind == 2:
            return Negative(value(depth - 1))
        if kind <= 5:
            return Binary(draw.choice("+-*/^"), value(depth - 1), value(depth - 1))
        if draw.random() < 0.3:
            return Number(draw.choice((0.0, 1.0, 2.0, 3.0, -1.5, 0.1)))
        return Name(draw.choice(VARIABLES))

    def truth(depth):
        if depth > 1 and draw.random() < 0.3:
            return Binary(draw.choice(("and", "or")), truth(depth - 1), truth(depth - 1))
        return Binary(draw.choice(sorted(COMPARISONS)), value(0), value(0))

    each = [Call(function, (Name("x"),)) for function in CALLED]
    each += [Binary(operator, Name("x"), Name("y")) for operator in "+-*/^"]
    return each + [value(4) for _ in range(count)]


def points():
    draw = random.Random(12)
    found = [(a, b, 1.5) for a in EDGES for b in EDGES]
    found += [tuple(draw.uniform(-3, 3) for _ in VARIABLES) for _ in range(100)]
    return np.array(found)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The values of all trees at all points, computed by compiled C (trees, points)."""
    reason = unusable("cpp")
    if reason is not None:
        pytest.skip(reason)
    printer = Printer(lambda name: f"v[{VARIABLES.index(name)}]")
    lines = "\n".join(f"    out[{n}] = {printer(tree)};" for n, tree in enumerate(trees()))
    text = (
        '#include "lemsmith_runtime.h"\n'
        'extern "C" void values(const double *v, double *out) {\n' + lines + "\n    (void)v;\n}\n"
    )
    library = ctypes.CDLL(str(build(text, ("-O1", "-ffp-contract=off"))))
    library.values.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.values.restype = None
    at = points()
    out = np.empty((len(at), len(trees())))
    for point, row in zip(at, out, strict=True):
        library.values(np.ascontiguousarray(point).ctypes.data, row.ctypes.data)
    return out.T


def quick_or_careful(tree):
    """Return a function that evaluates the text for one instance as generated code does."""
    quick = compile(NumberPrinter(lambda name: name)(tree), "quick", "eval")
    careful = compile(NumberPrinter(lambda name: name, careful=True)(tree), "careful", "eval")

    def value(names):
        try:
            return eval(quick, names)
        except (ArithmeticError, ValueError):
            assert risky(tree)
            return eval(careful, names)

    return value


def always_careful(tree):
    careful = compile(NumberPrinter(lambda name: name, careful=True)(tree), "careful", "eval")
    return lambda names: eval(careful, names)


@pytest.mark.parametrize("printed", [quick_or_careful, always_careful])
def test_numbers_are_those_of_c(compiled, printed):
    names = functions()
    at = points().tolist()
    for tree, expected in zip(trees(), compiled, strict=True):
        value = printed(tree)
        found = np.array([value(names | dict(zip(VARIABLES, point, strict=True))) for point in at])
        np.testing.assert_allclose(found, expected, rtol=1e-15, atol=0, err_msg=str(tree))


def test_arrays_are_those_of_c(compiled):
    names = functions() | dict(zip(VARIABLES, points().T.copy(), strict=True))
    for tree, expected in zip(trees(), compiled, strict=True):
        with np.errstate(all="ignore"):
            found = np.broadcast_to(
                eval(ArrayPrinter(lambda name: name, lambda _: True)(tree), names), expected.shape
            )
        # Errors of the last place grow where the tree subtracts, exponentiates, divides.
        sound = sum(isinstance(node, Binary | Call) for node in walk(tree)) == 1
        np.testing.assert_allclose(
            found, expected, rtol=4e-16 if sound else 1e-9, atol=0, err_msg=str(tree)
        )


@given(st.floats(allow_nan=False))
def test_a_number_reads_back_as_itself(value):
    assert math.copysign(1, value) == math.copysign(1, eval(number(value), functions()))
    assert eval(number(value), functions()) == value


def test_what_is_the_same_for_all_instances_is_computed_once_as_a_number():
    printer = ArrayPrinter(lambda name: name, lambda name: name != "t")
    assert printer(parse("t / 0 + 1")) == "(quotient(t, 0.0) + 1.0)"
    assert not printer.varies(parse("exp(t)"))
    assert printer.varies(parse("exp(t) * x"))


def test_a_choice_between_arrays_is_an_array_whatever_its_condition():
    printer = ArrayPrinter(lambda name: name, lambda name: name != "t")
    tree = Choose(parse("t .gt. 1"), Name("x"), Number(0.0))
    assert printer(tree) == "np.where((t > 1.0), x, 0.0)"


def test_a_long_sum_nests_no_parentheses():
    text = NumberPrinter(lambda name: name)(parse(" + ".join(["x"] * 199)))
    assert "((" not in text
    assert eval(text, {"x": 1.0}) == 199


def test_only_what_python_may_refuse_is_risky():
    assert not risky(parse("x * y - z / 2 + abs(x) + tanh(x) + x^2"))
    for text in ("x / y", "x / 0", "exp(x)", "x^3", "sqrt(x)"):
        assert risky(parse(text))


def test_a_function_that_python_lacks_is_our_fault():
    with pytest.raises(InternalError, match="no Python function"):
        NumberPrinter(lambda name: name)(Call("system", (Name("x"),)))


def test_every_instance_is_named_by_a_slice():
    assert np.arange(3)[ALL].tolist() == [0, 1, 2]
