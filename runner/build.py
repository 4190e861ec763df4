"""From generated text to a loaded library, cached by content.

The key is a hash of the text, the headers, the command line and the processor, so that the
same model on the same machine compiles once. Files appear in the cache whole or not at all,
and the cache is bounded in size: the least recently used go first.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import platform
import shlex
import shutil
import stat
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
    """A C++ compiler: how to call it, what tells its versions apart, whose options it takes."""

    command: tuple[str, ...]
    version: str
    clang: bool = False


def find_compiler() -> Compiler:
    """Return the C++ compiler to use: $CXX, g++, clang++, c++, or the `ziglang` package.

    Raises `MissingTool` where there is none, naming what to install.
    """
    return _find_compiler(os.environ.get("CXX", ""), os.environ.get("PATH", ""))


@lru_cache(maxsize=8)
def _find_compiler(chosen: str, path: str) -> Compiler:
    for name in (chosen, "g++", "clang++", "c++"):
        words = shlex.split(name)
        found = shutil.which(words[0], path=path) if words else None
        if found is not None:
            command = (found, *words[1:])
            return Compiler(command, _version(found), _takes_clang_options(command))
    packaged = find_spec("ziglang")
    if packaged is not None and packaged.origin is not None:
        # The program itself: `python -m ziglang` would look into the current folder first.
        program = shutil.which("zig", path=str(Path(packaged.origin).parent))
        if program is not None:
            # Generated text uses nothing of C++'s own library, which takes minutes to build.
            return Compiler((program, "c++", "-nostdlib++"), _version(program), clang=True)
    raise MissingTool(
        "no C++ compiler was found (looked for $CXX, g++, clang++ and c++); install one, or "
        'run: pip install "lemsmith[compiler]", which brings the ziglang package; '
        "--backend numpy needs none"
    )


def _version(program: str) -> str:
    """Return what tells versions apart without starting the program (20 ms a start)."""
    real = Path(program).resolve()
    status = real.stat()
    return f"{real} {status.st_size} {status.st_mtime_ns}"


def _takes_clang_options(command: tuple[str, ...]) -> bool:
    name = " ".join(Path(word).name for word in command)
    if "clang" in name or "g++" in name:
        # Apple's g++ is clang; others' have a number.
        return "clang" in name or (sys.platform == "darwin" and name == "g++")
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return "clang" in done.stdout


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
    if find_compiler().clang:
        return ("-O2", *common)
    return (
        "-O2",
        "-ftree-loop-vectorize",
        "-fvect-cost-model=unlimited",
        "-fno-tree-slp-vectorize",
        "--param",
        "vect-epilogues-nomask=0",
        *common,
    )


def build(text: str, flags: tuple[str, ...] = ("-O2", "-ffp-contract=off")) -> Path:
    """Return the path of the library compiled from `text`, from the cache where it can.

    Raises `MissingTool` without a compiler and `InternalError` where it refuses our text.
    """
    compiler = find_compiler()
    options = (*COMMON, *flags, f"-I{HEADERS}")
    command = (*compiler.command, *options)
    key = hashlib.sha256(
        "\0".join((text, headers_digest(), compiler.version, processor(), *command)).encode()
    ).hexdigest()[:40]
    folder = writable_cache()
    library = _intact(folder, key)
    if library is not None:
        return library
    with tempfile.TemporaryDirectory(dir=folder, prefix="build-") as work:
        source = Path(work) / "model.cpp"
        source.write_text(text)
        made = Path(work) / "model.so"
        done = subprocess.run(
            [*command, str(source), "-o", str(made), "-lm"],
            capture_output=True,
            text=True,
            check=False,
            cwd=work,
            env=_environment(folder),
        )
        if done.returncode != 0:
            kept = folder / f"refused-{key[:12]}.cpp"
            kept.write_text(text)
            raise InternalError(
                f"the C++ compiler refused generated code (kept as {kept}):\n" + done.stderr[:2000]
            )
        # The name holds a hash of the content: a file that was cut short is not loaded.
        library = folder / f"{key}-{_digest(made)}.so"
        source.replace(folder / f"{key}.cpp")
        made.replace(library)
    bound(folder)
    return library


def _intact(folder: Path, key: str) -> Path | None:
    """Return the library kept under `key`, if its content is what was written."""
    for path in sorted(folder.glob(f"{key}-*.so")):
        try:
            if path.stem == f"{key}-{_digest(path)}":
                os.utime(path)
                return path
            path.unlink()
        except FileNotFoundError:
            continue  # another run removed it
    return None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of the compiler: zig keeps what it makes in our cache."""
    zig = str(folder / "zig")
    return {"ZIG_GLOBAL_CACHE_DIR": zig, "ZIG_LOCAL_CACHE_DIR": zig, **os.environ}


def writable_cache() -> Path:
    """Return the cache's folder, made if need be; where it cannot be, one for this process."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    except OSError:
        pass
    return _passing_folder()


@lru_cache(maxsize=1)
def _passing_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lemsmith-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def bound(folder: Path) -> None:
    """Remove the least recently used files until the cache is within its limit."""
    entries: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # another run removed it
        if stat.S_ISREG(status.st_mode):
            entries.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= CACHE_LIMIT:
            return
        path.unlink(missing_ok=True)
        total -= size
