"""The command `diff`: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from lemsmith.command_line import cli
from lemsmith.commands.compare import SECTIONS
from lemsmith.converter import compare_models

SHARED = Path(__file__).parents[2].parent / "shared"
EXAMPLES = SHARED / "corpus" / "neuroml2" / "examples"

CHANNEL = """<neuroml>
  <ionChannelHH id="na" conductance="10pS">
    <gateHHrates id="m" instances="3">
      <forwardRate type="HHExpLinearRate" rate="1per_ms" midpoint="-40mV" scale="10mV"/>
      <reverseRate type="HHExpRate" rate="4per_ms" midpoint="-65mV" scale="-18mV"/>
    </gateHHrates>
  </ionChannelHH>
</neuroml>
"""


def diff(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["diff", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture
def pair(tmp_path):
    """Write two files, the second with replacements; return their paths."""

    def write(*replacements: tuple[str, str], text: str = CHANNEL) -> tuple[Path, Path]:
        a, b = tmp_path / "a.nml", tmp_path / "b.nml"
        a.write_text(text)
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        b.write_text(text)
        return a, b

    return write


def test_the_same_model_ends_with_0_and_says_how_much_was_compared(pair):
    code, text = diff(*pair(("-40mV", "-0.04 V")))
    assert code == 0
    assert "are the same model: 4 components and 4 types compared" in text


def test_a_difference_ends_with_1_and_shows_both_values_with_their_places(pair):
    a, b = pair(("4per_ms", "5per_ms"))
    code, text = diff(a, b)
    assert code == 1
    assert text.splitlines() == [
        f"A  {a}",
        f"B  {b}",
        "",
        "components:",
        "  na/m/reverseRate: rate",
        f"    A  4000 Hz    [{a}:5:43]",
        f"    B  5000 Hz    [{b}:5:43]",
        "",
        "1 difference: 1 in components",
    ]


def test_what_only_one_side_has_is_nothing_on_the_other(pair):
    code, text = diff(*pair(('<gateHHrates id="m"', '<gateHHrates id="k"'), ('"3"', '"2"')))
    assert code == 1
    assert "    B  nothing\n" in text
    assert "    A  nothing\n" in text


def test_differences_as_data(pair):
    a, b = pair(('instances="3"', 'instances="4"'))
    code, text = diff(a, b, "--json")
    assert code == 1
    assert json.loads(text) == {
        "same": False,
        "left": str(a),
        "right": str(b),
        "differences": [
            {
                "section": "components",
                "path": "na/m",
                "what": "instances",
                "left": "3",
                "right": "4",
                "left_place": {"file": str(a), "line": 3, "column": 36},
                "right_place": {"file": str(b), "line": 3, "column": 36},
            }
        ],
    }


def test_the_same_model_as_data(pair):
    code, text = diff(*pair(), "--json")
    assert code == 0
    assert json.loads(text)["same"] is True


def test_a_section_that_is_ignored_makes_no_difference(pair):
    files = pair(("4per_ms", "5per_ms"))
    code, text = diff(*files, "--ignore", "components")
    assert code == 0
    assert text.rstrip().endswith("components left out")


def test_the_sections_that_can_be_ignored_are_those_that_are_told():
    assert SECTIONS == compare_models.SECTIONS


def test_values_within_the_tolerance_are_equal(pair):
    files = pair(("4per_ms", "4.0000001per_ms"))
    assert diff(*files)[0] == 1
    assert diff(*files, "--tolerance", "1e-6")[0] == 0


def test_a_file_that_is_no_model_ends_with_2_and_says_why(pair):
    code, text = diff(*pair(("4per_ms", "4furlongs")))
    assert code == 2
    assert "no unit is called 'furlongs'" in text
    assert "the models cannot be compared" in text


@pytest.mark.parametrize("arguments", [["a.nml"], ["no.nml", "no.nml"], ["--ignore", "spelling"]])
def test_a_request_that_makes_no_sense_ends_with_2(arguments):
    assert diff(*arguments)[0] == 2


def test_a_model_of_the_corpus_and_a_changed_copy(tmp_path):
    source = EXAMPLES / "NML2_SingleCompHHCell.nml"
    if not source.exists():
        pytest.skip(f"{source} is not there")
    copy = tmp_path / "copy.nml"
    copy.write_text(source.read_text().replace('instances="3"', 'instances="2"', 1))
    assert diff(source, source)[0] == 0
    code, text = diff(source, copy)
    assert code == 1
    assert "1 difference: 1 in components" in text


@pytest.mark.slow
def test_320_000_connections_are_compared_in_a_few_seconds(tmp_path):
    generator = SHARED / "bench" / "nmlgen.py"
    if not generator.exists():
        pytest.skip(f"{generator} is not there")
    subprocess.run([sys.executable, generator, "coba", tmp_path], check=True, capture_output=True)
    source, moved = tmp_path / "coba.nml", tmp_path / "moved.nml"
    lines = source.read_text().split("\n")
    at = next(i for i, line in enumerate(lines) if "connectionWD" in line)
    lines[at + 5], lines[at + 9] = lines[at + 9], lines[at + 5]
    lines[at + 70] = lines[at + 70].replace('delay="0.5ms"', 'delay="0.6ms"')
    moved.write_text("\n".join(lines))
    begin = time.monotonic()
    code, text = diff(source, moved)
    assert time.monotonic() - begin < 60
    assert code == 1
    assert "1 difference: 1 in networks" in text
    assert "net/p_exc/connectionWD 70: delay" in text
