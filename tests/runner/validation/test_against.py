"""lemsmith held against a peer or a file, and which of the two is nearer the solution."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from lemsmith.errors import Fault, ModelError, NumericalError, Place, UsageError
from lemsmith.runner.validation import peers
from lemsmith.runner.validation.against import against
from lemsmith.runner.validation.model_files import read_settings
from lemsmith.runner.validation.peers import Need, Peer

LEMS = (
    '<Lems><Target component="s"/><Simulation id="s" length="1s" step="1ms" target="n">'
    '<OutputFile id="o" fileName="results/v.dat"><OutputColumn id="v" quantity="pop[0]/v"/>'
    '</OutputFile><EventOutputFile id="e" fileName="a.spikes" format="ID_TIME">'
    '<EventSelection id="0" select="pop[0]" eventPort="spike"/></EventOutputFile>'
    "</Simulation></Lems>"
)

#: A peer that computes a decay, `off` too fast, and an event at 0.5 s plus `off`.
PROGRAM = """
import math, sys
off = {off}
with open("results/v.dat", "w") as file:
    for index in range(1001):
        print(index / 1000, math.exp(-5 * (1 + off) * index / 1000), sep="\\t", file=file)
open("a.spikes", "w").write({spikes!r})
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "LEMS_a.xml"
    path.write_text(LEMS)
    return path


@pytest.fixture
def peer(monkeypatch):
    """Return how to install a peer called `scripted`."""

    def install(off=0.0, spikes="0\t0.5\n", needs=()):
        program = PROGRAM.format(off=off, spikes=spikes)
        scripted = Peer("scripted", "Scripted", needs, ((sys.executable, "-c", program),))
        monkeypatch.setitem(peers.PEERS, "scripted", scripted)
        return "scripted"

    return install


def engine(error=0.0, spikes="pop\t0.5\n"):
    """Return a simulator whose error is a part `error` at a step of 1 ms, and of first order."""

    def simulate(source, *, method, out, progress):
        step = float(read_settings(source).step.removesuffix("ms")) / 1000
        time = np.arange(round(1 / step) + 1) * step
        trace = np.exp(-5 * (1 + error * step / 1e-3) * time)
        (out / "results").mkdir()
        np.savetxt(out / "results" / "v.dat", np.stack([time, trace], axis=1))
        (out / "a.spikes").write_text(spikes.replace("pop", "0"))

    return simulate


def test_a_peer_that_agrees_is_equal(model, peer):
    report = against(model, peer(), simulate=engine())
    (file,) = report.files
    assert report.ok
    assert file.comparison.verdict == "equal"
    assert file.comparison.columns[0].name == "pop[0]/v"
    assert "lemsmith" in report.text()
    assert json.loads(json.dumps(report.as_data()))["ok"] is True


def test_a_peer_that_is_off_is_different_and_we_are_nearer(model, peer):
    report = against(model, peer(off=0.5), simulate=engine(error=0.01))
    (file,) = report.files
    (nearness,) = file.nearness
    assert not report.ok
    assert nearness.nearer == "lemsmith"
    assert nearness.lemsmith < nearness.peer


def test_a_peer_that_is_nearer_the_solution_than_we_is_told_so(model, peer):
    report = against(model, peer(), simulate=engine(error=0.5))
    (nearness,) = report.files[0].nearness
    assert nearness.nearer == "peer"
    assert "Scripted" in report.text().rpartition("nearer")[2]


def test_the_converged_solution_has_a_tenth_of_the_step_on_a_copy(model, peer):
    steps = []

    def simulate(source, *, method, out, progress):
        steps.append((read_settings(source).step, method, source == model))
        engine()(source, method=method, out=out, progress=progress)

    against(model, peer(), method="jlems", simulate=simulate)
    assert steps == [("1ms", "jlems", True), ("0.1ms", None, False)]
    assert model.read_text() == LEMS


def test_both_sides_get_the_settings_that_are_asked_for(model, peer):
    steps = []

    def simulate(source, *, method, out, progress):
        steps.append((read_settings(source).step, read_settings(source).seed))
        engine()(source, method=method, out=out, progress=progress)

    against(model, peer(), settings={"step": "2ms", "seed": "5"}, simulate=simulate)
    assert steps == [("2ms", "5"), ("0.2ms", "5")]


def test_the_converged_solution_can_be_left_out(model, peer):
    report = against(model, peer(off=0.5), simulate=engine(), refine=0)
    assert report.files[0].nearness == ()


def test_a_comparison_survives_that_there_is_no_converged_solution(model, peer):
    def simulate(source, *, method, out, progress):
        if source != model:
            raise NumericalError("v of pop[0] is NaN at 0.1 s")
        engine()(source, method=method, out=out, progress=progress)

    report = against(model, peer(off=0.5), simulate=simulate)
    assert report.files[0].comparison.verdict == "different"
    assert "no converged solution: v of pop[0] is NaN" in report.text()


def test_events_are_matched_by_source(model, peer):
    report = against(model, peer(spikes="0\t0.5\n0\t0.7\n"), simulate=engine())
    (events,) = report.events
    assert events.trains["0"].lost == (0.7,)
    assert not report.ok


