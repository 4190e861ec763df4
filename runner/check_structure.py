"""LEMS's own elements held against the table of them: attributes, their values, children."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..converter.attributes import SILENT
from ..converter.document import Document, Element
from ..errors import Faults, Place, did_you_mean, one_of
from ..schemas.lems import CHOICES, LEMS_ELEMENTS, ElementRule

#: Top-level elements that are the language's; every other one is a component, of its type.
TOP = frozenset({"Target", "Dimension", "Unit", "Constant", "ComponentType", "Assertion"})

#: Variables that old documents name by what they are exposed as.
NAMED_BY_EXPOSURE = frozenset({"DerivedVariable", "ConditionalDerivedVariable"})

#: Attributes that any element may have, and that say something to people alone.
REMARKS = frozenset({"description", "name", "id", "metaid", "notes"})


def check_structure(
    document: Document, faults: Faults, own: Callable[[Place], bool], locate: Callable[..., Place]
) -> None:
    """Note what the LEMS elements of the user's own files lack, or have too much of."""
    for element in document.elements:
        if isinstance(element, Element) and element.tag in TOP and own(element.place):
            for inner, rule in _ruled(element, LEMS_ELEMENTS[element.tag], faults):
                _attributes(inner, rule, faults, locate)


def _ruled(
    element: Element, rule: ElementRule, faults: Faults
) -> Iterator[tuple[Element, ElementRule]]:
    """Yield `element` and all below it that the table knows, each with its rule."""
    waiting = [(element, rule)]
    while waiting:
        current, rule_of = waiting.pop()
        yield current, rule_of
        if rule_of.status == "legacy" and rule_of.stands_for is not None:
            faults.warning(
                f"{current.tag!r} is an old spelling", current.place, f"write {rule_of.stands_for}"
            )
        if rule_of.open:
            continue
        for child in current.elements():
            below = LEMS_ELEMENTS.get(child.tag)
            if child.tag in rule_of.children and below is not None:
                waiting.append((child, below))
            elif child.tag not in SILENT:
                faults.error(
                    f"{current.tag} has no element {child.tag!r}",
                    child.place,
                    did_you_mean(child.tag, rule_of.children),
                )


def _attributes(
    element: Element, rule: ElementRule, faults: Faults, locate: Callable[..., Place]
) -> None:
    for name in rule.required:
        if not element.get(name):
            if name == "name" and element.tag in NAMED_BY_EXPOSURE and element.get("exposure"):
                faults.warning(
                    f"{element.tag} has no name; that of its exposure is taken",
                    element.place,
                    f'write name="{element.get("exposure")}"',
                )
                continue
            strange = [known for known in element.attributes if rule.kind(known) is None]
            near = did_you_mean(name, strange)
            faults.error(
                f"{element.tag} needs the attribute {name!r}",
                element.place,
                near and near.replace("did you mean", "is it spelt"),
            )
    if rule.one_of and not any(element.get(name) for name in rule.one_of):
        faults.error(
            f"{element.tag} needs one of the attributes {', '.join(rule.one_of)}", element.place
        )
    if rule.open:
        return
    for name, value in element.attributes.items():
        kind = rule.kind(name)
        if kind is None:
            if ":" in name or name in REMARKS or name.startswith("xmlns"):
                continue
            faults.warning(
                f"{element.tag} has no attribute {name!r}; it is not used",
                locate(element, name),
                did_you_mean(name, [*rule.required, *rule.optional]),
            )
        elif kind == "choice" and value not in CHOICES[element.tag, name]:
            faults.error(
                f"{name} of {element.tag} cannot be {value!r}",
                locate(element, name),
                one_of(value, CHOICES[element.tag, name]),
            )
        elif kind == "boolean" and value not in ("true", "false"):
            faults.error(
                f"{name} of {element.tag} is 'true' or 'false', not {value!r}",
                locate(element, name),
            )
        elif kind == "integer" and not value.strip().lstrip("+-").isdigit():
            faults.error(f"{name} of {element.tag} is no whole number", locate(element, name))
