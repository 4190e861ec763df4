"""`lemsmith verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .ends import end
from .options import POSITIVE, PROGRESS, TIMES, given


@click.command(
    short_help="Hold models against their targets, or against other simulators.",
    epilog="""
\b
Examples:
  lemsmith verify .
      run every OMV test (.omt) of a model repository, lemsmith in the engine's place
  lemsmith verify . --engine jNeuroML --report results.xml --report results.md
      those written for jNeuroML; as JUnit XML for CI and as a table
  lemsmith verify LEMS_hh.xml --against jneuroml --against neuron --plot pictures
      the same file here and there, and which is nearer the converged solution
  lemsmith verify LEMS_hh.xml --against reference/hh_v.dat
      against a file of results
""",
)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@click.option(
    "--against",
    multiple=True,
    metavar="PEER",
    help="Run the models PATH... on PEER too and compare: jneuroml, neuron, eden, pylems, brian2 "
    "or a file of results. May be given several times.",
)
@click.option("--engine", metavar="NAME", help="Only the OMV tests written for this engine.")
@click.option("--method", metavar="METHOD", help="Our method; by default what the engine does.")
@TIMES
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    metavar="X",
    default=0.01,
    show_default=True,
    help="With --against: largest RMS difference that counts as equal, as a part of the range.",
)
@click.option(
    "--refine",
    type=click.IntRange(min=0),
    metavar="N",
    default=10,
    show_default=True,
    help="With --against: the converged solution is ours at the step over N; 0 leaves it out.",
)
@click.option(
    "--time-limit",
    type=POSITIVE,
    metavar="SECONDS",
    help="With --against: how long a peer may run.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    default=2,
    show_default=True,
    help="Models that run at a time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report as FILE.json, JUnit FILE.xml or FILE.md; may be given several times.",
)
@click.option(
    "--plot",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="With --against: draw both sides and their difference into DIR.",
)
@PROGRESS
def verify(
    paths: tuple[Path, ...],
    against: tuple[str, ...],
    engine: str | None,
    method: str | None,
    tolerance: float,
    refine: int,
    time_limit: float | None,
    jobs: int,
    as_json: bool,
    reports: tuple[Path, ...],
    plot: Path | None,
    progress: bool | None,
    **times: Any,
) -> None:
    """Run the validation tests that PATH... name or contain; or compare with other simulators.

    A PATH is an OMV test (.omt), what some expect (.mep) or a folder of them, or with --against
    a LEMS file. Exit code 1 if a test fails or a simulator differs; a simulator that is not
    installed is told and fails nothing.
    """
    from ..runner.progress import Display
    from ..runner.request import made
    from ..runner.validation.commands import run_against, run_verify

    _refuse_given(
        *(("engine", "jobs") if against else ("tolerance", "refine", "time_limit", "plot")),
        why="is not for --against" if against else "is for --against alone",
    )
    known = (".json",) if against else (".json", ".xml", ".md")
    for path in reports:
        if path.suffix not in known:
            raise UsageError(f"--report knows {', '.join(known)} here, not {path}")
    settings = {name: str(value) for name, value in given(**times).items()}
    if settings and not against:
        raise UsageError("an OMV test brings its own step, length and seed")
    made(paths[0], **given(method=method, **times))
    with Display(wanted=progress) as display:
        if against:
            code, text = run_against(
                paths,
                against,
                method=method,
                settings=settings,
                tolerance=tolerance,
                refine=refine,
                progress=display,
                as_json=as_json,
                files=reports,
                plot=plot,
                **given(time_limit=time_limit),
            )
        else:
            code, text = run_verify(
                paths,
                engine=engine,
                method=method,
                jobs=jobs,
                progress=display,
                as_json=as_json,
                files=reports,
            )
    end(code, text)


def _refuse_given(*names: str, why: str) -> None:
    """Refuse the options that the user gave among `names`, whatever their defaults."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name.replace('_', '-')} {why}")
