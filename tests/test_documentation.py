"""The pages say what the program does."""

import importlib.util
from pathlib import Path

from lemsmith.command_line import cli

ROOT = Path(__file__).parents[1]


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_command_line_is_what_make_docs_writes():
    assert (ROOT / "docs" / "command_line.md").read_text() == generator().page()


def test_every_command_and_option_is_on_the_page():
    text = (ROOT / "docs" / "command_line.md").read_text()
    for name, command in cli.commands.items():
        assert f"## lemsmith {name}\n" in text
        section = text.partition(f"## lemsmith {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert f"`{option}`" in section, f"{name} {option}"
