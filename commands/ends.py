"""How a command ends: what it says, and its exit code."""

from __future__ import annotations

from typing import NoReturn

import click

#: Exit codes: the model is at fault, the request is, lemsmith is, the user stopped it.
MODEL, USAGE, INTERNAL, STOPPED = 1, 2, 70, 130


def fail(message: str, code: int) -> NoReturn:
    """Say `message` where errors are told, and end with `code`."""
    click.echo(message, err=True)
    raise click.exceptions.Exit(code)


def end(code: int, text: str) -> None:
    """Print a result, and end with `code`."""
    click.echo(text)
    if code:
        raise click.exceptions.Exit(code)
