"""What a waiting person is told."""

import pytest
from lemsmith.runner.progress import Display


@pytest.mark.parametrize("wanted", [None, False])
def test_nothing_is_said_without_a_terminal_unless_asked_for(wanted, capsys):
    with Display(wanted=wanted, patience=0) as display:
        display(0.5, "simulating")
    assert capsys.readouterr().err == ""


def test_a_quick_run_says_nothing_even_when_asked_to(capsys):
    with Display(wanted=True, patience=60) as display:
        display(0.5, "simulating")
    assert capsys.readouterr().err == ""


def test_a_long_run_tells_a_log_a_few_lines_with_the_time_left(capsys):
    with Display(wanted=True, patience=0) as display:
        for i in range(1001):
            display(i / 1000, "simulating")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith(" 10% simulating, ")
    assert lines[0].endswith(" left")
    assert lines[-1] == "100% simulating"


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Display(wanted=None, patience=0) as display:
        display(0.25, "simulating")
        display(2.0, "simulating")
        assert display._bar is not None
        assert display._bar.tasks[0].completed == 1.0
