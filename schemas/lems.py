"""The elements of LEMS as data.

    element name -> its attributes, what their values are, its children

`LEMS_ELEMENTS` holds LEMS 0.7.6 and, marked as such, what the reference interpreter reads
beyond it and what older models spell differently. Validation, and the hints of its
messages, are read off this table; nothing else knows the shape of a LEMS document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Kind = Literal[
    "boolean",  # true or false
    "choice",  # one of `CHOICES`
    "condition",  # expression that is true or false
    "dimension",  # name of a Dimension; none, or * for any
    "expression",  # arithmetic over names in scope
    "file",  # name or address of a file
    "integer",
    "name",  # the name this element gives
    "number",  # plain number in SI
    "path",  # slash-separated way to an instance, a variable or a list
    "quantity",  # number with a unit symbol
    "reference",  # a name given elsewhere
    "text",
    "type",  # name of a ComponentType
]

Status = Literal[
    "current",  # part of LEMS 0.7.6
    "extra",  # outside it, read by the reference interpreter
    "legacy",  # outside it, in old models; the reference interpreter skips it with a warning
]


@dataclass(frozen=True, slots=True)
class ElementRule:
    """What one element may hold.

    `required` and `optional` map attribute names to the kind of value. Of the attributes
    in `one_of` at least one must be present. `children` are element names in any number
    and order; an `open` element also takes attributes and children of any other name,
    which are those of a Component. `beyond` names the attributes and children here that
    LEMS 0.7.6 lacks. `stands_for` is today's name of a legacy element.
    """

    name: str
    required: Mapping[str, Kind]
    optional: Mapping[str, Kind]
    children: frozenset[str]
    open: bool = False
    one_of: tuple[str, ...] = ()
    status: Status = "current"
    beyond: frozenset[str] = frozenset()
    stands_for: str | None = None

    def kind(self, attribute: str) -> Kind | None:
        """Return the kind of value `attribute` takes, None if it is not one of ours."""
        return self.required.get(attribute) or self.optional.get(attribute)


#: Values of the attributes of kind "choice".
CHOICES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = MappingProxyType(
    {
        ("EventPort", "direction"): ("in", "out"),
        ("DerivedVariable", "reduce"): ("add", "multiply"),
    }
)


def _rule(
    name: str,
    required: Mapping[str, Kind] | None = None,
    optional: Mapping[str, Kind] | None = None,
    children: Iterable[str] = (),
    *,
    open_: bool = False,
    one_of: tuple[str, ...] = (),
    status: Status = "current",
    beyond: Iterable[str] = (),
    stands_for: str | None = None,
) -> ElementRule:
    return ElementRule(
        name,
        MappingProxyType(dict(required or {})),
        MappingProxyType(dict(optional or {})),
        frozenset(children),
        open_,
        one_of,
        status,
        frozenset(beyond),
        stands_for,
    )


def _block(
    name: str, required: Mapping[str, Kind] | None = None, beyond: Iterable[str] = ()
) -> ElementRule:
    # All action blocks are read alike by the reference interpreter, whichever of these
    # children LEMS 0.7.6 grants them.
    return _rule(
        name,
        required,
        children=("StateAssignment", "EventOut", "Transition"),
        beyond=beyond,
    )


# What builds instances; LEMS 0.7.6 has the first six, the rest is for pairs and grids.
_BUILDERS = (
    "ChildInstance",
    "MultiInstantiate",
    "ForEach",
    "With",
    "Tunnel",
    "EventConnection",
)
_MORE_BUILDERS = (
    "Apply",
    "Choose",
    "CoInstantiate",
    "Gather",
    "GatherPairs",
    "If",
    "IncludePair",
    "PairFilter",
    "PairsEventConnection",
)
_ALL_BUILDERS = _BUILDERS + _MORE_BUILDERS

_ROOT = (
    _rule(
        "Lems",
        optional={"description": "text"},
        children=(
            "Target",
            "Include",
            "Dimension",
            "Unit",
            "Assertion",
            "Constant",
            "ComponentType",
            "Component",
        ),
        open_=True,
        beyond=("Assertion",),
    ),
    _rule(
        "Target",
        {"component": "reference"},
        {"reportFile": "file", "timesFile": "file"},
    ),
    _rule("Include", {"file": "file"}),
    _rule(
        "Dimension",
        {"name": "name"},
        {
            "m": "integer",
            "l": "integer",
            "t": "integer",
            "i": "integer",
            "k": "integer",
            "n": "integer",
            "j": "integer",
        },
        beyond=("j",),
    ),
    _rule(
        "Unit",
        {"symbol": "name", "dimension": "dimension"},
        {"power": "integer", "scale": "number", "offset": "number", "name": "text"},
        beyond=("name",),
    ),
    _rule(
        "Assertion",
        {"dimension": "dimension", "matches": "expression"},
        status="extra",
    ),
    _rule(
        "Constant",
        {"name": "name", "value": "quantity"},
        {"dimension": "dimension", "description": "text", "symbol": "name"},
        beyond=("symbol",),
    ),
    _rule(
        "Component",
        optional={"id": "name", "type": "type", "extends": "reference"},
        open_=True,
    ),
)

_MEMBERS = (
    _rule(
        "ComponentType",
        {"name": "name"},
        {"extends": "type", "description": "text"},
        (
            "Property",
            "Parameter",
            "DerivedParameter",
            "IndexParameter",
            "IntegerParameter",
            "PathParameter",
            "Constant",
            "Child",
            "Children",
            "Fixed",
            "Link",
            "ComponentReference",
            "ComponentTypeReference",
            "ComponentTypeRef",
            "Attachments",
            "Collection",
            "PairCollection",
            "EventPort",
            "Exposure",
            "Requirement",
            "ComponentRequirement",
            "InstanceRequirement",
            "InstanceProperty",
            "Path",
            "Text",
            "Location",
            "Geometry",
            "Dynamics",
            "Behavior",
            "Structure",
            "Build",
            "Simulation",
            "Procedure",
        ),
        beyond=(
            "IntegerParameter",
            "PathParameter",
            "ComponentTypeReference",
            "ComponentTypeRef",
            "Collection",
            "PairCollection",
            "InstanceProperty",
            "Location",
            "Geometry",
            "Behavior",
            "Build",
            "Procedure",
        ),
    ),
    _rule(
        "Property",
        {"name": "name"},
        {"dimension": "dimension", "description": "text", "defaultValue": "number"},
    ),
    _rule(
        "Parameter",
        {"name": "name"},
        {"dimension": "dimension", "description": "text", "exposure": "reference"},
        beyond=("exposure",),
    ),
    _rule(
        "DerivedParameter",
        {"name": "name"},
        {
            "dimension": "dimension",
            "value": "expression",
            "description": "text",
            "select": "path",
        },
        one_of=("value", "select"),
        beyond=("select",),
    ),
    _rule("IndexParameter", {"name": "name"}),
    _rule(
        "Fixed",
        {"parameter": "reference", "value": "quantity"},
        {"description": "text"},
    ),
    _rule(
        "Requirement",
        {"name": "name"},
        {"dimension": "dimension", "description": "text"},
    ),
    _rule("ComponentRequirement", {"name": "name"}),
    _rule("InstanceRequirement", {"name": "name", "type": "type"}),
    _rule(
        "Exposure",
        {"name": "name"},
        {"dimension": "dimension", "description": "text"},
    ),
    _rule(
        "Child",
        {"name": "name", "type": "type"},
        {"description": "text", "substitute": "path", "min": "integer", "max": "integer"},
        beyond=("substitute", "min", "max"),
    ),
    _rule(
        "Children",
        {"name": "name"},
        {"type": "type", "description": "text", "min": "integer", "max": "integer"},
    ),
    _rule("Link", {"name": "name", "type": "type"}, {"description": "text"}),
    _rule(
        "ComponentReference",
        {"name": "name", "type": "type"},
        {"local": "boolean", "description": "text", "root": "path"},
        beyond=("root",),
    ),
    _rule("Attachments", {"name": "name", "type": "type"}, {"description": "text"}),
    _rule(
        "EventPort",
        {"name": "name", "direction": "choice"},
        {"description": "text"},
    ),
    _rule("Path", {"name": "name"}, {"description": "text"}),
    _rule("Text", {"name": "name"}, {"description": "text"}),
    _rule(
        "IntegerParameter",
        {"name": "name"},
        {"description": "text"},
        status="extra",
    ),
    _rule("PathParameter", {"name": "name"}, status="extra"),
    _rule("ComponentTypeReference", {"name": "name"}, status="extra"),
    _rule("Collection", {"name": "name"}, status="extra"),
    _rule("PairCollection", {"name": "name"}, status="extra"),
    _rule(
        "Location",
        optional={"name": "name", "path": "path", "on": "path"},
        status="extra",
    ),
    _rule(
        "ComponentTypeRef",
        {"name": "name"},
        status="legacy",
        stands_for="ComponentTypeReference",
    ),
    _rule(
        "InstanceProperty",
        {"name": "name"},
        {"dimension": "dimension"},
        status="legacy",
        stands_for="Property",
    ),
)

_DYNAMICS_CHILDREN = (
    "StateVariable",
    "DerivedVariable",
    "ConditionalDerivedVariable",
    "TimeDerivative",
    "OnStart",
    "OnEvent",
    "OnCondition",
    "Regime",
    "KineticScheme",
)

_DYNAMICS = (
    _rule(
        "Dynamics",
        # RK4 instead of Euler for this type and what it flattens.
        optional={"simultaneous": "boolean", "name": "name"},
        children=(
            *_DYNAMICS_CHILDREN,
            "StateScalarField",
            "DerivedScalarField",
            "DerivedPunctateField",
            "Super",
        ),
        beyond=(
            "simultaneous",
            "name",
            "StateScalarField",
            "DerivedScalarField",
            "DerivedPunctateField",
            "Super",
        ),
    ),
    _rule(
        "Behavior",
        children=(*_DYNAMICS_CHILDREN, "Build"),
        status="legacy",
        stands_for="Dynamics",
    ),
    _rule("Super", status="extra"),
    _rule(
        "StateVariable",
        {"name": "name"},
        {"dimension": "dimension", "exposure": "reference", "description": "text"},
    ),
    _rule(
        "DerivedVariable",
        {"name": "name"},
        {
            "dimension": "dimension",
            "exposure": "reference",
            "description": "text",
            "select": "path",
            "value": "expression",
            "reduce": "choice",
            "required": "boolean",
        },
        one_of=("value", "select"),
    ),
    _rule(
        "ConditionalDerivedVariable",
        {"name": "name"},
        {"dimension": "dimension", "exposure": "reference", "required": "boolean"},
        ("Case",),
        beyond=("required",),
    ),
    _rule("Case", {"value": "expression"}, {"condition": "condition"}),
    _rule("TimeDerivative", {"variable": "reference", "value": "expression"}),
    _block("OnStart", beyond=("EventOut", "Transition")),
    _block("OnEntry", beyond=("EventOut", "Transition")),
    _block("OnEvent", {"port": "reference"}, beyond=("Transition",)),
    _block("OnCondition", {"test": "condition"}),
    _rule("StateAssignment", {"variable": "reference", "value": "expression"}),
    _rule("EventOut", {"port": "reference"}),
    _rule("Transition", {"regime": "reference"}),
    _rule(
        "Regime",
        {"name": "name"},
        {"initial": "boolean"},
        (
            "TimeDerivative",
            "OnEntry",
            "OnCondition",
            "OnEvent",
            "OnStart",
            "StateVariable",
            "DerivedVariable",
        ),
        beyond=("OnEvent", "OnStart", "StateVariable", "DerivedVariable"),
    ),
    _rule(
        "KineticScheme",
        {
            "name": "name",
            "nodes": "reference",
            "stateVariable": "reference",
            "edges": "reference",
            "edgeSource": "reference",
            "edgeTarget": "reference",
            "forwardRate": "reference",
            "reverseRate": "reference",
        },
        {"dependency": "reference", "step": "reference"},
        beyond=("dependency", "step"),
    ),
    _rule(
        "StateScalarField",
        {"name": "name"},
        {"dimension": "dimension", "region": "path"},
        status="extra",
    ),
    _rule(
        "DerivedScalarField",
        {"name": "name", "value": "expression"},
        {"dimension": "dimension", "region": "path"},
        status="extra",
    ),
    _rule(
        "DerivedPunctateField",
        {"name": "name", "select": "path"},
        {"dimension": "dimension", "region": "path"},
        status="extra",
    ),
)

_STRUCTURE = (
    _rule("Structure", children=_ALL_BUILDERS, beyond=_MORE_BUILDERS),
    _rule(
        "Build",
        children=_ALL_BUILDERS,
        status="legacy",
        stands_for="Structure",
    ),
    _rule(
        "ChildInstance",
        optional={"component": "path", "componentType": "type"},
        children=("Assign",),
        one_of=("component", "componentType"),
        beyond=("componentType", "Assign"),
    ),
    _rule(
        "MultiInstantiate",
        {"number": "expression"},
        {"component": "path", "componentType": "type", "indexVariable": "name"},
        ("Assign", *_ALL_BUILDERS),
        one_of=("component", "componentType"),
        beyond=("componentType", "indexVariable", "Assign", *_ALL_BUILDERS),
    ),
    _rule(
        "ForEach",
        {"instances": "path", "as": "name"},
        children=_ALL_BUILDERS,
        beyond=[name for name in _ALL_BUILDERS if name != "MultiInstantiate"],
    ),
    _rule(
        "With",
        {"as": "name"},
        {"instance": "path", "list": "reference", "index": "reference"},
        _ALL_BUILDERS,
        one_of=("instance", "list"),
        beyond=_ALL_BUILDERS,
    ),
    _rule(
        "Tunnel",
        {
            "name": "name",
            "endA": "reference",
            "endB": "reference",
            "componentA": "reference",
            "componentB": "reference",
        },
        children=("Assign",),
    ),
    _rule(
        "EventConnection",
        {"from": "reference", "to": "reference"},
        {
            "sourcePort": "reference",
            "targetPort": "reference",
            "receiver": "path",
            "receiverContainer": "reference",
            "delay": "expression",
        },
        ("Assign",),
    ),
    _rule(
        "Assign",
        {"property": "reference", "value": "expression"},
        {"exposeAs": "name"},
        beyond=("exposeAs",),
    ),
    _rule(
        "CoInstantiate",
        {"at": "path"},
        {"component": "path", "componentType": "type"},
        ("Assign", *_ALL_BUILDERS),
        one_of=("component", "componentType"),
        status="extra",
    ),
    _rule("Choose", children=_ALL_BUILDERS, status="extra"),
    _rule("If", {"test": "condition"}, children=_ALL_BUILDERS, status="extra"),
    _rule("Apply", {"components": "path"}, children=_ALL_BUILDERS, status="extra"),
    _rule(
        "Gather",
        {"pathParameter": "reference", "collection": "reference"},
        status="extra",
    ),
    _rule(
        "GatherPairs",
        {"collection": "reference", "pFrom": "path", "qFrom": "path"},
        {"id": "name"},
        ("PairFilter",),
        status="extra",
    ),
    _rule("PairFilter", {"select": "path"}, status="extra"),
    _rule("IncludePair", {"collection": "reference"}, status="extra"),
    _rule(
        "PairsEventConnection",
        {"pairs": "reference"},
        {
            "sourcePort": "reference",
            "targetPort": "reference",
            "receiver": "path",
            "receiverContainer": "reference",
        },
        status="extra",
    ),
)

_SIMULATION = (
    _rule(
        "Simulation",
        children=(
            "DataDisplay",
            "Record",
            "EventRecord",
            "Run",
            "DataWriter",
            "EventWriter",
            "Meta",
        ),
    ),
    _rule("DataDisplay", {"title": "reference", "dataRegion": "text"}),
    _rule(
        "Record",
        {"quantity": "reference"},
        {
            "timeScale": "reference",
            "scale": "reference",
            "color": "reference",
            "destination": "reference",
        },
        beyond=("destination",),
    ),
    _rule("EventRecord", {"quantity": "reference", "eventPort": "reference"}),
    _rule(
        "Run",
        {
            "component": "reference",
            "variable": "reference",
            "increment": "reference",
            "total": "reference",
        },
    ),
    _rule("DataWriter", {"path": "reference", "fileName": "reference"}),
    _rule(
        "EventWriter",
        {"path": "reference", "fileName": "reference", "format": "reference"},
    ),
    _rule("Meta", open_=True),
)

_PROCEDURE = (
    _rule(
        "Procedure",
        children=("Equilibrate", "ForEachComponent", "Print"),
        status="extra",
    ),
    _rule("Equilibrate", status="extra"),
    _rule(
        "ForEachComponent",
        {"select": "path", "as": "name"},
        children=("Equilibrate", "ForEachComponent", "Print"),
        status="extra",
    ),
    _rule("Print", {"template": "text"}, status="extra"),
)

_GEOMETRY = (
    _rule(
        "Geometry",
        optional={"name": "name"},
        children=("Frustum", "Solid", "Skeleton"),
        status="extra",
    ),
    _rule(
        "Frustum",
        {
            "xa": "path",
            "ya": "path",
            "za": "path",
            "ra": "path",
            "xb": "path",
            "yb": "path",
            "zb": "path",
            "rb": "path",
        },
        status="extra",
    ),
    _rule(
        "Solid",
        {"name": "name", "elements": "reference"},
        {"topologyConstraint": "text"},
        status="extra",
    ),
    _rule(
        "Skeleton",
        {"name": "name", "solid": "path"},
        children=("ScalarField",),
        status="extra",
    ),
    _rule(
        "ScalarField",
        {"name": "name", "value": "expression"},
        {"dimension": "dimension"},
        status="extra",
    ),
)

#: Every element by its name.
LEMS_ELEMENTS: Final[Mapping[str, ElementRule]] = MappingProxyType(
    {
        rule.name: rule
        for group in (_ROOT, _MEMBERS, _DYNAMICS, _STRUCTURE, _SIMULATION, _PROCEDURE, _GEOMETRY)
        for rule in group
    }
)
