"""From statements to text: the backends' source, the same bytes for the same program."""

from __future__ import annotations

import re

from ..errors import UsageError
from .continuous import emit_continuous
from .emit_cuda import emit_cuda
from .emit_numpy_phases import emit_numpy_phases
from .emit_numpy_steps import emit_numpy_steps
from .emit_phases import emit_phases
from .emit_steps import emit_steps
from .program import BufferName, Program


def emit(program: Program, backend: str, source: str) -> tuple[str, tuple[BufferName, ...]]:
    """Return the text of `program` for `backend` and the buffers that it takes, in order.

    `source` is named in the text's first line, made harmless.
    """
    name = re.sub(r"[^A-Za-z0-9_. -]", "_", source.replace("\\", "/").rsplit("/", 1)[-1])[:80]
    if program.schedule == "continuous":
        if backend not in ("cpp", "numpy"):
            raise UsageError(
                f"the backend {backend!r} cannot choose its own steps: choose another method than "
                "reference and cvode, or --backend cpp"
            )
        return emit_continuous(program, name), ()
    if program.exact_events and backend != "cpp":
        raise UsageError(
            f"the backend {backend!r} delivers events on the grid of steps: use --backend cpp for "
            "--events exact"
        )
    if backend in ("cuda", "cuda-on-host"):
        if program.schedule != "phases":
            raise UsageError(
                f"the backend {backend!r} cannot follow the reference's order of steps: "
                "choose another method than jlems, or --backend cpp"
            )
        return emit_cuda(program, name)
    if backend == "numpy":
        if program.precision != "double":
            raise UsageError(
                "the backend 'numpy' computes in double precision: use --backend cpp for "
                f"--precision {program.precision}"
            )
        if program.schedule == "phases":
            return emit_numpy_phases(program, name)
        return emit_numpy_steps(program, name)
    if program.schedule == "phases":
        return emit_phases(program, name)
    return emit_steps(program, name)
