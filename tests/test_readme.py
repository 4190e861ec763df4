"""The README's commands work as they stand."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from lemsmith.command_line import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)


def commands(path):
    for block in blocks(path, "sh"):
        for line in block.splitlines():
            for part in re.split(r"&&|\||>", line):
                words = shlex.split(part, comments=True)
                if words and Path(words[0]).name == "lemsmith":
                    yield words[1:]


EVERY = [
    pytest.param(words, id=f"{path.name}: lemsmith {' '.join(words)}")
    for path in PAGES
    for words in commands(path)
]


def test_the_readme_shows_commands():
    assert len(list(commands(ROOT / "README.md"))) >= 5


@pytest.mark.parametrize("words", EVERY)
def test_every_command_line_of_every_page_parses(words, monkeypatch):
    """Files need not exist: a page may speak of the reader's own."""
    monkeypatch.setattr(click.Path, "convert", lambda _, value, *__: Path(value))
    if words[0].startswith("-"):
        assert CliRunner().invoke(cli, words).exit_code == 0
        return
    name, *arguments = words
    cli.commands[name].make_context(f"lemsmith {name}", arguments)


def test_every_file_of_this_repository_that_the_readme_names_is_there():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"\b(?:models|docs|runner|tests)/[\w/.]*\w", text))
    assert named
    assert {it for it in named if not (ROOT / it).exists()} == set()


@pytest.mark.parametrize("words", list(commands(ROOT / "README.md")), ids=" ".join)
def test_the_readmes_commands_do_what_they_say(words, tmp_path, monkeypatch):
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    runner.invoke(cli, ["run", "models/LEMS_hh.xml", "--save", "hh.npz", "-q"])
    result = runner.invoke(cli, words)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("code", blocks(ROOT / "README.md", "python"), ids=lambda _: "example")
def test_the_readmes_python_runs(code, tmp_path, monkeypatch):
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
