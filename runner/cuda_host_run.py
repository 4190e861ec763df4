"""Runs generated CUDA text on the host, thread by thread: for tests without a GPU.

The environment variable LEMSMITH_HOST_ORDER, a whole number, makes threads run in an order
drawn from it: results that change with it show a race. LEMSMITH_HOST_GRID is "blocks x
threads".
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..codegen.program import BufferName, Program
from ..converter.network import Array
from ..errors import InternalError, UsageError
from .cuda_buffers import (
    EVENT_ROOM,
    NO_FAULT,
    NOTED_ROOM,
    Buffers,
    Clock,
    Run,
    raise_faults,
    steps_of_launch,
)

#: Blocks and threads of a launch: few, because every thread is a fibre with a stack.
GRID = (2, 32)

#: Threads of a block, and of all blocks, at most: as in `lemsmith_cuda_host.h`.
MOST_THREADS, MOST_RESIDENT = 1024, 1 << 20


class CudaHostRun:
    """One run of CUDA text that a C++ compiler compiled."""

    def __init__(
        self,
        program: Program,
        library: Path,
        names: tuple[BufferName, ...],
        *,
        grid: tuple[int, int] | None = None,
        order: int | None = None,
    ) -> None:
        self.program = program
        self.library = ctypes.CDLL(str(library))
        self.library.ls_host_message.restype = ctypes.c_char_p
        self.grid = grid or host_grid()
        self.order = order if order is not None else _order()
        buffers = Buffers(program)
        self.arrays = [buffers.array(name) for name in names]
        self.variables = {
            (name.owner, name.key): array
            for name, array in zip(names, self.arrays, strict=True)
            if name.kind == "variable"
        }
        self.pointers = np.array([a.ctypes.data for a in self.arrays] or [0], dtype=np.uint64)
        self.event_times = np.zeros(EVENT_ROOM)
        self.event_ports = np.zeros(EVENT_ROOM, dtype=np.int32)
        self.noted = np.zeros(2 * NOTED_ROOM if buffers.events.chained else 2, dtype=np.int32)
        self.run = Run(
            seed=program.seed % 2**64,
            fault=NO_FAULT,
            event_room=EVENT_ROOM,
            event_times=self.event_times.ctypes.data,
            event_ports=self.event_ports.ctypes.data,
            noted=self.noted.ctypes.data,
            noted_room=len(self.noted) // 2,
        )
        self.step = 0
        self.clock = Clock(program)
        self.found: list[tuple[float, int]] = []

    def launch(
        self, kernel: str, *arguments: ctypes.c_int64 | ctypes.c_double, rows: NDArray[np.float64]
    ) -> None:
        """Run a kernel to its end; raises `InternalError` where the grid does."""
        values: list[object] = [
            ctypes.c_void_p(self.pointers.ctypes.data),
            ctypes.c_void_p(ctypes.addressof(self.run)),
            *arguments,
            ctypes.c_void_p(rows.ctypes.data),
        ]
        pointers = (ctypes.c_void_p * len(values))(
            *(ctypes.addressof(value) for value in values)  # type: ignore[arg-type]
        )
        sizes = [(ctypes.c_uint * 3)(n, 1, 1) for n in self.grid]
        entry = getattr(self.library, f"{kernel}_host_launch")
        error = entry(*sizes, ctypes.c_size_t(0), 1, ctypes.c_uint64(self.order), pointers)
        if error:
            message = self.library.ls_host_message().decode()
            raise InternalError(f"generated CUDA text failed on the host: {message}")

    def collect(self) -> None:
        """Take the recorded events over, in order."""
        size = min(self.run.event_size, EVENT_ROOM)
        self.found.extend(
            sorted(
                zip(self.event_times[:size].tolist(), self.event_ports[:size].tolist(), strict=True)
            )
        )

    def initial_row(self) -> Array:
        """Test conditions at the start and return the first row (columns,)."""
        row = np.zeros(max(1, len(self.program.columns)))
        self.launch("ls_start", rows=row)
        # States that start out infinite are the first step's to report, as elsewhere.
        self.run.fault = NO_FAULT
        raise_faults(self.program, self.run, 0)
        return row[: len(self.program.columns)]

    def advance(self, steps: int, rows: Array) -> int:
        """Take up to `steps` steps into `rows` (steps, columns); return how many were taken."""
        wanted = min(steps, steps_of_launch(self.program))
        into = rows if rows.size else np.zeros((1, 1))
        self.launch(
            "ls_run",
            ctypes.c_int64(self.step),
            ctypes.c_int64(wanted),
            ctypes.c_double(self.clock.time),
            rows=into,
        )
        self.clock.advance(wanted)
        raise_faults(self.program, self.run, self.step)
        self.collect()
        self.run.event_size = 0
        self.step += wanted
        return wanted

    def events(self) -> list[list[float]]:
        """Return the times of the events of every recorded port."""
        found: list[list[float]] = [[] for _ in self.program.ports]
        for time, port in self.found:
            found[port].append(time)
        return found

    @property
    def time(self) -> float:
        """The time reached, s."""
        return self.step * self.program.step


def _order() -> int:
    given = os.environ.get("LEMSMITH_HOST_ORDER", "0")
    if not given.isdecimal():
        raise UsageError("LEMSMITH_HOST_ORDER is a whole number; 0 runs threads in order")
    return int(given)


def host_grid() -> tuple[int, int]:
    """Return the blocks and threads of a launch; raises `UsageError` where no device has them."""
    given = os.environ.get("LEMSMITH_HOST_GRID", "")
    if not given:
        return GRID
    parts = given.split("x")
    if len(parts) == 2 and all(part.isdecimal() for part in parts):
        blocks, threads = map(int, parts)
        sized = blocks > 0 and threads in range(32, MOST_THREADS + 1, 32)
        if sized and blocks * threads <= MOST_RESIDENT:
            return blocks, threads
    raise UsageError(
        f"LEMSMITH_HOST_GRID is blocks x threads, such as 2x64: threads a multiple of 32 up to "
        f"{MOST_THREADS}, {MOST_RESIDENT} of them in all"
    )
