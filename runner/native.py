"""Runs a compiled program of schedule "steps": its buffers, its state, its rows."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..codegen.program import (
    AdvanceList,
    BufferName,
    CollectList,
    Layout,
    Program,
    most_events,
    recorded_ranges,
)
from ..codegen.random_numbers import JavaRandom
from ..converter.network import Array
from ..errors import InternalError, NumericalError


class State(ctypes.Structure):
    """The C struct LsState of lemsmith_runtime.h, field by field."""

    _fields_ = [
        ("t", ctypes.c_double),
        ("event_time", ctypes.c_double),
        ("step", ctypes.c_int64),
        ("error", ctypes.c_int64),
        ("error_population", ctypes.c_int64),
        ("error_variable", ctypes.c_int64),
        ("error_instance", ctypes.c_int64),
        ("depth", ctypes.c_int64),
        ("random", ctypes.c_uint64),
        ("queue_handlers", ctypes.POINTER(ctypes.c_int64)),
        ("queue_targets", ctypes.POINTER(ctypes.c_int64)),
        ("queue_sequence", ctypes.POINTER(ctypes.c_int64)),
        ("queue_due", ctypes.POINTER(ctypes.c_double)),
        ("queue_size", ctypes.c_int64),
        ("queue_room", ctypes.c_int64),
        ("queue_made", ctypes.c_int64),
        ("event_times", ctypes.POINTER(ctypes.c_double)),
        ("event_ports", ctypes.POINTER(ctypes.c_int64)),
        ("event_size", ctypes.c_int64),
        ("event_room", ctypes.c_int64),
        ("most_events", ctypes.c_int64),
    ]


OK, NOT_FINITE, TOO_DEEP, NO_MEMORY, TOO_MANY, NO_END = range(6)


class NativeRun:
    """One run of a compiled program, advanced in chunks of steps."""

    def __init__(
        self, program: Program, library: Path, names: tuple[BufferName, ...], random_state: int
    ) -> None:
        self.program = program
        self.library = ctypes.CDLL(str(library))
        self.library.ls_run.argtypes = [
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_int64,
            ctypes.c_void_p,
        ]
        self.library.ls_run.restype = ctypes.c_int64
        self.library.ls_record.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self.library.ls_record.restype = None
        self.library.ls_free.argtypes = [ctypes.c_void_p]
        self.state = State()
        self.state.random = random_state
        self.state.most_events = most_events(program)
        self.arrays = [self.array(name) for name in names]
        self.pointers = (ctypes.c_void_p * max(1, len(self.arrays)))(
            *(array.ctypes.data for array in self.arrays)
        )
        self.variables = {
            (n.owner, n.key): a
            for n, a in zip(names, self.arrays, strict=True)
            if n.kind == "variable"
        }

    def array(self, name: BufferName) -> np.ndarray:
        """Return the data of one buffer, contiguous and of the type that C reads."""
        program = self.program
        if name.kind in ("variable", "parameter", "index"):
            layout = program.layout(name.owner)
            if name.kind == "variable":
                return np.array(layout.variables[name.key], dtype=np.float64)
            if name.kind == "parameter":
                return np.ascontiguousarray(layout.parameters[name.key], dtype=np.float64)
            return np.ascontiguousarray(layout.indices[name.key], dtype=np.int64)
        if name.kind == "list":
            lists: tuple[AdvanceList | CollectList, ...] = (
                *program.advance_lists,
                *program.collect_lists,
            )
            listed = next(a for a in lists if a.name == name.owner)
            kind = np.int32 if name.key == "which" else np.int64
            return np.ascontiguousarray(getattr(listed, name.key), dtype=kind)
        if name.kind == "delivery":
            delivery = next(d for d in program.deliveries if d.name == name.owner)
            kind_of = np.float64 if name.key == "delays" else np.int64
            return np.ascontiguousarray(getattr(delivery, name.key), dtype=kind_of)
        ranges = np.zeros((program.layout(name.owner).size, 2), dtype=np.int64)
        for instance, numbers in recorded_ranges(program, name.owner, name.key).items():
            ranges[instance] = (numbers[0], numbers[-1] + 1)
        return ranges

    def initial_row(self) -> Array:
        """Return the recorded values before the first step (columns,)."""
        row = np.zeros(max(1, len(self.program.columns)))
        self.library.ls_record(self.pointers, row.ctypes.data)
        return row[: len(self.program.columns)]

    def advance(self, steps: int, rows: Array) -> int:
        """Take up to `steps` steps into `rows` (steps, columns); return how many were taken.

        Raises `NumericalError` where a state stopped being finite.
        """
        done = int(
            self.library.ls_run(self.pointers, ctypes.byref(self.state), steps, rows.ctypes.data)
        )
        if self.state.error == NOT_FINITE:
            layout = self.program.layouts[self.state.error_population]
            raise not_finite(
                layout,
                layout.checked[self.state.error_variable],
                int(self.state.error_instance),
                self.state.t,
            )
        if self.state.error == TOO_DEEP:
            raise too_deep(self.state.t)
        if self.state.error == TOO_MANY:
            delivery = self.program.deliveries[self.state.error_population]
            raise too_many(delivery.source, delivery.port, self.state.t)
        if self.state.error == NO_MEMORY:
            raise NumericalError("there is no memory left for pending events")
        return done

    def place(self, values: Mapping[tuple[str, str], Array], time: float) -> None:
        """Go to another state: `values` of `variables`, at `time`, with no events pending.

        What `values` does not name stays as it is.
        """
        for key, value in values.items():
            self.variables[key][:] = value
        self.state.t = self.state.event_time = time
        self.state.queue_size = 0

    def events(self) -> list[list[float]]:
        """Return the times of the events of every recorded port."""
        found: list[list[float]] = [[] for _ in self.program.ports]
        for n in range(self.state.event_size):
            found[self.state.event_ports[n]].append(self.state.event_times[n])
        return found

    @property
    def time(self) -> float:
        """The time reached, s."""
        return float(self.state.t)

    def close(self) -> None:
        """Give back what the C side allocated."""
        self.library.ls_free(ctypes.byref(self.state))

    def __del__(self) -> None:
        if getattr(self, "library", None) is not None:
            self.close()
            self.state = State()


def not_finite(layout: Layout, variable: str, instance: int, time: float) -> NumericalError:
    """Return the error that names component, variable and time."""
    component, name, first = layout.component, layout.name, 0
    for member in layout.members:
        if member.first <= instance:
            component, name, first = member.component, member.name, member.first - member.own
    alone = layout.size == 1
    of = component + ("" if alone else f" (instance {instance - first} of {name})")
    label = layout.labels.get(variable, variable)
    return NumericalError(
        f"the state {label!r} of {of} is no longer a finite number at t = {time:g} s; "
        "a smaller step may help"
    )


def too_deep(time: float) -> NumericalError:
    """Return the error of events that never end."""
    return NumericalError(
        f"events without delay go round in a circle at t = {time:g} s; "
        "give one of the connections a delay of a step or more"
    )


def no_end(population: str, time: float) -> NumericalError:
    """Return the error of conditions of which each makes another true at the same moment."""
    return NumericalError(
        f"conditions of {population!r} follow one another without end at t = {time:g} s"
    )


def too_many(population: str, port: str, time: float) -> NumericalError:
    """Return the error of events of which each leads to more than one other."""
    return NumericalError(
        f"events multiply without end: at t = {time:g} s more of {port!r} of {population!r} are on "
        "their way than can be followed, each leading to several others; connect fewer instances, "
        "or let one that has just sent an event send none for a while"
    )


def java_state(random: JavaRandom) -> int:
    """Return the generator's 48 bits, for the C side to go on from."""
    if not 0 <= random.state < 1 << 48:
        raise InternalError("a java.util.Random state has 48 bits")
    return random.state


def cable_array(layout: Layout, key: str, real: type[np.floating]) -> NDArray[np.generic]:
    """Return what one buffer of a cable holds at the start; numbers of the type `real`."""
    cable = layout.cable
    if cable is None:
        raise InternalError(f"{layout.name!r} is no population of compartments")
    match key:
        case "order" | "parent":
            return np.ascontiguousarray(getattr(cable, key), dtype=np.int32)
        case "conductance" | "capacitance":
            return np.ascontiguousarray(getattr(cable, key), dtype=real)
        case "junctions":
            return np.repeat(cable.junctions, cable.cells).astype(real)
        case _:
            return np.zeros(len(cable.parent) * cable.cells, dtype=real)
