"""Compartments against NEURON's own areas and resistances, and against what must always hold."""

from __future__ import annotations

import importlib.util
import math
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lemsmith.converter.compartments import (
    Compartments,
    average_over_nodes,
    axial_resistance,
    discretise,
    inhomogeneous_values,
)
from lemsmith.converter.morphology import (
    UNBRANCHED,
    InhomogeneousParameter,
    Morphology,
    MorphologyError,
    Point,
    Segment,
    SegmentGroup,
    values_by_segment,
)
from lemsmith.converter.sections import sections_of
from lxml import etree

SHARED = Path(__file__).parents[2].parent / "shared"
CORPUS = SHARED / "corpus"
EXAMPLES = CORPUS / "neuroml2" / "examples"
ACNET = CORPUS / "osb" / "ACnet2" / "neuroConstruct" / "generatedNeuroML2"

needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the corpus of models is not beside the repository"
)


# Reading, small and local: the converter's own reader is not under test here.


def child(element: Any, name: str) -> Any:
    return next(iter(element.iterfind("{*}" + name)), None)


def point_of(element: Any) -> Point | None:
    if element is None:
        return None
    return Point.from_micrometres(*(float(element.get(k)) for k in ("x", "y", "z", "diameter")))


def number(element: Any, attribute: str) -> Any:
    if element is None or element.get(attribute) is None:
        return None
    return float(element.get(attribute))


def end_of(element: Any, name: str) -> int | None:
    found = child(element, name)
    return None if found is None else int(found.get("segment"))


def segment_of(element: Any) -> Segment:
    parent = child(element, "parent")
    return Segment(
        id=int(element.get("id")),
        name=element.get("name") or "",
        parent=None if parent is None else int(parent.get("segment")),
        fraction_along=1.0 if parent is None else float(parent.get("fractionAlong", "1")),
        proximal=point_of(child(element, "proximal")),
        distal=point_of(child(element, "distal")),
        place=element.sourceline,
    )


def group_of(element: Any) -> SegmentGroup:
    divisions = [
        int(one.get("value"))
        for one in element.iter("{*}property")
        if one.get("tag") == "numberInternalDivisions"
    ]
    return SegmentGroup(
        id=element.get("id"),
        neuro_lex_id=element.get("neuroLexId"),
        members=tuple(int(one.get("segment")) for one in element.iterfind("{*}member")),
        includes=tuple(one.get("segmentGroup") for one in element.iterfind("{*}include")),
        paths=tuple(
            (end_of(one, "from"), end_of(one, "to")) for one in element.iterfind("{*}path")
        ),
        sub_trees=tuple(
            (end_of(one, "from"), end_of(one, "to")) for one in element.iterfind("{*}subTree")
        ),
        inhomogeneous_parameters=tuple(
            InhomogeneousParameter(
                one.get("id"),
                one.get("variable"),
                one.get("metric"),
                number(child(one, "proximal"), "translationStart"),
                number(child(one, "distal"), "normalizationEnd"),
            )
            for one in element.iterfind("{*}inhomogeneousParameter")
        ),
        divisions=divisions[0] if divisions else None,
        place=element.sourceline,
    )


def morphology_of(element: Any) -> Morphology:
    return Morphology(
        id=element.get("id"),
        segments=tuple(segment_of(one) for one in element.iterfind("{*}segment")),
        groups=tuple(group_of(one) for one in element.iterfind("{*}segmentGroup")),
        place=element.sourceline,
    )


@cache
def morphologies() -> tuple[tuple[str, str, Morphology], ...]:
    """Return (file, id of the cell, morphology) of every cell of the corpus with its own shape."""
    found = []
    for path in sorted([*CORPUS.rglob("*.nml"), *CORPUS.rglob("*.xml")]):
        if b"<segment " not in path.read_bytes():
            continue
        for element in etree.parse(path).iter("{*}morphology"):
            cell = element.getparent()
            if etree.QName(element.getparent()).localname == "ComponentType":
                continue
            name = cell.get("id") if etree.QName(cell).localname != "neuroml" else ""
            found.append((str(path.relative_to(CORPUS)), name, morphology_of(element)))
    return tuple(found)


