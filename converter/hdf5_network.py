"""NeuroML networks in HDF5, laid out as libNeuroML writes them.

A group `neuroml` holds the XML of all that is no network in an attribute, and a group
`network` with a group per population, projection and input list, each with one dataset of
a row per cell, connection or input. h5py is optional: `pip install lemsmith[hdf5]`.
"""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, MissingTool, Place
from .document import Column, Element, Table
from .xml_elements import NotAModel, Refused, XmlFile
from .xml_file import parse_xml

#: The first bytes of every HDF5 file.
SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"

#: Numbers that a file may hold; compressed, a small one may claim any number of them.
MAX_NUMBERS: Final = 1 << 27

#: Beyond this not every integer is a float.
EXACT: Final = 1 << 53

#: HDF5's names of columns -> NeuroML's of attributes, by the tag of a row.
_ENDS: Final = {
    "connection": {
        "pre_segment_id": "preSegmentId",
        "post_segment_id": "postSegmentId",
        "pre_fraction_along": "preFractionAlong",
        "post_fraction_along": "postFractionAlong",
    },
    "other": {
        "pre_segment_id": "preSegment",
        "post_segment_id": "postSegment",
        "pre_fraction_along": "preFractionAlong",
        "post_fraction_along": "postFractionAlong",
    },
    "input": {"segment_id": "segmentId", "fraction_along": "fractionAlong"},
}

_PROJECTIONS: Final = frozenset({"projection", "electricalProjection", "continuousProjection"})


@dataclass(frozen=True, slots=True)
class Network:
    """The network of a file, and the XML beside it if there is any."""

    file: XmlFile
    top_level: XmlFile | None


def read_network(content: bytes, name: str) -> Network:
    """Return the network in the HDF5 file `content`, called `name` in places.

    A fault of the network is kept in the file's `fault`. Raises `NotAModel` if it holds no
    NeuroML and `MissingTool` without h5py.
    """
    try:
        h5py = importlib.import_module("h5py")
    except ImportError:
        raise MissingTool(
            f"{name} is an HDF5 network, which needs h5py: pip install lemsmith[hdf5]"
        ) from None
    reader = _Reader(h5py, name)
    file = XmlFile(name, root_tag="neuroml", encoding="")
    top_level = None
    try:
        with h5py.File(io.BytesIO(content), "r") as opened:
            if not isinstance(_member(h5py, opened, "neuroml"), h5py.Group):
                raise NotAModel
            root = opened["neuroml"]
            file.root_attributes = reader.named(root, "id")
            text = reader.text(root, "neuroml_top_level")
            if text is not None:
                inner = f"{name}/neuroml_top_level"
                top_level = parse_xml([text.encode("utf-8", "replace")], inner, "utf-8")
            network = _member(h5py, root, "network")
            if network is not None:
                file.items = [reader.network(network)]
    except Refused as refused:
        file.fault = refused.fault
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        # h5py has no exception of its own: a damaged file can give any of these
        file.fault = Fault(f"the HDF5 file is damaged: {type(error).__name__}", reader.place)
    return Network(file, top_level)


def _member(h5py: Any, group: Any, name: str) -> Any:
    """Return a member that lies in the file itself: links may lead anywhere."""
    if name not in group or not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    return group[name]


