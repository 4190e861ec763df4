"""The form of run-time instances: groups of equal structure below a target component.

A `Group` holds many instances of one component (the cells of a population, the synapses that
a projection attaches); everything that is one-to-one below it (children, child instances) is
a tree of `Node`s inside it. Groups hang below a node of their parent group, `parent_index`
telling for each instance which one. `structures.instantiate` makes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import Place
from .evaluate import Value
from .model import Component, ComponentType

if TYPE_CHECKING:
    from .cable_groups import CableSite, SegmentSite
    from .network import Cable

Index = NDArray[np.int64]


@dataclass(eq=False, slots=True)
class Node:
    """One component in every instance of a group."""

    key: str
    component: Component | None
    type: ComponentType
    group: Group
    parent: Node | None
    path: tuple[str, ...]
    values: dict[str, Value]
    texts: Mapping[str, str]
    references: dict[str, str]
    children: dict[str, Node] = field(default_factory=dict)
    child_instances: dict[str, Node] = field(default_factory=dict)
    lists: dict[str, list[Node]] = field(default_factory=dict)
    groups: dict[str, list[Group]] = field(default_factory=dict)
    peers: dict[str, tuple[Node, Index]] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    consolidated: bool = True
    #: Where the parts of a cell are that is made of compartments.
    cable: CableSite | SegmentSite | None = None

    @property
    def id(self) -> str | None:
        """The component's id."""
        return self.component.id if self.component else None

    @property
    def place(self) -> Place:
        """Where the component stands."""
        return self.component.place if self.component else self.type.place

    def inside(self) -> Iterator[Node]:
        """Yield the nodes one level below, within this group, in the reference's order."""
        yield from self.children.values()
        yield from self.child_instances.values()
        for nodes in self.lists.values():
            yield from nodes

    def above(self) -> Iterator[Node]:
        """Yield what this node lies in, across groups, from the inside out."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def subtree(self) -> Iterator[Node]:
        """Yield this node and all below it within the group, parents first."""
        yield self
        for node in self.inside():
            yield from node.subtree()


@dataclass(eq=False, slots=True)
class Group:
    """Instances of one component; `ids` are their keys where the document names them."""

    name: str
    size: int
    kind: str  # "root", "population", "rows" or "attachments"
    parent: Node | None
    parent_index: Index
    sequence: Index
    ids: Index | None = None
    root: Node | None = None
    cable: Cable | None = None

    @property
    def top(self) -> Node:
        """The group's root node."""
        assert self.root is not None
        return self.root


@dataclass(frozen=True, slots=True, eq=False)
class EventLink:
    """Events from a port of one node's instances to a port of another's, row by row."""

    source: Node
    source_port: str | None
    source_index: Index
    target: Node
    target_port: str | None
    target_index: Index
    delay: NDArray[np.float64]
    place: Place


@dataclass(eq=False, slots=True)
class Instances:
    """All groups below a target, in the order of their making, and the event links."""

    root: Group
    groups: list[Group] = field(default_factory=list)
    links: list[EventLink] = field(default_factory=list)
