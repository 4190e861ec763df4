"""From generated text to a loaded library, cached by content.

The key is a hash of the text, the headers, the command line and the processor, so that the
same model on the same machine compiles once. Files appear in the cache whole or not at all,
and the cache is bounded in size: the least recently used go first.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ..errors import InternalError, MissingTool

HEADERS = Path(__file__).parent.parent / "codegen" / "include"

#: Bytes that the cache may hold.
CACHE_LIMIT = 1_000_000_000

#: Flags of every build. Contraction of a*b+c would make results differ between backends.
COMMON = ("-std=c++17", "-shared", "-fPIC", "-Wall", "-Wextra", "-fno-exceptions", "-fno-rtti")


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C++ compiler: how to call it, and what it calls itself."""

    command: tuple[str, ...]
    version: str


def find_compiler() -> Compiler:
    """Return the C++ compiler to use: $CXX, g++, clang++, c++, or the `ziglang` package.

    Raises `MissingTool` where there is none, naming what to install.
    """
    return _find_compiler(os.environ.get("CXX", ""), os.environ.get("PATH", ""))


@lru_cache(maxsize=8)
def _find_compiler(chosen: str, path: str) -> Compiler:
    for name in (chosen, "g++", "clang++", "c++"):
        found = shutil.which(name, path=path) if name else None
        if found is not None:
            return Compiler((found,), _version((found,)))
    if find_spec("ziglang") is not None:
        command = (sys.executable, "-m", "ziglang", "c++")
        return Compiler(command, _version(command))
    raise MissingTool(
        "no C++ compiler was found (looked for $CXX, g++, clang++ and c++); install one, or "
        'run: pip install "lemsmith[compiler]", which brings the ziglang package; '
        "--backend numpy needs none"
    )


def _version(command: tuple[str, ...]) -> str:
    if len(command) == 1:
        # The file's own stamp tells versions apart without starting it (20 ms a start).
        program = Path(command[0]).resolve()
        status = program.stat()
        return f"{program} {status.st_size} {status.st_mtime_ns}"
    return f"ziglang {importlib.metadata.version('ziglang')}"


@lru_cache(maxsize=1)
def processor() -> str:
    """Return what of this processor decides which instructions may be used."""
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith(("flags", "Features")):
                    return platform.machine() + hashlib.sha256(line.encode()).hexdigest()[:16]
    except OSError:
        pass
    return f"{platform.machine()} {platform.processor()}"


def cache_folder() -> Path:
    """Return the cache's folder: $LEMSMITH_CACHE, else the user's cache folder."""
    given = os.environ.get("LEMSMITH_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lemsmith"


@lru_cache(maxsize=1)
def headers_digest() -> str:
    """Return a hash of our headers."""
    digest = hashlib.sha256()
    for path in sorted(HEADERS.glob("*.h")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def kernel_flags() -> tuple[str, ...]:
    """Return the flags of kernels: vectorised, with none that would hide NaN and infinity.

    Basic blocks and the rest of a loop are left alone: they cost g++ half its time and win
    nothing here.
    """
    common = ("-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
    name = Path(find_compiler().command[-1]).name
    if "clang" in name or (name == "c++" and sys.platform == "darwin") or len(
        find_compiler().command
    ) > 1:
        return ("-O2", *common)
    return (
        "-O2", "-ftree-loop-vectorize", "-fvect-cost-model=unlimited", "-fno-tree-slp-vectorize",
        "--param", "vect-epilogues-nomask=0", *common,
    )


def build(text: str, flags: tuple[str, ...] = ("-O2", "-ffp-contract=off")) -> Path:
    """Return the path of the library compiled from `text`, from the cache where it can.

    Raises `MissingTool` without a compiler and `InternalError` where it refuses our text.
    """
    compiler = find_compiler()
    options = (*COMMON, *flags, f"-I{HEADERS}")
    key = hashlib.sha256(
        "\0".join((text, headers_digest(), compiler.version, processor(), *options)).encode()
    ).hexdigest()
    folder = cache_folder()
    library = folder / f"{key[:40]}.so"
    if library.exists():
        os.utime(library)
        return library
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="build-") as work:
        source = Path(work) / "model.cpp"
        source.write_text(text)
        made = Path(work) / "model.so"
        command = [*compiler.command, *options, str(source), "-o", str(made), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            kept = folder / f"refused-{key[:12]}.cpp"
            kept.write_text(text)
            raise InternalError(
                f"the C++ compiler refused generated code (kept as {kept}):\n"
                + done.stderr[:2000]
            )
        source.replace(folder / f"{key[:40]}.cpp")
        made.replace(library)
    _bound(folder)
    return library


def _bound(folder: Path) -> None:
    """Remove the least recently used files until the cache is within its limit."""
    entries: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # another run removed it
        if path.is_file():
            entries.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= CACHE_LIMIT:
            return
        path.unlink(missing_ok=True)
        total -= size
