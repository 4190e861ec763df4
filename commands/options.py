"""Options that several commands take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import UsageError

BACKENDS = ("numpy", "cpp", "cuda", "cuda-on-host")
PRECISIONS = ("double", "single", "mixed")

Function = TypeVar("Function", bound=Callable[..., Any])


def options_of(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Return the decorators `options` as one, in the order in which they are to be listed."""

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def overrides_of(
    context: click.Context, parameter: click.Parameter, values: Iterable[str]
) -> dict[str, str]:
    """Parse every COMPONENT/PARAM=VALUE."""
    overrides = {}
    for text in values:
        path, equals, value = text.partition("=")
        component, slash, name = path.strip().rpartition("/")
        if not (equals and slash and component and name and value.strip()):
            raise click.BadParameter(
                f"{text!r} is not COMPONENT/PARAM=VALUE, as in hhcell/capacitance=12pF",
                ctx=context,
                param=parameter,
            )
        if path.strip() in overrides:
            raise click.BadParameter(f"{path.strip()} is set twice", ctx=context, param=parameter)
        overrides[path.strip()] = value.strip()
    return overrides


POSITIVE = click.FloatRange(min=0, min_open=True)
MODEL_FILE = click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE"
)
SEARCH = options_of(
    click.option(
        "-I",
        "--include",
        "include_dirs",
        multiple=True,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIR",
        help="Look for included files in DIR as well; may be given several times.",
    ),
    click.option(
        "--confine",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIR",
        help="Refuse every include that leaves DIR; for models you do not trust.",
    ),
)
CHOICE = options_of(
    click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        help="What runs the equations: generated C++ (cpp, the default), an NVIDIA GPU (cuda), "
        "the CUDA text on the host (cuda-on-host), or numpy, which needs no compiler.",
    ),
    click.option(
        "--method",
        metavar="METHOD",
        help="The numerical method: structured, the default, splits the equations by their "
        "structure and locates spikes inside steps; exact, euler, exponential_euler, rk2, rk4; "
        "cvode chooses its steps, reference is the converged solution; jlems follows the reference "
        "interpreter step for step, neuron and cn "
        "follow NEURON.",
    ),
    click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="Floating point of states and equations; double is the default.",
    ),
    click.option(
        "--set",
        "overrides",
        multiple=True,
        callback=overrides_of,
        metavar="COMPONENT/PARAM=VALUE",
        help="Give a parameter another value, with its unit: --set hhcell/v0=-60mV. "
        "May be given several times.",
    ),
    click.option(
        "--target",
        metavar="ID",
        help="Run this component instead of the one the file names; a network or a Simulation.",
    ),
)
TIMES = options_of(
    click.option("--step", metavar="TIME", help="The time step, such as 0.01ms."),
    click.option("--length", metavar="TIME", help="The simulated time, such as 300ms."),
    click.option("--seed", type=int, metavar="N", help="The seed of random numbers."),
)
DISCRETISE = click.option(
    "--discretise",
    metavar="RULE",
    help="How finely cells are cut: export (numberInternalDivisions, the default), d_lambda or "
    "d_lambda=0.05 (compartments of at most 0.1 or 0.05 of the length constant at 100 Hz), "
    "refine=3 (three times as many as the export's; an odd number).",
)
PROGRESS = click.option(
    "--progress/--no-progress",
    default=None,
    help="Show how far it is and the time left; by default on a terminal, after two seconds.",
)


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given: what was not is left to the pipeline's defaults."""
    return {name: value for name, value in options.items() if value not in (None, (), {})}


def known(function: Callable[..., Any], **options: Any) -> dict[str, Any]:
    """Return the options that were given, and refuse by name what `function` does not take."""
    chosen = given(**options)
    parameters = inspect.signature(function).parameters.values()
    if any(it.kind is it.VAR_KEYWORD for it in parameters):
        return chosen
    for name in chosen.keys() - {it.name for it in parameters}:
        raise UsageError(f"--{name.replace('_', '-')} is not supported yet")
    return chosen
