"""Includes: where they are looked for, that each is read once, and what is refused."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from lemsmith.converter import read as reading
from lemsmith.converter.document import Document, Element
from lemsmith.converter.read import iter_elements, iter_tables, read
from lemsmith.errors import ModelError

EMPTY = "<Lems/>"


def write(folder: Path, **files: str) -> Path:
    """Write files by stem (`__` is a folder's end) and return the path of `root`."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "root.xml"


def lems(*parts: str) -> str:
    """Return a LEMS file of elements, and of includes for what ends in `.xml`."""
    return "".join(
        ["<Lems>\n"]
        + [
            f"<Include file='{p}'/>\n" if p.endswith((".xml", ".nml")) else f"<{p}/>\n"
            for p in parts
        ]
        + ["</Lems>"]
    )


def tags(document: Document) -> list[str]:
    return [node.tag for node in document.elements]


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(ModelError) as raised:
        read(path, **options)  # type: ignore[arg-type]
    return str(raised.value)


# --- where ---


def test_an_include_is_spliced_in_its_place(tmp_path):
    root = write(tmp_path, root=lems("A", "b.xml", "C"), b=lems("B1", "B2"))
    assert tags(read(root)) == ["A", "B1", "B2", "C"]


@pytest.mark.parametrize(
    "spelling", ["Include file", "include href", "Include href", "include file"]
)
def test_both_spellings_include(tmp_path, spelling):
    root = write(tmp_path, root=f"<neuroml><{spelling}='b.xml'><notes/></{spelling[:7]}></neuroml>")
    (tmp_path / "b.xml").write_text(lems("B"))
    assert tags(read(root))[-1] == "B"


def test_an_include_deeper_down_is_an_element(tmp_path):
    root = write(
        tmp_path, root="<Lems><segmentGroup><include segmentGroup='a'/></segmentGroup></Lems>"
    )
    (group,) = read(root).elements
    assert isinstance(group, Element)
    assert group.children[0].tag == "include"


def test_an_include_is_looked_for_beside_the_file_that_names_it_first(tmp_path):
    root = write(
        tmp_path,
        root=lems("sub/b.xml"),
        sub__b=lems("c.xml"),
        sub__c=lems("Near"),
        c=lems("Far"),
    )
    assert tags(read(root)) == ["Near"]


def test_an_include_is_looked_for_beside_the_root_file_next(tmp_path):
    root = write(tmp_path, root=lems("sub/b.xml"), sub__b=lems("c.xml"), c=lems("Far"))
    assert tags(read(root)) == ["Far"]


def test_an_include_is_looked_for_in_further_folders_last(tmp_path):
    root = write(tmp_path / "model", root=lems("c.xml"))
    write(tmp_path / "one", c=lems("One"))
    write(tmp_path / "two", c=lems("Two"))
    assert tags(read(root, include_dirs=[tmp_path / "one", tmp_path / "two"])) == ["One"]


def test_the_current_folder_counts_for_text_alone(tmp_path, monkeypatch):
    root = write(tmp_path / "model", root=lems("c.xml"))
    write(tmp_path / "here", c=lems("Here"))
    monkeypatch.chdir(tmp_path / "here")
    assert tags(read(lems("c.xml"))) == ["Here"]
    assert "no such file" in refusal(root)


def test_places_name_the_file_as_it_was_reached(tmp_path, monkeypatch):
    write(tmp_path, root=lems("sub/b.xml"), sub__b=lems("B"))
    monkeypatch.chdir(tmp_path)
    (element,) = read("root.xml").elements
    assert str(element.place) == f"{Path('sub/b.xml')}:2:1"


def test_the_sources_begin_with_the_root_file(tmp_path):
    root = write(tmp_path, root=lems("b.xml"), b=lems("B"))
    document = read(root)
    assert list(document.sources) == [str(root), str(tmp_path / "b.xml")]
    assert document.sources[str(root)].content == root.read_bytes()


def test_a_missing_include_is_told_at_its_place_with_the_nearest_name(tmp_path):
    root = write(tmp_path, root=lems("A", "leaky.xml"), leaki=EMPTY)
    told = refusal(root)
    assert f"{root}:3:1: 'leaky.xml' can't be included: there is no such file" in told
    assert "did you mean 'leaki.xml'?" in told
    assert "\n    <Include file='leaky.xml'/>\n    ^" in told


def test_every_missing_include_is_told(tmp_path):
    root = write(tmp_path, root=lems("x.xml", "b.xml"), b=lems("y.xml"))
    told = refusal(root)
    assert "'x.xml'" in told
    assert "'y.xml'" in told


def test_an_include_that_names_nothing_is_a_fault(tmp_path):
    assert "names no file" in refusal(write(tmp_path, root="<Lems><Include/></Lems>"))
    assert "names no file" in refusal(write(tmp_path, root="<Lems><Include file=''/></Lems>"))


# --- once ---


def test_a_file_is_read_once_however_it_is_named(tmp_path):
    root = write(tmp_path, root=lems("b.xml", "./b.xml", "sub/../b.xml", "link.xml"), b=lems("B"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.xml").symlink_to(tmp_path / "b.xml")
    assert tags(read(root)) == ["B"]


def test_a_circle_of_includes_ends(tmp_path):
    root = write(tmp_path, root=lems("A", "b.xml"), b=lems("B", "root.xml", "b.xml"))
    assert tags(read(root)) == ["A", "B"]


def test_a_long_chain_of_includes_is_read(tmp_path):
    for i in range(1500):
        (tmp_path / f"f{i}.xml").write_text(lems(f"f{i + 1}.xml"))
    (tmp_path / "f1500.xml").write_text(lems("End"))
    assert tags(read(tmp_path / "f0.xml")) == ["End"]


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_FILES", 5)
    root = write(tmp_path, root=lems(*(f"f{i}.xml" for i in range(9))))
    for i in range(9):
        (tmp_path / f"f{i}.xml").write_text(EMPTY)
    assert "the model includes 5 files or more" in refusal(root)


# --- the NeuroML types ---


def test_official_names_are_our_own_types(tmp_path):
    document = read(write(tmp_path, root=lems("Cells.xml", "Mine")))
    assert any(e.get("name") == "iafCell" for e in iter_elements(document, "ComponentType"))
    assert tags(document)[-1] == "Mine"


def test_a_file_of_an_official_name_beside_the_model_comes_first(tmp_path):
    own = "<Lems><ComponentType name='own'/></Lems>"
    root = write(tmp_path, root=lems("Cells.xml", "NeuroML2CoreTypes/Cells.xml"), Cells=own)
    assert [e.get("name") for e in iter_elements(read(root), "ComponentType")] == ["own"]


def test_a_neuroml_root_begins_with_the_core_types_once(tmp_path):
    root = write(tmp_path, root="<neuroml id='n'><Include file='Cells.xml'/><Mine/></neuroml>")
    document = read(root)
    names = [e.get("name") for e in iter_elements(document, "ComponentType")]
    assert names.count("iafCell") == 1
    assert tags(document)[-1] == "Mine"
    assert next(iter(document.sources)) == str(root)


def test_a_models_own_file_of_an_official_name_is_never_dropped(tmp_path):
    root = write(
        tmp_path, root="<neuroml><include href='Inputs.xml'/></neuroml>", Inputs=lems("Own")
    )
    assert tags(read(root))[-1] == "Own"


def test_a_file_that_only_has_an_official_name_does_not_stand_for_our_types(tmp_path):
    root = write(tmp_path, root=lems("Inputs.xml", "Cells.xml"), Inputs=lems("Own"))
    names = [e.get("name") for e in iter_elements(read(root), "ComponentType")]
    assert names.count("pulseGenerator") == 1


def test_core_types_at_an_address_are_ours():
    document = read(
        "<Lems><Include url='https://x.org/NeuroML2CoreTypes/NeuroML2CoreTypes.xml'/></Lems>"
    )
    assert any(e.get("name") == "iafCell" for e in iter_elements(document, "ComponentType"))


# --- led astray ---


@pytest.mark.parametrize(
    "href",
    [
        "/etc/passwd",
        "//host/share/a.xml",
        "\\\\host\\a.xml",
        "C:\\a.xml",
        "http://example.org/a.xml",
        "file:///etc/passwd",
        "ftp://example.org/Cells.xml",
    ],
)
def test_absolute_paths_and_addresses_are_refused(tmp_path, href):
    told = refusal(write(tmp_path, root=f"<Lems><Include file='{href}'/></Lems>"))
    assert "includes are relative to the model's folder" in told


@pytest.mark.parametrize(
    "secret", ["root:x:0:0", "<html>secret</html>", "<secret", "secret: <Lems/>"]
)
def test_nothing_of_a_file_that_is_no_model_is_quoted(tmp_path, secret):
    (tmp_path / "passwd").write_text(f"{secret}\n")
    root = write(tmp_path / "model", root="<Lems><Include file='../passwd'/></Lems>")
    told = refusal(root)
    assert "'../passwd' is not a LEMS or NeuroML file" in told
    assert secret not in told
    assert "secret" not in told


def test_an_include_may_climb_to_a_model(tmp_path):
    root = write(tmp_path, root=EMPTY, b=lems("B"), model__a=lems("../b.xml"))
    assert root.is_file()
    assert tags(read(tmp_path / "model" / "a.xml")) == ["B"]


def test_a_confined_model_stays_inside(tmp_path):
    write(
        tmp_path, root=EMPTY, b=lems("B"), model__a=lems("../b.xml"), model__c=lems("sub/../d.xml")
    )
    (tmp_path / "model" / "d.xml").write_text(lems("D"))
    (tmp_path / "model" / "sub").mkdir()
    inside = tmp_path / "model"
    assert "leads out of the folder" in refusal(inside / "a.xml", confine=inside)
    assert tags(read(inside / "c.xml", confine=inside)) == ["D"]
    assert tags(read(inside / "a.xml", confine=tmp_path)) == ["B"]


def test_a_confined_model_follows_no_link_out(tmp_path):
    write(tmp_path, b=lems("B"), model__a=lems("link.xml"), model__c=lems("folder/b.xml"))
    inside = tmp_path / "model"
    (inside / "link.xml").symlink_to(tmp_path / "b.xml")
    (inside / "folder").symlink_to(tmp_path)
    assert "leads out of" in refusal(inside / "a.xml", confine=inside)
    assert "leads out of" in refusal(inside / "c.xml", confine=inside)
    assert "leads out of" in refusal(inside / "link.xml", confine=inside)


def test_a_confined_model_cannot_tell_which_files_exist_outside(tmp_path):
    write(tmp_path, b=lems("B"), model__a=lems("../b.xml"), model__c=lems("../z.xml"))
    inside = tmp_path / "model"
    there, missing = (refusal(inside / f, confine=inside) for f in ("a.xml", "c.xml"))
    assert there.replace("a.xml", "").replace("b.xml", "") == missing.replace("c.xml", "").replace(
        "z.xml", ""
    )


def test_a_confined_neuroml_file_has_the_core_types(tmp_path):
    root = write(tmp_path, root="<neuroml/>")
    assert read(root, confine=tmp_path).elements


def test_devices_pipes_sockets_and_folders_are_refused_without_waiting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    os.mkfifo("pipe.xml")
    Path("folder.xml").mkdir()
    Path("null.xml").symlink_to("/dev/zero")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("socket.xml")
    Path("loop.xml").symlink_to("loop.xml")
    start = time.monotonic()
    for name in ("pipe.xml", "folder.xml", "null.xml", "socket.xml"):
        assert "it is not a regular file" in refusal(write(tmp_path, root=lems(name)))
        assert "it is not a regular file" in refusal(tmp_path / name)
    assert "no such file" in refusal(write(tmp_path, root=lems("loop.xml")))
    listening.close()
    assert time.monotonic() - start < 5


def test_a_name_that_no_file_can_have_is_a_fault(tmp_path):
    assert "no such file" in refusal(write(tmp_path, root=lems("x" * 5000 + ".xml")))


def test_a_file_that_may_not_be_read_is_a_fault(tmp_path):
    root = write(tmp_path, root=lems("b.xml"), b=EMPTY)
    (tmp_path / "b.xml").chmod(0)
    if os.access(tmp_path / "b.xml", os.R_OK):
        pytest.skip("this user may read everything")
    assert "Permission denied" in refusal(root)


def test_a_model_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    root = write(tmp_path, root=lems("b.xml"))
    with (tmp_path / "b.xml").open("wb") as file:
        file.truncate(1 << 40)
    start = time.monotonic()
    assert "too large" in refusal(root)
    assert time.monotonic() - start < 5


def test_the_size_of_a_model_is_that_of_all_its_files(tmp_path, monkeypatch):
    root = write(tmp_path, root=lems("b.xml", "c.xml"), b=lems("B"), c=lems("C"))
    monkeypatch.setattr(reading, "MAX_TOTAL", 90)
    assert "too large" in refusal(root)


def test_broken_includes_show_their_own_lines_and_the_rest_is_still_read(tmp_path):
    root = write(tmp_path, root=lems("b.xml", "c.xml"), b="<Lems>\n<A></B></Lems>", c="<Lems><")
    told = refusal(root)
    assert f"{tmp_path / 'b.xml'}:2:6: </B> stands where <A>" in told
    assert "\n    <A></B></Lems>\n         ^" in told
    assert f"{tmp_path / 'c.xml'}:1:7" in told


def test_tables_of_included_files_name_those_files(tmp_path):
    root = write(tmp_path, root=lems("b.xml"), b="<Lems><input id='1'/></Lems>")
    (table,) = iter_tables(read(root))
    assert table.place.file == str(tmp_path / "b.xml")
