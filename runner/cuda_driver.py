"""The few calls of the CUDA driver that pycuda lacks, by ctypes, on the current context.

A cooperative launch keeps all blocks of a grid resident, so that they may wait for each
other; pycuda has no call for it, nor one that tells how many blocks are resident at most.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import lru_cache

from ..errors import InternalError, MissingTool

#: What a kernel takes by value.
Value = ctypes.c_void_p | ctypes.c_int64 | ctypes.c_double

#: CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH
COOPERATIVE = 95


@lru_cache(maxsize=1)
def driver() -> ctypes.CDLL:
    """Return the driver's library; raises `MissingTool` where there is none."""
    for name in ("libcuda.so.1", "nvcuda.dll", ctypes.util.find_library("cuda")):
        if name is None:
            continue
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise MissingTool(
        "the NVIDIA driver (libcuda.so.1) was not found: install it, or use --backend cpp"
    )


def call(name: str, *arguments: object) -> None:
    """Call a function of the driver; raises `InternalError` with what the driver says."""
    result = int(getattr(driver(), name)(*arguments))
    if result == 0:
        return
    text = ctypes.c_char_p()
    driver().cuGetErrorString(result, ctypes.byref(text))
    said = text.value.decode() if text.value else f"error {result}"
    raise InternalError(f"the CUDA driver refused {name}: {said}")


def cooperative(device: int) -> bool:
    """Tell whether a device can launch grids whose blocks wait for each other."""
    handle, found = ctypes.c_int(), ctypes.c_int()
    call("cuDeviceGet", ctypes.byref(handle), ctypes.c_int(device))
    call("cuDeviceGetAttribute", ctypes.byref(found), COOPERATIVE, handle)
    return bool(found.value)


class Module:
    """Compiled kernels, loaded into the current context."""

    def __init__(self, image: bytes) -> None:
        self.handle = ctypes.c_void_p()
        # The driver copies what it needs.
        call("cuModuleLoadData", ctypes.byref(self.handle), image)

    def function(self, name: str) -> ctypes.c_void_p:
        """Return the handle of a kernel."""
        found = ctypes.c_void_p()
        call("cuModuleGetFunction", ctypes.byref(found), self.handle, name.encode())
        return found

    def unload(self) -> None:
        """Give the module back."""
        if self.handle.value:
            call("cuModuleUnload", self.handle)
            self.handle = ctypes.c_void_p()


def resident_blocks(function: ctypes.c_void_p, threads: int) -> int:
    """Return how many blocks of `threads` one multiprocessor holds at a time."""
    found = ctypes.c_int()
    call(
        "cuOccupancyMaxActiveBlocksPerMultiprocessor",
        ctypes.byref(found),
        function,
        ctypes.c_int(threads),
        ctypes.c_size_t(0),
    )
    return int(found.value)


def launch(
    function: ctypes.c_void_p,
    blocks: int,
    threads: int,
    stream: int,
    arguments: list[Value],
) -> None:
    """Launch a grid whose blocks may wait for each other, on a stream."""
    pointers = (ctypes.c_void_p * len(arguments))(*(ctypes.addressof(a) for a in arguments))
    one = ctypes.c_uint(1)
    call(
        "cuLaunchCooperativeKernel",
        function,
        ctypes.c_uint(blocks),
        one,
        one,
        ctypes.c_uint(threads),
        one,
        one,
        ctypes.c_uint(0),
        ctypes.c_void_p(stream),
        pointers,
    )
