"""Our component types against the official ones, fact by fact.

A fact is anything but a description: names, types, dimensions, expressions, numbers, and
the order of all of them. Expressions are compared by a parser of this file's own, so that
a fault in lemsmith's parser cannot hide one in the definitions.
"""

from __future__ import annotations

import copy
import math
import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lemsmith.schemas.core_types import CORE_TYPE_FILES, FOLDER
from lemsmith.schemas.lems import LEMS_ELEMENTS, Kind

OFFICIAL = Path(__file__).parents[2].parent / "shared" / "corpus" / "neuroml2" / "NeuroML2CoreTypes"
needs_official = pytest.mark.skipif(
    not OFFICIAL.is_dir(), reason=f"no official component types at {OFFICIAL}"
)


def local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


Item = TypeVar("Item")


# Expressions ---------------------------------------------------------------------------

#: A number, a name, or a bracketed list (operator, operand, ...).
Tree = float | str | tuple["Tree", ...]

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.(?![a-z])\d*)?(?:[eE][+-]?\d+)?")

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.(?![a-z])\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<operator>\.[a-z]+\.|[-+*/^()]))"
)

#: Loosest first. As the reference interpreter splits them: - before +, / before *.
LEVELS = (
    (".and.", ".or.", ".eq.", ".neq."),
    (".gt.", ".lt.", ".geq.", ".leq."),
    ("+",),
    ("-",),
    ("*",),
    ("/",),
    ("^",),
)

OPERATORS: dict[str, Callable[[float, float], float]] = {
    ".and.": lambda a, b: bool(a) and bool(b),
    ".or.": lambda a, b: bool(a) or bool(b),
    ".eq.": lambda a, b: a == b,
    ".neq.": lambda a, b: a != b,
    ".gt.": lambda a, b: a > b,
    ".lt.": lambda a, b: a < b,
    ".geq.": lambda a, b: a >= b,
    ".leq.": lambda a, b: a <= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": math.pow,
}

FUNCTIONS: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "log": math.log,
    "ln": math.log,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "abs": abs,
    "ceil": math.ceil,
    "H": lambda x: 0.5 if x == 0 else float(x > 0),
    # Any fixed function will do: both sides draw alike.
    "random": lambda x: 0.37 * x,
}


def tokens(text: str) -> list[str]:
    found = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"cannot read {text!r} at {at}")
        found.append(match[0].strip())
        at = match.end()
    return found


def parse(text: str) -> Tree:
    """Return the tree of an expression; two texts share it if only spacing differs."""
    rest = tokens(text)

    def level(depth: int, start: bool) -> Tree:
        if depth == len(LEVELS):
            return operand()
        # A minus at the start is taken from zero, -a/b is 0 - a/b; elsewhere it binds
        # tightest.
        leading = start and LEVELS[depth] == ("-",) and rest[0] == "-"
        left: Tree = 0.0 if leading else level(depth + 1, start)
        while rest and rest[0] in LEVELS[depth]:
            operator = rest.pop(0)
            left = (operator, left, level(depth + 1, start=False))
        return left

    def operand() -> Tree:
        token = rest.pop(0)
        if token == "-":
            return ("negate", operand())
        if token == "(":
            inner = level(0, start=True)
            assert rest.pop(0) == ")"
            # Brackets are kept: they are the grouping that decides the rounding.
            return ("(", inner)
        if token[0].isdigit() or (token[0] == "." and token[1].isdigit()):
            return float(token)
        if rest and rest[0] == "(":
            assert token in FUNCTIONS, token
            return (token, operand())
        assert token[0].isalpha() or token[0] == "_", token
        return token

    tree = level(0, start=True)
    if rest:
        raise ValueError(f"{text!r} goes on with {rest}")
    return tree


def names(tree: Tree) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, tuple):
        for part in tree[1:]:
            yield from names(part)


def value(tree: Tree, at: dict[str, float]) -> float:
    """Return the value of `tree`, not a number where there is none."""
    if isinstance(tree, float):
        return tree
    if isinstance(tree, str):
        return at[tree]
    operator, *parts = tree
    assert isinstance(operator, str)
    values = [value(part, at) for part in parts]
    try:
        if operator == "(":
            return values[0]
        if operator == "negate":
            return -values[0]
        if operator in FUNCTIONS:
            return FUNCTIONS[operator](values[0])
        return OPERATORS[operator](values[0], values[1])
    except (ValueError, ZeroDivisionError, OverflowError):
        return math.nan


