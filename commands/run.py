"""`lemsmith run`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..errors import Interrupted, MissingTool, UsageError
from .ends import STOPPED, fail
from .options import CHOICE, DISCRETISE, MODEL_FILE, PROGRESS, SEARCH, TIMES, known

if TYPE_CHECKING:
    from ..runner.recording import Recording

#: Simulated seconds from which a summary counts in seconds, not in milliseconds.
LONG = 10.0


@click.command(
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
    from ..runner import pipeline
    from ..runner.progress import Display

    if save is not None and save.suffix not in {".npz", ".h5", ".hdf5"}:
        raise UsageError(f"--save knows FILE.npz and FILE.h5, not {save.name}")
    if plot:
        _plotting()
    say = (lambda _: None) if quiet else click.echo
    begin = time.monotonic()
    with Display(wanted=progress) as display:
        try:
            recording = pipeline.run(file, progress=display, **known(pipeline.run, **options))
        except Interrupted as stopped:
            _keep(stopped.recording, out, save)
    say(_summary(recording, time.monotonic() - begin))
    if warnings := recording.settings.get("warnings"):
        click.echo("\n".join(f"warning: {w}" for w in str(warnings).splitlines()), err=True)
    for path in _write(recording, out, save, plot):
        say(f"wrote {path}")
    if error:
        from ..runner.validation.run_error import run_error

        given = {**options, "method": "reference"}
        for name in ("backend", "precision", "threads", "events", "rtol", "atol"):
            given.pop(name, None)
        with Display(wanted=progress) as display:
            yardstick = pipeline.run(file, progress=display, **known(pipeline.run, **given))
        click.echo(run_error(recording, yardstick).text())


def _plotting() -> Any:
    """Return the plotting module; matplotlib is optional."""
    try:
        from ..runner import plots
    except ImportError:
        raise MissingTool("--plot needs matplotlib: pip install 'lemsmith[plot]'") from None
    return plots


def _write(recording: Recording, out: Path, save: Path | None, plot: bool) -> list[Path]:
    from ..runner.results import write_files

    written = list(write_files(recording, out))
    if save is not None:
        recording.to_npz(save) if save.suffix == ".npz" else recording.to_hdf5(save)
        written.append(save)
    if plot:
        written += _plotting().write_plots(recording, out)
    return written


def _keep(recording: Any, out: Path, save: Path | None) -> NoReturn:
    """Write what a stopped run had recorded as NAME.partial, and end."""
    from ..runner.results import write_files

    written = [] if recording is None else list(write_files(recording, out, partial=True))
    if save is not None and recording is not None:
        partial = save.with_name(f"{save.name}.partial")
        recording.to_npz(partial) if save.suffix == ".npz" else recording.to_hdf5(partial)
        written.append(partial)
    fail("\n".join(["stopped", *(f"kept {path}" for path in written)]), STOPPED)


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
