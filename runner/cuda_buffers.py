"""What a generated CUDA program keeps in memory, made from its Program."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from ..codegen.cuda_program import fault_bits
from ..codegen.device_events import by_delay, events_of, scale_of
from ..codegen.program import BufferName, Program, half_in_ms, recorded_ranges
from ..codegen.recorded_columns import column_groups
from ..errors import InternalError, NumericalError
from .native import cable_array, not_finite

#: The value of `LsRun.fault` where every state is finite.
NO_FAULT = 2**64 - 1

#: Events that handlers may send in one step before they count as going in a circle.
NOTED_ROOM = 1_000_000

#: Recorded events that one launch may bring.
EVENT_ROOM = 1_000_000


class Run(ctypes.Structure):
    """The C struct LsRun of lemsmith_cuda_phases.h, field by field."""

    _fields_ = [
        ("arrived", ctypes.c_uint32),
        ("generation", ctypes.c_uint32),
        ("seed", ctypes.c_uint64),
        ("fault", ctypes.c_uint64),
        ("overflow", ctypes.c_uint32),
        ("deep", ctypes.c_uint32),
        ("event_size", ctypes.c_uint32),
        ("event_room", ctypes.c_uint32),
        ("event_times", ctypes.c_void_p),
        ("event_ports", ctypes.c_void_p),
        ("noted", ctypes.c_void_p),
        ("noted_size", ctypes.c_uint32),
        ("noted_room", ctypes.c_uint32),
    ]


class Buffers:
    """The arrays of a program, as the device starts out with them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.events = events_of(program)
        self.columns = column_groups(program)
        self.real = np.float32 if program.precision == "single" else np.float64
        self.small = np.float64 if program.precision == "double" else np.float32
        self.deliveries = {d.name: by_delay(d) for d in program.deliveries}

    def array(self, name: BufferName) -> NDArray[np.generic]:
        """Return what one buffer holds at the start, of the type that the text says.

        Raises `NumericalError` where the machine has no memory for it.
        """
        try:
            return self.made(name)
        except MemoryError:
            what = "pending events" if name.kind.startswith("list_") else "the run"
            raise NumericalError(f"there is no memory left for {what}") from None

    def made(self, name: BufferName) -> NDArray[np.generic]:
        """Return what one buffer holds, as `array` does."""
        program = self.program
        match name.kind:
            case "variable":
                return np.array(program.layout(name.owner).variables[name.key], dtype=self.real)
            case "parameter":
                return _as(program.layout(name.owner).parameters[name.key], self.small)
            case "index":
                return _as(program.layout(name.owner).indices[name.key], np.int32)
            case "cable":
                return cable_array(program.layout(name.owner), name.key, self.real)
            case "draws":
                return np.zeros(program.layout(name.owner).size, dtype=np.uint64)
            case "flags":
                return np.zeros(program.layout(name.owner).size, dtype=np.uint16)
            case "list":
                listed = next(c for c in program.collect_lists if c.name == name.owner)
                return _as(getattr(listed, name.key), _index_type(name.key))
            case "delivery":
                return _as(getattr(self.deliveries[name.owner], name.key), _index_type(name.key))
            case "delivery_value":
                return _as(self.deliveries[name.owner].values[name.key], self.small)
            case "port":
                return self.ranges(name.owner, name.key)
            case _:
                return self.exchange(name)

    def exchange(self, name: BufferName) -> NDArray[np.generic]:
        """Return a buffer of the exchange of events or of the record."""
        match name.kind:
            case "list_items" | "list_counts" | "list_sizes":
                port = self.events.port(name.owner, name.key)
                if port is None:
                    raise InternalError(f"{name.name} belongs to no port")
                if name.kind == "list_sizes":
                    return np.zeros(port.slots, dtype=np.uint32)
                kind = np.int32 if name.kind == "list_items" else np.uint16
                return np.zeros(port.slots * port.room, dtype=kind)
            case "sum":
                return np.zeros(self.program.layout(name.owner).size, dtype=np.uint64)
            case "scale":
                scale = scale_of(self.program, self.events, name.owner, name.key)
                return np.array([scale, 1.0 / scale])
            case "row_instances":
                return np.array(self.columns[int(name.owner)].instances, dtype=np.int32)
            case "row_columns":
                return np.array(self.columns[int(name.owner)].columns, dtype=np.int32)
            case kind:
                raise InternalError(f"no buffer is of kind {kind!r}")

    def ranges(self, population: str, port: str) -> NDArray[np.int64]:
        """Return, by instance, from where to where its recorded ports are numbered."""
        found = np.zeros((self.program.layout(population).size, 2), dtype=np.int64)
        for instance, numbers in recorded_ranges(self.program, population, port).items():
            found[instance] = (numbers[0], numbers[-1] + 1)
        return found


def steps_of_launch(program: Program) -> int:
    """Return how many steps one launch may take, for what it counts to fit."""
    ports = max(1, len(program.ports))
    return max(1, min(fault_bits(program).steps, EVENT_ROOM // ports))


class Clock:
    """The time in ms that the method "neuron" adds up, by halves of a step; else unused."""

    def __init__(self, program: Program) -> None:
        added = any(p.kind == "tick" and p.name == "added" for p in program.phases)
        self.half = half_in_ms(program.step) if added else 0.0
        self.time = 0.0

    def advance(self, steps: int) -> None:
        """Add so many steps, one half after the other, as the device does."""
        if self.half:
            halves = np.full(2 * steps + 1, self.half)
            halves[0] = self.time
            self.time = float(np.add.accumulate(halves)[-1])


def raise_faults(program: Program, run: Run, begin: int) -> None:
    """Raise the error that a launch from step `begin` noted, if any."""
    if run.fault != NO_FAULT:
        step, population, variable, instance = fault_bits(program).read(run.fault)
        layout = program.layouts[population]
        time = (begin + step) * program.step
        raise not_finite(layout, layout.checked[variable], instance, time)
    if run.overflow:
        port = next(p for p in events_of(program).ports if p.number == run.overflow - 1)
        raise NumericalError(
            f"instances of {port.population!r} sent more than {port.room} events from "
            f"{port.port!r} in one step; the lists on the device hold no more (--backend cpp does)"
        )
    if run.deep:
        raise NumericalError(
            f"events without delay go round in a circle at t >= {begin * program.step:g} s; "
            "give one of the connections a delay of a step or more"
        )
    if run.event_size > run.event_room:
        raise NumericalError(
            f"{run.event_size} events were to be recorded in one launch, "
            f"and there is room for {run.event_room}"
        )


def _as(values: object, kind: type[np.generic]) -> NDArray[np.generic]:
    return np.ascontiguousarray(values, dtype=kind)


def _index_type(key: str) -> type[np.generic]:
    return np.int64 if key == "starts" else np.int32
