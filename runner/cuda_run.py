"""Runs generated CUDA text on a GPU: pycuda owns context, memory and streams.

One launch takes many steps; while it runs, the rows of the launch before it are copied to
the host by another stream. Needs `lemsmith[cuda]`, nvcc and a GPU.
"""

from __future__ import annotations

import atexit
import ctypes
import shutil
import threading
import weakref
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..codegen.cuda_program import BLOCK
from ..codegen.program import BufferName, Program
from ..converter.network import Array
from ..errors import InternalError, MissingTool
from . import cuda_driver
from .build import HEADERS, cache_folder
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

if TYPE_CHECKING:
    from types import ModuleType

#: Flags of nvcc. Contraction of a*b+c stays on, as in C++.
FLAGS = ("-std=c++17", "-O3")

#: Bytes of rows that one launch may bring; there are two buffers of this size.
ROW_BYTES = 64_000_000


def pycuda_driver() -> ModuleType:
    """Return `pycuda.driver`, ready; raises `MissingTool` saying what to do."""
    try:
        from pycuda import driver  # noqa: PLC0415 - optional, and this file owns it
    except ImportError as error:
        raise MissingTool(
            f"the backend 'cuda' needs pycuda ({error}): pip install 'lemsmith[cuda]', which "
            "compiles it with nvcc; --backend cuda-on-host runs the same text without a GPU"
        ) from None
    try:
        driver.init()
        count = driver.Device.count()
    except driver.Error as error:
        raise MissingTool(f"the CUDA driver says: {error}; use --backend cpp") from None
    if count == 0:
        raise MissingTool("no NVIDIA GPU was found; use --backend cpp")
    return driver  # type: ignore[no-any-return]


def context_of(driver: Any) -> Any:
    """Return the first GPU's primary context for this thread, which is not current yet.

    pycuda binds a context to its thread, and one that is merely dropped it detaches as if it
    were no primary one: it is kept, and given back when Python ends.
    """
    return _context(driver, threading.get_ident())


@cache
def _context(driver: Any, _thread: int) -> Any:
    context = driver.Device(0).retain_primary_context()
    atexit.register(_give_back, context)
    return context


def _give_back(context: Any) -> None:
    context.push()
    context.detach()


def compiled(text: str) -> bytes:
    """Return the machine code of `text` for the current GPU, from the cache where it can."""
    if shutil.which("nvcc") is None:
        raise MissingTool(
            "the backend 'cuda' needs nvcc, the CUDA compiler: install the CUDA toolkit and "
            "put nvcc on the PATH; --backend cpp needs none"
        )
    from pycuda import compiler  # noqa: PLC0415 - optional, and this file owns it
    from pycuda.driver import CompileError  # noqa: PLC0415

    folder = cache_folder() / "cuda"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # pycuda keys its cache by the text after its includes.
        return bytes(
            compiler.compile(
                text,
                options=list(FLAGS),
                no_extern_c=True,
                cache_dir=str(folder),
                include_dirs=[str(HEADERS)],
            )
        )
    except CompileError as error:
        raise InternalError(f"nvcc refused generated text:\n{str(error)[:2000]}") from None


def unload(context: Any, module: cuda_driver.Module) -> None:
    """Give a module of a context back."""
    context.push()
    try:
        module.unload()
    finally:
        context.pop()


