"""Backends: how a program becomes text, and how the text runs.

A run takes one of them: what only the others need is imported by them, which saves a fifth of
the time that a model seen before takes to start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..converter.network import Array
from ..errors import UsageError
from .build import build, kernel_flags
from .native import NativeRun
from .native_phases import NativePhases
from .plan import Plan
from .request import Request
from .threads import Threads, available


class Running(Protocol):
    """A run that is advanced in chunks of steps."""

    def initial_row(self) -> Array:
        """Return the recorded values before the first step (columns,)."""

    def advance(self, steps: int, rows: Array) -> int:
        """Take up to `steps` steps into `rows` (steps, columns); return how many."""

    def events(self) -> list[list[float]]:
        """Return the times of the events of every recorded port."""

    @property
    def time(self) -> float:
        """The time reached, s."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What differs between backends, as data."""

    name: str
    start: Callable[[Plan, Request], Running]


def start_cpp(plan: Plan, request: Request) -> Running:
    """Compile (or find in the cache) and load."""
    if plan.program.schedule == "continuous":
        return start_adaptive(plan, request)
    if plan.program.schedule == "phases":
        library = build(plan.text, kernel_flags())
        names = plan.buffers
        threads = Threads(request.threads or available())
        return NativePhases(plan.program, library, names, threads)
    library = build(plan.text)
    return NativeRun(plan.program, library, plan.buffers, plan.random_state)


def start_adaptive(plan: Plan, request: Request) -> Running:
    """Solve the equations in steps of the method's own choice."""
    from .adaptive import AdaptiveRun  # noqa: PLC0415 - most runs have no use for its imports

    return AdaptiveRun(plan.program, plan.text, request.method, request.rtol, request.atol)


def start_numpy(plan: Plan, request: Request) -> Running:
    """Run the generated Python; nothing is compiled."""
    from .numpy_phases import NumpyPhases  # noqa: PLC0415 - see above
    from .numpy_run import NumpyRun  # noqa: PLC0415

    if plan.program.schedule == "continuous":
        return start_adaptive(plan, request)
    if plan.program.schedule == "phases":
        return NumpyPhases(plan.program, plan.text, plan.buffers, plan.program.seed)
    return NumpyRun(plan.program, plan.text, plan.buffers, plan.random_state)


def start_cuda(plan: Plan, _request: Request) -> Running:
    """Compile for the GPU (or find in the cache), load and copy everything there."""
    from .cuda_run import CudaRun  # noqa: PLC0415 - see above

    return CudaRun(plan.program, plan.text, plan.buffers)


#: Flags of CUDA text on the host: no contraction, so that it can be compared.
ON_HOST = ("-O1", "-march=native", "-ffp-contract=off", "-fno-math-errno")


def start_cuda_on_host(plan: Plan, _request: Request) -> Running:
    """Compile CUDA text with the C++ compiler, for a few threads that are fibres."""
    from .cuda_host_run import CudaHostRun  # noqa: PLC0415 - see above

    library = build(plan.text, ON_HOST)
    return CudaHostRun(plan.program, library, plan.buffers)


BACKENDS: dict[str, Backend] = {
    "cpp": Backend("cpp", start_cpp),
    "numpy": Backend("numpy", start_numpy),
    "cuda": Backend("cuda", start_cuda),
    "cuda-on-host": Backend("cuda-on-host", start_cuda_on_host),
}


def backend(name: str) -> Backend:
    """Return the backend called `name`; raises `UsageError` where there is none."""
    if name not in BACKENDS:
        raise UsageError(f"the backend {name!r} is not there yet")
    return BACKENDS[name]
