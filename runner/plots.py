"""Pictures of a recording: a PNG file per Display, and a raster of events.

Needs matplotlib (extra `lemsmith[plot]`), which is imported here alone; drawn without a
window, so no display server is needed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.figure import Figure

from .files import replacing
from .recording import CableShape, DisplayLine, DisplaySpec, EventTrain, Recording, Trace

#: Colours for lines that name none, apart for colour-blind eyes too (Okabe and Ito).
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: A legend of more lines than this would hide them.
LEGEND = 16

#: Perceived lightness (ITU-R BT.601) above which a line cannot be seen on white.
TOO_LIGHT = 0.85

PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M"}

#: Any: matplotlib's own type for it lists every setting by name, and changes.
STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "path.simplify_threshold": 0.5,
    "agg.path.chunksize": 20000,
    # A title is text: a dollar sign in it begins no formula.
    "text.parse_math": False,
}


def write_plots(recording: Recording, folder: str | Path) -> list[Path]:
    """Draw every Display, cells of several compartments and events; return the files.

    A model without a Display gets one picture of all its voltages, or of everything.
    """
    stem = _file_stem(Path(recording.source).stem or "recording")
    written: list[Path] = []
    with mpl.rc_context(STYLE):
        for display in recording.displays or _default_displays(recording):
            name = _free(f"{stem}.{_file_stem(display.title or 'display')}", written)
            written.append(_save(draw_display(recording, display), Path(folder) / name))
        for shape in recording.cables:
            if len(shape.diameter) > 1:
                name = _free(f"{stem}.cell.{_file_stem(shape.name)}", written)
                figure = draw_cable(shape, potential=shape.potential is not None)
                written.append(_save(figure, Path(folder) / name))
        trains = [train for train in recording.events if len(train.times)]
        if trains:
            end = float(recording.time[-1]) if len(recording.time) else None
            name = _free(f"{stem}.events", written)
            written.append(_save(draw_raster(trains, end), Path(folder) / name))
    return written


def draw_display(recording: Recording, display: DisplaySpec) -> Figure:
    """Return the picture of one Display, scaled as the model says."""
    figure, axes = _figure(display.title)
    palette = iter(PALETTE * (len(display.lines) // len(PALETTE) + 1))
    labels = []
    for line in display.lines:
        trace = recording.trace(line.path)
        time = recording.time / (line.time_scale or display.time_scale)
        colour = visible(line.colour) or next(palette)
        width = 1.3 if len(display.lines) <= LEGEND else 0.7
        axes.plot(time, trace.values / line.scale, color=colour, lw=width, label=line.name)
        labels.append(unit_label(line.scale, trace.unit))
    axes.set_xlabel(f"time ({unit_label(display.time_scale, 's')})")
    _label_values(axes, recording, display, labels)
    _limit(axes, display)
    if 1 < len(display.lines) <= LEGEND:
        beside = len(display.lines) > 5
        place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if beside else {"loc": "best"}
        axes.legend(**place)
    elif len(display.lines) > LEGEND:
        axes.set_title(f"{len(display.lines)} lines", loc="right", fontsize=9, color="#666666")
    return figure


def draw_cable(shape: CableShape, *, potential: bool = False) -> Figure:
    """Return a cell drawn as it lies in space, in the plane of its two longest extents.

    Widths are those of the compartments; with `potential` colours are the potentials reached.
    """
    points = 1e6 * np.concatenate([shape.start, shape.end])
    spread = np.ptp(points, axis=0)
    across, up = sorted(sorted(range(3), key=lambda axis: -spread[axis])[:2])
    figure, axes = _figure(shape.name)
    lines = 1e6 * np.stack([shape.start[:, [across, up]], shape.end[:, [across, up]]], axis=1)
    scale = 260.0 / max(float(spread.max()), 1e-9)  # points of the page per um, about
    widths = np.maximum(1e6 * shape.diameter * scale, 0.5)
    drawn = LineCollection(list(lines), linewidths=widths, capstyle="butt")
    if potential and shape.potential is not None:
        drawn.set_array(1e3 * shape.potential)
        drawn.set_cmap("viridis")
        figure.colorbar(drawn, ax=axes, label="potential at the end (mV)")
    else:
        drawn.set_color(PALETTE[0])
    axes.add_collection(drawn)
    axes.set_aspect("equal", adjustable="datalim")
    axes.autoscale_view()
    axes.set_xlabel(f"{'xyz'[across]} (µm)")
    axes.set_ylabel(f"{'xyz'[up]} (µm)")
    many = f"{len(shape.diameter)} compartments"
    told = many if shape.cells == 1 else f"{many}, {shape.cells} cells"
    axes.set_title(told, loc="right", fontsize=9, color="#666666", weight="normal")
    return figure


def draw_raster(trains: Sequence[EventTrain], end: float | None) -> Figure:
    """Return a raster of events: a row per source, the first at the top."""
    height = min(2.0 + 0.18 * len(trains), 9.0)
    figure, axes = _figure("Events", height)
    marks = max(2.0, 320.0 / max(len(trains), 20))
    for row, train in enumerate(trains):
        place = np.full(len(train.times), row)
        axes.plot(1000 * train.times, place, "|", color=PALETTE[0], markersize=marks, mew=1.0)
    axes.set_xlabel("time (ms)")
    axes.set_ylim(len(trains) - 0.5, -0.5)
    if end is not None:
        axes.set_xlim(-0.02 * 1000 * end, 1.02 * 1000 * end)
    if len(trains) <= 30:
        names = [train.name or train.path for train in trains]
        axes.set_yticks(range(len(trains)), labels=names, fontsize=8)
    else:
        axes.set_ylabel("source")
    axes.grid(visible=False, axis="y")
    count = sum(len(train.times) for train in trains)
    axes.set_title(f"{count} events", loc="right", fontsize=9, color="#666666", weight="normal")
    return figure


def unit_label(scale: float, unit: str) -> str:
    """Return the unit of values divided by `scale`, for an axis.

    >>> unit_label(1e-3, "V"), unit_label(1.0, ""), unit_label(0.01, "A/m^2")
    ('mV', '', '0.01 A/m^2')
    """
    power = round(math.log10(scale)) if scale > 0 else 1
    if unit and power in PREFIXES and math.isclose(scale, 10.0**power) and _takes_prefix(unit):
        return PREFIXES[power] + unit
    if math.isclose(scale, 1.0):
        return unit
    return f"{scale:g} {unit}".strip()


def visible(colour: str | None) -> str | None:
    """Return `colour` if it is one that can be seen on white, darker if need be."""
    if colour is None or not is_color_like(colour):
        return None
    rgb = to_rgb(colour)
    light = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
    if light <= TOO_LIGHT:
        return colour
    parts = (round(255 * part * 0.6) for part in rgb)
    return "#{:02x}{:02x}{:02x}".format(*parts)


def _takes_prefix(unit: str) -> bool:
    """Whether a prefix before `unit` scales it: "mV" is, "kg" and "m^3" are not."""
    return re.fullmatch(r"(?!kg|m\^|m[23²³])[A-Za-zΩ]+(?![\^²³]).*", unit) is not None


def _figure(title: str, height: float = 4.0) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.0, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _label_values(
    axes: Axes, recording: Recording, display: DisplaySpec, labels: Iterable[str]
) -> None:
    """Label the axis with the quantity, where all lines show one, and with their units."""
    dimensions = {recording.trace(line.path).dimension for line in display.lines}
    units = ", ".join(dict.fromkeys(filter(None, labels)))
    named = dimensions.pop().replace("_", " ") if len(dimensions) == 1 else ""
    named = "" if named == "none" else named
    axes.set_ylabel(f"{named} ({units})" if named and units else named or units)


def _limit(axes: Axes, display: DisplaySpec) -> None:
    """Apply the Display's limits, but never hide what was recorded nor leave half empty.

    Authors set them for one length and for one set of parameters; a run may have others.
    """
    left, right = axes.get_xlim()
    if display.xmin is not None and display.xmin < right:
        left = max(left, display.xmin)
    if display.xmax is not None and display.xmax > left:
        right = min(right, display.xmax)
    axes.set_xlim(left, right)
    low, high = axes.get_ylim()
    if display.ymin is not None and display.ymax is not None and display.ymin < display.ymax:
        axes.set_ylim(min(low, display.ymin), max(high, display.ymax))


def _default_displays(recording: Recording) -> tuple[DisplaySpec, ...]:
    voltages = [trace for trace in recording.traces if trace.dimension == "voltage"]
    chosen = voltages or list(recording.traces)
    if not chosen:
        return ()
    lines = tuple(_default_line(trace) for trace in chosen)
    title = "voltages" if voltages else "everything recorded"
    return (DisplaySpec(title, None, None, None, None, 1e-3, lines),)


def _default_line(trace: Trace) -> DisplayLine:
    return DisplayLine(trace.name, trace.path, 1e-3 if trace.dimension == "voltage" else 1.0)


def _file_stem(text: str) -> str:
    """Return `text` as part of a file's name: no slashes, spaces or dots at its ends."""
    return re.sub(r"[^\w.+-]+", "_", text)[:80].strip("._") or "plot"


def _free(name: str, taken: Iterable[Path]) -> str:
    """Return a file name for `name` that no picture of this run has."""
    names = {path.name for path in taken}
    if f"{name}.png" not in names:
        return f"{name}.png"
    return next(f"{name}_{n}.png" for n in range(2, 10**6) if f"{name}_{n}.png" not in names)


def _save(figure: Figure, path: Path) -> Path:
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    return path