class _Reader:
    """Makes elements of groups."""

    def __init__(self, h5py: Any, name: str) -> None:
        self.h5py = h5py
        self.place = Place(name, 1, 1)
        self.cells: dict[str, str] = {}  # population -> template of the path to one of its cells
        self.listed: set[str] = set()  # populations with an instance per cell
        self.numbers = 0  # in the datasets met so far

    # --- attributes ---

    def text(self, node: Any, name: str) -> str | None:
        """Return an attribute of a group as text."""
        value = node.attrs.get(name)
        if isinstance(value, np.ndarray):
            value = value.flat[0] if value.size else None
        if value is None or isinstance(value, self.h5py.Empty):
            return None
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def named(self, node: Any, *names: str) -> dict[str, str]:
        """Return those of the attributes that there are."""
        found = {name: self.text(node, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def refuse(self, message: str) -> Refused:
        """Return the fault of this file."""
        return Refused(Fault(message, self.place))

    def element(
        self, tag: str, attributes: dict[str, str], children: list[Element | Table]
    ) -> Element:
        """Return an element of this file."""
        return Element(tag, attributes, tuple(children), "", self.place)

    # --- groups ---

    def network(self, group: Any) -> Element:
        """Return the network: its populations first, which the rest refers to."""
        attributes = self.named(group, "id", "temperature")
        if "temperature" in attributes:
            attributes["type"] = "networkWithTemperature"
        members = [(name, _member(self.h5py, group, name)) for name in group]
        groups = [(name, g) for name, g in members if isinstance(g, self.h5py.Group)]
        children: list[Element | Table] = []
        children += [self.population(g) for name, g in groups if name.startswith("population_")]
        children += [self.projection(g) for name, g in groups if name.startswith("projection_")]
        children += [
            self.input_list(g)
            for name, g in groups
            if name.startswith(("inputList_", "input_list_"))
        ]
        return self.element("network", attributes, children)

    def population(self, group: Any) -> Element:
        """Return a population with its properties and instances."""
        attributes = self.named(group, "id", "component", "size", "type")
        identity, component = attributes.get("id", ""), attributes.get("component", "")
        if "{}" in identity + component:
            raise self.refuse("a population names something with '{}' in it")
        children: list[Element | Table] = [
            self.element("property", {"tag": key[9:], "value": self.text(group, key) or ""}, [])
            for key in sorted(group.attrs)
            if key.startswith("property:")
        ]
        self.cells[identity] = f"../{identity}[{{}}]"
        data = self.data(group)
        if data is not None:
            rows, columns = data
            places = columns if {"x", "y", "z"} <= columns.keys() else self._unnamed(columns)
            attributes |= {"type": "populationList", "size": str(rows)}
            self.cells[identity] = f"../{identity}/{{}}/{component}"
            self.listed.add(identity)
            packed = {"id": self.identities(places, rows)}
            packed |= {f"location/{axis}": _number(places[axis]) for axis in "xyz"}
            children.append(self.table("instance", rows, packed))
        return self.element("population", attributes, children)

    def _unnamed(self, columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Older files name no columns: x, y, z, or id, x, y, z."""
        names = {3: "xyz", 4: ("id", "x", "y", "z")}.get(len(columns))
        if names is None:
            raise self.refuse("a population's cells have no x, y and z")
        return dict(zip(names, columns.values(), strict=True))

    def projection(self, group: Any) -> Element:
        """Return a projection of any of the three kinds with its connections."""
        kind = self.text(group, "type") or "projection"
        if kind not in _PROJECTIONS:
            raise self.refuse("a projection is of no known type")
        attributes = self.named(group, "id", "presynapticPopulation", "postsynapticPopulation")
        if kind == "projection":
            attributes |= self.named(group, "synapse")
        data = self.data(group)
        children = [] if data is None else [self.connections(group, kind, attributes, *data)]
        return self.element(kind, attributes, list(children))

    def connections(
        self,
        group: Any,
        kind: str,
        attributes: dict[str, str],
        rows: int,
        columns: dict[str, NDArray[Any]],
    ) -> Table:
        """Return the connections of a projection."""
        pre = attributes.get("presynapticPopulation", "")
        post = attributes.get("postsynapticPopulation", "")
        chemical, weighted = kind == "projection", "weight" in columns
        if chemical:
            tag = "connectionWD" if weighted or "delay" in columns else "connection"
        else:
            tag = kind.replace("Projection", "Connection")
            if weighted or self.listed & {pre, post}:
                tag += "InstanceW" if weighted else "Instance"
        packed = {"id": self.identities(columns, rows)}
        for end, population in (("pre", pre), ("post", post)):
            cell = self.column(columns, f"{end}_cell_id")
            key = f"{end}CellId" if chemical else f"{end}Cell"
            plain = tag in ("electricalConnection", "continuousConnection")
            packed[key] = self.whole(cell) if plain else self.paths(population, cell)
        for given, ours in _ENDS["connection" if chemical else "other"].items():
            if given in columns:
                packed[ours] = self.either(given, columns[given])
        if kind == "electricalProjection":
            packed["synapse"] = self.constant(group, "synapse", rows)
        if kind == "continuousProjection":
            packed["preComponent"] = self.constant(group, "preComponent", rows)
            packed["postComponent"] = self.constant(group, "postComponent", rows)
        if tag == "connectionWD":
            one, none = np.ones(rows), np.zeros(rows)
            packed["weight"] = _number(columns.get("weight", one))
            packed["delay"] = _milliseconds(columns.get("delay", none))
        elif weighted:
            packed["weight"] = _number(columns["weight"])
        return self.table(tag, rows, packed)

    def input_list(self, group: Any) -> Element:
        """Return a list of inputs."""
        attributes = self.named(group, "id", "component", "population")
        data = self.data(group)
        if data is None:
            return self.element("inputList", attributes, [])
        rows, columns = data
        target = self.column(columns, "target_cell_id")
        packed = {
            "id": self.identities(columns, rows),
            "target": self.paths(attributes.get("population", ""), target),
            "destination": _text(np.zeros(rows, np.int64), ("synapses",)),
        }
        for given, ours in _ENDS["input"].items():
            if given in columns:
                packed[ours] = self.either(given, columns[given])
        if "weight" in columns:
            packed["weight"] = _number(columns["weight"])
        tag = "inputW" if "weight" in columns else "input"
        return self.element("inputList", attributes, [self.table(tag, rows, packed)])

    # --- columns ---

    def data(self, group: Any) -> tuple[int, dict[str, NDArray[Any]]] | None:
        """Return the rows of the group's dataset by column name, if there are any."""
        for name in group:
            found = _member(self.h5py, group, name)
            if isinstance(found, self.h5py.Dataset):
                columns = self._columns(found)
                return (found.shape[0], columns) if found.shape[0] else None
        return None

    def _columns(self, dataset: Any) -> dict[str, NDArray[Any]]:
        if dataset.external or dataset.is_virtual:
            raise self.refuse("a dataset lies in another file")
        if len(dataset.shape) != 2 or dataset.dtype.kind not in "fiu":
            raise self.refuse("a dataset is not a table of numbers")
        self.numbers += int(dataset.size)
        if self.numbers > MAX_NUMBERS:
            raise self.refuse("the network is too large")
        values = dataset[:]
        if not ((values >= -EXACT) & (values <= EXACT)).all():
            raise self.refuse("a dataset holds numbers that are too large or not finite")
        width = values.shape[1]
        names = [self.text(dataset, f"column_{i}") or f"column_{i}" for i in range(width)]
        return {name: values[:, i] for i, name in enumerate(names)}

    def column(self, columns: dict[str, NDArray[Any]], name: str) -> NDArray[Any]:
        """Return a column that there must be."""
        if name not in columns:
            raise self.refuse(f"a dataset has no column {name}")
        return columns[name]

    def identities(self, columns: dict[str, NDArray[Any]], rows: int) -> Column:
        """Return the rows' ids: their index, where none are given."""
        return self.whole(columns.get("id", np.arange(rows)))

    def whole(self, values: NDArray[Any]) -> Column:
        """Return numbers that must be whole."""
        if not (values == np.floor(values)).all():
            raise self.refuse("a dataset holds an id that is not a whole number")
        return Column("integer", values.astype(np.int64), _NO_CODES, ())

    def either(self, name: str, values: NDArray[Any]) -> Column:
        """Return ids or other numbers, as the column's name says."""
        return self.whole(values) if name.endswith("_id") else _number(values)

    def paths(self, population: str, cells: NDArray[Any]) -> Column:
        """Return the paths to cells of a population."""
        if population not in self.cells:
            raise self.refuse("a projection or input list names no population of the file")
        return _text(np.zeros(len(cells), np.int64), (self.cells[population],), self.whole(cells))

    def constant(self, group: Any, name: str, rows: int) -> Column:
        """Return an attribute of the group for each row."""
        value = self.text(group, name)
        if value is None or "{}" in value:
            raise self.refuse(f"a projection has no {name}")
        return _text(np.zeros(rows, np.int64), (value,))

    def table(self, tag: str, rows: int, columns: dict[str, Column]) -> Table:
        """Return a table, which has no lines to point at."""
        ones = np.ones(rows, dtype=np.int32)
        return Table(tag, rows, columns, self.place.file, ones, ones)


_NO_CODES: NDArray[np.int32] = np.empty(0, dtype=np.int32)


def _number(values: NDArray[Any]) -> Column:
    """Return numbers as the decimals that single precision stands for: 0.05, not 0.0500000007."""
    if values.dtype == np.float32:
        distinct, which = np.unique(values, return_inverse=True)
        values = np.array([float(str(value)) for value in distinct])[which]
    return Column("number", values.astype(np.float64), _NO_CODES, ())


def _text(codes: NDArray[Any], templates: tuple[str, ...], holes: Column | None = None) -> Column:
    numbers = np.zeros(len(codes), np.int64) if holes is None else holes.numbers
    return Column("text", numbers, codes.astype(np.int32), templates)


def _milliseconds(values: NDArray[Any]) -> Column:
    distinct, which = np.unique(values, return_inverse=True)
    return _text(which, tuple(f"{value!s}ms" for value in distinct))