def cell(path: Path, name: str) -> Morphology:
    return next(shape for file, id, shape in morphologies() if CORPUS / file == path and id == name)


@cache
def oracle() -> ModuleType:
    path = SHARED / "reference" / "reimpl_cable.py"
    if not path.is_file():
        pytest.skip("the reference calculation is not beside the repository")
    spec = importlib.util.spec_from_file_location("reimpl_cable", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Shapes made here.


def um(x: float, y: float, z: float, diameter: float) -> Point:
    return Point.from_micrometres(x, y, z, diameter)


def cable(*groups: SegmentGroup, points: list[tuple[float, float]]) -> Morphology:
    """Return segments in a row along x, through (x, diameter) [um], in one unbranched group."""
    segments = [
        Segment(
            number,
            parent=number - 1 if number else None,
            proximal=um(points[0][0], 0, 0, points[0][1]) if number == 0 else None,
            distal=um(x, 0, 0, diameter),
        )
        for number, (x, diameter) in enumerate(points[1:])
    ]
    return Morphology("cable", tuple(segments), groups)


def in_one_section(count: int, divisions: int = 1) -> SegmentGroup:
    return SegmentGroup("cable", UNBRANCHED, tuple(range(count)), divisions=divisions)


def branched(diameter: float = 4.0, fraction: float = 0.5) -> Morphology:
    """Return the cell of the segment-mode measurement: a spherical soma with one tapered branch."""
    return Morphology(
        "cell",
        (
            Segment(0, "soma", proximal=um(0, 0, 0, 20), distal=um(0, 0, 0, 20)),
            Segment(1, "d1", 0, fraction, proximal=um(0, 0, 0, diameter), distal=um(100, 0, 0, 1)),
        ),
        (SegmentGroup("dendrites", members=(1,)),),
    )


ohm_cm = 0.01
megohm = 1e6
um2 = 1e-12


def close(value: float, expected: float) -> Any:
    """Compare with a number given to ten digits."""
    return value == pytest.approx(expected, rel=2e-9, abs=0)


def by_place(cut: Compartments) -> dict[tuple[str, float], int]:
    return {
        (cut.sections[section].name, round(float(x), 9)): node
        for node, (section, x) in enumerate(zip(cut.section, cut.x, strict=True))
    }


# NEURON's numbers.


@needs_corpus
def test_multi_comp_cell_has_the_areas_and_resistances_that_neuron_gives_it():
    cut = discretise(cell(EXAMPLES / "NML2_MultiCompCellNetwork.nml", "MultiCompCell"))
    ohms = axial_resistance(cut, 100000 * ohm_cm) / megohm
    at = by_place(cut)
    expected = {
        ("soma", 0.5): (314.1592654, 63.66197724),
        ("soma", 1.0): (0, 63.66197724),
        ("dendSec1", 0.5): (94.24777961, 707.3553026),
        ("dendSec1", 1.0): (0, 707.3553026),
        ("dendSec2", 1.0): (0, 893.5014349),
    }
    rows = [
        (30.55280519, 242.521818),
        (28.80693061, 529.1385121),
        (27.06105602, 597.4144491),
        (25.31518144, 679.8164421),
        (23.56930686, 780.5299891),
        (21.82343228, 905.4147874),
        (20.0775577, 1062.878229),
        (18.33168311, 1265.331225),
        (16.58580853, 1531.716746),
    ]
    expected |= {("dendSec2", round((i + 0.5) / 9, 9)): row for i, row in enumerate(rows)}
    assert set(at) == {*expected, ("soma", 0.0)}
    for place, (area, resistance) in expected.items():
        assert close(cut.area[at[place]] / um2, area), place
        assert close(ohms[at[place]], resistance), place


@needs_corpus
def test_pyr_4_sym_has_the_areas_and_resistances_that_neuron_gives_it():
    cut = discretise(cell(ACNET / "pyr_4_sym.cell.nml", "pyr_4_sym"))
    ohms = axial_resistance(cut, 200 * ohm_cm) / megohm
    at = by_place(cut)
    for section, area, resistance in [
        ("soma", 1228.36273, 0.0409169608),
        ("apical0", 1130.97336, 2.12206591),
        ("apical2", 5529.20319, 26.306601),
        ("apical3", 3644.2476, 60.5583572),
        ("apical4", 1570.79633, 79.5774715),
        ("apical1", 1413.71669, 21.2206591),
        ("basal0", 628.318531, 3.97887358),
        ("basal1", 2356.28304, 7.63972439),
        ("basal2", 2356.28304, 7.63972439),
    ]:
        node = at[section, 0.5]
        assert cut.area[node] / um2 == pytest.approx(area, rel=5e-9, abs=0), section
        assert ohms[node] == pytest.approx(resistance, rel=5e-9, abs=0), section


def test_the_export_mirrors_a_taper_where_each_segment_is_a_section():
    meant, exported = discretise(branched()), discretise(branched(), follow_export=True)
    for cut, first, second in ((meant, 9.54929659, 38.1971863), (exported, 38.1971863, 9.54929659)):
        ohms = axial_resistance(cut, 150 * ohm_cm) / megohm
        at = by_place(cut)
        assert close(cut.area[at["d1", 0.5]] / um2, 785.486516)
        assert close(ohms[at["d1", 0.5]], first)
        assert close(ohms[at["d1", 1.0]], second)
        assert cut.parent[at["d1", 0.5]] == at["soma", 0.5]


def deviations(shape: Morphology, cut: Compartments, expected: list[Any]) -> dict[str, float]:
    """Return the largest relative deviation of each quantity, having compared the tree."""
    assert len(cut) == len(expected)
    ohms = axial_resistance(cut, 100 * ohm_cm) / megohm
    at = by_place(cut)
    worst = {"area": 0.0, "resistance": 0.0, "diameter": 0.0}
    for node in expected:
        here = at[node["sec"], round(node["x"], 9)]
        if node["parent"] is None:
            assert cut.parent[here] == -1
            continue
        above = expected[node["parent"]]
        assert cut.parent[here] == at[above["sec"], round(above["x"], 9)]
        off = {"resistance": ohms[here] / node["ri"] - 1}
        if "diam" in node:
            off["area"] = cut.area[here] / um2 / node["area"] - 1
            off["diameter"] = cut.diameter[here] * 1e6 / node["diam"] - 1
        worst |= {key: max(worst[key], abs(float(value))) for key, value in off.items()}
    return worst


@needs_corpus
@pytest.mark.parametrize(("follow_export", "bound"), [(True, 1e-15), (False, 5e-14)])
def test_every_cell_of_the_corpus_has_the_nodes_that_neuron_makes_of_it(follow_export, bound):
    cells = [one for one in morphologies() if one[1]]
    assert len(cells) > 70
    for file, name, shape in cells:
        sections, _ = oracle().read_cell(CORPUS / file, name)
        expected, _ = oracle().build(sections, 100.0)
        mirrored = not any(group.is_unbranched for group in shape.groups)
        if mirrored and not follow_export and len(shape.segments) > 1:
            continue
        cut = discretise(shape, follow_export=follow_export)
        worst = deviations(shape, cut, expected)
        assert max(worst.values()) < bound, (file, name, worst)


@needs_corpus
def test_a_cell_far_from_the_origin_has_its_points_rounded_there():
    shape = cell(
        CORPUS / "osb/CA1PyramidalCell/neuroConstruct/generatedNeuroML2/CA1.cell.nml", "CA1"
    )
    sections, _ = oracle().read_cell(
        CORPUS / "osb/CA1PyramidalCell/neuroConstruct/generatedNeuroML2/CA1.cell.nml", "CA1"
    )
    single = oracle().f32
    for section in sections:
        section.pts = [
            [single(x) + 400, single(y) - 200, single(z) + 1000, d] for x, y, z, d in section.pts
        ]
    expected, _ = oracle().build(sections, 100.0)
    moved = discretise(shape, follow_export=True, position=(400e-6, -200e-6, 1000e-6))
    assert max(deviations(shape, moved, expected).values()) < 1e-15
    unmoved = discretise(shape)
    assert 1e-6 < np.abs(moved.section_length / unmoved.section_length - 1).max() < 5e-5


def test_a_step_of_the_diameter_adds_its_annulus_and_no_resistance():
    stepped = cable(in_one_section(3), points=[(0, 2), (50, 2), (50, 6), (100, 6)])
    cut = discretise(stepped)
    sides = math.pi * 50 * 2 + math.pi * 50 * 6
    annulus = math.pi / 4 * (6**2 - 2**2)
    assert cut.area.sum() / um2 == pytest.approx(sides + annulus, rel=1e-12, abs=0)
    assert cut.left[1] == pytest.approx(4 / math.pi * 50e-6 / (2e-6) ** 2)
    assert cut.right[1] == pytest.approx(4 / math.pi * 50e-6 / (6e-6) ** 2)


@pytest.mark.parametrize("length", [0.1, 0.3, 1.7, 33.3])
@pytest.mark.parametrize("refine", [1, 3, 7, 49])
def test_a_step_of_the_diameter_at_the_very_end_is_never_lost(length, refine):
    stepped = cable(in_one_section(2), points=[(0, 2), (length, 2), (length, 6)])
    cut = discretise(stepped, refine=refine)
    assert cut.area.sum() / um2 == pytest.approx(
        math.pi * float(np.float32(length)) * 2 + math.pi / 4 * (6**2 - 2**2), rel=1e-9
    )


def test_a_section_of_no_length_is_one_nanometre_of_a_micrometre_long_and_runs():
    cut = discretise(cable(in_one_section(1), points=[(5, 2), (5, 6)]))
    assert cut.section_length[0] == pytest.approx(1e-15)
    assert cut.area.sum() / um2 == pytest.approx(math.pi / 4 * (6**2 - 2**2))
    assert np.all(np.isfinite(cut.axial[1:]))


def test_a_sphere_is_a_cylinder_as_long_as_it_is_wide():
    for groups in ((), (in_one_section(1),)):
        cut = discretise(cable(*groups, points=[(5, 20), (5, 20)]))
        assert cut.section_length[0] == pytest.approx(20e-6)
        assert cut.area.sum() / um2 == pytest.approx(math.pi * 400)


def test_only_the_export_moves_the_children_of_a_sphere():
    shape = Morphology(
        "cell",
        (
            Segment(0, proximal=um(0, 0, 0, 20), distal=um(0, 0, 0, 20)),
            Segment(1, parent=0, distal=um(100, 0, 0, 20)),
        ),
        (
            SegmentGroup("soma", UNBRANCHED, (0,)),
            SegmentGroup("dendrite", UNBRANCHED, (1,)),
        ),
    )
    assert discretise(shape).section_length[1] == pytest.approx(100e-6)
    exported = discretise(shape, follow_export=True)
    assert exported.section_length[1] == pytest.approx(math.hypot(100, 20) * 1e-6)


def test_a_branch_inside_a_section_hangs_on_the_node_that_holds_its_place():
    twig = Segment(2, parent=0, proximal=um(100, 0, 0, 1), distal=um(100, 9, 0, 1))
    trunk = cable(points=[(0, 2), (100, 2), (200, 2)])
    shape = Morphology(
        "cell",
        (*trunk.segments, twig),
        (in_one_section(2, divisions=4), SegmentGroup("twig", UNBRANCHED, (2,))),
    )
    cut = discretise(shape)
    # The end of the first of two equal segments is x = 0.5, which compartment 2 of 0 to 3 holds.
    assert cut.sections[1].parent_x == 0.5
    assert cut.parent[cut.first[1]] == cut.first[0] + 2
    assert cut.distance[cut.first[1]] == pytest.approx((100 + 4.5) * 1e-6)
    assert cut.axial[cut.first[1]] == cut.left[cut.first[1]]


def test_parents_come_first_even_where_the_document_puts_them_last():
    trunk = cable(points=[(0, 2), (100, 2), (200, 2)])
    shape = Morphology(
        "cell",
        trunk.segments,
        (SegmentGroup("outer", UNBRANCHED, (1,)), SegmentGroup("inner", UNBRANCHED, (0,))),
    )
    cut = discretise(shape)
    assert [section.name for section in cut.sections] == ["outer", "inner"]
    assert cut.parent.tolist() == [-1, 0, 1, 2, 3]
    assert cut.section.tolist() == [1, 1, 1, 0, 0]


# Who lies where.


def test_a_place_on_a_segment_finds_its_compartment_and_the_ends_their_points():
    cut = discretise(cable(in_one_section(2, divisions=10), points=[(0, 2), (70, 2), (100, 2)]))
    assert cut.node_at(0, 0.0) == cut.end0[0] == 0
    assert cut.node_at(1, 1.0) == cut.end1[0] == 11
    assert cut.node_at(0, 0.5) == cut.first[0] + 3
    # 0.7 in single precision is under 0.7; its shortest text is not.
    assert cut.node_at(0, 1.0) == cut.node_at(1, 0.0) == cut.first[0] + 7
    many = cut.nodes_at([[0, 1], [1, 0]], [[0.0, 1.0], [0.5, 0.5]])
    assert many.tolist() == [[0, 11], [cut.first[0] + 8, cut.first[0] + 3]]


@needs_corpus
def test_places_on_multi_comp_cell_are_those_that_the_export_writes():
    cut = discretise(cell(EXAMPLES / "NML2_MultiCompCellNetwork.nml", "MultiCompCell"))
    at = by_place(cut)
    # dendSec2(0.16666667) and dendSec2(0.6666667), the latter on a border of nine compartments
    assert cut.node_at(2) == at["dendSec2", round(1.5 / 9, 9)]
    assert cut.node_at(3) == at["dendSec2", round(6.5 / 9, 9)]
    assert cut.node_at(0) == at["soma", 0.5]
    assert cut.nodes_at([], []).shape == (0,)


@pytest.mark.parametrize(("segment", "fraction"), [(7, 0.5), (0, 1.5), (0, -0.1), (0, math.nan)])
def test_a_place_that_does_not_exist_is_refused(segment, fraction):
    cut = discretise(cable(in_one_section(1), points=[(0, 2), (70, 2)]))
    with pytest.raises(MorphologyError, match="segment"):
        cut.node_at(segment, fraction)


def test_a_group_that_ends_inside_a_compartment_covers_a_share_of_it():
    groups = (in_one_section(2, divisions=3), SegmentGroup("tip", members=(1,)))
    shape = cable(*groups, points=[(0, 2), (50, 2), (90, 2)])
    cut = discretise(shape)
    assert cut.nodes_of["tip"].tolist() == [2, 3]
    assert cut.weights_of["tip"] == pytest.approx([1 / 3, 1.0])
    assert cut.weights_of["tip"][1] == 1.0
    assert cut.nodes_of["all"].tolist() == cut.nodes_of["cable"].tolist() == [1, 2, 3]
    values = values_by_segment(shape, [("all", 1.0), ("tip", 4.0)])
    assert average_over_nodes(cut, values) == pytest.approx([0, 1, 2, 4, 0])
    # Resistivity is integrated over what each segment really takes of each half.
    ohms = axial_resistance(cut, values)
    per_metre = 4 / math.pi / (2e-6) ** 2
    assert ohms == pytest.approx(
        np.array([np.inf, 15, 30, 5 + 4 * 25, 4 * 15]) * 1e-6 * per_metre, rel=1e-6
    )


def test_a_group_that_ends_at_a_border_does_not_reach_across_it():
    groups = (in_one_section(2, divisions=2), SegmentGroup("tip", members=(1,)))
    cut = discretise(cable(*groups, points=[(0, 2), (50, 2), (100, 2)]))
    assert cut.nodes_of["tip"].tolist() == [2]
    assert cut.weights_of["tip"].tolist() == [1.0]


def test_the_export_empties_groups_of_plain_members():
    shape = branched()
    assert discretise(shape).nodes_of["dendrites"].tolist() == [3]
    exported = discretise(shape, follow_export=True)
    assert exported.nodes_of["dendrites"].tolist() == []
    assert exported.nodes_of["all"].tolist() == [1, 3]


def test_path_length_runs_from_the_root_and_is_translated_and_normalised_over_its_group():
    parameters = (
        InhomogeneousParameter("plain", "p"),
        InhomogeneousParameter("moved", "p", translation_start=0.0),
        InhomogeneousParameter("unit", "p", translation_start=0.0, normalization_end=1.0),
        InhomogeneousParameter("scaled", "p", normalization_end=1.0),
    )
    outer = SegmentGroup(
        "outer", UNBRANCHED, (1, 2), inhomogeneous_parameters=parameters, divisions=2
    )
    shape = Morphology(
        "cell",
        cable(points=[(0, 2), (10, 2), (20, 2), (50, 2)]).segments,
        (SegmentGroup("inner", UNBRANCHED, (0,)), outer),
    )
    cut = discretise(shape)
    values = {one.id: inhomogeneous_values(cut, outer, one) for one in parameters}
    assert values["plain"] == pytest.approx([20, 40])
    assert values["moved"] == pytest.approx([10, 30])
    assert values["unit"] == pytest.approx([0.25, 0.75])
    assert values["scaled"] == pytest.approx([0.4, 0.8])


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (InhomogeneousParameter("a", "p", metric="Distance"), "metric 'Distance'"),
        (InhomogeneousParameter("a", "p", translation_start=2.0), "translationStart .* is 2"),
        (InhomogeneousParameter("a", "p", normalization_end=5.0), "normalizationEnd .* is 5"),
    ],
)
def test_an_inhomogeneous_parameter_without_a_defined_meaning_is_refused(parameter, message):
    group = in_one_section(1)
    cut = discretise(cable(group, points=[(0, 2), (70, 2)]))
    with pytest.raises(MorphologyError, match=message):
        inhomogeneous_values(cut, group, parameter)


