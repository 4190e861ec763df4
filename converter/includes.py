"""Where included files lie, and reading them without being led astray.

An include may come from a model that somebody else wrote: it may name a device, climb out
of its folder or point at a file that is no model.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import did_you_mean
from ..schemas.core_types import core_type_file
from .xml_file import PIECE

#: Addresses and paths that don't start from the model's own folder.
_ELSEWHERE: Final = re.compile(r"[/\\]|[A-Za-z][A-Za-z0-9+.-]*:")

_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO must not hold us up
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Unreadable(Exception):
    """The file can't be read; the text says why, and `hint` what to do."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(reason)


@dataclass(slots=True)
class Budget:
    """The bytes that a model may still have."""

    left: int

    def pieces(self, path: Path) -> Iterator[bytes]:
        """Yield the bytes of the regular file `path`.

        Raises `Unreadable` for anything else, and when the budget is spent.
        """
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise Unreadable("it is not a regular file")
            handle = os.open(path, _FLAGS)
        except (OSError, ValueError) as error:
            raise Unreadable(_why(error)) from None
        with os.fdopen(handle, "rb", buffering=0) as stream:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("it is not a regular file")
            if status.st_size > self.left:
                raise Unreadable("the model is too large")
            while True:
                try:
                    piece = stream.read(PIECE)
                except OSError as error:
                    raise Unreadable(_why(error)) from None
                if not piece:
                    return
                self.left -= len(piece)
                if self.left < 0:
                    raise Unreadable("the model is too large")
                yield piece


def _why(error: OSError | ValueError) -> str:
    return (error.strerror or "it can't be read") if isinstance(error, OSError) else "no such file"


@dataclass(frozen=True, slots=True)
class Found:
    """A file to include: where it is and what people see as its name."""

    path: Path
    name: str
    packaged: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """Finds what includes name.

    `root` is the folder of the model's first file, `others` are tried after it. Nothing
    outside `confine` is found, if that is given, but our own packaged types.
    """

    root: tuple[Path, str]
    others: Sequence[Path] = ()
    confine: Path | None = None

    def find(self, href: str, folder: tuple[Path, str]) -> Found:
        """Return the file that `href` means in a file of `folder`; raises `Unreadable`."""
        packaged = core_type_file(href)
        if packaged is None and _ELSEWHERE.match(href):
            raise Unreadable("includes are relative to the model's folder, and no addresses")
        if not href or "\0" in href:
            raise Unreadable("it names no file")
        outside = False
        for place, shown in self._folders(folder, packaged):
            if _ELSEWHERE.match(href):
                continue
            path = place / href
            if not _exists(path):
                continue
            if not self.allows(path):
                outside = True
                continue
            return Found(path, os.path.join(shown, href))
        if outside:
            raise Unreadable("it leads out of the folder that the model is confined to")
        ours = self.packaged(href)
        if ours is not None:
            return ours
        near = self._near(href, folder[0])
        raise Unreadable("there is no such file", near or self._looked(folder))

    def packaged(self, href: str) -> Found | None:
        """Return our own file of component types that `href` names, if it does."""
        path = core_type_file(href)
        if path is None:
            return None
        return Found(path, f"lemsmith/schemas/neuroml2/{path.name}", packaged=True)

    def allows(self, path: Path) -> bool:
        """Whether `path`, links followed, lies where the model may read."""
        if self.confine is None:
            return True
        real, limit = os.path.realpath(path), os.path.realpath(self.confine)
        return real == limit or real.startswith(os.path.join(limit, ""))

    def _folders(
        self, folder: tuple[Path, str], packaged: Path | None
    ) -> Iterator[tuple[Path, str]]:
        """Yield the folders to look into; our own types come right after the file's folder."""
        yield folder
        if packaged is None:
            yield self.root
            for other in self.others:
                yield other, str(other)

    def _near(self, href: str, folder: Path) -> str | None:
        if os.path.basename(href) != href or self.confine is not None:
            return None
        try:
            names = [name for name in os.listdir(folder) if name.endswith((".nml", ".xml", ".h5"))]
        except OSError:
            return None
        return did_you_mean(href, names)

    def _looked(self, folder: tuple[Path, str]) -> str:
        shown = dict.fromkeys(name or "." for _, name in self._folders(folder, None))
        return f"looked in {', '.join(shown)}"


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except (OSError, ValueError):
        return False