def same_value(ours: Tree, official: Tree) -> bool:
    """Tell whether two trees agree at 20 random points."""
    draw = random.Random(20)
    variables = sorted({*names(ours), *names(official)})
    for point in range(20):
        # Whole numbers at every second point, so that `.lt.` and `.leq.` meet a tie.
        at = {
            name: float(draw.randint(1, 2)) if point % 2 else draw.uniform(0.1, 3.0)
            for name in variables
        }
        a, b = value(ours, at), value(official, at)
        if not (math.isclose(a, b, rel_tol=1e-12) or (math.isnan(a) and math.isnan(b))):
            return False
    return True


def expression_difference(ours: str, official: str) -> str | None:
    """Return how two expressions differ, None if they give the same bits."""
    a, b = parse(ours), parse(official)
    if a == b:
        return None
    how = "the value, grouped differently" if same_value(a, b) else "another value"
    return f"{ours!r} has {how} than {official!r}"


# Quantities ----------------------------------------------------------------------------


def units(folder: Path) -> dict[str, tuple[float, float, float]]:
    """Return power, scale and offset of every unit symbol."""
    root = ET.parse(folder / "NeuroMLCoreDimensions.xml").getroot()
    return {
        element.attrib["symbol"]: (
            float(element.get("power", "0")),
            float(element.get("scale", "1")),
            float(element.get("offset", "0")),
        )
        for element in root
        if local(element) == "Unit"
    }


