"""`lemsmith check`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ..errors import Fault, render
from .ends import MODEL
from .options import SEARCH, known


@click.command(
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
    from ..runner import pipeline

    faults = pipeline.check(files, **known(pipeline.check, **options))
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
