"""A translated model, ready to run: what is kept in the cache between runs.

The cache of plans is looked up first; on a hit nothing of the compiling half (sympy, lxml,
jinja2) is imported. A plan is stored under a hash of the request and of lemsmith itself,
with the digests of every file that it came from, and those that were looked for and absent;
it counts only while all of them still match.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..codegen.program import BufferName, Program
from ..converter.simulation import Display, EventFile, OutputFile
from ..errors import Fault, UsageError
from .build import bound, cache_folder
from .files import replacing
from .request import Request, is_text

#: Fields of a request that do not change what is translated.
RUN_ONLY = ("threads",)

#: Bytes of the hash that a kept plan begins with: one that was cut short is not read.
HASH_SIZE = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A program with its text, and how its columns are to be shown."""

    program: Program
    text: str
    buffers: tuple[BufferName, ...]
    dimensions: Mapping[str, str]  # column path -> LEMS dimension
    units: Mapping[str, str]  # column path -> SI symbol
    outputs: tuple[OutputFile, ...]
    event_files: tuple[EventFile, ...]
    displays: tuple[Display, ...]
    random_state: int
    seed: int
    warnings: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    plan: Plan
    files: tuple[tuple[str, str], ...]


@lru_cache(maxsize=1)
def package_digest() -> str:
    """Return a hash of lemsmith's own files: another version translates anew."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for folder in ("schemas", "converter", "codegen", "runner"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".py", ".h", ".jinja", ".xml"):
                status = path.stat()
                digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()


def key_of(request: Request) -> str:
    """Return the name under which the plan of `request` is kept."""
    source = request.source if is_text(request.source) else str(Path(request.source).resolve())
    parts = [package_digest(), str(source)]
    parts.extend(
        f"{name}={getattr(request, name)!r}"
        for name in sorted(Request.__dataclass_fields__)
        if name not in ("source", *RUN_ONLY)
    )
    if is_text(request.source) or not all(path.is_absolute() for path in request.include_dirs):
        parts.append(str(Path.cwd()))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def digest(path: Path) -> str:
    """Return a hash of a file's content, or "" where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def recalled(request: Request) -> Plan | None:
    """Return the plan kept for `request`, if every file that it came from is unchanged."""
    path = cache_folder() / f"{key_of(request)}.plan"
    try:
        content = path.read_bytes()
    except OSError:
        return None
    kept, payload = content[:HASH_SIZE], content[HASH_SIZE:]
    if hashlib.sha256(payload).digest() != kept:
        path.unlink(missing_ok=True)
        return None
    try:
        entry = pickle.loads(payload)  # noqa: S301 - our own, from the user's own cache folder
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError):
        path.unlink(missing_ok=True)
        return None
    if not isinstance(entry, _Entry):
        return None
    if any(digest(Path(name)) != expected for name, expected in entry.files):
        return None
    with suppress(OSError):
        os.utime(path)
    return entry.plan


def remember(request: Request, plan: Plan, files: tuple[Path, ...]) -> None:
    """Keep `plan` for later runs; a cache that cannot be written is no fault."""
    folder = cache_folder()
    entry = _Entry(plan, tuple((str(path.resolve()), digest(path)) for path in files))
    payload = pickle.dumps(entry, protocol=pickle.HIGHEST_PROTOCOL)
    with suppress(OSError, UsageError):
        with replacing(folder / f"{key_of(request)}.plan") as file:
            file.write(hashlib.sha256(payload).digest() + payload)
        bound(folder)
