"""Running other simulators: made of small scripts here, and the real ones where installed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from lemsmith.errors import MissingTool, UsageError
from lemsmith.runner.validation import peers
from lemsmith.runner.validation.peers import PEERS, Peer, PeerFailure, run_peer


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    path = folder / "LEMS_a.xml"
    path.write_text(
        '<Lems><Target component="s"/><Simulation id="s" length="1s" step="0.1s" target="n">'
        '<OutputFile id="o" fileName="results/v.dat"><OutputColumn id="v" quantity="v"/>'
        '</OutputFile><OutputFile id="p" fileName="w.dat"/></Simulation></Lems>'
    )
    return path


def scripted(script: str, *more: str) -> Peer:
    """Return a peer that is a Python program."""
    return Peer("scripted", "Scripted", (), ((sys.executable, "-c", script, "{model}"), *more))


def test_a_peer_runs_on_a_copy_and_its_outputs_are_found(model, tmp_path):
    script = "import sys; print(open(sys.argv[1]).read(), file=open('results/v.dat', 'w'))"
    run = run_peer(scripted(script), model, tmp_path / "run", settings={"step": "2ms"})
    assert set(run.files) == {"results/v.dat"}
    assert 'step="2ms"' in run.files["results/v.dat"].read_text()
    assert run.missing == ("w.dat",)
    assert run.seconds > 0
    assert [path.name for path in model.parent.iterdir()] == ["LEMS_a.xml"]


def test_commands_run_one_after_the_other(model, tmp_path):
    second = (sys.executable, "-c", "import os; os.rename('{stem}.tmp', 'w.dat')")
    peer = scripted("open('LEMS_a.tmp', 'w').write('1')", second)
    assert set(run_peer(peer, model, tmp_path / "run").files) == {"w.dat"}


def test_a_peer_that_fails_is_told_in_its_own_words(model, tmp_path):
    with pytest.raises(PeerFailure, match=r"(?s)status 1:.*cannot do that"):
        run_peer(scripted("raise SystemExit('cannot do that')"), model, tmp_path / "run")


def test_a_peer_that_writes_nothing_has_failed_whatever_its_status(model, tmp_path):
    with pytest.raises(PeerFailure, match=r"(?s)wrote none of the model's outputs.*all good"):
        run_peer(scripted("print('all good')"), model, tmp_path / "run")


def test_a_peer_that_takes_too_long_is_ended_with_its_children(model, tmp_path):
    child = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(PeerFailure, match=r"took more than 2 s"):
        run_peer(scripted(script), model, tmp_path / "run", time_limit=2)
    (pid,) = (tmp_path / "run").rglob("pid")
    for _ in range(50):
        if not Path(f"/proc/{pid.read_text()}").exists() or _is_zombie(pid.read_text()):
            break
        time.sleep(0.1)
    else:
        pytest.fail("the peer's child still runs")


def _is_zombie(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_every_missing_piece_is_named_with_how_to_get_it(model, tmp_path, monkeypatch):
    for name in ("java", "jar"):
        need = peers.NEEDS[name]
        monkeypatch.setitem(peers.NEEDS, name, peers.Need(need.name, lambda: None, need.hint))
    with pytest.raises(MissingTool) as caught:
        run_peer(PEERS["jneuroml"], model, tmp_path / "run")
    assert "Java is not installed (jNeuroML needs Java 11 or newer on the path)" in str(
        caught.value
    )
    assert "pip install pyneuroml" in str(caught.value)


def test_an_unknown_peer_is_told_the_known_ones():
    with pytest.raises(UsageError, match="jneuroml, neuron, eden, pylems, brian2"):
        peers.peer_named("nest")


def test_every_peer_names_only_what_it_needs():
    words = {"model": "m", "stem": "s", "core": "c", "memory": "1G", "PATH": "p"}
    for peer in PEERS.values():
        found = {name: peers._Found(Path("/opt/bin/x")) for name in peer.needs}
        for command in peer.commands:
            assert [part.format_map(words | found) for part in command]
        for _, value in peer.environment:
            assert value.format_map(words | found)
    assert "{nrniv.prefix}" in dict(PEERS["neuron"].environment)["NEURON_HOME"]
