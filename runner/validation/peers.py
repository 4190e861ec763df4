"""Runs a LEMS file on another simulator that is installed here.

A peer is data: what it needs, how it is started, where its outputs lie. It runs on a copy
of the model in a temporary folder, so nothing is ever written beside the model itself.
Exit status 0 is no promise that a peer computed the model; what it wrote is what counts.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...errors import LemsmithError, MissingTool, UsageError, did_you_mean
from .last_words import ending, last_words
from .model_files import OutputFile, copy_model, read_settings

#: Seconds granted to a peer.
TIME_LIMIT = 600.0

#: Memory granted to Java.
MEMORY = "1500M"

#: The folder of core component types inside jNeuroML's jar.
CORE_TYPES = "NeuroML2CoreTypes"


class PeerFailure(LemsmithError):
    """A peer is installed but did not run the model; the message ends with its own words."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something a peer is made of: how it is found, and how to get it."""

    name: str
    find: Callable[[], Path | None]
    hint: str


@dataclass(frozen=True, slots=True)
class Peer:
    """Another simulator.

    `commands` run one after the other in the model's folder; `{model}` is the LEMS file's
    name, `{stem}` the same without its suffix, `{core}` a folder of the core component
    types, `{memory}` Java's share, and every other name in braces a need. `environment`
    is filled in the same way. `method` is lemsmith's method that takes the peer's steps, or
    comes nearest to them.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    environment: tuple[tuple[str, str], ...] = ()
    method: str = "default"


@dataclass(frozen=True, slots=True)
class PeerRun:
    """What a peer wrote, by the path that the model gives it, and the seconds it took."""

    peer: str
    files: Mapping[str, Path]
    outputs: tuple[OutputFile, ...]
    seconds: float

    @property
    def missing(self) -> tuple[str, ...]:
        """The outputs that the model asks for and the peer did not write."""
        return tuple(output.path for output in self.outputs if output.path not in self.files)


def _executable(name: str) -> Callable[[], Path | None]:
    """Return how to find a program: beside this interpreter, or on the path."""

    def find() -> Path | None:
        beside = Path(sys.prefix) / "bin" / name
        found = str(beside) if beside.is_file() else shutil.which(name)
        return Path(found) if found else None

    return find


def _jar() -> Path | None:
    """Find jNeuroML's jar: in `JNML_HOME`, or in the package pyneuroml."""
    folders = [Path(os.environ["JNML_HOME"])] if os.environ.get("JNML_HOME") else []
    spec = find_spec("pyneuroml")
    folders += [Path(place) / "lib" for place in (spec and spec.submodule_search_locations) or ()]
    jars = [jar for folder in folders for jar in sorted(folder.glob("jNeuroML-*.jar"))]
    return jars[0] if jars else None


def _module(name: str) -> Callable[[], Path | None]:
    """Return how to find a Python package without importing it."""

    def find() -> Path | None:
        spec = find_spec(name)
        return Path(spec.origin) if spec and spec.origin else None

    return find


NEEDS: dict[str, Need] = {
    "java": Need("Java", _executable("java"), "jNeuroML needs Java 11 or newer on the path"),
    "jar": Need("jNeuroML", _jar, "pip install pyneuroml, or set JNML_HOME"),
    "nrniv": Need("NEURON", _executable("nrniv"), "pip install neuron"),
    "eden": Need("EDEN", _executable("eden"), "pip install eden-simulator"),
    "pylems": Need("PyLEMS", _executable("pylems"), "pip install pylems"),
    "brian2": Need("Brian 2", _module("brian2"), "pip install brian2"),
}

_JNEUROML = ("{java}", "-Xmx{memory}", "-Djava.awt.headless=true", "-jar", "{jar}", "{model}")

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            "jneuroml",
            "jNeuroML",
            ("java", "jar"),
            ((*_JNEUROML, "-nogui"),),
            method="jlems",
        ),
        Peer(
            "neuron",
            "NEURON through jNeuroML",
            ("java", "jar", "nrniv"),
            ((*_JNEUROML, "-neuron", "-run", "-nogui"),),
            (("NEURON_HOME", "{nrniv.prefix}"), ("PATH", "{nrniv.prefix}/bin:{PATH}")),
            method="neuron",
        ),
        Peer(
            "eden",
            "EDEN",
            ("eden",),
            (("{eden}", "nml", "{model}"),),
            method="exponential_euler",
        ),
        Peer(
            "pylems",
            "PyLEMS",
            ("pylems",),
            (("{pylems}", "-nogui", "-I", "{core}", "{model}"),),
            method="euler",
        ),
        Peer(
            "brian2",
            "Brian 2 through jNeuroML",
            ("java", "jar", "brian2"),
            ((*_JNEUROML, "-brian2"), (sys.executable, "{stem}_brian2.py", "-nogui")),
            method="euler",
        ),
    )
}


