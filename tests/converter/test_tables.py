"""Tables: the same rows, in the same order, with the same text as elements would have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lemsmith.converter import tables
from lemsmith.converter.document import STREAMED, Element, Table, iter_elements, iter_tables
from lemsmith.converter.read import read
from lemsmith.converter.tables import Unstorable, split
from lemsmith.converter.xml_elements import ElementReader, Include, XmlFile
from lemsmith.converter.xml_file import parse_xml


def only_table(text: str) -> Table:
    found = list(iter_tables(read(f"<Lems><P>{text}</P></Lems>")))
    assert len(found) == 1
    return found[0]


def texts(table: Table, name: str) -> list[str | None]:
    return [table.columns[name].text(row) for row in range(table.rows)]


# --- columns ---


def test_indices_of_cells_are_numbers_in_a_template():
    table = only_table("".join(f'<input target="../pop/{i}/cell_0"/>' for i in (12, 3, 0)))
    column = table.columns["target"]
    assert (column.kind, column.templates) == ("text", ("../pop/{}/cell_0",))
    assert column.numbers.tolist() == [12, 3, 0]
    assert column.codes.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "template", "number"),
    [
        ("../pop2/12/cell_0", "../pop2/{}/cell_0", 12),
        ("pop2[3]", "pop2[{}]", 3),
        ("../pop[0]", "../pop[{}]", 0),
        ("0.5ms", "0.5ms", 0),
        ("../pop/007/c", "../pop/007/c", 0),
        ("pop[-1]", "pop[-1]", 0),
        ("pop[٣]", "pop[٣]", 0),
        ("pop[99999999999]", "pop[99999999999]", 0),
        ("a1", "a1", 0),
        ("pop[3", "pop[3", 0),
    ],
)
def test_only_an_index_of_a_cell_fills_a_hole(text, template, number):
    assert split(text) == (template, number)


def test_text_that_looks_like_a_template_is_not_stored():
    with pytest.raises(Unstorable):
        split("a{}")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["0", "1", "2"], "integer"),
        (["5", "-3", "9223372036854775807"], "integer"),
        (["9223372036854775808", "1"], "number"),
        (["1", "0.5"], "number"),
        (["1e-3", "-.5", "5."], "number"),
        (["007", "+8"], "number"),
        (["1_000", "2"], "text"),
        (["nan", "inf"], "text"),
        (["1e999"], "text"),
        ([" 1", "2"], "text"),
        (["1", "x"], "text"),
        (["٣"], "text"),
        (["", "1"], "text"),
    ],
)
def test_a_column_has_the_narrowest_kind_that_keeps_its_text(values, kind):
    table = only_table("".join(f'<input id="{value}"/>' for value in values))
    assert table.columns["id"].kind == kind
    if kind == "number":
        assert [float(value) for value in values] == table.columns["id"].numbers.tolist()
    else:
        assert texts(table, "id") == values


def test_a_row_without_an_attribute_has_none():
    table = only_table("<input a='1' t='x'/><input b='2.5'/><input t='y' a='3'/>")
    assert texts(table, "a") == ["1", None, "3"]
    assert texts(table, "b") == [None, "2.5", None]
    assert texts(table, "t") == ["x", None, "y"]


def test_an_attribute_that_comes_late_is_absent_before(monkeypatch):
    monkeypatch.setattr(tables, "CHUNK", 4)
    rows = "<input a='1'/>" * 3 + "<input b='x'/>" + "<input a='2' b='y'/>"
    table = only_table(rows)
    assert texts(table, "a") == ["1", "1", "1", None, "2"]
    assert texts(table, "b") == [None, None, None, "x", "y"]


def test_the_order_of_attributes_means_nothing():
    table = only_table("<input a='1' b='x'/><input b='y' a='2'/>")
    assert texts(table, "a") == ["1", "2"]
    assert texts(table, "b") == ["x", "y"]


def test_chunks_of_different_kinds_join_in_one_column():
    run = tables.Run("input", "f")
    for chunk in (["1", "2"], ["0.5", "2.0"], ["pop[3]", "x"]):
        for value in chunk:
            run.add({"a": value}, 1, 1)
        run.pack()
    assert texts(run.table(), "a") == ["1", "2", "0.5", "2.0", "pop[3]", "x"]


def test_integers_that_no_float_can_hold_are_not_rounded():
    run = tables.Run("input", "f")
    for value in (str(2**53 + 1), "0.5"):
        run.add({"a": value}, 1, 1)
        run.pack()
    assert texts(run.table(), "a") == [str(2**53 + 1), "0.5"]


def test_more_distinct_texts_than_are_remembered_are_all_kept(monkeypatch):
    monkeypatch.setattr(tables, "REMEMBERED", 3)
    values = [f"p{i % 7}[{i}]" for i in range(40)]
    table = only_table("".join(f"<input a='{value}'/>" for value in values))
    assert texts(table, "a") == values


# --- runs ---


def test_an_instance_has_its_location_in_columns():
    table = only_table(
        "<instance id='0'>\n <location x='1' y='2.5' z='-3'/>\n</instance><instance id='1' i='4'/>"
    )
    assert list(table.columns) == ["id", "location/x", "location/y", "location/z", "i"]
    assert texts(table, "location/y") == ["2.5", None]


def test_every_row_has_its_place():
    table = only_table("\n<input id='0'/>\n  <input id='1'/><input\nid='2'/>")
    assert [(p.line, p.column) for p in map(table.place_of, range(3))] == [(2, 1), (3, 3), (3, 18)]
    assert table.place == table.place_of(0)


def test_a_run_ends_with_another_tag_or_its_parent():
    document = read(
        "<Lems><P><input id='1'/><inputW id='2'/><inputW id='3'/></P><P><input id='4'/>"
        "<A/><input id='5'/></P></Lems>"
    )
    found = [(table.tag, table.rows) for table in iter_tables(document)]
    assert found == [("input", 1), ("inputW", 2), ("input", 1), ("input", 1)]


def test_a_row_with_more_than_a_table_holds_is_an_element_between_tables():
    document = read(
        "<Lems><P><input id='1'/><input id='2'><property tag='a'/></input>"
        "<input id='3'/></P></Lems>"
    )
    (parent,) = document.elements
    assert isinstance(parent, Element)
    before, row, after = parent.children
    assert isinstance(before, Table)
    assert isinstance(after, Table)
    assert isinstance(row, Element)
    assert (texts(before, "id"), row.attributes, texts(after, "id")) == (["1"], {"id": "2"}, ["3"])
    assert row.children[0].tag == "property"
    assert row.place.column == 25


@pytest.mark.parametrize(
    ("inside", "children"),
    [
        ("<location x='1'/><location x='2'/>", ["location", "location"]),
        ("<location x='1'><B/></location>", ["location", "B"]),
        ("<B/>", ["B"]),
        ("<location x='1'/><B/>", ["location", "B"]),
        ("<location x='1'><B/></location><location/><C/>", ["location", "B", "location", "C"]),
    ],
)
def test_an_instance_with_unknown_children_keeps_them_all(inside, children):
    document = read(f"<Lems><P><instance id='0'>{inside}</instance></P></Lems>")
    (instance,) = iter_elements(document, "instance")
    assert instance.attributes == {"id": "0"}
    assert [e.tag for e in iter_elements(document)] == ["P", "instance", *children]
    assert not list(iter_tables(document))


def test_notes_inside_rows_are_passed_over():
    table = only_table(
        "<input id='1'><notes>a <b>c</b></notes></input><input id='2'/>"
        "<input id='3'><annotation><input id='9'/></annotation></input>"
    )
    assert texts(table, "id") == ["1", "2", "3"]


def test_text_after_a_run_is_kept():
    document = read("<Lems><P><input/>\n</P><A>words</A></Lems>")
    assert next(iter_elements(document, "A")).text == "words"


def test_a_row_of_very_many_attributes_ends_its_table():
    wide = " ".join(f"a{i}='{i}'" for i in range(100))
    document = read(f"<Lems><P><input id='1'/><input {wide}/><input id='2'/></P></Lems>")
    assert [len(table.columns) for table in iter_tables(document)] == [1, 100, 1]


def test_rows_without_attributes_are_counted():
    assert only_table("<input/><input/><input/>").rows == 3


def test_a_table_is_read_in_chunks_as_it_is_in_one(monkeypatch):
    rows = "".join(
        f"<connection id='{i}' preCellId='../p/{i % 9}/c' w='{i / 7}'/>\n" for i in range(40_000)
    )
    whole = only_table(rows)
    monkeypatch.setattr("lemsmith.converter.xml_rows.CHUNK", 1000)
    pieces = only_table(rows)
    assert pieces.rows == whole.rows == 40_000
    for name, column in whole.columns.items():
        other = pieces.columns[name]
        assert (other.kind, other.templates) == (column.kind, column.templates)
        assert np.array_equal(other.numbers, column.numbers)
        assert np.array_equal(other.codes, column.codes)


# --- against elements ---

VALUES = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.builds("../{}/{}/c".format, st.sampled_from("pq"), st.integers(0, 30)),
    st.builds("{}[{}]".format, st.sampled_from("pq"), st.integers(0, 30)),
    st.text("01/[].-eé ", max_size=5),
)
ATTRIBUTES = st.dictionaries(st.sampled_from(["id", "a", "b", "c"]), VALUES, max_size=3)
INSIDE = st.sampled_from(["", "", "", "<notes>n</notes>", "<property tag='t'/>", "<location/>"])
TAGS = st.sampled_from(["input", "instance", "connection", "other"])


@st.composite
def rows(draw):
    tag, inside = draw(TAGS), draw(INSIDE)
    attributes = "".join(f' {name}="{value}"' for name, value in draw(ATTRIBUTES).items())
    leaf = ""
    if tag == "instance" and draw(st.booleans()):
        leaf = f"<location x='{draw(VALUES)}' y='{draw(VALUES)}'/>"
    return f"<{tag}{attributes}>{leaf}{inside}</{tag}>"


def facts(item: Element | Table | Include) -> list[tuple[object, ...]]:
    """Return what an element or each row of a table says, in one form for both."""
    assert not isinstance(item, Include)
    if isinstance(item, Element):
        attributes = dict(item.attributes)
        kept = []
        for child in item.children:
            if (
                item.tag == "instance"
                and child.tag == "location"
                and not attributes.keys() & {"location/x"}
            ):
                assert isinstance(child, Element)
                attributes |= {f"location/{k}": v for k, v in child.attributes.items()}
            elif not (item.tag in STREAMED and child.tag in ("notes", "annotation")):
                kept += facts(child)
        return [(item.tag, spelled(attributes), item.place, tuple(kept))]
    return [
        (
            item.tag,
            spelled({n: t for n, c in item.columns.items() if (t := c.text(row)) is not None}),
            item.place_of(row),
            (),
        )
        for row in range(item.rows)
    ]


def spelled(attributes: dict[str, str]) -> tuple[tuple[str, object], ...]:
    return tuple(sorted((name, number(value)) for name, value in attributes.items()))


def number(text: str) -> str:
    """Return numbers as their value's shortest text: a column may respell them."""
    if text and set(text) <= tables.NUMERIC:
        try:
            return repr(float(text))
        except ValueError:
            pass
    return text


def parse(text: str, reader: type[ElementReader] | None) -> XmlFile:
    pieces = [text.encode()]
    return parse_xml(pieces, "f") if reader is None else parse_xml(pieces, "f", None, reader)


@settings(deadline=None, max_examples=300)
@given(content=st.lists(rows(), max_size=12))
def test_a_table_says_what_its_elements_would(content):
    text = "<Lems><P>" + "\n".join(content) + "</P></Lems>"
    as_tables, as_elements = parse(text, None), parse(text, ElementReader)
    assert as_tables.fault is as_elements.fault is None
    assert [f for item in as_tables.items for f in facts(item)] == [
        f for item in as_elements.items for f in facts(item)
    ]
