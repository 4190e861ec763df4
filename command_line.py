"""The command line: `lemsmith run`, `check`, `show` and the rest.

Commands import what they run when they run, so that `lemsmith --version` answers at once
and a run that finds its program in the cache never imports the compiling half.
"""

from __future__ import annotations

import errno
import inspect
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

import click

from . import __version__
from .errors import (
    Fault,
    Interrupted,
    LemsmithError,
    MissingTool,
    ModelError,
    UsageError,
    render,
)

if TYPE_CHECKING:
    from .runner.recording import Recording

#: Exit codes: the model is at fault, the request is, lemsmith is, the user stopped it.
MODEL, USAGE, INTERNAL, STOPPED = 1, 2, 70, 130

BACKENDS = ("numpy", "cpp", "cuda", "cuda-on-host")
PRECISIONS = ("double", "single", "mixed")
STAGES = ("document", "model", "network", "program", "source")
SECTIONS = ("types", "components", "networks", "simulation")

#: Simulated seconds from which a summary counts in seconds, not in milliseconds.
LONG = 10.0

Function = TypeVar("Function", bound=Callable[..., Any])


class Commands(click.Group):
    """The group of all commands; turns every error into a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            _fail("stopped", STOPPED)
        except ModelError as error:
            count = len(error.faults)
            _fail(f"{error}\n{count} {'fault' if count == 1 else 'faults'} in the model", MODEL)
        except (UsageError, MissingTool) as error:
            _fail(f"lemsmith: {error}", USAGE)
        except LemsmithError as error:
            if type(error).__name__ == "InternalError":
                _report(error)
            _fail(f"lemsmith: {error}", MODEL)
        except MemoryError:
            _fail("lemsmith: this needs more memory than there is", USAGE)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            if error.filename is None:
                _report(error)
            _fail(f"lemsmith: {error.filename}: {error.strerror}", USAGE)
        except Exception as error:  # noqa: BLE001 - a traceback is never the answer
            _report(error)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    raise click.exceptions.Exit(code)


def _report(error: BaseException) -> NoReturn:
    """Say that lemsmith is at fault, and keep what its developers need to know in a file."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="lemsmith-fault-", suffix=".txt", delete=False
    ) as file:
        file.write(f"lemsmith {__version__}, Python {sys.version}, {sys.platform}\n")
        file.write(f"command: {' '.join(sys.argv)}\n\n")
        file.writelines(traceback.format_exception(error))
    message = str(error) or type(error).__name__
    _fail(
        f"lemsmith: internal error: {message}\n"
        "This is a fault of lemsmith, not of your model. Please report it, with the model and\n"
        f"with what was kept in {file.name}",
        INTERNAL,
    )


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""
\b
Start here:
  lemsmith run LEMS_hh.xml --plot          run a model, draw what it displays
  lemsmith check LEMS_hh.xml               list everything that is wrong with it
  lemsmith show LEMS_hh.xml --stage source read the C++ that it becomes

