"""A GPU that is the processor: pycuda's modules and the driver's calls, as far as we use them.

Work waits in its stream until somebody waits for it, memory starts out with rubbish, and
nothing works without a current context: what a GPU would punish at random fails here always.
Kernels are those of the same text, compiled for the host.
"""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
from lemsmith.runner.backends import ON_HOST
from lemsmith.runner.build import build

RUBBISH = 0xAB
SUCCESS, INVALID_CONTEXT, NOT_FOUND = 0, 201, 500
COOPERATIVE_LAUNCH = 95


class Gpu:
    """The device, its contexts, streams and kernels."""

    def __init__(self) -> None:
        self.current = 0
        self.streams = {}
        self.kernels = {}
        self.modules = 0
        self.contexts = 0
        self.detached = 0
        self.text = ""
        self.launches = []
        self.cooperative = 1
        self.room = 1 << 40

    def install(self, monkeypatch, cuda_driver) -> None:
        """Take the place of pycuda and of the driver."""
        driver, compiler, package = (
            self.driver(),
            ModuleType("pycuda.compiler"),
            ModuleType("pycuda"),
        )
        compiler.compile = self.compile
        package.driver, package.compiler = driver, compiler
        for module in (package, driver, compiler):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(cuda_driver, "driver", lambda: self)

    def needs_context(self) -> None:
        if self.current == 0:
            raise AssertionError("no context is current")

    # --- pycuda -----------------------------------------------------------------------------

    def driver(self) -> ModuleType:  # noqa: C901 - a module, part by part
        gpu, module = self, ModuleType("pycuda.driver")

        class Error(Exception):
            pass

        class OutOfMemoryError(Error):
            pass

        class CompileError(Error):
            pass

        class Memory:
            def __init__(self, size):
                gpu.needs_context()
                gpu.room -= size
                if gpu.room < 0:
                    raise OutOfMemoryError("out of memory")
                self.bytes = np.full(size, RUBBISH, np.uint8)

            def __int__(self):
                return self.bytes.ctypes.data

        class Stream:
            def __init__(self):
                gpu.needs_context()
                self.waiting = []
                self.handle = 1000 + len(gpu.streams)
                gpu.streams[self.handle] = self

            def synchronize(self):
                gpu.needs_context()
                while self.waiting:
                    self.waiting.pop(0)()

        class Device:
            def __init__(self, number):
                assert number == 0

            count = staticmethod(lambda: 1)

            def name(self):
                return "Fake"

            def get_attribute(self, which):
                assert which == "multiprocessors"
                return 2

            def retain_primary_context(self):
                gpu.contexts += 1
                return Context()

        class Context:
            def push(self):
                gpu.current += 1

            @staticmethod
            def pop():
                gpu.needs_context()
                gpu.current -= 1

            def detach(self):
                gpu.needs_context()
                gpu.detached += 1
                gpu.current -= 1

        def everything():
            """What a copy without a stream waits for."""
            gpu.needs_context()
            for stream in gpu.streams.values():
                stream.synchronize()

        def htod(memory, source):
            everything()
            data = np.frombuffer(source, np.uint8)
            memory.bytes[: data.size] = data

        def dtoh(target, memory):
            everything()
            into = memoryview(target).cast("B")
            into[:] = memory.bytes[: into.nbytes].tobytes()

        def dtoh_later(target, memory, stream):
            gpu.needs_context()
            into = memoryview(target)
            assert into.c_contiguous
            assert into.nbytes <= memory.bytes.size
            stream.waiting.append(
                lambda: into.cast("B").__setitem__(
                    slice(None), memory.bytes[: into.nbytes].tobytes()
                )
            )

        def pinned(shape, kind):
            gpu.needs_context()
            return np.full(shape, np.nan, kind)

        def to_device(values):
            memory = Memory(memoryview(values).nbytes)
            htod(memory, values)
            return memory

        module.Error, module.MemoryError, module.CompileError = (
            Error,
            OutOfMemoryError,
            CompileError,
        )
        module.init = lambda: None
        module.Device, module.Stream, module.mem_alloc = Device, Stream, Memory
        module.memcpy_htod, module.memcpy_dtoh = htod, dtoh
        module.memcpy_dtoh_async, module.pagelocked_empty = dtoh_later, pinned
        module.to_device = to_device
        module.device_attribute = SimpleNamespace(MULTIPROCESSOR_COUNT="multiprocessors")
        return module

    def compile(self, text, *, options, no_extern_c, cache_dir, include_dirs):
        self.needs_context()
        assert isinstance(options, list)
        assert no_extern_c
        self.text, self.where = text, (cache_dir, include_dirs)
        return text.encode()

    # --- the driver, called by ctypes ---------------------------------------------------------

    def cuDeviceGet(self, device, number):  # noqa: N802 - the driver's name
        device._obj.value = number.value
        return SUCCESS

    def cuDeviceGetAttribute(self, found, which, device):  # noqa: N802
        assert device.value == 0
        assert which == COOPERATIVE_LAUNCH
        found._obj.value = self.cooperative
        return SUCCESS

    def cuGetErrorString(self, error, text):  # noqa: N802
        text._obj.value = f"error number {error}".encode()
        return SUCCESS

    def cuModuleLoadData(self, module, image):  # noqa: N802
        if not self.current:
            return INVALID_CONTEXT
        self.library = ctypes.CDLL(str(build(image.decode(), ON_HOST)))
        self.modules += 1
        module._obj.value = 77
        return SUCCESS

    def cuModuleGetFunction(self, function, module, name):  # noqa: N802
        if module.value != 77 or name not in (b"ls_start", b"ls_run"):
            return NOT_FOUND
        function._obj.value = 100 + len(self.kernels)
        self.kernels[function._obj.value] = getattr(self.library, f"{name.decode()}_host_launch")
        return SUCCESS

    def cuModuleUnload(self, module):  # noqa: N802
        if not self.current:
            return INVALID_CONTEXT
        assert module.value == 77
        self.modules -= 1
        return SUCCESS

    def cuOccupancyMaxActiveBlocksPerMultiprocessor(self, found, function, threads, shared):  # noqa: N802
        assert (threads.value % 32, shared.value) == (0, 0)
        assert function.value in self.kernels
        found._obj.value = 1
        return SUCCESS

    def cuLaunchCooperativeKernel(self, function, *rest):  # noqa: N802
        if not self.current:
            return INVALID_CONTEXT
        *sizes, shared, stream, parameters = rest
        grid, block = sizes[:3], sizes[3:]
        # What a kernel takes is copied when it is launched.
        copies = [ctypes.c_uint64.from_address(p) for p in parameters]
        values = [ctypes.c_uint64(copy.value) for copy in copies]
        pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
        triples = [(ctypes.c_uint * 3)(*(n.value for n in three)) for three in (grid, block)]

        def work():
            entry = self.kernels[function.value]
            seed = ctypes.c_uint64(3)
            error = entry(*triples, ctypes.c_size_t(shared.value), 1, seed, pointers)
            assert error == 0
            assert values

        self.launches.append(tuple(n.value for n in sizes))
        self.streams[stream.value].waiting.append(work)
        return SUCCESS
