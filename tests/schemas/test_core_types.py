"""Which includes mean our packaged files."""

from __future__ import annotations

import doctest

import pytest
from lemsmith.schemas import core_types
from lemsmith.schemas.core_types import CORE_TYPE_FILES, core_type_file


@pytest.mark.parametrize("name", CORE_TYPE_FILES)
@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "./",
        "NeuroML2CoreTypes/",
        "./NeuroML2CoreTypes/",
        "../../NeuroML2/NeuroML2CoreTypes/",
        ".\\NeuroML2CoreTypes\\",
        "https://example.org/NeuroML2CoreTypes/",
    ],
)
def test_a_core_type_file_is_found_wherever_the_model_expects_it(prefix: str, name: str) -> None:
    found = core_type_file(prefix + name)
    assert found is not None
    assert found.is_file()
    assert found.name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "./",
        "NeuroML2CoreTypes",
        "NeuroML2CoreTypes/",
        "cells.xml",
        "Cells",
        "Cells.xml/",
        "mine/Cells.xml",
        "../Cells.xml",
        "NeuroML2CoreTypes/mine/Cells.xml",
        "../core_types.py",
    ],
)
def test_any_other_name_is_left_to_the_model(name: str) -> None:
    assert core_type_file(name) is None


def test_the_list_of_files_is_the_folder() -> None:
    assert sorted(CORE_TYPE_FILES) == sorted(path.name for path in core_types.FOLDER.iterdir())


def test_the_examples_in_the_documentation_run() -> None:
    assert doctest.testmod(core_types).failed == 0
