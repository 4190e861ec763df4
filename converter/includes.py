"""Where included files lie, and reading them without being led astray.

An include may come from a model that somebody else wrote: it may name a device, climb out
of its folder or point at a file that is no model.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import did_you_mean
from ..schemas.core_types import core_type_file
from .xml_file import PIECE

#: Addresses and paths that don't start from the model's own folder.
_ELSEWHERE: Final = re.compile(r"[/\\]|[A-Za-z][A-Za-z0-9+.-]*:")

#: How models are called.
_SUFFIXES: Final = frozenset({".nml", ".xml", ".h5"})

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
            regular = stat.S_ISREG(path.stat().st_mode)  # opening a device can already act
            handle = os.open(path, _FLAGS) if regular else -1
        except (OSError, ValueError) as error:
            raise Unreadable(_why(error)) from None
        if not regular:
            raise Unreadable("it is not a regular file")
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
    outside `confine` is found, if that is given, but our own packaged types. `absent` holds
    the places where something was looked for and wasn't.
    """

    root: Path
    others: Sequence[Path] = ()
    confine: Path | None = None
    absent: dict[Path, None] = field(default_factory=dict)

    def find(self, href: str, folder: Path) -> Found:
        """Return the file that `href` means in a file of `folder`; raises `Unreadable`."""
        ours = self.packaged(href)
        if ours is None and _ELSEWHERE.match(href):
            raise Unreadable("includes are relative to the model's folder, and no addresses")
        if not href or "\0" in href:
            raise Unreadable("it names no file")
        if ours is not None and folder == ours.path.parent:
            return ours
        outside = False
        for place in () if _ELSEWHERE.match(href) else self._folders(folder, ours):
            path = place / href
            if not self.allows(path):
                outside = True
            elif _exists(path):
                return Found(path, str(path))
            else:
                self.absent[path] = None
        if outside:
            raise Unreadable("it leads out of the folder that the model is confined to")
        if ours is not None:
            return ours
        near = self._near(href, folder)
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
        return Path(real).is_relative_to(limit)

    def _folders(self, folder: Path, ours: Found | None) -> Iterator[Path]:
        """Yield the folders to look into; our own types come right after the file's folder."""
        yield folder
        if ours is None:
            yield self.root
            yield from self.others

    def _near(self, href: str, folder: Path) -> str | None:
        """Return a hint with a file of a like name; none that tells of other folders."""
        if Path(href).name != href or self.confine is not None:
            return None
        try:
            names = [path.name for path in folder.iterdir() if path.suffix in _SUFFIXES]
        except OSError:
            return None
        return did_you_mean(href, sorted(names))

    def _looked(self, folder: Path) -> str:
        shown = dict.fromkeys(map(str, self._folders(folder, None)))
        return f"looked in {', '.join(shown)}"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
