"""What a caller asks for, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..converter.discretisation import EXPORT, Discretisation, discretisation_of
from ..converter.quantities import read_quantity
from ..converter.units import TIME, Unit
from ..errors import Faults, UsageError, did_you_mean

BACKENDS = ("cpp", "numpy", "cuda", "cuda-on-host")
METHODS = (
    "default",
    "jlems",
    "euler",
    "rk2",
    "rk4",
    "exponential_euler",
    "exact",
    "neuron",
    "cn",
    "cvode",
    "reference",
)
#: Other names of methods: what the default is.
NAMES = {"structured": "default"}

PRECISIONS = ("double", "single", "mixed")
EVENTS = ("grid", "exact")

#: Units that a step or length on the command line may have, wherever the model comes from.
TIME_UNITS = {
    symbol: Unit(symbol, TIME, power)
    for symbol, power in (("s", 0), ("ms", -3), ("us", -6), ("ns", -9))
}


@dataclass(frozen=True, slots=True)
class Request:
    """A run as asked for; times in s."""

    source: str | Path
    backend: str = "cpp"
    method: str = "default"
    step: float | None = None
    length: float | None = None
    seed: int | None = None
    overrides: tuple[tuple[str, str], ...] = ()
    #: Parameters with a value of every instance's own, SI units: a batch in one run.
    varied: tuple[tuple[str, tuple[float, ...]], ...] = ()
    threads: int | None = None
    target: str | None = None
    precision: str = "double"
    events: str = "grid"
    discretise: Discretisation = EXPORT
    include_dirs: tuple[Path, ...] = ()
    confine: Path | None = None
    rtol: float = 1e-6
    atol: float = 1e-9

    @property
    def name(self) -> str:
        """What messages and results call the source."""
        return "model" if is_text(self.source) else str(self.source)


def is_text(source: str | Path) -> bool:
    """Tell whether `source` is XML itself and not a path."""
    return isinstance(source, str) and source.lstrip("\ufeff \t\r\n").startswith("<")


def made(
    source: str | Path,
    *,
    backend: str = "cpp",
    method: str = "default",
    step: str | float | None = None,
    length: str | float | None = None,
    seed: int | None = None,
    overrides: Mapping[str, str] | None = None,
    varied: Mapping[str, Sequence[float]] | None = None,
    threads: int | None = None,
    target: str | None = None,
    precision: str = "double",
    events: str = "grid",
    discretise: str = "export",
    include_dirs: Sequence[str | Path] = (),
    confine: str | Path | None = None,
    rtol: float = 1e-6,
    atol: float = 1e-9,
) -> Request:
    """Return the request, or raise `UsageError` naming what does not fit."""
    method = NAMES.get(method, method)
    for what, value, known in (
        ("backend", backend, BACKENDS),
        ("method", method, METHODS),
        ("precision", precision, PRECISIONS),
        ("events", events, EVENTS),
    ):
        if value not in known:
            hint = did_you_mean(str(value), known)
            raise UsageError(
                f"no {what} is called {value!r}; there are {', '.join(known)}"
                + (f"; {hint}" if hint else "")
            )
    cut = discretisation_of(discretise)
    if cut != EXPORT and method == "jlems":
        raise UsageError(
            "--discretise is for cells of compartments, which the method jlems refuses"
        )
    if threads is not None and threads < 1:
        raise UsageError("--threads is at least 1")
    return Request(
        source=source,
        backend=backend,
        method=method,
        step=seconds(step, "step", above=True),
        length=seconds(length, "length", above=False),
        seed=seed,
        overrides=tuple(sorted((overrides or {}).items())),
        varied=tuple(sorted(_own_values(path, values) for path, values in (varied or {}).items())),
        threads=threads,
        target=target,
        precision=precision,
        events=events,
        discretise=cut,
        include_dirs=tuple(Path(d) for d in include_dirs),
        confine=Path(confine) if confine is not None else None,
        rtol=rtol,
        atol=atol,
    )


def _own_values(path: str, values: Sequence[float]) -> tuple[str, tuple[float, ...]]:
    """Return what varies and its values, or raise `UsageError` where they are no row of numbers."""
    row = np.asarray(values)
    if row.ndim != 1 or (row.size and row.dtype.kind not in "biuf"):
        raise UsageError(f"{path}: a row of numbers in SI units is needed, one for every instance")
    return path, tuple(map(float, row))


def seconds(value: str | float | None, what: str, *, above: bool) -> float | None:
    """Return a time in s from a number of seconds or a text with a unit."""
    if value is None:
        return None
    if isinstance(value, str):
        faults = Faults()
        found = read_quantity(value, TIME, TIME_UNITS, faults, None)
        if found is None:
            raise UsageError(f"--{what}: {faults.found[0].message}; write for instance '0.01 ms'")
    else:
        found = float(value)
    if not (found > 0 if above else found >= 0) or found == float("inf"):
        raise UsageError(f"--{what} must be a time {'above' if above else 'from'} zero")
    return found