# How many compartments.


@pytest.mark.parametrize("diameter", [0.5, 1.0, 2.0, 8.0])
@pytest.mark.parametrize("length", [10, 100, 300, 1000])
def test_d_lambda_takes_the_fewest_odd_compartments_short_enough(length, diameter):
    shape = cable(in_one_section(1, divisions=2), points=[(0, diameter), (length, diameter)])
    cut = discretise(shape, "d_lambda", axial_resistivity=1.5, specific_capacitance=0.01)
    constant = 0.5 * math.sqrt(diameter * 1e-6 / (math.pi * 100 * 1.5 * 0.01))
    count = int(cut.nseg[0])
    assert count % 2 == 1
    assert length * 1e-6 / count <= 0.1 * constant * (1 + 1e-9)
    assert count == 1 or length * 1e-6 / (count - 2) > 0.1 * constant


def test_d_lambda_takes_resistivity_and_capacitance_by_group():
    groups = (in_one_section(2), SegmentGroup("tip", members=(1,)))
    shape = cable(*groups, points=[(0, 2), (500, 2), (1000, 2)])
    plain = discretise(shape, "d_lambda", axial_resistivity=1.0, specific_capacitance=0.01)
    dense = discretise(
        shape,
        "d_lambda",
        axial_resistivity=[("all", 1.0), ("tip", 9.0)],
        specific_capacitance=0.01,
    )
    # Half the length at a third of the length constant: twice as long in units of it.
    assert dense.nseg[0] == pytest.approx(2 * plain.nseg[0], abs=3)


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_d_lambda_refuses_values_that_are_no_resistivity(value):
    with pytest.raises(MorphologyError, match="axial resistivity of segment 0"):
        discretise(branched(), "d_lambda", axial_resistivity=value, specific_capacitance=0.01)


