"""Pictures of Displays and events."""

from dataclasses import replace

import numpy as np
import pytest
from lemsmith.runner.recording import (
    CableShape,
    DisplayLine,
    DisplaySpec,
    EventTrain,
    Recording,
    Trace,
)

pytest.importorskip("matplotlib")
from lemsmith.runner import plots

TIME = np.linspace(0, 0.3, 301)
V = -0.06 + 0.02 * np.sin(40 * TIME)


@pytest.fixture
def display():
    return DisplaySpec(
        title="Membrane potential",
        xmin=-20,
        xmax=600,
        ymin=-90,
        ymax=-60,
        time_scale=1e-3,
        lines=(
            DisplayLine("cell 0", "pop[0]/v", 1e-3, "#ff0000"),
            DisplayLine("cell 1", "pop[1]/v", 1e-3, None),
        ),
    )


@pytest.fixture
def recording(display):
    return Recording(
        time=TIME,
        traces=(
            Trace("a", "pop[0]/v", "voltage", "V", V),
            Trace("b", "pop[1]/v", "voltage", "V", V - 0.001),
            Trace("g", "pop[1]/syn/g", "conductance", "S", 1e-9 * TIME),
        ),
        events=(EventTrain("0", "pop[0]", "spike", np.array([0.1, 0.2])),),
        displays=(display,),
        source="models/LEMS_cell.xml",
    )


def drawn(recording, display):
    (axes,) = plots.draw_display(recording, display).axes
    return axes


def test_every_display_and_the_events_become_a_png_each(recording, tmp_path):
    paths = plots.write_plots(recording, tmp_path / "new")
    assert [path.name for path in paths] == [
        "LEMS_cell.Membrane_potential.png",
        "LEMS_cell.events.png",
    ]
    assert all(path.read_bytes()[1:4] == b"PNG" for path in paths)


def test_lines_are_drawn_in_the_displays_units(recording, display):
    axes = drawn(recording, display)
    time, values = axes.lines[0].get_data()
    assert time[-1] == pytest.approx(300)
    assert values == pytest.approx(1000 * V)
    assert axes.get_xlabel() == "time (ms)"
    assert axes.get_ylabel() == "voltage (mV)"


def test_a_line_may_have_its_own_scale_of_time(recording, display):
    line = replace(display.lines[0], time_scale=1.0)
    time, _ = drawn(recording, replace(display, lines=(line,))).lines[0].get_data()
    assert time[-1] == pytest.approx(0.3)


def test_lines_have_the_models_colours_and_names(recording, display):
    axes = drawn(recording, display)
    assert axes.lines[0].get_color() == "#ff0000"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["cell 0", "cell 1"]


def test_quantities_of_two_kinds_name_both_units(recording, display):
    lines = (*display.lines, DisplayLine("g", "pop[1]/syn/g", 1e-9))
    assert drawn(recording, replace(display, lines=lines)).get_ylabel() == "mV, nS"


def test_limits_never_hide_what_was_recorded(recording, display):
    axes = drawn(recording, display)
    low, high = axes.get_ylim()
    assert low == -90
    assert high > 1000 * V.max()


def test_a_shorter_run_does_not_leave_the_picture_half_empty(recording, display):
    left, right = drawn(recording, display).get_xlim()
    assert right < 330
    assert left > -21


def test_a_limit_of_time_inside_the_run_is_kept(recording, display):
    assert drawn(recording, replace(display, xmin=0, xmax=100)).get_xlim() == (0, 100)


@pytest.mark.parametrize("colour", ["#ffffff", "#ffff99", "nonsense", "", None])
def test_no_line_is_invisible(colour):
    shown = plots.visible(colour)
    assert shown is None or shown not in {"#ffffff", "#ffff99"}


@pytest.mark.parametrize(
    ("scale", "unit", "label"),
    [
        (1e-3, "V", "mV"),
        (1.0, "V", "V"),
        (1e-9, "S", "nS"),
        (1e-12, "A", "pA"),
        (1e-6, "mol/m^3", "µmol/m^3"),
        (1e-3, "m^2", "0.001 m^2"),
        (1e-3, "kg", "0.001 kg"),
        (1e-2, "A/m^2", "0.01 A/m^2"),
        (666.7, "", "666.7"),
        (1.0, "", ""),
        (0.1, "V", "0.1 V"),
    ],
)
def test_a_scaled_unit_is_written_as_people_write_it(scale, unit, label):
    assert plots.unit_label(scale, unit) == label


def test_a_title_is_no_formula_and_no_path(recording, display, tmp_path):
    odd = replace(display, title="../$x^{$ a/b")
    paths = plots.write_plots(replace(recording, displays=(odd, odd)), tmp_path)
    assert [path.parent for path in paths] == [tmp_path] * 3
    assert len({path.name for path in paths}) == 3


def test_a_model_without_displays_shows_its_voltages(recording, tmp_path):
    paths = plots.write_plots(replace(recording, displays=(), events=()), tmp_path)
    assert [path.name for path in paths] == ["LEMS_cell.voltages.png"]


def test_nothing_recorded_is_nothing_drawn(tmp_path):
    assert plots.write_plots(Recording(np.zeros(0)), tmp_path) == []


def test_many_lines_have_no_legend_but_a_count(recording, display):
    axes = drawn(recording, replace(display, lines=display.lines * 20))
    assert axes.get_legend() is None
    assert axes.get_title(loc="right") == "40 lines"


def test_the_first_source_of_events_stands_at_the_top():
    trains = [EventTrain(n, n, "spike", np.array([0.1])) for n in "abc"]
    (axes,) = plots.draw_raster(trains, 0.3).axes
    bottom, top = axes.get_ylim()
    assert top < bottom
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]


def test_the_same_recording_gives_the_same_picture(recording, tmp_path):
    first = plots.write_plots(recording, tmp_path / "a")[0]
    second = plots.write_plots(recording, tmp_path / "b")[0]
    assert first.read_bytes() == second.read_bytes()


def test_a_cell_of_compartments_is_drawn_as_it_lies_coloured_by_its_potential():
    ends = 1e-6 * np.array(
        [[[0, 0, 0], [0, 10, 0]], [[0, 10, 0], [0, 40, 0]], [[0, 40, 0], [9, 60, 0]]]
    )
    shape = CableShape(
        "pop",
        1,
        ends[:, 0],
        ends[:, 1],
        1e-6 * np.array([10.0, 2, 1]),
        np.array([-0.07, -0.05, 0.0]),
    )
    axes, bar = plots.draw_cable(shape, potential=True).axes
    (lines,) = axes.collections
    drawn_at = np.array(lines.get_segments())
    assert drawn_at == pytest.approx(1e6 * ends[:, :, :2])
    assert np.asarray(lines.get_array()) == pytest.approx(np.array([-70.0, -50.0, 0.0]))
    widths = lines.get_linewidths()
    assert widths[0] > widths[1] > widths[2]
    assert "mV" in bar.get_ylabel()
