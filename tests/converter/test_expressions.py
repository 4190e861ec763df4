"""The language of expressions: its precedence, its faults, its text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import (
    COMPARISONS,
    FUNCTIONS,
    LOGICAL,
    Binary,
    Call,
    Choose,
    Expression,
    ExpressionError,
    Name,
    Negative,
    Number,
    calls,
    names,
    operations,
    parse,
    show,
    substitute,
    to_lems,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2^3^2", 64.0),  # powers associate to the left
        ("-2^2", -4.0),  # a leading minus subtracts from zero
        ("3 * -2^2", 12.0),  # one after an operator binds tightest
        ("12 / 3 / 2", 2.0),
        ("2 * 6 / 3", 4.0),
        ("7 - 2 - 1", 4.0),
        ("1 - 2 + 3", 2.0),
        ("H(0)", 0.5),
        ("ln(exp(2))", 2.0),
        ("log(exp(2))", 2.0),
        ("factorial(4)", 24.0),
        ("abs(-3) + ceil(1.2)", 5.0),
        ("1e-3 * 2.5E+3", 2.5),
        (".5 + 1.", 1.5),
        ("late + 0", 7.0),
        ("late+0", 7.0),  # the reference takes "late+0" for one word
    ],
)
def test_operators_bind_as_in_the_reference(text: str, value: float) -> None:
    assert float(evaluate(parse(text), {"late": 7.0})) == pytest.approx(value)


def test_and_and_or_share_a_level_from_the_left() -> None:
    tree = parse("(a .gt. 1) .or. (b .gt. 1) .and. (c .gt. 1)")
    assert evaluate(tree, {"a": 2.0, "b": 0.0, "c": 0.0}) == False  # noqa: E712


def test_a_division_is_done_before_the_product_left_of_it() -> None:
    assert show(parse("a * b / c")) == "a * (b / c)"


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("a + ", 4, "nothing"),
        ("a ** b", 3, "'*'"),
        ("(a", 2, "')'"),
        ("a b", 2, "'b'"),
        ("floor(a)", 0, "no function is called 'floor'"),
        ("7 % 4", 2, "'%'"),
        ("a .xor. b", 2, "'.xor.'"),
        ("a .gt. b .gt. c", 9, "comparison"),
        ("a .and. b", 2, "comparisons"),
        ("1 + (a .gt. b)", 2, "comparison"),
        ("exp(a .gt. b)", 0, "comparison"),
        ("min(a, b)", 0, "no function"),
        ("exp(a, b)", 5, "','"),
        ("", 0, "nothing"),
        ("a .eq. 1 .and. b .eq. 0", 9, "parentheses"),
    ],
)
def test_a_fault_says_where_it_is(text: str, column: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert words in caught.value.message
    assert caught.value.column == column


def test_what_would_overflow_the_stack_is_refused() -> None:
    with pytest.raises(ExpressionError, match="nested too deeply"):
        parse("(" * 5000 + "a" + ")" * 5000)
    with pytest.raises(ExpressionError):
        parse("-" * 5000 + "a")


def test_text_is_never_executed() -> None:
    with pytest.raises(ExpressionError):
        parse("__import__('os').system('true')")


def test_names_calls_and_operations_are_counted() -> None:
    tree = parse("a * exp(b) + random(a)")
    assert names(tree) == {"a", "b"}
    assert calls(tree, "random")
    assert not calls(tree, "sin")
    assert operations(tree) == 4


def test_substitution_keeps_what_it_does_not_touch() -> None:
    tree = parse("a + b * c")
    assert substitute(tree, {"z": Number(1.0)}) is tree
    assert show(substitute(tree, {"b": parse("x - 1")})) == "a + ((x - 1) * c)"


def test_a_choice_has_no_spelling_of_its_own() -> None:
    with pytest.raises(ValueError, match="choice"):
        to_lems(Choose(parse("a .gt. 1"), Name("b"), Name("c")))


NUMBERS = st.floats(min_value=0, allow_infinity=False, allow_nan=False).map(Number)
NAMES = st.sampled_from(["a", "b", "v", "tau_m", "E", "I", "beta", "N"]).map(Name)


def _numeric(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    functions = sorted(FUNCTIONS - {"ln"})
    return st.one_of(
        st.builds(Negative, parts),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "^"]), parts, parts),
        st.builds(lambda f, x: Call(f, (x,)), st.sampled_from(functions), parts),
    )


TREES = st.recursive(st.one_of(NUMBERS, NAMES), _numeric, max_leaves=20)
TRUTHS = st.recursive(
    st.builds(Binary, st.sampled_from(sorted(COMPARISONS)), TREES, TREES),
    lambda parts: st.builds(Binary, st.sampled_from(sorted(LOGICAL)), parts, parts),
    max_leaves=6,
)


@given(st.one_of(TREES, TRUTHS))
def test_the_text_of_a_tree_reads_back_as_the_tree(tree: Expression) -> None:
    assert _without_leading_minus(parse(to_lems(tree))) == _without_leading_minus(tree)


def _without_leading_minus(tree: Expression) -> Expression:
    """A minus at the start of parentheses is read as 0 - x: the same value."""
    match tree:
        case Negative(operand):
            return Binary("-", Number(0.0), _without_leading_minus(operand))
        case Binary(operator, left, right):
            return Binary(operator, _without_leading_minus(left), _without_leading_minus(right))
        case Call(function, arguments):
            return Call(function, tuple(map(_without_leading_minus, arguments)))
        case _:
            return tree


@given(st.text(max_size=60))
def test_any_text_is_a_tree_or_has_a_fault(text: str) -> None:
    assert 0 <= _fault_column(text) <= len(text)


@given(st.text(alphabet="ab1.+-*/^() ,egtlq", max_size=40))
def test_text_of_the_languages_own_letters_is_a_tree_or_has_a_fault(text: str) -> None:
    assert 0 <= _fault_column(text) <= len(text)


def _fault_column(text: str) -> int:
    """Return where `text` is wrong, 0 where it is not."""
    try:
        parse(text)
    except ExpressionError as fault:
        return fault.column
    return 0