def test_a_cell_of_countless_compartments_is_refused():
    with pytest.raises(MorphologyError, match="would have 10000000000 compartments"):
        discretise(cable(in_one_section(1, divisions=10**10), points=[(0, 2), (70, 2)]))
    with pytest.raises(MorphologyError, match="compartments"):
        discretise(branched(), "d_lambda", axial_resistivity=1e300, specific_capacitance=1e-2)


def test_d_lambda_without_a_resistivity_is_refused():
    with pytest.raises(MorphologyError, match="needs an axial resistivity"):
        discretise(branched(), "d_lambda", specific_capacitance=0.01)


@pytest.mark.parametrize("refine", [0, 2, -1])
def test_only_odd_refinements_keep_the_centres(refine):
    with pytest.raises(MorphologyError, match="odd"):
        discretise(branched(), refine=refine)


# What must always hold.


@st.composite
def shapes(draw: st.DrawFn) -> Morphology:
    """Draw a tree of unbranched groups of a few segments each, on a grid of quarter micrometres."""
    step = st.integers(-200, 200).map(lambda n: n / 4)
    width = st.integers(1, 40).map(lambda n: n / 4)
    segments: list[Segment] = []
    groups: list[SegmentGroup] = []
    for index in range(draw(st.integers(1, 5))):
        parent = draw(st.sampled_from(segments)) if segments else None
        start = um(0, 0, 0, draw(width)) if parent is None else parent.distal
        members = []
        for piece in range(draw(st.integers(1, 4))):
            assert start is not None
            x, y, z, _ = start.in_micrometres()
            end = um(x + draw(step), y + draw(step), z + draw(step), draw(width))
            proximal = (
                (start if parent is None or draw(st.booleans()) else None) if not piece else None
            )
            above = parent.id if parent else None
            fraction = draw(st.sampled_from([0.0, 0.5, 1.0])) if not piece and parent else 1.0
            parent = Segment(len(segments), "", above, fraction, proximal, end)
            members.append(parent.id)
            segments.append(parent)
            start = end
        divisions = draw(st.sampled_from([None, 1, 2, 3, 5]))
        groups.append(SegmentGroup(f"g{index}", UNBRANCHED, tuple(members), divisions=divisions))
    return Morphology("drawn", tuple(segments), tuple(groups))


