"""Reading: exact places, what is kept and what is passed over, broken and hostile text."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lemsmith.converter.document import Document, Element, Table
from lemsmith.converter.read import (
    attribute_place,
    attribute_place_in_table,
    iter_elements,
    iter_tables,
    read,
    show,
    text_place,
    with_lines,
)
from lemsmith.errors import Fault, ModelError, Place

SHARED = Path(__file__).parents[2].parent / "shared"

#: Mutants that are tried; more at night.
MUTANTS = int(os.environ.get("LEMSMITH_FUZZ", "300"))


def where(element: Element | Table) -> tuple[int, int]:
    return element.place.line, element.place.column


def find(document: Document, tag: str) -> Element:
    return next(iter_elements(document, tag))


def fault_of(source: str | Path) -> Fault:
    with pytest.raises(ModelError) as raised:
        read(source)
    return raised.value.faults[0]


# --- positions ---


def test_an_element_stands_where_its_tag_opens():
    document = read("<Lems>\n  <A/><B/>\n</Lems>")
    assert [where(e) for e in document.elements] == [(2, 3), (2, 7)]


def test_columns_count_characters_and_not_bytes():
    document = read("<Lems><A x='µ😀'/><B/></Lems>")
    assert where(find(document, "B")) == (1, 18)


def test_a_tab_is_one_column():
    assert where(find(read("<Lems>\n\t\t<A/></Lems>"), "A")) == (2, 3)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_newline_ends_a_line(tmp_path, newline):
    path = tmp_path / "a.xml"
    path.write_bytes(newline.join(["<Lems>", " <A", "  x='1'", "/>", " <B/>", "</Lems>"]).encode())
    document = read(path)
    assert where(find(document, "A")) == (2, 2)
    assert where(find(document, "B")) == (5, 2)
    assert attribute_place(document, find(document, "A"), "x") == Place(str(path), 3, 6)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_and_wide_characters_move_no_column(tmp_path, encoding):
    path = tmp_path / "a.xml"
    text = "<Lems><Aé x='µ😀' y='2'/><B/>\n<input id='1'/><input id='2'/></Lems>"
    path.write_bytes(text.encode(encoding))
    document = read(path)
    assert where(find(document, "Aé")) == (1, 7)
    assert where(find(document, "B")) == (1, 25)
    assert attribute_place(document, find(document, "Aé"), "y").column == 21
    table = next(iter_tables(document))
    assert table.place_of(1) == Place(str(path), 2, 16)


def test_a_byte_order_mark_moves_no_row_of_a_table(tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes("<Lems><input id='1'/><input id='2'/></Lems>".encode("utf-8-sig"))
    table = next(iter_tables(read(path)))
    assert [table.place_of(i).column for i in range(2)] == [7, 22]


def test_latin_1_is_read_as_it_declares_itself(tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<Lems><A x="µ" y="1"/></Lems>'.encode(
            "latin-1"
        )
    )
    document = read(path)
    assert find(document, "A").get("x") == "µ"
    assert attribute_place(document, find(document, "A"), "y") == Place(str(path), 2, 19)


def test_an_attribute_is_found_behind_others_that_hold_markup():
    document = read("<Lems>\n<A a = \"x='1' > y\"\n   b='&lt;&quot;'   c='3'/></Lems>")
    assert attribute_place(document, find(document, "A"), "b") == Place("<text>", 3, 7)
    assert attribute_place(document, find(document, "A"), "c") == Place("<text>", 3, 24)


def test_a_character_of_a_value_is_found_behind_entities():
    document = read("<Lems><A v='a &lt; b &#38;\r\n c'/></Lems>")
    element = find(document, "A")
    assert element.get("v") == "a < b &  c"
    assert [attribute_place(document, element, "v", i) for i in (0, 2, 4, 6, 9)] == [
        Place("<text>", 1, 13),
        Place("<text>", 1, 15),
        Place("<text>", 1, 20),
        Place("<text>", 1, 22),
        Place("<text>", 2, 2),
    ]


def test_an_attribute_that_is_not_there_has_the_place_of_its_element():
    document = read("<Lems> <A x='1'/></Lems>")
    assert attribute_place(document, find(document, "A"), "y") == find(document, "A").place


def test_attributes_of_rows_and_their_leaves_are_found_again():
    document = read(
        "<Lems><population>\n"
        " <instance id='0'><!-- <location x='9'/> --><location x='1' y='2'/></instance>\n"
        " <instance id='7'>\n  <location x='3' y='4'/></instance>\n"
        "</population></Lems>"
    )
    table = next(iter_tables(document))
    place = attribute_place_in_table
    assert place(document, table, 0, "location/y") == Place("<text>", 2, 64)
    assert place(document, table, 1, "id") == Place("<text>", 3, 16)
    assert place(document, table, 1, "location/x") == Place("<text>", 4, 16)


def test_text_stands_where_its_first_word_does():
    document = read("<Lems><A x='>'>\n\n  some <B/> words </A></Lems>")
    assert find(document, "A").text == "some  words"
    assert text_place(document, find(document, "A")) == Place("<text>", 3, 3)


def test_a_fault_is_shown_with_its_line_and_a_caret():
    document = read("<Lems>\n  <A x='µ' y='1'/>\n</Lems>")
    place = attribute_place(document, find(document, "A"), "y")
    error = with_lines(document, [Fault("no", place)])
    assert str(error) == "<text>:2:15: no\n      <A x='µ' y='1'/>\n                  ^"


# --- what is kept ---


def test_the_root_gives_its_tag_and_attributes():
    document = read(
        '<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="net"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b.xsd"/>'
    )
    assert document.root_tag == "neuroml"
    assert document.root_attributes == {"id": "net", "schemaLocation": "a b.xsd"}


@pytest.mark.parametrize(
    "namespace",
    ["http://www.neuroml.org/lems/0.7.6", "http://www.neuroml.org/schema/neuroml2", "urn:other"],
)
def test_the_roots_namespace_is_dropped_from_names(namespace):
    document = read(f'<n:Lems xmlns:n="{namespace}"><n:A x="1"/><B/></n:Lems>')
    assert [e.tag for e in iter_elements(document)] == ["A", "B"]


def test_elements_and_attributes_of_foreign_namespaces_are_passed_over():
    document = read(
        '<Lems xmlns:r="urn:rdf" xml:lang="en"><r:RDF><A/><input/></r:RDF><B r:x="1" y="2"/></Lems>'
    )
    assert [e.tag for e in iter_elements(document)] == ["B"]
    assert find(document, "B").attributes == {"y": "2"}
    assert not list(iter_tables(document))


@pytest.mark.parametrize("tag", ["annotation", "notes"])
def test_what_is_for_people_is_kept_empty(tag):
    document = read(f"<Lems><A><{tag}>words <input id='1'/><b>c</b></{tag}><C/></A></Lems>")
    assert [e.tag for e in iter_elements(document)] == ["A", tag, "C"]
    assert find(document, tag).text == ""
    assert find(document, "A").text == ""


def test_properties_are_kept_inside_annotations_and_out():
    document = read(
        "<Lems><segmentGroup><property tag='numberInternalDivisions' value='9'/>"
        "<annotation><x><property tag='color' value='1 0 0'/></x></annotation>"
        "<notes><property tag='no' value='1'/></notes></segmentGroup></Lems>"
    )
    found = [e.get("tag") for e in iter_elements(document, "property")]
    assert found[:2] == ["numberInternalDivisions", "color"]


def test_entities_and_cdata_are_text():
    document = read("<Lems><A x='&lt;&#181;&quot;'>a &amp; <![CDATA[<b>]]></A></Lems>")
    assert find(document, "A").get("x") == '<µ"'
    assert find(document, "A").text == "a & <b>"


def test_text_may_begin_with_a_newline_before_its_declaration():
    assert read('\n  <?xml version="1.0" encoding="UTF-16"?>\n<Lems><A/></Lems>').elements


def test_a_document_is_shown_as_a_tree_with_places():
    document = read("<Lems id='a'>\n<A x='1'>\n<B/>\n<input id='1'/><input id='2'/></A></Lems>")
    assert show(document).splitlines() == [
        'Lems id="a"',
        '  A x="1"  [<text>:2:1]',
        "    B  [<text>:3:1]",
        "    input x 2 (id)  [<text>:4:1]",
    ]


# --- broken ---


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("<Lems>\n <A>\n </B></Lems>", 3, 4, "</B> stands where <A> of line 2, column 2 ends"),
        ("<Lems>\n <A>", 2, 5, "the file ends inside <A>, opened at line 2, column 2"),
        ("<Lems>\n<A x='1' x='2'/></Lems>", 2, 10, "this attribute is given twice"),
        ("<Lems>\n<A x='1 < 2'/></Lems>", 2, 9, "this is not well-formed XML"),
        ("<Lems/>\n<Lems/>", 2, 1, "there is more after the end of the root element"),
        ("<Lems>&mu;</Lems>", 1, 7, "this entity is not defined"),
        ("<Lems><q:A/></Lems>", 1, 7, "this namespace prefix is not declared"),
        ("<Lems><A", 1, 7, "the file ends inside this tag or comment"),
        ("<Lems><input id='1'></Lems>", 1, 23, "</Lems> stands where <input> of line 1"),
        ("<Lems>\x01</Lems>", 1, 7, "this is not well-formed XML"),
        ("<Lems>\ud800</Lems>", 1, 7, "this is not well-formed XML"),
    ],
)
def test_broken_xml_is_told_in_our_words_at_its_place(text, line, column, message):
    fault = fault_of(text)
    assert fault.message.startswith(message)
    assert fault.place == Place("<text>", line, column)


def test_a_less_than_sign_in_an_attribute_gets_a_hint():
    assert fault_of("<Lems><A x='1 < 2'/></Lems>").hint == "inside an attribute < is written &lt;"


def test_broken_xml_shows_its_line():
    with pytest.raises(ModelError, match=r"\n    <A></B></Lems>\n         \^"):
        read("<Lems>\n<A></B></Lems>")


@pytest.mark.parametrize(
    "content",
    [
        b"<Lems>\xff</Lems>",
        b"<?xml version='1.0' encoding='utf-16'?><Lems/>",
        b"<?xml version='1.0' encoding='rot13'?><Lems/>",
        b"<?xml version='1.0' encoding='unicode_escape'?><Lems/>",
        b"<?xml version='1.0' encoding='idna'?><Lems/>",
        "<Lems>".encode("utf-16") + b"\x00",
        "<Lems/>".encode("utf-32"),
    ],
)
def test_bytes_that_are_not_in_the_files_encoding_are_a_fault(tmp_path, content):
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    fault_of(path)


def test_a_file_that_is_not_there_is_a_fault(tmp_path):
    assert "No such file" in fault_of(tmp_path / "none.xml").message


def test_no_text_at_all_is_a_fault(tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(b"")
    assert "is not a LEMS or NeuroML file" in fault_of(path).message


def test_another_root_is_refused_and_nothing_of_it_quoted():
    with pytest.raises(ModelError) as raised:
        read("<secret>hunter2</secret>")
    assert str(raised.value) == "the text is not a LEMS or NeuroML file"


# --- hostile ---


@pytest.mark.parametrize(
    "declaration",
    [
        "<!DOCTYPE Lems>",
        "<!DOCTYPE Lems [<!ENTITY a 'x'>]>",
        "<!DOCTYPE Lems [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>",
        "<!DOCTYPE Lems SYSTEM 'http://example.org/lems.dtd'>",
        "<!DOCTYPE Lems [<!ENTITY % a SYSTEM 'file:///etc/passwd'> %a;]>",
    ],
)
def test_a_doctype_is_refused_where_it_stands(declaration):
    fault = fault_of(f"<!-- é -->\n  {declaration}<Lems>&a;</Lems>")
    assert "<!DOCTYPE>" in fault.message
    assert fault.place == Place("<text>", 2, 3)


def test_a_hundred_megabytes_in_an_attribute_are_refused_at_once(tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(b"<Lems>\n <A x='" + b"y" * 100_000_000 + b"'/></Lems>")
    start = time.monotonic()
    fault = fault_of(path)
    assert time.monotonic() - start < 5
    assert fault.place == Place(str(path), 2, 2)
    assert "longer than a megabyte" in fault.message


@pytest.mark.parametrize("tag", ["A", "input"])
@pytest.mark.parametrize("before", [0, 100_000, 250_000])
def test_a_start_tag_of_a_little_over_a_megabyte_is_refused_wherever_it_lies(tag, before):
    text = "<Lems>" + " " * before + f"<{tag} x='{'y' * ((1 << 20) + 2)}'/></Lems>"
    assert "longer than a megabyte" in fault_of(text).message


def test_an_attribute_of_just_under_a_megabyte_is_read():
    value = "y" * ((1 << 20) - 10)
    assert find(read(f"<Lems><B/><A x='{value}'/></Lems>"), "A").get("x") == value
    table = next(iter_tables(read(f"<Lems><input x='1'/><input x='{value}'/></Lems>")))
    assert table.columns["x"].text(1) == value


def test_long_comments_and_blanks_are_no_hindrance():
    blank = " " * 3_000_000
    text = f"<Lems><!--{'-x' * 1_500_000}--><P>{blank}<input id='1'/>{blank}</P></Lems>"
    assert next(iter_tables(read(text))).rows == 1


@pytest.mark.parametrize("tag", ["A", "annotation", "input", "r:x"])
def test_elements_too_deep_are_refused(tag):
    depth = 200_000
    head = "<Lems xmlns:r='urn:r'>"
    fault = fault_of(head + f"<{tag}>" * depth + f"</{tag}>" * depth + "</Lems>")
    assert "deep" in fault.message


def test_elements_a_thousand_deep_are_read_and_shown():
    document = read("<Lems>" + "<A>" * 999 + "</A>" * 999 + "</Lems>")
    assert len(list(iter_elements(document))) == 999
    assert len(show(document).splitlines()) == 1000


def test_a_path_with_the_mark_of_a_hole_is_refused_at_its_row():
    fault = fault_of("<Lems>\n<input target='a'/>\n<input target='{}/b'/></Lems>")
    assert fault.place == Place("<text>", 3, 1)


# --- anything ---

# fmt: off
PARTS = st.sampled_from([
    "<Lems>", "</Lems>", "<neuroml>", "<input id='1'", "/>", ">", "<instance>", "</instance>",
    "<location x='1'/>", "<notes>", "</notes>", "<A b=", "'c'", '"', "&lt;", "&", "<!--", "-->",
    "<Include file='", "Cells.xml'/>", "<![CDATA[", "]]>", "<?xml version='1.0'?>", "{}", "\r",
    "<!DOCTYPE a>", "xmlns='urn:a'", "xmlns:b='urn:b'", "<b:c>", "µ", "\x00", " ", "\n",
])
# fmt: on


def holds(source: str | Path) -> None:
    """Reading gives a document whose parts can be asked for, or a ModelError."""
    try:
        document = read(source)
    except ModelError as error:
        str(error)
        return
    show(document)
    for element in iter_elements(document):
        for name in element.attributes:
            attribute_place(document, element, name, 1)
        text_place(document, element)
    for table in iter_tables(document):
        for name, column in table.columns.items():
            column.text(0)
            attribute_place_in_table(document, table, table.rows - 1, name)


@settings(deadline=None, max_examples=200)
@given(content=st.binary(max_size=300))
def test_any_bytes_give_a_document_or_a_fault(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "a.xml"
    path.write_bytes(content)
    holds(path)


@settings(deadline=None, max_examples=400)
@given(parts=st.lists(PARTS, max_size=30))
def test_any_order_of_markup_gives_a_document_or_a_fault(parts):
    holds("<Lems>" + "".join(parts))


MODEL = """<?xml version="1.0" encoding="UTF-8"?>
<Lems xmlns="http://www.neuroml.org/lems/0.7.6" xmlns:r="urn:rdf">
  <!-- µ --><Target component="sim"/>
  <Include file="NeuroMLCoreDimensions.xml"/>
  <network id="net"><notes>two <b>cells</b></notes>
    <population id="pop" component="c" type="populationList" size="2">
      <annotation><property tag="color" value="1 0 0"/><r:RDF r:about=""/></annotation>
      <instance id="0"><location x="1" y="2.5" z="-3e2"/></instance>
      <instance id="1"><location x="1" y="2.5" z="0"/><notes/></instance>
    </population>
    <projection id="p" presynapticPopulation="pop" postsynapticPopulation="pop" synapse="s">
      <connectionWD id="0" preCellId="../pop/0/c" postCellId="../pop/1/c" weight="1" delay="1 ms"/>
      <connectionWD id="1" preCellId="../pop[1]" postCellId="../pop/0/c" weight="0.5"/>
    </projection>
    <explicitInput target="pop[0]" input="i"/><explicitInput target="pop[1]" input="&lt;i&gt;"/>
  </network>
