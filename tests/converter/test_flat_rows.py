"""Rows taken from bytes are those that the XML parser gives, and what is unusual is left to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lemsmith.converter import xml_file
from lemsmith.converter.document import Element, Table
from lemsmith.converter.flat_rows import flat_rows
from lemsmith.converter.tables import NUMERIC, Texts
from lemsmith.converter.xml_file import parse_xml

NAMES = ("id", "pre", "weight")


def row(number, pre="../a[{}]", weight="0.5", end="/>", between=" ", indent="\n  "):
    """Return the text of a row; `{}` in `pre` is filled with its number."""
    values = (str(number), pre.replace("{}", str(int(number) * 7 % 11)), weight)
    attributes = between.join(
        f'{name}="{value}"' for name, value in zip(NAMES, values, strict=True)
    )
    return f"{indent}<connection {attributes}{end}"


def document(rows):
    return f'<neuroml id="n"><network id="net">{"".join(rows)}\n</network></neuroml>'


def parsed(text, size, flat):
    """Return what a file holds, read in pieces of `size` bytes."""
    content = text.encode()
    pieces = (content[at : at + size] for at in range(0, len(content), size))
    kept, xml_file.FLAT = xml_file.FLAT, flat
    try:
        file = parse_xml(pieces, "f.nml")
    finally:
        xml_file.FLAT = kept
    assert file.fault is not None or file.content == content
    return [shown(item) for item in file.items], file.fault


def shown(item):
    """Return an element or table as plain values: every text and every place."""
    if isinstance(item, Element):
        return (item.tag, item.attributes, item.text, item.place, [*map(shown, item.children)])
    assert isinstance(item, Table)
    columns = {
        name: (column.kind, [spelled(column.text(n)) for n in range(item.rows)])
        for name, column in item.columns.items()
    }
    return item.tag, item.rows, columns, [item.place_of(n) for n in range(item.rows)]


def spelled(text):
    """Return a value's text, a number in its shortest form: as it is once it was packed as one."""
    if text is None or not NUMERIC.issuperset(text):
        return text
    try:
        return repr(float(text))
    except ValueError:
        return text


ODD = st.sampled_from(
    [
        row(3, weight="1e3"),
        row(3, weight="-2"),
        row(3, weight="7"),
        row(3, weight="1_0"),
        row(3, weight="nan"),
        row(3, weight=""),
        row(3, weight="&#49;"),
        row(3, weight="a<b"),
        row(3, weight="a>b"),
        row(3, weight="0.5 ms"),
        row(3, weight="&amp;"),
        row(3, weight="\n1"),
        row(3, weight="\t1"),
        row(3, weight="\u00b5"),
        row("007"),
        row("99999999999999999999"),
        row(3, pre="../b/{}/cell"),
        row(3, pre="../b/{}/{}"),
        row(3, pre="a[{}"),
        row(3, pre="plain"),
        row(3, pre="{}"),
        row(3, between="  "),
        row(3, between="\n"),
        row(3, indent=""),
        row(3, indent="\n\n "),
        row(3, indent="\r\n  "),
        row(3, indent="\r  "),
        row(3, indent="\n\t"),
        row(3, indent="\n<!-- a -->"),
        row(3, end=" />"),
        row(3, end="></connection>"),
        row(3, end='><property tag="a" value="b"/></connection>'),
        row(3, end=' extra="1"/>'),
        row(3).replace('"', "'"),
        row(3).replace("connection", "connectionWD"),
        row(3).replace("connection", "x:connection"),
        row(3).replace(' id="3"', ""),
        row(3).replace('" pre', '" \n pre'),
        "\n<projection/>",
        "\n<unclosed>",
        "\ntext",
    ]
)


@settings(max_examples=150)
@given(
    st.lists(st.one_of(st.integers(0, 400), ODD), min_size=3, max_size=60),
    st.sampled_from(["", "\r\n  ", "\n\t", "\n"]),
    st.integers(90, 700),
)
@example([*range(20), row(3, weight="&amp;"), *range(20)], "", 200)
def test_a_file_reads_the_same_with_rows_taken_at_once(items, indent, size):
    rows = [item if isinstance(item, str) else row(item, indent=indent or "\n  ") for item in items]
    text = document(rows)
    assert parsed(text, size, flat=16) == parsed(text, size, flat=10**9)


@pytest.mark.parametrize("at", [0.3, 0.55, 0.9])
def test_a_fault_behind_rows_taken_at_once_has_its_place(at):
    text = document([row(n) for n in range(200)])
    cut = text[: int(at * len(text))] + "<<"
    items, fault = parsed(cut, 300, flat=16)
    assert fault is not None
    assert (items, fault) == parsed(cut, 300, flat=10**9)


def test_most_rows_of_a_plain_file_are_taken_at_once(monkeypatch):
    taken = []

    def counted(*arguments):
        found = flat_rows(*arguments)
        taken.append(0 if found is None else found.rows)
        return found

    monkeypatch.setattr("lemsmith.converter.xml_rows.flat_rows", counted)
    text = document([row(n) for n in range(1000)])
    parsed(text, 4000, flat=16)
    assert sum(taken) > 800


def found(rows):
    content = "".join(rows).encode()
    return flat_rows(content, "connection", NAMES, [Texts() for _ in NAMES])


def test_columns_are_in_the_narrowest_encoding():
    rows = found([row(n, weight=str(n / 4)) for n in range(9)])
    assert rows is not None
    kinds = [packed.kind for packed in rows.packed]
    assert kinds == ["integer", "text", "number"]
    assert rows.packed[0].numbers.tolist() == list(range(9))
    assert rows.packed[1].numbers.tolist() == [n * 7 % 11 for n in range(9)]
    assert rows.packed[2].numbers.tolist() == [n / 4 for n in range(9)]
    assert rows.column == 3


def test_numbers_are_the_nearest_to_what_is_written():
    draw = np.random.default_rng(1)
    values = draw.uniform(-1, 1, 200) * 10.0 ** draw.integers(-30, 30, 200)
    texts = [repr(x) for x in values.tolist()]
    rows = found([row(n, weight=text) for n, text in enumerate(texts)])
    assert rows is not None
    assert rows.packed[2].numbers.tolist() == [float(text) for text in texts]


@pytest.mark.parametrize(
    "odd",
    [
        row(1, weight="&amp;"),
        row(1, between="  "),
        row(1).replace('"', "'"),
        row(1, indent="\n<!-- -->"),
        row(1, weight="\n"),
    ],
)
def test_what_is_unusual_is_left_to_the_parser(odd):
    assert found([row(0), odd, row(2)]) is None