Exit codes: 0 all is well; 1 the model is at fault; 2 the request is; 130 stopped by Ctrl-C.
""",
)
@click.version_option(__version__, "-V", "--version", message="lemsmith %(version)s")
def cli() -> None:
    """Translate NeuroML 2 and LEMS models into C++ or CUDA, and run them."""


def main() -> None:
    """Run the command line of this process."""
    cli(prog_name="lemsmith")


def _options(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Return the decorators `options` as one, in the order in which they are to be listed."""

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _overrides(
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
        overrides[path.strip()] = value.strip()
    return overrides


POSITIVE = click.FloatRange(min=0, min_open=True)
MODEL_FILE = click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE"
)
SEARCH = _options(
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
CHOICE = _options(
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
        callback=_overrides,
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
TIMES = _options(
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


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that were given: what was not is left to the pipeline's defaults."""
    return {name: value for name, value in options.items() if value not in (None, (), {})}


def _known(function: Callable[..., Any], **options: Any) -> dict[str, Any]:
    """Return the options that were given, and refuse by name what `function` does not take."""
    given = _given(**options)
    parameters = inspect.signature(function).parameters.values()
    if any(it.kind is it.VAR_KEYWORD for it in parameters):
        return given
    for name in given.keys() - {it.name for it in parameters}:
        raise UsageError(f"--{name.replace('_', '-')} is not supported yet")
    return given


@cli.command(
    short_help="Run a model and write what it records.",
    epilog="""
\b
Examples:
  lemsmith run LEMS_hh.xml
      run it, and write its OutputFiles here
  lemsmith run LEMS_hh.xml --out results --plot --save results/hh.npz
      everything into results/, the Displays as PNG files, all of it in one .npz as well
  lemsmith run LEMS_hh.xml --step 0.005ms --method euler --error
      another step and method, and how far that is from the converged solution
  lemsmith run LEMS_hh.xml --set hhcell/v0=-60mV --set pulseGen1/amplitude=0.1nA
      with other parameters
  lemsmith run network.nml --target net --length 300ms --step 0.025ms --save net.npz
      a network without a Simulation; every v is recorded
""",
)
@MODEL_FILE
@CHOICE
@TIMES
@DISCRETISE
@click.option(
    "--events",
    type=click.Choice(["grid", "exact"]),
    help="Deliver events on the grid of steps, or at their exact times (methods default and "
    "exact, backend cpp).",
)
@click.option(
    "--rtol",
    type=click.FloatRange(min=0, min_open=True),
    help="Relative tolerance of adaptive methods.",
)
@click.option(
    "--atol",
    type=click.FloatRange(min=0, min_open=True),
    help="Absolute tolerance of adaptive methods, as a part of the size that a state has had.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads to run on at most, by default one per core; fewer where more would not be "
    "faster. The results are the same for any number.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Write the model's OutputFiles under DIR; by default the current folder.",
)
@click.option("--plot", is_flag=True, help="Draw every Display into a PNG file beside the outputs.")
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write everything recorded, with names and units, to FILE.npz or FILE.h5.",
)
@click.option(
    "--error",
    is_flag=True,
    help="Run the converged solution as well, and say how far each column and spike is from it.",
)
@SEARCH
@PROGRESS
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on success.")
def run(
    file: Path,
    out: Path,
    plot: bool,
    save: Path | None,
    error: bool,
    progress: bool | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Run the model FILE and write what it records.

    FILE is a LEMS file with a Simulation, or a NeuroML file with --target, --length and
    --step. OutputFiles and EventOutputFiles are written as the model says, in SI units.
    """
    from .runner import pipeline
    from .runner.progress import Display

    if save is not None and save.suffix not in {".npz", ".h5", ".hdf5"}:
        raise UsageError(f"--save knows FILE.npz and FILE.h5, not {save.name}")
    if plot:
        _plotting()
    say = (lambda _: None) if quiet else click.echo
    begin = time.monotonic()
    with Display(wanted=progress) as display:
        try:
            recording = pipeline.run(file, progress=display, **_known(pipeline.run, **options))
        except Interrupted as stopped:
            _keep(stopped.recording, out, save)
    say(_summary(recording, time.monotonic() - begin))
    if warnings := recording.settings.get("warnings"):
        click.echo("\n".join(f"warning: {w}" for w in str(warnings).splitlines()), err=True)
    for path in _write(recording, out, save, plot):
        say(f"wrote {path}")
    if error:
        from .runner.validation.run_error import run_error

        given = {**options, "method": "reference"}
        for name in ("backend", "precision", "threads", "events", "rtol", "atol"):
            given.pop(name, None)
        with Display(wanted=progress) as display:
            yardstick = pipeline.run(file, progress=display, **_known(pipeline.run, **given))
        click.echo(run_error(recording, yardstick).text())


def _plotting() -> Any:
    """Return the plotting module; matplotlib is optional."""
    try:
        from .runner import plots
    except ImportError:
        raise MissingTool("--plot needs matplotlib: pip install 'lemsmith[plot]'") from None
    return plots


def _write(recording: Recording, out: Path, save: Path | None, plot: bool) -> list[Path]:
    from .runner.results import write_files

    written = list(write_files(recording, out))
    if save is not None:
        recording.to_npz(save) if save.suffix == ".npz" else recording.to_hdf5(save)
        written.append(save)
    if plot:
        written += _plotting().write_plots(recording, out)
    return written


def _keep(recording: Any, out: Path, save: Path | None) -> NoReturn:
    """Write what a stopped run had recorded as NAME.partial, and end."""
    from .runner.results import write_files

    written = [] if recording is None else list(write_files(recording, out, partial=True))
    if save is not None and recording is not None:
        partial = save.with_name(f"{save.name}.partial")
        recording.to_npz(partial) if save.suffix == ".npz" else recording.to_hdf5(partial)
        written.append(partial)
    _fail("\n".join(["stopped", *(f"kept {path}" for path in written)]), STOPPED)


def _summary(recording: Recording, wall: float) -> str:
    count = len(recording.keys())
    end = float(recording.time[-1]) if len(recording.time) else 0.0
    span = f"{end:g} s" if end >= LONG else f"{1000 * end:g} ms"
    text = (
        f"{Path(recording.source).name or 'the model'}: "
        f"{count} {'quantity' if count == 1 else 'quantities'} over {span}, "
        f"{len(recording.time)} samples each, in {wall:.2f} s"
    )
    if not (recording.output_files or recording.event_files):
        text += "\nthe model names no OutputFile; --save FILE.npz keeps what was recorded"
    return text


@cli.command(
    short_help="List everything that is wrong with models.",
    epilog="""
\b
Examples:
  lemsmith check LEMS_hh.xml
      every fault of the model and of what it includes, with its place and what to do
  lemsmith check cells/*.nml --json
      the same as data, for an editor or a test
""",
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE...",
)
@click.option("--json", "as_json", is_flag=True, help="Print the faults as JSON.")
@SEARCH
def check(files: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Check each FILE: structure, references, dimensions, equations, NeuroML's schema.

    All faults of all files are reported at once. Exit code 1 if one of them is an error;
    warnings alone are no reason to fail.
    """
    from .runner import pipeline

    faults = pipeline.check(files, **_known(pipeline.check, **options))
    if as_json:
        click.echo(json.dumps([fault.as_data() for fault in faults], indent=2))
    else:
        for fault in faults:
            click.echo(render(fault, _source_line(fault, files)))
        click.echo(_count(faults, len(files)))
    if any(fault.severity == "error" for fault in faults):
        raise click.exceptions.Exit(MODEL)


def _source_line(fault: Fault, files: Iterable[Path]) -> str | None:
    """Return the line of the model that `fault` is about, where it can be had."""
    if fault.place is None:
        return None
    for folder in (Path(), *(file.parent for file in files)):
        path = folder / fault.place.file
        if path.suffix != ".h5" and path.is_file():
            lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
            return lines[fault.place.line - 1] if 0 < fault.place.line <= len(lines) else None
    return None


def _count(faults: Iterable[Fault], files: int) -> str:
    kinds = [fault.severity for fault in faults]
    told = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for word in ("error", "warning")
        if (count := kinds.count(word))
    ]
    return f"{' and '.join(told) or 'no faults'} in {files} {'file' if files == 1 else 'files'}"


@cli.command(
    short_help="Print what a model becomes at one stage.",
    epilog="""
\b
Examples:
  lemsmith show LEMS_hh.xml --stage model
      component types and components, names bound, values in SI
  lemsmith show LEMS_hh.xml --stage network --explain
      the equations that are solved, and which pass did what to them
  lemsmith show LEMS_hh.xml --stage source --backend cuda > hh.cu
      the program itself
""",
)
@MODEL_FILE
@click.option(
    "--stage",
    type=click.Choice(STAGES),
    default="network",
    show_default=True,
    help="The form to print, from the XML as read to the generated source.",
)
@click.option("--explain", is_flag=True, help="Say what each optimising pass did.")
@CHOICE
@DISCRETISE
@TIMES
@SEARCH
def show(file: Path, stage: str, explain: bool, **options: Any) -> None:
    """Print what the model FILE becomes at one stage of its translation."""
    from .runner import pipeline

    given = _known(pipeline.show, explain=explain or None, **options)
    click.echo(pipeline.show(file, stage, **given))


@cli.command(
    short_help="List what models can run on here.",
    epilog="""
\b
Example:
  lemsmith devices
      which backends work here, and what is missing for the rest
""",
)
def devices() -> None:
    """List what models can run on here, and why the rest cannot be used."""
    from .runner.devices import describe

    click.echo(describe())


@cli.command(
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
    from .runner.validation.commands import run_compare

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
    _end(code, text)


@cli.command(
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
    from .runner.model_diff import run_diff

    try:
        code, text = run_diff(
            a, b, tolerance=tolerance, ignored=ignored, as_json=as_json, **_given(**options)
        )
    except ModelError as error:
        # 1 says that two models differ, and here there are no two models.
        _fail(f"{error}\nthe models cannot be compared", USAGE)
    _end(code, text)


def _end(code: int, text: str) -> None:
    click.echo(text)
    if code:
        raise click.exceptions.Exit(code)


@cli.command(
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
    from .runner.progress import Display
    from .runner.request import made
    from .runner.validation.commands import run_against, run_verify

    _refuse_given(
        *(("engine", "jobs") if against else ("tolerance", "refine", "time_limit", "plot")),
        why="is not for --against" if against else "is for --against alone",
    )
    known = (".json",) if against else (".json", ".xml", ".md")
    for path in reports:
        if path.suffix not in known:
            raise UsageError(f"--report knows {', '.join(known)} here, not {path}")
    settings = {name: str(value) for name, value in _given(**times).items()}
    if settings and not against:
        raise UsageError("an OMV test brings its own step, length and seed")
    made(paths[0], **_given(method=method, **times))
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
                **_given(time_limit=time_limit),
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
    _end(code, text)


def _refuse_given(*names: str, why: str) -> None:
    """Refuse the options that the user gave among `names`, whatever their defaults."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name.replace('_', '-')} {why}")
