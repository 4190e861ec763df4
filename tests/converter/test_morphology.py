"""Forms of a morphology, its faults, its groups and its sections."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.converter.morphology import (
    UNBRANCHED,
    Morphology,
    MorphologyError,
    Point,
    Segment,
    SegmentGroup,
    check,
    faults,
    micrometres,
    resolve_groups,
    values_by_segment,
)
from lemsmith.converter.sections import sections_of


def um(x: float, y: float = 0.0, z: float = 0.0, diameter: float = 1.0) -> Point:
    return Point.from_micrometres(x, y, z, diameter)


def tree() -> tuple[Segment, ...]:
    """Return 0 - 1 - 2 in a row, 3 on 1 and 4 on 3."""
    return (
        Segment(0, "soma", proximal=um(0), distal=um(10), place="line 0"),
        Segment(1, "trunk", 0, distal=um(20), place="line 1"),
        Segment(2, "tip", 1, distal=um(30), place="line 2"),
        Segment(3, "twig", 1, distal=um(20, 10), place="line 3"),
        Segment(4, "leaf", 3, distal=um(20, 20), place="line 4"),
    )


def shape(*groups: SegmentGroup, segments: tuple[Segment, ...] | None = None) -> Morphology:
    return Morphology("m", tree() if segments is None else segments, groups, place="morphology")


def changed(index: int, **changes: object) -> tuple[Segment, ...]:
    segments = list(tree())
    segments[index] = replace(segments[index], **changes)  # type: ignore[arg-type]
    return tuple(segments)


def unbranched(name: str, *members: int, **more: object) -> SegmentGroup:
    return SegmentGroup(name, UNBRANCHED, members, place=f"group {name}", **more)  # type: ignore[arg-type]


# Numbers.


@given(st.decimals(-10_000, 10_000, places=8, allow_nan=False))
def test_a_length_in_micrometres_comes_back_as_it_was_written(value):
    number = float(value)
    assert micrometres(Point.from_micrometres(number, 0, 0, 1).x) == number


@given(st.floats(-1e4, 1e4))
def test_any_other_length_comes_back_to_the_last_bits(number):
    assert micrometres(number / 1e6) == pytest.approx(number, rel=5e-16, abs=1e-300)


# Faults.


def test_a_sound_morphology_has_no_faults():
    assert faults(shape(SegmentGroup("a", members=(0, 1)))) == ()


@pytest.mark.parametrize(
    ("segments", "message", "place"),
    [
        ((), "has no segments", "morphology"),
        (changed(4, id=2), "two segments have the id 2", "line 4"),
        (changed(2, distal=None), "segment 2 has no distal point", "line 2"),
        (changed(2, parent=9), "parent of segment 2 is segment 9, which does not exist", "line 2"),
        (changed(0, proximal=None), "segment 0 has no parent and so needs a proximal", "line 0"),
        (changed(2, parent=None, proximal=um(3)), "segments 0 and 2 both have no parent", "line 2"),
        (changed(1, parent=2), "segments 1, 2 are each other's parents in a loop", "line 1"),
        (changed(3, parent=3), "segments 3 are each other's parents in a loop", "line 3"),
        (changed(0, parent=4), "segments 0, 4, 3, 1 are each other's parents", "line 0"),
        (changed(2, fraction_along=1.5), "fractionAlong of segment 2 is 1.5", "line 2"),
        (changed(2, fraction_along=float("nan")), "fractionAlong of segment 2 is nan", "line 2"),
        (changed(2, distal=um(3, diameter=0)), "distal diameter of segment 2 is 0 m", "line 2"),
        (changed(2, distal=um(3, diameter=-1)), "distal diameter of segment 2 is -1e-06", "line 2"),
        (changed(2, distal=um(float("inf"))), "distal point of segment 2 is not finite", "line 2"),
        (
            changed(2, proximal=replace(um(3, diameter=0), place="line 2.5")),
            "proximal diameter of segment 2 is 0 m",
            "line 2.5",
        ),
    ],
)
def test_what_is_wrong_with_a_segment_is_said_with_its_place(segments, message, place):
    found = faults(shape(segments=segments))
    assert message in found[0].message
    assert found[0].place == place
    assert len(found) == 1
    with pytest.raises(MorphologyError, match=found[0].message[:20]):
        resolve_groups(shape(segments=segments))
    with pytest.raises(MorphologyError):
        sections_of(shape(segments=segments))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([SegmentGroup("a"), SegmentGroup("a")], "two segment groups are called 'a'"),
        ([SegmentGroup("a", members=(0, 9))], "'a' names segment 9 as a member"),
        ([SegmentGroup("a", includes=("b",))], "'a' includes group 'b', which does not exist"),
        ([SegmentGroup("a", includes=("a",))], "include each other: a -> a"),
        (
            [SegmentGroup("a", includes=("b",)), SegmentGroup("b", includes=("a",))],
            "include each other: a -> b -> a",
        ),
        ([SegmentGroup("a", paths=((0, 9),))], "names segment 9 as an end of a path"),
        ([SegmentGroup("a", paths=((9, 0),))], "names segment 9 as an end of a path"),
        ([SegmentGroup("a", paths=((0, None),))], "a path of segment group 'a' has no end"),
        ([SegmentGroup("a", paths=((2, 4),))], "leads from segment 2 to 4, which is not distal"),
        ([SegmentGroup("a", sub_trees=((9, None),))], "names segment 9 as an end of a subTree"),
        (
            [SegmentGroup("a", sub_trees=((None, 2),))],
            "a subTree of segment group 'a' needs",
        ),
        ([SegmentGroup("a", divisions=0)], "numberInternalDivisions of segment group 'a' is 0"),
    ],
)
def test_what_is_wrong_with_a_group_is_said(groups, message):
    placed = [replace(group, place=f"group {number}") for number, group in enumerate(groups)]
    found = faults(shape(*placed))
    assert [message in one.message for one in found] == [True]
    assert str(found[0].place).startswith("group")
    with pytest.raises(MorphologyError):
        check(shape(*placed))


def test_all_faults_are_found_together():
    segments = (*changed(2, parent=9, distal=None), replace(tree()[4], distal=um(1)))
    assert [one.place for one in faults(shape(segments=segments))] == ["line 2", "line 2", "line 4"]


# Groups.


def test_a_group_holds_members_paths_sub_trees_and_includes_in_that_order_and_once():
    groups = resolve_groups(
        shape(
            SegmentGroup("everything", members=(4,), includes=("path", "tree")),
            SegmentGroup("path", paths=((1, 2),)),
            SegmentGroup("tree", sub_trees=((1, None),)),
            SegmentGroup("from the root", paths=((None, 4),)),
            SegmentGroup("nothing"),
        )
    )
    assert groups == {
        "everything": (4, 1, 2, 3),
        "path": (1, 2),
        "tree": (1, 2, 3, 4),
        "from the root": (0, 1, 3, 4),
        "nothing": (),
        "all": (0, 1, 2, 3, 4),
    }


def test_an_all_of_the_documents_own_is_kept():
    own = shape(SegmentGroup("all", members=(1, 2)))
    assert resolve_groups(own)["all"] == (1, 2)
    assert resolve_groups(own, follow_export=True)["all"] == (0, 1, 2, 3, 4)


def test_the_export_keeps_only_unbranched_groups_and_what_includes_them():
    groups = resolve_groups(
        shape(
            unbranched("cable", 0, 1, 2),
            SegmentGroup("plain", members=(3,), includes=("cable",)),
            SegmentGroup("outer", includes=("plain",), sub_trees=((3, None),)),
        ),
        follow_export=True,
    )
    assert groups["plain"] == groups["outer"] == (0, 1, 2)


def test_a_thousand_nested_includes_are_followed():
    nested = [SegmentGroup(f"g{k}", includes=(f"g{k + 1}",)) for k in range(5000)]
    groups = resolve_groups(shape(*nested, SegmentGroup("g5000", members=(2,))))
    assert groups["g0"] == (2,)


def test_includes_that_meet_again_are_no_loop():
    diamond = shape(
        SegmentGroup("top", includes=("left", "right")),
        SegmentGroup("left", includes=("bottom",)),
        SegmentGroup("right", includes=("bottom", "left")),
        SegmentGroup("bottom", members=(2,)),
    )
    assert resolve_groups(diamond)["top"] == (2,)


def test_a_later_value_overwrites_an_earlier_one():
    groups = shape(SegmentGroup("some", members=(1, 3)), SegmentGroup("one", members=(3,)))
    values = values_by_segment(groups, [("all", 1.0), ("some", 2.0), ("one", 3.0)])
    assert values.tolist() == [1, 2, 1, 3, 1]
    assert values_by_segment(groups, [("one", 3.0)], 9.0).tolist() == [9, 9, 9, 3, 9]


def test_a_value_that_is_missing_or_for_no_group_is_refused():
    with pytest.raises(MorphologyError, match="no value is given for segment 0") as caught:
        values_by_segment(shape(SegmentGroup("some", members=(1,))), [("some", 1.0)])
    assert caught.value.place == "line 0"
    with pytest.raises(MorphologyError, match="does not have the segment group 'none'"):
        values_by_segment(shape(), [("none", 1.0)])


def test_a_group_is_found_by_its_name():
    assert shape(SegmentGroup("a", members=(1,))).group("a").members == (1,)
    with pytest.raises(MorphologyError, match="no segment group 'b'"):
        shape().group("b")


# Sections.


def test_without_unbranched_groups_each_segment_is_a_section():
    sections = sections_of(shape(segments=changed(3, name="", fraction_along=0.25)))
    assert [one.name for one in sections] == ["soma", "trunk", "tip", "section_3", "leaf"]
    assert [one.parent for one in sections] == [None, 0, 1, 1, 3]
    assert [one.parent_x for one in sections[1:]] == [1, 1, 0.25, 1]
    assert sections[1].points == ((10, 0, 0, 1), (20, 0, 0, 1))
    exported = sections_of(shape(), follow_export=True)
    assert exported[1].points == ((20, 0, 0, 1), (10, 0, 0, 1))


def test_each_unbranched_group_is_a_section_whatever_way_it_names_its_segments():
    by_member = sections_of(shape(unbranched("a", 0, 1, 2), unbranched("b", 3, 4, divisions=5)))
    by_path = sections_of(
        shape(
            replace(unbranched("a"), paths=((0, 2),)),
            replace(unbranched("b", divisions=5), sub_trees=((3, None),)),
        )
    )
    assert by_member == by_path
    trunk, twig = by_member
    assert trunk.segments == (0, 1, 2)
    assert twig.segments == (3, 4)
    assert twig.parent == 0
    assert twig.parent_x == pytest.approx(2 / 3)
    assert twig.divisions == 5
    assert trunk.divisions == 1
    assert trunk.offsets == (0, 10, 20, 30)


@pytest.mark.parametrize(
    ("groups", "message", "place"),
    [
        (
            [unbranched("a", 0, 1, 3, 2)],
            "'a' is not continuous: segment 2 follows 3, but its parent is 1",
            "group a",
        ),
        ([unbranched("a", 1, 0)], "segment 0 follows 1, but its parent is none", "group a"),
        ([unbranched("a")], "unbranched group 'a' has no segments", "group a"),
        (
            [unbranched("a", 0, 1, 2), unbranched("b", 2)],
            "segment 2 is in two unbranched groups, 'a' and 'b'",
            "group b",
        ),
    ],
)
def test_a_group_that_is_no_cable_is_refused(groups, message, place):
    with pytest.raises(MorphologyError, match=message) as caught:
        sections_of(shape(*groups))
    assert caught.value.place == place


def test_a_segment_outside_every_cable_is_a_section_of_its_own_and_noted():
    sections = sections_of(shape(unbranched("a", 0, 1, 2), unbranched("b", 4)))
    assert [one.name for one in sections] == ["a", "b", "twig"]
    assert [one.parent for one in sections] == [None, 2, 0]
    assert sections[2].parent_x == pytest.approx(2 / 3)
    assert [note.place for note in sections[2].notes] == ["line 3"]
    with pytest.raises(MorphologyError, match="segment 3 is in none of the unbranched groups"):
        sections_of(shape(unbranched("a", 0, 1, 2), unbranched("b", 4)), follow_export=True)


def test_what_a_section_does_not_take_literally_is_noted():
    segments = changed(1, proximal=um(10, diameter=3), fraction_along=0.5)
    notes = sections_of(shape(unbranched("a", 0, 1, 2), segments=segments))[0].notes
    assert [one.place for one in notes] == ["line 1", "line 1"]
    assert "its own proximal point is not used" in notes[0].message
    assert "its fractionAlong is not used" in notes[1].message
    dangling = sections_of(shape(segments=changed(3, fraction_along=0.5)))[3].notes
    assert "gives no proximal point" in dangling[0].message


def test_a_proximal_point_that_repeats_the_parents_distal_one_is_no_news():
    segments = changed(1, proximal=um(10))
    assert sections_of(shape(unbranched("a", 0, 1, 2), segments=segments))[0].notes == ()


@pytest.mark.parametrize(
    ("fraction", "x"), [(1.0, 1.0), (0.99995, 1.0), (0.0, 0.0), (0.5, 0.5), (0.1, 0.10000000149)]
)
def test_a_place_on_a_parent_of_one_segment_is_its_place_along_the_section(fraction, x):
    segments = changed(1, fraction_along=fraction, proximal=um(0))
    sections = sections_of(
        shape(unbranched("a", 0), unbranched("b", 1, 2), unbranched("c", 3, 4), segments=segments)
    )
    assert sections[1].parent_x == pytest.approx(x, rel=1e-10, abs=0)


def test_a_chain_of_ten_thousand_segments_needs_no_recursion():
    count = 10_000
    rest = (Segment(k, parent=k - 1, distal=um(k + 1)) for k in range(1, count))
    segments = (Segment(0, proximal=um(0), distal=um(1)), *rest)
    groups = (
        replace(unbranched("a"), paths=((None, count - 1),)),
        SegmentGroup("outer", sub_trees=((0, None),)),
    )
    assert len(sections_of(shape(*groups, segments=segments))[0].segments) == count
    assert len(sections_of(shape(segments=segments))) == count
    looped = (replace(segments[0], parent=count - 1), *segments[1:])
    assert "in a loop" in faults(shape(segments=looped))[0].message
