"""What a LEMS file says about its own run: the files it includes, writes and its settings.

Enough of LEMS to copy a model elsewhere, to set its step, length and seed there, and to
know where its outputs lie. Nothing here judges a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from xml.parsers import expat

from ...errors import UsageError

#: Attributes that name an included document: LEMS's `Include`, NeuroML's `include`.
INCLUDING = ("file", "href")


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that a run writes; `path` is relative to the LEMS file's folder.

    `columns` are the quantities of its columns after the time, or the names of its events'
    sources.
    """

    path: str
    columns: tuple[str, ...]
    events: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The `Simulation` of a LEMS file, as its author wrote it."""

    id: str
    step: str
    length: str
    seed: str | None
    outputs: tuple[OutputFile, ...]


def read_settings(path: Path) -> Settings:
    """Return the settings of the simulation that the LEMS file at `path` targets.

    Raises `UsageError` where the file is no XML or names no simulation of its own.
    """
    simulations: dict[str, Settings] = {}
    target, current = "", ""
    for name, attributes in _scan(path):
        if name == "Target":
            target = attributes.get("component", "")
        elif name == "Simulation":
            current = attributes.get("id", "")
            step, length = attributes.get("step", ""), attributes.get("length", "")
            simulations[current] = Settings(current, step, length, attributes.get("seed"), ())
        elif name in _OUTPUTS and current in simulations:
            file = str(Path(attributes.get("path", ""), attributes.get("fileName", "")))
            _add_output(simulations, current, OutputFile(file, (), name == "EventOutputFile"))
        elif name in _COLUMNS and current in simulations and simulations[current].outputs:
            *before, last = simulations[current].outputs
            label = attributes.get(_COLUMNS[name], attributes.get("id", ""))
            grown = replace(last, columns=(*last.columns, label))
            simulations[current] = replace(simulations[current], outputs=(*before, grown))
    chosen = simulations.get(target)
    if chosen is None and len(simulations) == 1:
        chosen = next(iter(simulations.values()))
    if chosen is None:
        raise UsageError(f"{path} holds no Simulation that its Target names")
    return chosen


def included(path: Path) -> tuple[Path, ...]:
    """Return `path` and every file that it includes, directly or through others, in order.

    Names that lead to no file are left out: they are core definitions that every
    simulator brings along, or a fault that it will name itself.
    """
    found: dict[Path, None] = {}
    waiting = [path.resolve()]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found[file] = None
        waiting += reversed([other for other in _includes(file) if other.is_file()])
    return tuple(found)


def copy_model(path: Path, into: Path, settings: Mapping[str, str] | None = None) -> Path:
    """Copy the model at `path`, with all it includes, below `into`; return the copy's path.

    Every file keeps its full path below `into`, so relative includes and outputs hold and
    none leads out. Folders that outputs go to are made. `settings` replace attributes of
    the `Simulation` (`step`, `length`, `seed`) in the copy.

    Raises `UsageError` where an output's path is absolute, or leads above the root.
    """
    source = path.resolve()
    for file in included(source):
        place = into / file.relative_to(file.anchor)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())
    copy = into / source.relative_to(source.anchor)
    for output in read_settings(source).outputs:
        place = Path(output.path)
        inside = (copy.parent / place).resolve().is_relative_to(into.resolve())
        if place.is_absolute() or not inside:
            raise UsageError(
                f"{path} writes to {output.path}; a peer runs with relative paths only"
            )
        (copy.parent / place).parent.mkdir(parents=True, exist_ok=True)
    if settings:
        # Latin 1 keeps every byte of whatever encoding the document declares.
        text = with_settings(copy.read_bytes().decode("latin-1"), settings)
        copy.write_bytes(text.encode("latin-1"))
    return copy


def with_settings(text: str, settings: Mapping[str, str]) -> str:
    """Return the LEMS document `text` with attributes of its `Simulation` set anew.

    >>> with_settings('<Simulation id="s" step="1ms" target="n">', {"step": "0.1ms"})
    '<Simulation id="s" step="0.1ms" target="n">'
    >>> with_settings('<Simulation id="s">', {"seed": "7"})
    '<Simulation id="s" seed="7">'
    """

    def anew(match: re.Match[str]) -> str:
        tag = match.group()
        for name, value in settings.items():
            new = f'{name}="{value}"'
            tag, count = re.subn(rf"""(?<=\s){re.escape(name)}\s*=\s*("[^"]*"|'[^']*')""", new, tag)
            if not count:
                end = len(tag) - (2 if tag.endswith("/>") else 1)
                tag = f"{tag[:end].rstrip()} {new}{tag[end:]}"
        return tag

    return re.sub(
        r"""<(Simulation|Component(?=[^>]*\stype\s*=\s*["']Simulation["']))\b"""
        r"""(?:[^>"']|"[^"]*"|'[^']*')*>""",
        anew,
        text,
    )


def divided(quantity: str, by: int) -> str:
    """Return a quantity such as `0.01 ms` divided by a whole number.

    >>> divided("0.01 ms", 10)
    '0.001ms'
    """
    match = re.fullmatch(r"\s*([-+0-9.eE]+?)\s*([A-Za-z_]*)\s*", quantity)
    try:
        number = Decimal(match[1]) if match else Decimal("nan")
    except InvalidOperation:
        number = Decimal("nan")
    if match is None or not number.is_finite():
        raise UsageError(f"{quantity!r} is no quantity that can be divided")
    return f"{number / by:f}{match[2]}"


_OUTPUTS = frozenset({"OutputFile", "EventOutputFile"})
_COLUMNS = {"OutputColumn": "quantity", "EventSelection": "select"}
_INTERESTING = frozenset({"Include", "include", "Target", "Simulation", *_OUTPUTS, *_COLUMNS})


def _add_output(simulations: dict[str, Settings], name: str, output: OutputFile) -> None:
    settings = simulations[name]
    simulations[name] = replace(settings, outputs=(*settings.outputs, output))


def _includes(path: Path) -> Iterator[Path]:
    """Yield the files that the document at `path` includes; none where it is no XML."""
    try:
        for name, attributes in _scan(path):
            if name in {"Include", "include"}:
                for attribute in INCLUDING:
                    if value := attributes.get(attribute):
                        yield (path.parent / value).resolve()
    except UsageError:
        return


def _scan(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Return name and attributes of the elements of interest; a network's rest is not kept."""
    found: list[tuple[str, dict[str, str]]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "Component":
            local = attributes.get("type", "")
        if local in _INTERESTING:
            found.append((local, attributes))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as fault:
        raise UsageError(f"{path} is no XML: {fault}") from fault
    except OSError as fault:
        raise UsageError(f"{path} cannot be read: {fault.strerror}") from fault
    return found