def si(text: str, symbols: dict[str, tuple[float, float, float]]) -> float:
    match = re.fullmatch(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(\w*)\s*", text)
    assert match is not None, text
    power, scale, offset = symbols[match[2]] if match[2] else (0.0, 1.0, 0.0)
    return (float(match[1]) + offset) * scale * math.pow(10.0, power)


SYMBOLS = units(FOLDER)


# Comparison ----------------------------------------------------------------------------


def kind(element: ET.Element, attribute: str) -> Kind | None:
    rule = LEMS_ELEMENTS.get(local(element))
    return rule.kind(attribute) if rule else None


def attribute_difference(ours: str, official: str, what: Kind | None) -> str | None:
    if what in {"expression", "condition"}:
        return expression_difference(ours, official)
    if what == "quantity":
        same = math.isclose(si(ours, SYMBOLS), si(official, SYMBOLS), rel_tol=1e-15)
    elif what in {"number", "integer"}:
        same = float(ours) == float(official)
    else:
        same = ours.strip() == official.strip()
    return None if same else f"{ours!r} is not {official!r}"


def differences(ours: ET.Element, official: ET.Element, where: str = "") -> list[str]:
    """Return where `ours` and all below it differ from `official`, in document order."""
    where += f"/{local(official)}[{official.get('name') or official.get('variable') or ''}]"
    if local(ours) != local(official):
        return [f"{where}: {local(ours)} is in its place"]
    found = []
    missing = official.attrib.keys() - ours.attrib.keys() - {"description"}
    added = ours.attrib.keys() - official.attrib.keys() - {"description"}
    found += [f"{where}: lacks {name}" for name in sorted(missing)]
    found += [f"{where}: adds {name}" for name in sorted(added)]
    for name in sorted((ours.attrib.keys() & official.attrib.keys()) - {"description"}):
        problem = attribute_difference(ours.attrib[name], official.attrib[name], kind(ours, name))
        if problem:
            found.append(f"{where}@{name}: {problem}")
    if len(ours) != len(official):
        found.append(f"{where}: {len(ours)} children in place of {len(official)}")
    for our_child, official_child in zip(ours, official, strict=False):
        found += differences(our_child, official_child, where)
    return found


def root(folder: Path, name: str) -> ET.Element:
    # Neither comments nor the schema's location, which only names a file, are facts.
    found = ET.parse(folder / name).getroot()
    for attribute in [key for key in found.attrib if key.startswith("{")]:
        del found.attrib[attribute]
    return found


def types(folder: Path) -> dict[str, ET.Element]:
    """Return every component type of the core type files in `folder`, in their order."""
    return {
        element.attrib["name"]: element
        for name in CORE_TYPE_FILES
        if (folder / name).is_file()
        for element in root(folder, name)
        if local(element) == "ComponentType"
    }


OURS = types(FOLDER)
THEIRS = types(OFFICIAL)


# What needs no official file -----------------------------------------------------------


def test_there_are_272_component_types() -> None:
    everything = [
        element.attrib["name"]
        for name in CORE_TYPE_FILES
        for element in root(FOLDER, name)
        if local(element) == "ComponentType"
    ]
    assert len(everything) == len(set(everything)) == 272


@pytest.mark.parametrize("name", CORE_TYPE_FILES)
def test_a_file_includes_only_files_that_come_before_it(name: str) -> None:
    earlier = CORE_TYPE_FILES[: CORE_TYPE_FILES.index(name)]
    included = [
        element.attrib["file"] for element in root(FOLDER, name) if local(element) == "Include"
    ]
    assert set(included) <= set(earlier)


@pytest.mark.parametrize("name", OURS)
def test_a_type_is_described_in_one_line(name: str) -> None:
    description = OURS[name].get("description", "")
    assert description.endswith(".")
    assert description == " ".join(description.split())
    assert 8 < len(description) < 100


def test_no_two_types_share_a_description() -> None:
    descriptions = [element.get("description") for element in OURS.values()]
    assert len(descriptions) == len(set(descriptions))


@pytest.mark.parametrize("name", OURS)
def test_a_type_names_only_types_and_dimensions_that_exist(name: str) -> None:
    dimensions = {
        element.attrib["name"]
        for element in root(FOLDER, "NeuroMLCoreDimensions.xml")
        if local(element) == "Dimension"
    }
    for element in OURS[name].iter():
        for attribute, text in element.attrib.items():
            what = kind(element, attribute)
            if what == "type":
                assert text in OURS or text == "Component"
            elif what == "dimension":
                assert text in dimensions | {"none", "*"}


@pytest.mark.parametrize("name", OURS)
def test_every_expression_and_quantity_of_a_type_can_be_read(name: str) -> None:
    for element in OURS[name].iter():
        for attribute, text in element.attrib.items():
            what = kind(element, attribute)
            if what in {"expression", "condition"}:
                parse(text)
            elif what == "quantity":
                assert math.isfinite(si(text, SYMBOLS))


def test_the_parser_of_this_file_knows_what_it_compares() -> None:
    assert parse("a+b*c") == parse(" a + b * c ")
    assert parse("a + b + c") != parse("a + (b + c)")
    assert parse("-a/b") == ("-", 0.0, ("/", "a", "b"))
    assert parse("a .lt. -1.5e-3*b") == (".lt.", "a", ("*", ("negate", 1.5e-3), "b"))
    assert value(parse("2 + 3 * 4 ^ 2 / 8 - 1"), {}) == 2 + 3 * (4**2 / 8) - 1
    assert expression_difference("x / (1 + y)", "x/(1+y)") is None
    assert "grouped" in (expression_difference("a + b + c", "a + (b + c)") or "")
    assert "another" in (expression_difference("a + b - c", "a - b + c") or "")
    assert "another" in (expression_difference("a .gt. b", "a .geq. b") or "")
    with pytest.raises(ValueError, match="cannot read"):
        parse("a & b")


def test_quantities_are_compared_in_si() -> None:
    assert attribute_difference("1ms", "0.001 s", "quantity") is None
    assert attribute_difference("20 degC", "293.15 K", "quantity") is None
    assert attribute_difference("1ms", "1.00000000000001 ms", "quantity") is not None


# Against the official files ------------------------------------------------------------


@needs_official
@pytest.mark.parametrize("name", OURS)
def test_a_type_states_the_facts_of_the_official_one(name: str) -> None:
    assert differences(OURS[name], THEIRS[name]) == []


@needs_official
@pytest.mark.parametrize("name", CORE_TYPE_FILES)
def test_a_file_holds_what_the_official_one_holds_in_the_same_order(name: str) -> None:
    assert differences(root(FOLDER, name), root(OFFICIAL, name)) == []


@needs_official
def test_dimensions_and_units_are_the_official_ones() -> None:
    name = "NeuroMLCoreDimensions.xml"
    assert differences(root(FOLDER, name), root(OFFICIAL, name)) == []
    assert units(FOLDER) == units(OFFICIAL)


@needs_official
def test_there_is_no_official_file_that_we_lack() -> None:
    assert sorted(path.name for path in OFFICIAL.glob("*.xml")) == sorted(CORE_TYPE_FILES)


@needs_official
def test_no_description_repeats_the_official_wording() -> None:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[start : start + 6]) for start in range(len(words) - 5)}

    official = {
        run
        for name in CORE_TYPE_FILES
        for element in root(OFFICIAL, name).iter()
        for run in runs(element.get("description", ""))
    }
    for element in OURS.values():
        assert not runs(element.get("description", "")) & official