@pytest.mark.parametrize(
    ("length", "at", "equal"),
    [
        ("1s", 0.505, True),
        ("1s", 0.52, False),
        ("100ms", 0.505, False),
        ("1 fortnight", 0.504, True),
        ("1 fortnight", 0.506, False),
    ],
)
def test_events_may_be_a_part_of_the_run_apart(model, peer, length, at, equal):
    scripted = peer(spikes=f"0\t{at}\n")
    report = against(model, scripted, settings={"length": length}, simulate=engine(), refine=0)
    assert report.ok is equal
    assert report.as_data()["events"][0]["equal"] is equal
    assert report.text().rpartition("A and B are ")[2].startswith("equal" if equal else "different")


def test_a_peer_that_is_not_installed_is_said_and_is_no_fault(model, peer, monkeypatch):
    monkeypatch.setitem(peers.NEEDS, "gone", Need("Gone", lambda: None, "pip install gone"))
    report = against(model, peer(needs=("gone",)), simulate=engine())
    assert report.ok
    assert "not compared: Scripted cannot run: Gone is not installed" in report.text()


def test_a_result_file_stands_for_the_output_of_its_name(model, tmp_path):
    time = np.arange(1001) / 1000
    path = tmp_path / "old" / "v.dat"
    path.parent.mkdir()
    np.savetxt(path, np.stack([time, np.exp(-5 * time)], axis=1))
    report = against(model, path, simulate=engine())
    assert report.files[0].comparison.verdict in {"identical", "equal"}
    assert report.peer_seconds is None


def test_a_result_file_that_is_none_of_the_outputs_is_refused(model, tmp_path):
    path = tmp_path / "w.dat"
    path.write_text("0 1\n")
    with pytest.raises(UsageError, match=r"outputs, which are results/v\.dat, a\.spikes"):
        against(model, path, simulate=engine())


@pytest.mark.parametrize("written", ["", "no numbers here\n", "0 1\n1 nan x\n"])
def test_a_peer_that_writes_no_table_is_told_and_is_no_fault(model, monkeypatch, written):
    program = f"open('results/v.dat', 'w').write({written!r}); open('a.spikes', 'w')"
    scripted = Peer("scripted", "Scripted", (), ((sys.executable, "-c", program),))
    monkeypatch.setitem(peers.PEERS, "scripted", scripted)
    report = against(model, "scripted", simulate=engine())
    assert report.ok
    assert report.skipped.startswith("Scripted wrote no table: ")


@pytest.mark.parametrize("columns", [1, 3])
def test_a_peer_that_records_other_columns_is_different(model, monkeypatch, columns):
    row = "\t".join(["%g"] * columns) + "\n"
    program = (
        f"open('results/v.dat', 'w').writelines({row!r} % ((i / 1000,) * {columns}) "
        "for i in range(1001)); open('a.spikes', 'w')"
    )
    scripted = Peer("scripted", "Scripted", (), ((sys.executable, "-c", program),))
    monkeypatch.setitem(peers.PEERS, "scripted", scripted)
    report = against(model, "scripted", simulate=engine())
    assert report.skipped == ""
    assert not report.ok
    assert report.files[0].comparison.only_a == ("pop[0]/v",)


def test_a_model_that_writes_nothing_has_nothing_to_compare(model, peer):
    model.write_text('<Lems><Simulation id="s" length="1s" step="1ms" target="n"/></Lems>')
    with pytest.raises(UsageError, match="give its Simulation an OutputFile"):
        against(model, peer(), simulate=engine())


def test_a_peer_that_takes_other_steps_is_told_with_the_method_that_takes_them(model, peer):
    name = peer(off=0.5)
    told = "--method default takes the same or the nearest"
    assert told not in against(model, name, simulate=engine()).text()
    assert told in against(model, name, method="rk4", simulate=engine()).text()


def test_a_model_that_runs_nowhere_is_no_peers_failure(model, monkeypatch):
    failing = Peer("failing", "Failing", (), ((sys.executable, "-c", "raise SystemExit(3)"),))
    monkeypatch.setitem(peers.PEERS, "failing", failing)
    report = against(model, "failing", simulate=engine())
    assert report.ok
    assert "status 3" in report.skipped

    def simulate(source, *, method, out, progress):
        raise NumericalError("v of pop[0] is NaN at 0.1 s")

    with pytest.raises(NumericalError, match="is NaN"):
        against(model, "failing", simulate=simulate)


def test_our_own_failure_is_raised(model, peer):
    def simulate(source, *, method, out, progress):
        raise ModelError(())

    with pytest.raises(ModelError):
        against(model, peer(), simulate=simulate)


def test_a_fault_of_the_model_is_told_where_its_author_finds_it(model, peer):
    def simulate(source, *, method, out, progress):
        place = Place(str(source), 1, 7)
        raise ModelError(Fault("no such thing", place), {place: source.read_text()})

    with pytest.raises(ModelError, match="no such thing") as caught:
        against(model, peer(), settings={"step": "2ms"}, simulate=simulate)
    assert caught.value.place == Place(str(model.resolve()), 1, 7)
    assert list(caught.value.lines) == [caught.value.place]


def test_both_traces_are_handed_over_for_drawing(model, peer):
    drawn = []
    against(model, peer(), simulate=engine(), draw=lambda *what: drawn.append(what))
    ((name, ours, theirs),) = drawn
    assert name == "results/v.dat"
    assert ours.time.size == theirs.time.size == 1001
