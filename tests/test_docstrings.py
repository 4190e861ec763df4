"""Every example in a docstring gives what it says."""

import doctest
import importlib
import pkgutil

import lemsmith
import pytest

FOLDERS = ("codegen", "commands", "converter", "models", "runner", "schemas")
NAMES = ["lemsmith.errors", "lemsmith.command_line"] + [
    it.name
    for folder in FOLDERS
    for it in pkgutil.walk_packages([f"{lemsmith.__path__[0]}/{folder}"], f"lemsmith.{folder}.")
]


@pytest.mark.parametrize("name", NAMES)
def test_every_example_of_a_module_gives_what_it_says(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").startswith("lemsmith"):
            raise
        pytest.skip(f"needs {error.name}")
    assert doctest.testmod(module).failed == 0