class CudaRun:
    """One run on a GPU, advanced in launches of many steps."""

    def __init__(self, program: Program, text: str, names: tuple[BufferName, ...]) -> None:
        self.program = program
        self.names = names
        self.cuda: Any = pycuda_driver()
        device = self.cuda.Device(0)
        if not cuda_driver.cooperative(0):
            raise MissingTool(f"{device.name()} cannot launch cooperative grids; use --backend cpp")
        self.context: Any = context_of(self.cuda)
        self.context.push()
        try:
            self.module = cuda_driver.Module(compiled(text))
            # Memory and streams are pycuda's to give back; the module is ours.
            weakref.finalize(self, unload, self.context, self.module).atexit = False
            self.functions = {name: self.module.function(name) for name in ("ls_start", "ls_run")}
            self.allocate(names)
            self.stream: Any = self.cuda.Stream()
            self.copies: Any = self.cuda.Stream()
            self.blocks = self.grid(device)
        finally:
            self.context.pop()
        self.step = 0
        self.clock = Clock(program)
        self.found: list[tuple[float, int]] = []

    def allocate(self, names: tuple[BufferName, ...]) -> None:
        """Copy every buffer to the device, and make room for rows and events."""
        cuda, program = self.cuda, self.program
        buffers = Buffers(program)
        self.memory: dict[str, Any] = {}
        needed = 0
        for name in names:
            array = buffers.array(name)
            needed += array.nbytes
            memory = self.room(max(8, array.nbytes), needed)
            if array.nbytes:
                cuda.memcpy_htod(memory, array)
            self.memory[name.name] = memory
        pointers = np.array([int(self.memory[n.name]) for n in names] or [0], dtype=np.uint64)
        self.model = cuda.to_device(pointers)
        columns = max(1, len(program.columns))
        self.most = max(1, min(steps_of_launch(program), ROW_BYTES // (8 * columns)))
        self.rows = [self.room(8 * columns * self.most, needed) for _ in range(2)]
        self.pinned = [cuda.pagelocked_empty((self.most, columns), np.float64) for _ in range(2)]
        self.event_times = self.room(8 * EVENT_ROOM, needed)
        self.event_ports = self.room(4 * EVENT_ROOM, needed)
        room = NOTED_ROOM if buffers.events.chained else 1
        self.noted = self.room(8 * room, needed)
        self.state = Run(
            seed=program.seed % 2**64,
            fault=NO_FAULT,
            event_room=EVENT_ROOM,
            event_times=int(self.event_times),
            event_ports=int(self.event_ports),
            noted=int(self.noted),
            noted_room=room,
        )
        self.run = self.room(ctypes.sizeof(Run), needed)
        self.put_state()

    def room(self, size: int, needed: int) -> Any:
        """Return `size` bytes of the device's memory, of which the model needs `needed`."""
        try:
            return self.cuda.mem_alloc(size)
        except self.cuda.MemoryError:
            raise MissingTool(
                f"the model does not fit the GPU's memory (more than {needed / 1e9:.1f} GB)"
            ) from None

    def grid(self, device: Any) -> int:
        """Return how many blocks to launch: as many as have work, and as fit at a time."""
        program = self.program
        work = max((layout.size for layout in program.layouts), default=1)
        connections = max((d.targets.size for d in program.deliveries), default=0)
        work = max(work, min(connections, 65536))
        per_processor = min(cuda_driver.resident_blocks(f, BLOCK) for f in self.functions.values())
        most = per_processor * device.get_attribute(self.cuda.device_attribute.MULTIPROCESSOR_COUNT)
        return max(1, min(int(most), -(-work // BLOCK)))

    # --- the run's state ------------------------------------------------------------------------

    def put_state(self) -> None:
        """Copy the run's state to the device."""
        self.cuda.memcpy_htod(self.run, bytearray(self.state))

    def get_state(self) -> None:
        """Copy the run's state from the device."""
        self.cuda.memcpy_dtoh(memoryview(self.state).cast("B"), self.run)

    def launch(self, kernel: str, rows: Any, *values: cuda_driver.Value) -> None:
        """Start a kernel on the stream."""
        arguments: list[cuda_driver.Value] = [
            ctypes.c_void_p(int(self.model)),
            ctypes.c_void_p(int(self.run)),
            *values,
            ctypes.c_void_p(int(rows)),
        ]
        cuda_driver.launch(
            self.functions[kernel], self.blocks, BLOCK, int(self.stream.handle), arguments
        )

    def settle(self, begin: int) -> None:
        """Wait for the launch, raise what it noted, and take its events over."""
        self.stream.synchronize()
        self.get_state()
        raise_faults(self.program, self.state, begin)
        size = self.state.event_size
        if size:
            times, ports = np.zeros(size), np.zeros(size, dtype=np.int32)
            self.cuda.memcpy_dtoh(times, self.event_times)
            self.cuda.memcpy_dtoh(ports, self.event_ports)
            self.found.extend(sorted(zip(times.tolist(), ports.tolist(), strict=True)))
            self.state.event_size = 0
            self.put_state()

    def initial_row(self) -> Array:
        """Test conditions at the start and return the first row (columns,)."""
        self.context.push()
        try:
            self.launch("ls_start", self.rows[0])
            self.stream.synchronize()
            self.get_state()
            # States that start out infinite are the first step's to report, as elsewhere.
            self.state.fault = NO_FAULT
            self.put_state()
            self.settle(0)
            row = np.zeros(max(1, len(self.program.columns)))
            self.cuda.memcpy_dtoh(row, self.rows[0])
        finally:
            self.context.pop()
        return row[: len(self.program.columns)]

    def advance(self, steps: int, rows: Array) -> int:
        """Take up to `steps` steps into `rows` (steps, columns); return how many were taken."""
        self.context.push()
        try:
            done, turn = 0, 0
            copying: tuple[int, int, int] | None = None
            while done < steps:
                count = min(steps - done, self.most)
                self.launch(
                    "ls_run",
                    self.rows[turn],
                    ctypes.c_int64(self.step),
                    ctypes.c_int64(count),
                    ctypes.c_double(self.clock.time),
                )
                self.clock.advance(count)
                # While it runs, the rows before it travel.
                self.land(copying, rows)
                self.settle(self.step)
                copying = self.copy(turn, done, count)
                self.step += count
                done += count
                turn = 1 - turn
            self.land(copying, rows)
        finally:
            self.context.pop()
        return steps

    def copy(self, turn: int, done: int, count: int) -> tuple[int, int, int]:
        """Start the copy of a launch's rows."""
        self.cuda.memcpy_dtoh_async(self.pinned[turn][:count], self.rows[turn], self.copies)
        return turn, done, count

    def land(self, copying: tuple[int, int, int] | None, rows: Array) -> None:
        """Wait for a copy and put its rows where the caller wants them."""
        if copying is None:
            return
        turn, done, count = copying
        self.copies.synchronize()
        if rows.size:
            rows[done : done + count] = self.pinned[turn][:count, : rows.shape[1]]

    def variable(self, population: str, variable: str) -> Array:
        """Return what a population's variable holds now (n,)."""
        buffers = Buffers(self.program)
        found = next(
            name for name in self.names if (name.owner, name.key) == (population, variable)
        )
        array = np.empty_like(buffers.array(found))
        self.context.push()
        try:
            self.cuda.memcpy_dtoh(array, self.memory[found.name])
        finally:
            self.context.pop()
        return array.astype(np.float64)

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
