"""What a program that failed said of it, cut to what a reader can use.

Other simulators print much beside the reason: the whole environment, which is nobody's
business, the frames of a stack, a list of what they support.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

#: Shown are so many lines that speak of an error, so many of the end, cut to a width.
SHOWN_ERRORS = 3
SHOWN_END = 8
SHOWN_WIDTH = 240

#: Signals by which a program ends that is at fault, or that had too little memory.
CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGKILL}
)

#: What jNeuroML puts before a line of its own, and before one of a program that it starts.
_PREFIX = re.compile(r"\(INFO\) [\w ]*Error\s*>>+ ?>? ?|^\(INFO\) |\x1b\[[0-9;]*m")

#: A variable of the environment, a frame of a stack, a mark below a line, a supported feature.
_NOISE = re.compile(
    r"""\s*(?:
        [A-Za-z_]\w*\s+=\s | Environment\ variables:
        | at\ [\w.$/<>]+\( | \.\.\.\ \d+\ more
        | [~^|-]+$
        | [✓x]\ [A-Z_]+\ \( | Format:\ \w+$ | Info\ on\ supported\ features: | $
    )""",
    re.VERBOSE,
)

_ERROR = re.compile(r"(?i)\berror: |(error|exception): |\bfatal\b|\bnot supported\b")


def ending(status: int) -> str:
    """Return in words how a process ended; a launcher passes a signal on as a status.

    >>> ending(1), ending(255), ending(-11), ending(139), ending(245)
    ('ended with status 1', 'ended with status 255', 'crashed (SIGSEGV)', 'crashed (SIGSEGV)', \
'crashed (SIGSEGV)')
    """
    for number in (-status, status - 128, 256 - status):
        if number in CRASHES:
            return f"crashed ({signal.Signals(number).name})"
    return f"ended with status {status}"


def last_words(said: str, folder: Path) -> str:
    r"""Return the first errors and the end of what a program said that ran in `folder`.

    >>> print(last_words("error: no such dimension\n at a.b(C.java:1)\nbye\n", Path("/tmp")))
    :
        error: no such dimension
        bye
    """
    plain = (_PREFIX.sub("", line) for line in said.splitlines())
    lines = [line.replace(f"{folder}/", "") for line in plain if not _NOISE.match(line)]
    if not lines:
        return ""
    before, end = lines[:-SHOWN_END], lines[-SHOWN_END:]
    errors = [line for line in before if _ERROR.search(line)][:SHOWN_ERRORS]
    cut = ["..."] if len(before) > len(errors) else []
    return ":\n" + "\n".join(f"    {line[:SHOWN_WIDTH]}" for line in (*errors, *cut, *end))
