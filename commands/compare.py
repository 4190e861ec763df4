"""`lemsmith compare` and `lemsmith diff`: results and models beside one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from ..errors import ModelError
from .ends import USAGE, end, fail
from .options import SEARCH, given

SECTIONS = ("types", "components", "networks", "simulation")


@click.command(
    short_help="Compare two result files.",
    epilog="""
\b
Examples:
  lemsmith compare results/hh_v.dat reference/hh_v.dat.gz
      the output of two simulators, paired by position
  lemsmith compare before.npz after.npz --tolerance 1e-9
      two recordings, paired by the names of their quantities
  lemsmith compare a.spikes b.spikes
      two EventOutputFiles
""",
)
@click.argument("a", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="A")
@click.argument("b", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="B")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    metavar="X",
    default=1e-6,
    show_default=True,
    help="Largest difference that counts as equal, as a part of B's range.",
)
@click.option(
    "--norm",
    type=click.Choice(["max", "rms"]),
    default="max",
    show_default=True,
    help="What is held against the tolerance: the largest difference or its root mean square.",
)
@click.option(
    "--threshold", type=float, metavar="VALUE", help="Count spikes through VALUE, in B's unit."
)
@click.option(
    "--events", is_flag=True, help="A and B are EventOutputFiles, as *.spikes always are."
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw both and their difference into the picture FILE.",
)
def compare(
    a: Path,
    b: Path,
    tolerance: float,
    norm: Literal["max", "rms"],
    threshold: float | None,
    events: bool,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Compare two result files A and B, of this or of other simulators.

    Read are .dat, .csv and other tables of numbers, gzipped or not, .npz, .h5 and .spikes.
    Exit code 1 if they differ.
    """
    from ..runner.validation.commands import run_compare

    code, text = run_compare(
        a,
        b,
        tolerance=tolerance,
        norm=norm,
        threshold=threshold,
        events=True if events else None,
        as_json=as_json,
        plot=plot,
    )
    end(code, text)


@click.command(
    short_help="Tell whether two files are the same model, and what differs.",
    epilog="""
\b
Examples:
  lemsmith diff cell.nml cell_rewritten.nml
      the same model? other units, order, layout and files make no difference
  lemsmith diff old/LEMS_net.xml new/LEMS_net.xml --ignore simulation
      whatever is run and recorded
  lemsmith diff LEMS_hh.xml exported.nml --tolerance 1e-6 --json
      values that a tool wrote with six digits count as equal; the differences as data
""",
)
@click.argument("a", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="A")
@click.argument("b", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="B")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, max=1),
    metavar="X",
    default=1e-12,
    show_default=True,
    help="Largest relative difference of two values in SI that counts as equal.",
)
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    type=click.Choice(SECTIONS),
    help="Leave out this part of the models; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
@SEARCH
def diff(
    a: Path, b: Path, tolerance: float, ignored: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Tell whether the files A and B describe the same model.

    Compared is what they mean, not their text: values after conversion of units, equations up
    to symbolic equality (`a*(b + c)` is `a*b + a*c`), children and references by id,
    connections as sets whatever their order. Every difference is told with its place in both
    files, file:line:column.

    Exit code 0 if they are the same model, 1 if they differ, 2 if one of them is no model.
    """
    from ..runner.model_diff import run_diff

    try:
        code, text = run_diff(
            a, b, tolerance=tolerance, ignored=ignored, as_json=as_json, **given(**options)
        )
    except ModelError as error:
        # 1 says that two models differ, and here there are no two models.
        fail(f"{error}\nthe models cannot be compared", USAGE)
    end(code, text)
