"""Everything wrong with a model, without running it.

    text -> structure -> types and components -> references -> what would run -> NeuroML's XSD

Each stage adds to the same faults; a later stage leaves out what an earlier one has said of
the same place, and does not judge what an earlier one could not make sense of.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..codegen.lower import schedule_of
from ..converter.document import Document, Element
from ..converter.flatten import flatten
from ..converter.model import Component, Model
from ..converter.overrides import overridden
from ..converter.places import about_the_document, place_of_attribute
from ..converter.read import attribute_place, read, with_lines
from ..converter.resolve import PACKAGED, has_run, resolve
from ..converter.simulation import DEFAULT_SEED, Simulation, simulation_of
from ..errors import Fault, Faults, ModelError, Place
from .check_references import ReferenceChecker
from .check_schema import check_schema
from .check_structure import check_structure
from .check_unused import check_unused
from .request import Request
from .settings import check_outputs

#: Groups of instances up to which initial values are worked out, to find what is NaN.
START_LIMIT = 300


def check_one(request: Request) -> tuple[Fault, ...]:
    """Return every fault of one source: text, structure, references, dimensions, paths."""
    try:
        document = read(request.source, include_dirs=request.include_dirs, confine=request.confine)
    except ModelError as error:
        return error.faults
    check = _Check(document, Faults())
    check.all(request)
    if check.faults.errors and lacks_definitions(document):
        complete = _Check(completed(document), Faults())
        complete.all(request)
        if len(complete.faults.errors) < len(check.faults.errors):
            complete.faults.warning(
                "this file includes no definitions, and is checked as if it included "
                "NeuroML2CoreTypes.xml",
                None,
                "include what it needs, if it is to stand alone",
            )
            check = complete
    return tuple(sorted(with_lines(check.document, check.told()).faults, key=check.position))


def lacks_definitions(document: Document) -> bool:
    """Tell whether a LEMS file relies on whoever includes it for what everything is made of."""
    included = any(_packaged(source.path) for source in document.sources.values())
    own = (e.tag for e in document.elements if isinstance(e, Element))
    return document.root_tag == "Lems" and not included and not {*own} & {"Target", "DefaultRun"}


def completed(document: Document) -> Document:
    """Return `document` with NeuroML's core types before its own elements."""
    core = read('<Lems><Include file="NeuroML2CoreTypes.xml"/></Lems>')
    return Document(
        (*core.elements, *document.elements),
        {**document.sources, **core.sources},
        document.root_tag,
        document.root_attributes,
    )


def _packaged(path: Path | None) -> bool:
    return path is not None and PACKAGED in path.parents


class _Check:
    def __init__(self, document: Document, faults: Faults) -> None:
        self.document = document
        self.faults = faults
        self.files = {name: number for number, name in enumerate(document.sources)}
        self.own_files = {n for n, s in document.sources.items() if not _packaged(s.path)}

    def all(self, request: Request) -> None:
        """Run every stage."""
        faults = self.faults
        check_structure(self.document, faults, self.own, self.locate)
        model = self.resolved(request)
        if model is None:
            return
        check_unused(self.document, model, faults, self.own)
        runs = self.simulation(model)
        networks = [c for c in model.order if c.type.is_a("network")]
        fragment = runs is None and not networks
        ReferenceChecker(model, faults, self.own, self.at, fragment).check()
        if not faults.errors:
            for simulation in (runs,) if runs is not None else map(_trial, networks):
                if runs is not None or self.can_run(model, simulation.target):
                    self.flattened(model, simulation)
        later = Faults()
        check_schema(self.document, later, self.own, model.types)
        # What the schema refuses was often said before, and better; but what was a warning
        # before, an attribute that nobody reads, is an error in plain NeuroML.
        said = {(f.place.file, f.place.line) for f in faults.errors if f.place is not None}
        new = [f for f in later.found if f.place and (f.place.file, f.place.line) not in said]
        stricter = {f.place for f in new if f.severity == "error"}
        faults.found = [f for f in faults.found if f.place not in stricter] + new

    def resolved(self, request: Request) -> Model | None:
        """Return the model, None where an override makes no sense."""
        found = Faults()
        try:
            model = resolve(overridden(self.document, request.overrides), found)
        except ModelError as error:
            self.add((*found.found, *error.faults))
            return None
        self.add(found.found)
        return model

    def simulation(self, model: Model) -> Simulation | None:
        """Return what the document's target runs, None where it has no target."""
        if model.target is None:
            return None
        runner = model.components.get(model.target)
        if runner is None or (not has_run(runner.type) and not self.names_a_target()):
            return None
        found = Faults()
        try:
            simulation = simulation_of(model, found)
            if simulation is not None:
                check_outputs(simulation, found)
        except ModelError as error:
            found.found.extend(f for f in error.faults if f not in found.found)
            simulation = None
        self.add(found.found)
        return simulation

    def names_a_target(self) -> bool:
        """Tell whether the user's own files hold a Target."""
        return any(
            isinstance(element, Element) and element.tag == "Target" and self.own(element.place)
            for element in self.document.elements
        )

    def can_run(self, model: Model, network: Component) -> bool:
        """Tell whether a network is more than shapes: its cells have membranes."""
        for population in network.children("populations"):
            cell = model.components.get(population.references.get("component", ""))
            if cell is None or not cell.type.is_a("cell"):
                continue
            if cell.child("biophysicalProperties") is None:
                self.faults.warning(
                    f"the network {network.id!r} cannot run: its cell {cell.id!r} has no "
                    f"biophysicalProperties",
                    population.place,
                )
                return False
        return True

    def flattened(self, model: Model, simulation: Simulation) -> None:
        """Build what would run: instances, connections, recorded paths."""
        found = Faults()
        try:
            flatten(
                model,
                simulation,
                schedule=schedule_of("default"),
                draw=lambda: 0.5,
                faults=found,
                start_limit=START_LIMIT,
            )
        except ModelError as error:
            found.found.extend(f for f in error.faults if f not in found.found)
        self.add(found.found)

    def add(self, found: Sequence[Fault]) -> None:
        """Add faults, but for those that were noted already of the same place."""
        said = {f.place for f in self.faults.found if f.severity == "error" and f.place}
        self.faults.found.extend(f for f in found if f.place is None or f.place not in said)

    def told(self) -> tuple[Fault, ...]:
        """Return all faults, each once, each with a place."""
        return tuple(dict.fromkeys(about_the_document(self.document, self.faults.found)))

    def position(self, fault: Fault) -> tuple[int, int, int]:
        """Return where a fault stands in the order of files and lines."""
        place = fault.place
        if place is None:
            return (-1, 0, 0)
        return (self.files.get(place.file, len(self.files)), place.line, place.column)

    def own(self, place: Place) -> bool:
        """Tell whether a place is in the user's own files."""
        return place.file in self.own_files

    def at(self, place: Place, name: str) -> Place:
        return place_of_attribute(self.document, place, name)

    def locate(self, element: Element, name: str) -> Place:
        return attribute_place(self.document, element, name)


def _trial(network: Component) -> Simulation:
    """Return a run of no length, for what a network without a Simulation would be."""
    return Simulation(network, 1e-5, 0.0, DEFAULT_SEED, seeded=False)
