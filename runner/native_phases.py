"""Runs a compiled program of schedule "phases"."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import numpy as np

from ..codegen.attached_runs import in_runs
from ..codegen.program import BufferName, Program, narrow, recorded_ranges, sending_ports
from ..converter.network import Array
from ..errors import NumericalError
from .native import (
    NO_END,
    NO_MEMORY,
    NOT_FINITE,
    TOO_DEEP,
    TOO_MANY,
    cable_array,
    no_end,
    not_finite,
    too_deep,
    too_many,
)
from .threads import Threads


class Phases(ctypes.Structure):
    """The fields of the C struct LsPhases of lemsmith_phases.h that are read and set here."""

    _fields_ = [
        ("t", ctypes.c_double),
        ("step", ctypes.c_int64),
        ("error", ctypes.c_int64),
        ("error_population", ctypes.c_int64),
        ("error_variable", ctypes.c_int64),
        ("error_instance", ctypes.c_int64),
        ("seed", ctypes.c_uint64),
        ("threads", ctypes.c_int64),
        ("event_times", ctypes.POINTER(ctypes.c_double)),
        ("event_ports", ctypes.POINTER(ctypes.c_int64)),
        ("event_size", ctypes.c_int64),
    ]


class NativePhases:
    """One run of a compiled program, advanced in chunks of steps."""

    def __init__(
        self,
        program: Program,
        library: Path,
        names: tuple[BufferName, ...],
        threads: Threads | None = None,
    ) -> None:
        self.program = program
        self.library = ctypes.CDLL(str(library))
        pointer = ctypes.c_void_p
        self.library.ls_run.argtypes = [pointer, pointer, ctypes.c_int64, pointer]
        self.library.ls_run.restype = ctypes.c_int64
        self.library.ls_start.argtypes = [pointer, pointer, pointer]
        self.library.ls_start.restype = None
        self.library.ls_free.argtypes = [pointer]
        self.library.ls_make.argtypes = []
        self.library.ls_make.restype = pointer
        self.real = np.float32 if program.precision == "single" else np.float64
        self.small = np.float64 if program.precision == "double" else np.float32
        self.threads = threads or Threads(1)
        self.made = self.library.ls_make()
        if not self.made:
            raise NumericalError("there is no memory left for the run")
        self.state = Phases.from_address(self.made)
        self.state.seed = program.seed % 2**64
        self.arrays = [self.array(name) for name in names]
        self.pointers = (pointer * max(1, len(self.arrays)))(
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
        match name.kind:
            case "variable":
                return np.array(program.layout(name.owner).variables[name.key], dtype=self.real)
            case "parameter":
                values = program.layout(name.owner).parameters[name.key]
                return np.ascontiguousarray(values, dtype=self.small)
            case "index":
                indices = program.layout(name.owner).indices[name.key]
                return np.ascontiguousarray(indices, dtype=np.int32)
            case "cable":
                return cable_array(program.layout(name.owner), name.key, self.real)
            case "draws":
                return np.zeros(program.layout(name.owner).size, dtype=np.uint64)
            case "list":
                listed = next(c for c in program.collect_lists if c.name == name.owner)
                if name.key == "runs":
                    runs = in_runs(listed)
                    assert runs is not None
                    return np.ascontiguousarray(runs.table)
                kind = np.int64 if name.key == "starts" else np.int32
                return np.ascontiguousarray(getattr(listed, name.key), dtype=kind)
            case "delivery":
                delivery = next(d for d in program.deliveries if d.name == name.owner)
                if name.key == "delays":
                    return np.ascontiguousarray(delivery.delays, dtype=np.float64)
                if name.key == "targets" and narrow(program, name.owner):
                    return np.ascontiguousarray(delivery.targets, dtype=np.uint16)
                kind = np.int64 if name.key == "starts" else np.int32
                return np.ascontiguousarray(getattr(delivery, name.key), dtype=kind)
            case "delivery_value":
                delivery = next(d for d in program.deliveries if d.name == name.owner)
                return np.ascontiguousarray(delivery.values[name.key], dtype=self.small)
            case "flags":
                return np.zeros(program.layout(name.owner).size + 8, dtype=np.uint8)
            case _:
                ranges = np.zeros((program.layout(name.owner).size, 2), dtype=np.int64)
                found = recorded_ranges(program, name.owner, name.key)
                for instance, numbers in found.items():
                    ranges[instance] = (numbers[0], numbers[-1] + 1)
                return ranges

    def initial_row(self) -> Array:
        """Make the run ready, test conditions at the start, return the first row (columns,)."""
        row = np.zeros(max(1, len(self.program.columns)))
        self.library.ls_start(self.pointers, self.made, row.ctypes.data)
        self.check()
        return row[: len(self.program.columns)]

    def advance(self, steps: int, rows: Array) -> int:
        """Take up to `steps` steps into `rows` (steps, columns); return how many were taken.

        Raises `NumericalError` where a state stopped being finite.
        """
        self.state.threads = self.threads.now
        begin = time.perf_counter()
        done = int(self.library.ls_run(self.pointers, self.made, steps, rows.ctypes.data))
        self.threads.took(done, time.perf_counter() - begin)
        self.check()
        return done

    def check(self) -> None:
        """Raise the error that the C side noted, if any."""
        if self.state.error == NOT_FINITE:
            layout = self.program.layouts[self.state.error_population]
            variable = layout.checked[self.state.error_variable]
            instance = int(self.state.error_instance)
            raise not_finite(layout, variable, instance, self.state.t)
        if self.state.error == TOO_DEEP:
            raise too_deep(self.state.t)
        if self.state.error == NO_END:
            layout = self.program.layouts[self.state.error_population]
            raise no_end(layout.name, self.state.t)
        if self.state.error == TOO_MANY:
            population, port = sending_ports(self.program)[self.state.error_population]
            raise too_many(population, port, self.state.t)
        if self.state.error == NO_MEMORY:
            raise NumericalError("there is no memory left for pending events")

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

    def __del__(self) -> None:
        if getattr(self, "made", None):
            self.library.ls_free(self.made)
            self.made = None