# Whether the comparison can fail -------------------------------------------------------


def pick(data: st.DataObject, items: list[Item]) -> Item:
    assume(items)
    return data.draw(st.sampled_from(items))


def drop(element: ET.Element, data: st.DataObject) -> None:
    parents = [each for each in element.iter() if len(each)]
    parent = pick(data, parents)
    parent.remove(pick(data, list(parent)))


def swap(element: ET.Element, data: st.DataObject) -> None:
    pairs = [
        (parent, index)
        for parent in element.iter()
        for index in range(len(parent) - 1)
        if ET.tostring(parent[index]) != ET.tostring(parent[index + 1])
    ]
    parent, index = pick(data, pairs)
    first = parent[index]
    parent.remove(first)
    parent.insert(index + 1, first)


def change_a_number(element: ET.Element, data: st.DataObject) -> None:
    places = [
        (each, attribute, match)
        for each in element.iter()
        for attribute, text in each.attrib.items()
        if kind(each, attribute) in {"expression", "condition", "quantity", "number"}
        for match in NUMBER.finditer(text)
    ]
    each, attribute, match = pick(data, places)
    text = each.attrib[attribute]
    changed = pick(data, ["7", "0.0625", match[0] + "1"])
    if float(changed) == float(match[0]):
        changed += "5"
    each.set(attribute, text[: match.start()] + changed + text[match.end() :])


def rename(element: ET.Element, data: st.DataObject) -> None:
    places = [
        (each, attribute)
        for each in element.iter()
        for attribute in each.attrib
        if attribute != "description"
        and kind(each, attribute) not in {"number", "integer", "quantity"}
    ]
    each, attribute = pick(data, places)
    text = each.attrib[attribute]
    if kind(each, attribute) in {"expression", "condition"}:
        text = f"{text} + other"
    each.set(attribute, f"{text}x")


def regroup(element: ET.Element, data: st.DataObject) -> None:
    places = [
        (each, attribute)
        for each in element.iter()
        for attribute, text in each.attrib.items()
        if kind(each, attribute) == "expression" and len(tokens(text)) > 1
    ]
    each, attribute = pick(data, places)
    each.set(attribute, f"({each.attrib[attribute]})")


def drop_an_attribute(element: ET.Element, data: st.DataObject) -> None:
    places = [
        (each, attribute)
        for each in element.iter()
        for attribute in each.attrib
        if attribute != "description"
    ]
    each, attribute = pick(data, places)
    del each.attrib[attribute]


def add(element: ET.Element, data: st.DataObject) -> None:
    parent = pick(data, list(element.iter()))
    parent.insert(data.draw(st.integers(0, len(parent))), ET.Element("Text", name="other"))


CORRUPTIONS: tuple[Callable[[ET.Element, st.DataObject], None], ...] = (
    drop,
    swap,
    change_a_number,
    rename,
    regroup,
    drop_an_attribute,
    add,
)


@pytest.mark.parametrize("corrupt", CORRUPTIONS, ids=lambda corrupt: corrupt.__name__)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_corrupted_type_is_found_out(
    corrupt: Callable[[ET.Element, st.DataObject], None], data: st.DataObject
) -> None:
    original = OURS[pick(data, list(OURS))]
    corrupted = copy.deepcopy(original)
    corrupt(corrupted, data)
    assert differences(corrupted, original)


def test_a_description_is_no_fact() -> None:
    reworded = copy.deepcopy(OURS["iafCell"])
    reworded.set("description", "Something else.")
    assert differences(reworded, OURS["iafCell"]) == []
