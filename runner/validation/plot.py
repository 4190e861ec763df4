"""Draws two recordings over each other, with their difference below.

The only file of validation that needs matplotlib.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import MissingTool
from .compare import Recorded, paired
from .sampling import align, values_at

#: Columns drawn in one figure.
DRAWN = 12


def draw(a: Recorded, b: Recorded, names: tuple[str, str], title: str, into: Path) -> None:
    """Draw the shared columns of `a` and `b` into the image file `into`.

    Raises `MissingTool` where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional
    except ImportError:
        raise MissingTool("drawing needs matplotlib: pip install 'lemsmith[plot]'") from None
    pairs = paired(tuple(a.columns), tuple(b.columns)).pairs[:DRAWN]
    figure = Figure(figsize=(9, 3.2 * max(1, len(pairs))), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(2 * max(1, len(pairs)), 1, squeeze=False, sharex=True)[:, 0]
    alignment = align(a.time, b.time)
    for row, (left, right) in enumerate(pairs):
        above, below = axes[2 * row], axes[2 * row + 1]
        above.plot(b.time, b.columns[right], color="0.6", linewidth=2.5, label=names[1])
        above.plot(a.time, a.columns[left], color="C3", linewidth=0.9, label=names[0])
        above.set_title(left, fontsize="small", loc="left")
        above.legend(fontsize="small", loc="upper right")
        if alignment.time.size:
            ours = values_at(alignment, alignment.a, a.time, a.columns[left])
            theirs = values_at(alignment, alignment.b, b.time, b.columns[right])
            below.plot(alignment.time, ours - theirs, color="C0", linewidth=0.8)
        below.set_ylabel("difference", fontsize="small")
    axes[-1].set_xlabel("time (s)")
    into.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(into)