def missing_needs(peer: Peer) -> tuple[Need, ...]:
    """Return what `peer` needs and this machine lacks."""
    return tuple(NEEDS[name] for name in peer.needs if NEEDS[name].find() is None)


def peer_named(name: str) -> Peer:
    """Return the peer called `name`, in any case; raise `UsageError` naming the known ones."""
    known = PEERS.get(name.lower())
    if known is not None:
        return known
    hint = did_you_mean(name.lower(), PEERS) or f"known: {', '.join(PEERS)}, or a file of results"
    if "/" in name or Path(name).suffix:
        raise UsageError(f"no file {name!r} is there to compare with; {hint}")
    raise UsageError(f"no peer is called {name!r}; {hint}")


def run_peer(
    peer: Peer,
    model: Path,
    into: Path,
    *,
    settings: Mapping[str, str] | None = None,
    time_limit: float = TIME_LIMIT,
) -> PeerRun:
    """Run the LEMS file `model` on `peer`, in a copy below the folder `into`.

    `settings` replace the simulation's `step`, `length` or `seed` in the copy; `time_limit`
    is in s, for each of the peer's commands.

    Raises `MissingTool` naming what is not installed, `PeerFailure` where the peer fails,
    takes too long or writes nothing, `UsageError` where `model` is no LEMS file.
    """
    lacking = missing_needs(peer)
    if lacking:
        told = "; ".join(f"{need.name} is not installed ({need.hint})" for need in lacking)
        raise MissingTool(f"{peer.title} cannot run: {told}")
    into.mkdir(parents=True, exist_ok=True)
    copy = copy_model(model, into, settings)
    words = _words(peer, copy, into)
    environment = {
        **os.environ,
        **{name: value.format_map(words) for name, value in peer.environment},
    }
    started = time.perf_counter()
    said = ""
    for command in peer.commands:
        line = [part.format_map(words) for part in command]
        said += _execute(peer, line, copy.parent, environment, time_limit)
    seconds = time.perf_counter() - started
    outputs = read_settings(copy).outputs
    places = {output.path: copy.parent / output.path for output in outputs}
    files = {path: place for path, place in places.items() if place.is_file()}
    if outputs and not files:
        told = last_words(said, copy.parent)
        raise PeerFailure(f"{peer.title} wrote none of the model's outputs{told}")
    return PeerRun(peer.name, files, outputs, seconds)


def _words(peer: Peer, copy: Path, into: Path) -> dict[str, object]:
    """Return what the names in braces stand for."""
    found = {name: NEEDS[name].find() for name in peer.needs}
    words: dict[str, object] = {name: _Found(place) for name, place in found.items() if place}
    words |= {"model": copy.name, "stem": copy.stem, "memory": MEMORY}
    words |= {"PATH": os.environ.get("PATH", "")}
    if any("{core}" in command for command in peer.commands):
        words["core"] = _core_types(into / CORE_TYPES)
    return words


@dataclass(frozen=True, slots=True)
class _Found:
    """A program's path; `prefix` is the environment whose `bin` it lies in."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def prefix(self) -> Path:
        return self.path.parent.parent


def _core_types(folder: Path) -> Path:
    """Unpack the core component types from jNeuroML's jar, if there is one, into `folder`."""
    folder.mkdir(exist_ok=True)
    jar = _jar()
    if jar:
        with zipfile.ZipFile(jar) as packed:
            for name in packed.namelist():
                if name.startswith(f"{CORE_TYPES}/") and name.endswith(".xml"):
                    (folder / Path(name).name).write_bytes(packed.read(name))
    return folder


def _execute(
    peer: Peer, command: list[str], folder: Path, environment: Mapping[str, str], limit: float
) -> str:
    """Run `command` in `folder` and return what it said; it and its children end at `limit`."""
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except OSError as fault:
        raise PeerFailure(f"{peer.title} cannot be started: {fault.strerror}") from fault
    try:
        said, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired as fault:
        _end(process)
        raise PeerFailure(f"{peer.title} took more than {limit:g} s") from fault
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        told = f"{ending(process.returncode)}{last_words(said, folder)}"
        raise PeerFailure(f"{peer.title} {told}")
    return said


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and the children that it started in its own session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
