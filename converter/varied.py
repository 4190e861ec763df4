"""Parameters that differ from instance to instance: a batch of parameter sets in one run.

NeuroML gives all instances of a population one component. Here instance i of every population
of that component takes value i of an array; the equations then hold a symbol where a number
stood, and everything after them works as with any parameter that varies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import UsageError, one_of
from .connections import set_value
from .expressions import names
from .instances import Instances, Node
from .model import ComponentType, Model, StructureElement
from .overrides import reached
from .symbols import Symbols

#: A path "component/parameter" as in overrides, and a value in SI units for every instance.
Varied = Sequence[tuple[str, Sequence[float]]]


def vary(model: Model, instances: Instances, varied: Varied) -> list[tuple[str, Node, str]]:
    """Give instances their own values; return (path, node, parameter) of what was set.

    Raises `UsageError` where a path leads nowhere, where there are not as many values as
    instances, or where more than the equations depends on the parameter.
    """
    done: list[tuple[str, Node, str]] = []
    if varied and any(group.cable is not None for group in instances.groups):
        raise UsageError("parameters vary among cells of one compartment only")
    for path, values in varied:
        *bits, name = path.split("/")
        if not bits or not all(bits):
            raise UsageError(f"what varies is named COMPONENT/PARAMETER, not {path!r}")
        meant = {id(c) for top in model.order for c in reached(top, bits)}
        nodes = [n for n in _nodes(instances) if n.component and id(n.component) in meant]
        if not nodes:
            raise UsageError(f"{path}: the simulation has no component {'/'.join(bits)!r}")
        for node in nodes:
            _check(model, path, node, name, values)
            set_value(node, name, np.asarray(values, dtype=float))
            done.append((path, node, name))
    return done


def check_varied(symbols: Symbols, done: Sequence[tuple[str, Node, str]]) -> None:
    """Raise `UsageError` where no equation mentions what was to vary."""
    for path, node, name in done:
        varies = np.ndim(node.values[name]) > 0
        if varies and (node, name, "parameter") not in symbols.scope(node.group).names:
            raise UsageError(f"{path}: no equation mentions {name!r} of {node.type.name!r}")


def _nodes(instances: Instances) -> Iterator[Node]:
    for group in instances.groups:
        yield from group.top.subtree()


def _check(model: Model, path: str, node: Node, name: str, values: Sequence[float]) -> None:
    """Raise `UsageError` where instances of `node` cannot have values of their own."""
    kind, group = node.type, node.group
    if name not in kind.parameters:
        hint = one_of(name, sorted(kind.parameters))
        raise UsageError(f"{path}: {kind.name!r} has no parameter {name!r}; {hint}")
    if not np.isfinite(values).all():
        raise UsageError(f"{path}: values must be finite numbers, in SI units")
    if len(values) != group.size:
        raise UsageError(f"{path}: {len(values)} values for {group.size} of {group.name!r}")
    deriving = _deriving(model, kind, name)
    if deriving is not None:
        raise UsageError(f"{path}: the derived parameter {deriving!r} depends on it")
    if any(_mentions(element, name) for element in kind.structure):
        raise UsageError(f"{path}: the structure of {kind.name!r} depends on it")


def _deriving(model: Model, kind: ComponentType, name: str) -> str | None:
    """Return a derived parameter that is computed from parameter `name`, once for all."""
    for derived in kind.derived_parameters.values():
        if derived.value is not None and name in names(derived.value):
            return derived.name
    for other in model.types.values():
        for derived in other.derived_parameters.values():
            if derived.select is not None and derived.select.split("/")[-1] == name:
                return derived.name
    return None


def _mentions(element: StructureElement, name: str) -> bool:
    """Tell whether an element of a structure, or one inside it, names a parameter."""
    return name in element.attributes.values() or any(
        _mentions(inner, name) for inner in element.inside
    )
