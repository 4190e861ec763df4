"""Writes docs/command_line.md from the commands themselves: `make docs`."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import click
from lemsmith.command_line import cli

PAGE = Path(__file__).with_name("command_line.md")

HEAD = """\
# The command line

<!-- Written by `make docs` from commands/; a test holds the two together. -->

| command | what it does |
|---|---|
"""

FOOT = """
## Exit codes

| code | meaning |
|---|---|
| 0 | all is well |
| 1 | the model is at fault, a test failed, or two results or models differ |
| 2 | the request is at fault: an unknown option, a missing file, something not installed |
| 70 | lemsmith is at fault; the message says what to report |
| 130 | stopped by Ctrl-C; what was recorded is kept as `NAME.partial` |

`lemsmith diff` ends with 2 where one of its files is no model: 1 says that two models differ.

Results go to stdout, everything else to stderr.
"""


def page() -> str:
    """Return the text of docs/command_line.md."""
    commands = sorted(cli.commands.items())
    rows = [f"| [`lemsmith {name}`](#lemsmith-{name}) | {it.short_help} |" for name, it in commands]
    parts = [section(name, command) for name, command in commands]
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(parts) + FOOT


def section(name: str, command: click.Command) -> str:
    """Return what the page says of one command."""
    arguments = [str(it.metavar) for it in command.params if isinstance(it, click.Argument)]
    usage = " ".join(["lemsmith", name, "[OPTIONS]", *arguments])
    lines = [f"## lemsmith {name}", "", "```", usage, "```", ""]
    lines += [inspect.cleandoc(command.help or ""), ""]
    options = [it for it in command.params if isinstance(it, click.Option)]
    if options:
        lines += ["| option | meaning |", "|---|---|", *map(row, options), ""]
    example = textwrap.dedent((command.epilog or "").replace("\b", "")).strip()
    _, _, example = example.partition(":\n")
    lines += ["```sh", *map(as_shell, textwrap.dedent(example).splitlines()), "```", ""]
    return "\n".join(lines)


def row(option: click.Option) -> str:
    """Return the table row of one option."""
    names = ", ".join(f"`{it}`" for it in (*option.opts, *option.secondary_opts))
    if isinstance(option.type, click.Choice):
        value = " `" + "\\|".join(map(str, option.type.choices)) + "`"
    else:
        value = f" `{option.metavar}`" if option.metavar else ""
    text = (option.help or "").replace("|", "\\|")
    default = f" Default: `{option.default}`." if option.show_default else ""
    return f"| {names}{value} | {text}{default} |"


def as_shell(line: str) -> str:
    """Return a line of an example, what explains it as a comment."""
    return f"# {line.strip()}" if line.startswith(" ") else line


if __name__ == "__main__":
    PAGE.write_text(page())
