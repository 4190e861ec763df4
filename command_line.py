"""The command line: `lemsmith run`, `check`, `show` and the rest, and how their errors are told."""

from __future__ import annotations

import errno
import sys
import tempfile
import traceback
from typing import Any, NoReturn

import click

from . import __version__
from .commands.check import check
from .commands.compare import compare, diff
from .commands.ends import INTERNAL, MODEL, STOPPED, USAGE, fail
from .commands.run import run
from .commands.show import devices, show
from .commands.verify import verify
from .errors import LemsmithError, MissingTool, ModelError, UsageError


class Commands(click.Group):
    """The group of all commands; turns every error into a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            fail("stopped", STOPPED)
        except ModelError as error:
            count = len(error.faults)
            fail(f"{error}\n{count} {'fault' if count == 1 else 'faults'} in the model", MODEL)
        except (UsageError, MissingTool) as error:
            fail(f"lemsmith: {error}", USAGE)
        except LemsmithError as error:
            if type(error).__name__ == "InternalError":
                _report(error)
            fail(f"lemsmith: {error}", MODEL)
        except MemoryError:
            fail("lemsmith: this needs more memory than there is", USAGE)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            if error.filename is None:
                _report(error)
            fail(f"lemsmith: {error.filename}: {error.strerror}", USAGE)
        except Exception as error:  # noqa: BLE001 - a traceback is never the answer
            _report(error)


def _report(error: BaseException) -> NoReturn:
    """Say that lemsmith is at fault, and keep what its developers need to know in a file."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="lemsmith-fault-", suffix=".txt", delete=False
    ) as file:
        file.write(f"lemsmith {__version__}, Python {sys.version}, {sys.platform}\n")
        file.write(f"command: {' '.join(sys.argv)}\n\n")
        file.writelines(traceback.format_exception(error))
    message = str(error) or type(error).__name__
    fail(
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


for _command in (run, check, show, devices, compare, diff, verify):
    cli.add_command(_command)


def main() -> None:
    """Run the command line of this process."""
    cli(prog_name="lemsmith")
