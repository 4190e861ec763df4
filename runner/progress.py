"""How far a run has come, told to a person who waits.

A run calls `progress(fraction, message)` now and then. Nothing is shown before two seconds
have passed, and rich is not imported before it is needed.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: Seconds that a run may take without a word.
PATIENCE = 2.0

#: Lines written for a whole run where there is no terminal to draw a bar on.
LINES = 10


class Display:
    """Shows calls `display(fraction, message)` on stderr: a bar, or lines without a terminal."""

    def __init__(self, *, wanted: bool | None = None, patience: float = PATIENCE) -> None:
        self._terminal = sys.stderr.isatty()
        self._wanted = self._terminal if wanted is None else wanted
        self._patience = patience
        self._begin = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._told = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, fraction: float, message: str = "") -> None:
        """Show that `fraction` of the work is done, and what `message` says is going on."""
        passed = time.monotonic() - self._begin
        if not self._wanted or passed < self._patience:
            return
        fraction = min(max(fraction, 0.0), 1.0)
        if self._terminal:
            self._draw(fraction, message, passed)
        elif int(fraction * LINES) > self._told:
            self._told = int(fraction * LINES)
            left = f", {seconds(passed * (1 - fraction) / fraction)} left" if fraction < 1 else ""
            sys.stderr.write(f"{fraction:4.0%} {message}{left}\n")
            sys.stderr.flush()

    def _draw(self, fraction: float, message: str, passed: float) -> None:
        if self._bar is None:
            self._bar = _bar()
            self._task = self._bar.add_task(message, total=1.0, left="")
            self._bar.start()
        if self._task is not None:
            left = seconds(passed * (1 - fraction) / fraction) + " left" if fraction > 0 else ""
            self._bar.update(self._task, completed=fraction, description=message, left=left)


def _bar() -> Progress:
    """Return rich's bar; a run that ends at once never pays for the import."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
        transient=True,
    )


def seconds(time_left: float) -> str:
    """Return a time for people.

    >>> seconds(0.4), seconds(75), seconds(7300)
    ('0 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(time_left)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
