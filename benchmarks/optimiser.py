"""What each optimising pass does and is worth: writes docs/optimiser.md.

    python benchmarks/optimiser.py [--ms T] [--repeats R] [MODEL ...]

Every model is translated with all passes and with each of them left out; counted are the
operations of one step (of every kernel, times its instances) and the CPU seconds of the loop on
one thread, the least of the repeats. Inputs come from `shared/bench` beside the project.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from lemsmith.codegen import lower_phases
from lemsmith.codegen.ownership import work
from lemsmith.converter import optimise
from lemsmith.errors import LemsmithError
from lemsmith.runner import pipeline
from lemsmith.runner.build import build, kernel_flags
from lemsmith.runner.native_phases import NativePhases
from lemsmith.runner.request import made
from lemsmith.runner.threads import Threads
from measuring import BENCH, loop_of, processor, yardstick

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/optimiser.md"

MODELS = {
    "m2": ("1,000 Hodgkin-Huxley cells", ("--n", "1000")),
    "coba": ("COBA, 4,000 cells, 320,000 synapses", ()),
    "cobahh": ("COBAHH, 4,000 cells, 320,000 synapses", ()),
}

HEAD = """\
# What the optimiser does

<!-- Written by benchmarks/optimiser.py. -->

`lemsmith show FILE --stage network --explain` says which pass did what to a model.

| what | where | test | |
|---|---|---|---|
| constants folded, parameters bound | `passes/fold_constants.py`, `flatten.py` | \
`passes/test_fold_constants.py` | one number where all instances share it |
| populations that differ in values alone are one | `passes/merge_alike.py` | \
`passes/test_merge_alike.py` | |
| densities of one channel on one cable are one population | `passes/merge_spread.py` | \
`passes/test_merge_spread.py` | not where more than three numbers differ |
| what is spread over compartments is summed in stretches | `attached_runs.py` | \
`test_attached_runs.py` | |
| singularities get their limit | `passes/guard_singularities.py` | \
`passes/test_guard_singularities.py` | |
| linear synapses of one kind on one cell are one | `passes/lump_synapses.py` | \
`passes/test_lump_synapses.py` | not where one is recorded, or has values of its own |
| what is attached one to a cell is merged into it | `passes/inline_attached.py` | \
`passes/test_inline_attached.py` | |
| linear systems go exactly | `methods/exact.py` | `test_one_step_methods.py` | \
Rotter and Diesmann 1999 |
| gates and other conditionally linear states go exponentially | `methods/exponential.py` | \
`test_one_step_methods.py` | Rush and Larsen 1978 |
| half steps of a splitting that follow one another are one | `lower_phases.py`, \
`cable_gates.py` | `test_one_step_methods.py`, `test_lower_cable.py` | |
| the step's length is a number | `lower_phases.py` | `test_lower_phases.py` | so decays over a \
step are constants |
| a derived variable is evaluated once per state of what it depends on | `body.py` | \
`test_body.py` | the C++ compiler shares the rest, and hoists what a loop does not change |
| sums of multiples are gathered in kernels | `folding.py` | `test_folding.py` | |
| a state that makes a checked one infinite is not looked at itself | `finite_checks.py` | \
`test_finite_checks.py` | |
| small powers are products, choices masks | `kernel_text.py` | `test_print_c.py` | |
| derived variables that nobody reads are not evaluated | `body.py` | `test_body.py` | |
| connections to what does nothing are dropped | `lower_phases.py` | `test_lower_phases.py` | |
| connections lie in the order of source and target | `lower_phases.py` | `test_ownership.py` | |

Not there: tables of rates (vectorised exponentials leave them little to win); removal of states
that nobody reads; one division shared by several gates of a cell. Under `jlems` equations keep
their order and only populations that differ in values alone are merged; methods for
`compartments` merge densities, fold and guard.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One translation's operations per step, CPU seconds of the loop, and events."""

    text: str
    operations: int
    seconds: float
    events: int


def without_pass(name: str) -> Callable[[], object]:
    """Return what leaves one pass of the network out."""
    kept = tuple(each for each in optimise.PASSES if each.__name__ != name)
    return lambda: patch.object(optimise, "PASSES", kept)


LOWERING = "lemsmith.codegen.lower_phases._Lowering"

#: What may be left out, and how.
SWITCHES: dict[str, Callable[[], object]] = {
    **{
        name: without_pass(name)
        for name in dict.fromkeys(each.__name__ for each in optimise.PASSES)
    },
    "exact propagators": lambda: patch(f"{LOWERING}.solve_exactly", lambda *_: False),
    "joined half steps": lambda: patch(f"{LOWERING}.stagger", lambda *_: None),
    "the step as a number": lambda: patch.object(
        lower_phases, "with_step", lambda statements, _: statements
    ),
    "dropped idle connections": lambda: patch.object(
        lower_phases, "without_idle", lambda network: network
    ),
    "connections by target": lambda: patch.object(
        lower_phases, "by_target", lambda delivery: delivery
    ),
}


@contextmanager
def left_out(name: str) -> Iterator[None]:
    """Leave one thing out; "" leaves none."""
    with ExitStack() as stack:
        if name:
            stack.enter_context(SWITCHES[name]())  # type: ignore[arg-type]
        yield


def measure(model: Path, name: str, repeats: int, known: str = "") -> Measured | None:
    """Translate and run a model with one thing left out, unless its text then is `known`."""
    with left_out(name):
        plan, _ = pipeline.translate(made(model))
    if plan.text == known:
        return None
    library = build(plan.text, kernel_flags())
    loop = loop_of(
        plan, lambda: NativePhases(plan.program, library, plan.buffers, Threads(1)), repeats
    )
    return Measured(plan.text, work(plan.program), loop.seconds, sum(map(len, loop.events)))


def table(model: Path, repeats: int) -> Iterator[str]:
    """Yield the rows of one model."""
    whole = measure(model, "", repeats)
    assert whole is not None
    yield "| left out | operations per step | CPU s | times as long | events |"
    yield "|---|---|---|---|---|"
    yield f"| nothing | {whole.operations:,} | {whole.seconds:.3f} | | {whole.events} |"
    for name in SWITCHES:
        try:
            found = measure(model, name, repeats, whole.text)
        except LemsmithError as error:
            yield f"| {name} | | | {str(error)[:60]} | |"
            continue
        if found is None:
            yield f"| {name} | changes nothing here | | | |"
            continue
        yield (
            f"| {name} | {found.operations:,} | {found.seconds:.3f} | "
            f"{found.seconds / whole.seconds:.2f} | {found.events} |"
        )


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--ms", type=float, default=50.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if not BENCH.exists():
        raise SystemExit(f"the benchmark inputs are not there: {BENCH}")
    lines = [HEAD]
    when = f"{datetime.now(UTC):%Y-%m-%d}"
    lines.append(
        f"## What each is worth\n\n{processor()}, shared with other work, {when}; the default "
        f"method, {options.ms:g} ms of model time. The networks are chaotic: numbers of events "
        "within 2 % agree. A synapse that is neither lumped nor merged takes its step apart from "
        "its cell, in first order, which the numbers of events show.\n"
    )
    for name in options.models:
        title, arguments = MODELS[name]
        with tempfile.TemporaryDirectory() as folder:
            model = yardstick(name, folder, "--ms", str(options.ms), *arguments)
            lines.append(f"### {title}\n")
            for row in table(model, options.repeats):
                print(row, flush=True)
                lines.append(row)
            lines.append("")
    PAGE.write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
