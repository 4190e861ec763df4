"""The table of LEMS elements against itself, the inventory and the corpus."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from lemsmith.schemas.core_types import CORE_TYPE_FILES, FOLDER
from lemsmith.schemas.lems import CHOICES, LEMS_ELEMENTS, ElementRule

SHARED = Path(__file__).parents[2].parent / "shared"
CORPUS = SHARED / "corpus"
INVENTORY = SHARED / "lems-elements.md"

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus of models at {CORPUS}")

#: What documents may define; everything else at the root is a component.
DEFINITIONS = ("Target", "Include", "Dimension", "Unit", "Assertion", "Constant", "ComponentType")

#: Drafts that no interpreter reads and slips of the pen, per file of the corpus.
WRONG: dict[str, set[str]] = {
    "lems/jlems-tests/devexamples/GridNetwork.xml": {
        "Build>CrossInstantiate",
        "MultiInstantiate!component|componentType",
        "MultiInstantiate!number",
    },
    "lems/jlems-tests/devexamples/birgit.xml": {
        "Build>ForPairs",
        "Build>Select",
        "Children!name",
        "CoInstantiate!component|componentType",
        "CoInstantiate@type",
        "ComponentType>SelectParameter",
        "ComponentType>TypeRef",
        "If>EventConnect",
        "MultiInstantiate!component|componentType",
        "MultiInstantiate@type",
    },
    "lems/jlems-tests/devexamples/net1-maybe.xml": {
        "Children!name",
    },
    "lems/jlems-tests/devexamples/probability.xml": {
        "Behavior>Derivedvariable",
        "Behavior>StateVariabe",
        "Dimension@T",
        "Parameter@dimensio",
        "StateAssignment!value",
        "StateAssignment@expression",
        "TimeDerivative!value",
        "TimeDerivative@expression",
        "Unit!symbol",
        "Unit@powten",
    },
    "lems/jlems-tests/devexamples/stdp.xml": {
        "Behavior>Array",
        "ComponentType>Paramater",
        "DerivedVariable!value|select",
        "OnCondition>SendEvent",
        "OnEvent>DerivedVariable",
        "OnEvent>ForEach",
        "OnEvent>Push",
        "OnEvent>Test",
        "StateAssignment!value",
        "StateAssignment@select",
    },
    "lems/jlems-tests/devexamples/trommershauser.xml": {
        "ComponentType>Behaviour",
        "ComponentType>Port",
    },
    "lems/jlems-tests/ghkcell.xml": {
        "ComponentType>DerivedVariable",
        "Requirement@dimensions",
        "Unit!symbol",
    },
    "lems/jlems-tests/morphology.xml": {
        "ComponentType>SimulatorShortcut",
    },
    "lems/jlems-tests/nernst.xml": {
        "DerivedVariable!name",
    },
    "lems/jlems-tests/net1.xml": {
        "Children!name",
    },
    "lems/jlems-tests/release.xml": {
        "Behavior>DeriedVariable",
        "Behavior>DerivedVaraible",
        "Behavior>SingleActiveInstance",
        "Behavior>StateVaraible",
        "ComponentType>Benavior",
        "EventPort@direction=IN",
        "EventPort@direction=OUT",
        "OnCondition>DeliverEvent",
        "OnEvent!port",
        "OnEvent>DerivedVariable",
        "OnEvent>InstanceAssignment",
        "OnEvent>Relay",
        "OnEvent>StateAssigment",
        "OnStart>InstanceAssignment",
        "Parameter@dimensin",
        "StateAssignment!variable",
        "StateAssignment@varialbe",
        "TimeDerivative!value",
        "TimeDerivative@rate",
    },
    "lems/pylems-examples/example9.xml": {
        "DerivedVariable!name",
    },
}


def local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def faults(element: ET.Element) -> Iterator[str]:
    """Yield what the table does not know at `element` and below.

    The form is `Element@attribute`, `Element!missing` or `Parent>Element`.
    """
    name = local(element)
    rule = LEMS_ELEMENTS[name]
    present = {attribute for attribute in element.attrib if "}" not in attribute}
    if not rule.open:
        known = {*rule.required, *rule.optional}
        yield from (f"{name}@{attribute}" for attribute in present - known)
    yield from (f"{name}!{attribute}" for attribute in set(rule.required) - present)
    if rule.one_of and not present & set(rule.one_of):
        yield f"{name}!{'|'.join(rule.one_of)}"
    for (owner, attribute), choices in CHOICES.items():
        if owner == name and element.get(attribute, choices[0]) not in choices:
            yield f"{name}@{attribute}={element.get(attribute)}"
    for child in element:
        if local(child) in rule.children:
            yield from faults(child)
        elif not rule.open:
            yield f"{name}>{local(child)}"


def faults_of(path: Path) -> set[str]:
    root = ET.parse(path).getroot()
    return {fault for element in root if local(element) in DEFINITIONS for fault in faults(element)}


def corpus_files() -> list[Path]:
    """Return the LEMS and NeuroML files of the corpus that define component types."""
    return sorted(
        path
        for folder in ("lems", "neuroml2")
        for pattern in ("*.xml", "*.nml")
        for path in (CORPUS / folder).rglob(pattern)
        if b"<ComponentType" in path.read_bytes()
    )


@pytest.mark.parametrize("rule", LEMS_ELEMENTS.values(), ids=LEMS_ELEMENTS)
def test_a_rule_speaks_only_of_what_the_table_holds(rule: ElementRule) -> None:
    attributes = {*rule.required, *rule.optional}
    assert len(attributes) == len(rule.required) + len(rule.optional)
    assert rule.children <= LEMS_ELEMENTS.keys()
    assert rule.beyond <= attributes | rule.children
    assert set(rule.one_of) <= set(rule.optional)
    assert rule.stands_for is None or LEMS_ELEMENTS[rule.stands_for].status != "legacy"
    assert (rule.stands_for is not None) == (rule.status == "legacy")


@pytest.mark.parametrize("rule", LEMS_ELEMENTS.values(), ids=LEMS_ELEMENTS)
def test_a_child_from_outside_lems_is_marked_in_its_parent(rule: ElementRule) -> None:
    if rule.status == "current":
        outside = {name for name in rule.children if LEMS_ELEMENTS[name].status != "current"}
        assert outside <= rule.beyond


def test_every_element_can_occur_in_a_document() -> None:
    reached: set[str] = set()
    waiting = ["Lems"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(LEMS_ELEMENTS[name].children)
    assert reached == LEMS_ELEMENTS.keys()


def test_choices_are_those_of_the_attributes_that_choose() -> None:
    choosing = {
        (rule.name, attribute)
        for rule in LEMS_ELEMENTS.values()
        for attribute in (*rule.required, *rule.optional)
        if rule.kind(attribute) == "choice"
    }
    assert choosing == CHOICES.keys()


def test_a_rule_cannot_be_changed() -> None:
    rule = LEMS_ELEMENTS["Unit"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.open = True  # type: ignore[misc]
    with pytest.raises(TypeError):
        rule.required["colour"] = "text"  # type: ignore[index]
    assert rule.kind("symbol") == "name"
    assert rule.kind("colour") is None


@pytest.mark.parametrize("name", CORE_TYPE_FILES)
def test_our_component_types_keep_to_lems(name: str) -> None:
    assert faults_of(FOLDER / name) == set()


@pytest.mark.skipif(not INVENTORY.is_file(), reason=f"no inventory of LEMS at {INVENTORY}")
def test_the_table_holds_the_inventory_of_lems() -> None:
    lines = INVENTORY.read_text(encoding="utf-8").splitlines()
    entries = [match for line in lines if (match := re.match(r"- \*\*(\w+)\*\*: (.*?) — ", line))]
    assert len(entries) > 50
    for entry in entries:
        rule = LEMS_ELEMENTS[entry[1]]
        assert rule.status == "current"
        parts = dict(part.partition(" ")[::2] for part in entry[2].split("; "))
        named = {name.rstrip("*?+") for name in parts.get("children", "").split()}
        assert named <= rule.children
        assert not named & rule.beyond
        for item in parts.get("attrs", "").split():
            attribute = item.partition("=")[0].rstrip("*")
            assert rule.kind(attribute) is not None, (rule.name, attribute)
            assert attribute not in rule.beyond
            must = item.endswith("*")
            # `select` instead of `value` is beyond LEMS 0.7.6, so one of the two will do.
            assert (attribute in rule.required) == (must and attribute not in rule.one_of)


def name_in_corpus(path: Path) -> str:
    return path.relative_to(CORPUS).as_posix()


@needs_corpus
def test_the_corpus_has_files_to_check() -> None:
    names = {name_in_corpus(path) for path in corpus_files()}
    assert len(names) > 80
    assert WRONG.keys() <= names


@pytest.mark.parametrize(
    "path", corpus_files() or [pytest.param(CORPUS, marks=needs_corpus)], ids=name_in_corpus
)
def test_the_table_knows_all_that_a_model_uses(path: Path) -> None:
    assert faults_of(path) == WRONG.get(name_in_corpus(path), set())