</Lems>
""".encode()

TOKENS = (b"<", b">", b"/>", b"'", b'"', b"&", b"<input/>", b"<!--", b"]]>", b"\xff", b"\0", b"{}")


def mutant(chance: random.Random) -> bytes:
    text = bytearray(MODEL)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(text) + 1)
        end = min(len(text), at + chance.randint(1, 30))
        match chance.randrange(5):
            case 0:
                text[at:end] = b""
            case 1:
                text[at:at] = text[at:end]
            case 2:
                text[at:at] = chance.choice(TOKENS)
            case 3:
                text[at : at + 1] = bytes([chance.randrange(256)])
            case _:
                other = chance.randrange(len(text) + 1)
                text[at:at] = text[other : other + chance.randint(1, 80)]
    return bytes(text)


def test_mutants_of_a_model_give_a_document_or_a_fault(tmp_path):
    path = tmp_path / "a.xml"
    start = time.monotonic()
    for seed in range(MUTANTS):
        path.write_bytes(mutant(random.Random(seed)))
        holds(path)
    assert time.monotonic() - start < 1 + MUTANTS


# --- the corpus ---

#: Files of the corpus that can't be read, and why.
BROKEN = {
    "lems/jlems-tests/devexamples/SK.xml": "is not a LEMS",
    "lems/jlems-tests/devexamples/birgit.xml": "is not a LEMS",
    "lems/jlems-tests/devexamples/stdp.xml": "is not a LEMS",
    "lems/jlems-tests/devexamples/example3weight.xml": "no such file",
    "lems/jlems-tests/devexamples/net1-maybe.xml": "no such file",
    "lems/jlems-tests/devexamples/simple_net.xml": "no such file",
    "lems/jlems-tests/tests/SingleComponentHH/LEMS_NML2_Ex5_DetCell.xml": "no addresses",
    "neuroml2/LEMSexamples/regression-tests/LEMS_NML2_Ex5_DetCell_unformatted.xml": "no such file",
}


@pytest.mark.slow
def test_every_file_of_the_corpus_is_read_or_known_to_be_broken():
    corpus = SHARED / "corpus"
    if not corpus.is_dir():
        pytest.skip("the corpus isn't here")
    broken = {}
    for path in sorted(corpus.rglob("*")):
        if path.suffix in (".nml", ".xml"):
            try:
                read(path)
            except ModelError as error:
                broken[path.relative_to(corpus).as_posix()] = str(error)
    assert set(broken) == set(BROKEN), broken
    for name, reason in BROKEN.items():
        assert reason in broken[name]
