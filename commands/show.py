"""`lemsmith show` and `lemsmith devices`: what there is, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import CHOICE, DISCRETISE, MODEL_FILE, SEARCH, TIMES, known

STAGES = ("document", "model", "network", "program", "source")


@click.command(
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
    from ..runner import pipeline

    given = known(pipeline.show, explain=explain or None, **options)
    click.echo(pipeline.show(file, stage, **given))


@click.command(
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
    from ..runner.devices import describe

    click.echo(describe())