@given(shapes(), st.sampled_from([3, 5, 9]))
@settings(max_examples=60, deadline=None)
def test_refinement_preserves_area_volume_length_and_resistance(shape, refine):
    coarse, fine = discretise(shape), discretise(shape, refine=refine)
    for name, unit in (("area", 1e-12), ("volume", 1e-18), ("length", 1e-6)):
        by_section = [
            np.bincount(cut.section, getattr(cut, name), len(cut.sections)) / unit
            for cut in (coarse, fine)
        ]
        assert by_section[1] == pytest.approx(by_section[0], rel=1e-9, abs=1e-8)
    through = [
        np.bincount(cut.section, cut.left + cut.right, len(cut.sections)) for cut in (coarse, fine)
    ]
    # What a section of no length has is a fiction, and a small one.
    assert through[1] == pytest.approx(through[0], rel=1e-9, abs=0.1)
    # An odd number keeps the old centres.
    assert fine.centre[fine.first + refine // 2] == pytest.approx(
        coarse.centre[coarse.first], abs=1e-9
    )


@given(shapes(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_nodes_are_in_hines_order_and_covered_exactly(shape, follow_export):
    cut = discretise(shape, follow_export=follow_export)
    assert (cut.parent < np.arange(len(cut))).all()
    assert np.count_nonzero(cut.parent < 0) == 1
    assert np.count_nonzero(cut.internal) == cut.nseg.sum()
    assert (cut.area[cut.internal] > 0).all()
    assert not cut.area[~cut.internal].any()
    for part, whole in (("area", "area"), ("length", "length"), ("left", "left")):
        summed = np.bincount(cut.cover.node, getattr(cut.cover, part), len(cut))
        assert summed == pytest.approx(getattr(cut, whole), rel=1e-12, abs=0)
    shares = np.zeros(len(cut))
    for group in shape.groups:
        shares[cut.nodes_of[group.id]] += cut.weights_of[group.id]
    assert shares == pytest.approx(cut.internal.astype(float))


@given(shapes(), st.data())
@settings(max_examples=60, deadline=None)
def test_splitting_a_segment_into_two_equal_ones_changes_nothing(shape, data):
    whole = data.draw(st.sampled_from(shape.segments))
    sections = {id: section for section in sections_of(shape) for id in section.segments}
    place = sections[whole.id].segments.index(whole.id)
    ends = sections[whole.id].points[place : place + 2]
    assert whole.distal is not None
    if ends[1] != whole.distal.in_micrometres():  # a sphere is one segment or none
        return
    if sections[whole.id].offsets[-1] == 0:  # the mean diameter of no length is a fiction
        return
    half = Segment(
        1000,
        parent=whole.parent,
        fraction_along=whole.fraction_along,
        proximal=whole.proximal,
        distal=um(*((a + b) / 2 for a, b in zip(*ends, strict=True))),
    )
    rest = Segment(whole.id, parent=1000, distal=whole.distal)
    segments = []
    for one in shape.segments:
        if one is whole:
            segments += [half, rest]
        elif one.parent == whole.id and one.fraction_along < 1:
            # What hung on the first half, or between the two, hangs on the first half now.
            along = min(1.0, one.fraction_along * 2)
            segments.append(Segment(one.id, "", 1000, along, one.proximal, one.distal))
        else:
            segments.append(one)
    groups = tuple(
        SegmentGroup(
            group.id,
            UNBRANCHED,
            tuple(
                id for one in group.members for id in ([1000, one] if one == whole.id else [one])
            ),
            divisions=group.divisions,
        )
        for group in shape.groups
    )
    if any(
        one.proximal is None and one.parent == 1000 and one is not rest for one in segments
    ):  # it would now start elsewhere
        return
    if ends[0][3] != ends[1][3] and any(section.notes for section in sections.values()):
        return
    before, after = discretise(shape), discretise(Morphology("split", tuple(segments), groups))
    assert after.parent.tolist() == before.parent.tolist()
    for name in ("area", "volume", "diameter", "length", "left", "right", "distance", "centre"):
        # A taper is rounded to single precision at the new point, but halves of quarters are not.
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-9, abs=1e-18)


@needs_corpus
@pytest.mark.parametrize("rule", ["neuron", "d_lambda"])
def test_every_morphology_of_the_corpus_is_sound(rule):
    for file, name, shape in morphologies():
        cut = discretise(shape, rule, axial_resistivity=1.0, specific_capacitance=0.01)
        assert (cut.area[cut.internal] > 0).all(), (file, name)
        assert np.isfinite(cut.axial[1:]).all(), (file, name)
        assert cut.notes == (), (file, name)


def test_a_cable_of_ten_thousand_segments_is_cut():
    row = [(float(x), 1.0) for x in range(10_001)]
    as_one = discretise(cable(in_one_section(10_000, divisions=101), points=row))
    as_many = discretise(cable(points=row))
    assert len(as_one) == 103
    assert len(as_many) == 20_001
    assert as_many.area.sum() == pytest.approx(as_one.area.sum())
    assert as_many.distance[-1] == pytest.approx(0.01)
