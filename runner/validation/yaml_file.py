"""YAML as plain values that know their line and column.

Only what a plain document needs: mappings with scalar keys, lists, scalars; tags that would
build objects are refused. What is wrong is collected, so that a reader can report it all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ...errors import Faults, ModelError, Place, UsageError, did_you_mean

#: Bytes and values in one file; aliases can make a short file expand without end.
MAX_BYTES = 5_000_000
MAX_VALUES = 300_000
MAX_DEPTH = 40

#: The path of keys (and indices, as text) that leads to a value.
At = tuple[str, ...]

Word = TypeVar("Word", bound=str)


@dataclass(slots=True)
class YamlFile:
    """A YAML file as plain values, with the place of each, collecting what is wrong."""

    path: Path
    faults: Faults = field(default_factory=Faults)
    places: dict[At, Place] = field(default_factory=dict)
    values: dict[At, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            if self.path.stat().st_size > MAX_BYTES:
                raise self._broken(f"is larger than {MAX_BYTES // 1_000_000} MB")
            text = self.path.read_text(encoding="utf-8")
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            self._walk(_mapping(root), (), _Scalars())
        except OSError as fault:
            raise UsageError(f"{self.path} cannot be read: {fault.strerror}") from fault
        except UnicodeDecodeError as fault:
            raise self._broken("is not UTF-8 text") from fault
        except RecursionError as fault:
            raise self._broken("nests too deeply") from fault
        except yaml.MarkedYAMLError as fault:
            mark = fault.problem_mark or fault.context_mark
            raise self._broken(f"is not YAML: {fault.problem or fault.context}", mark) from fault
        except (yaml.YAMLError, ValueError) as fault:
            raise self._broken(f"is not YAML: {fault}") from fault

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd but not wrong."""
        return tuple(str(fault) for fault in self.faults.found if fault.severity == "warning")

    def error(self, message: str, at: At, hint: str | None = None) -> None:
        """Note an error at the nearest place known."""
        self.faults.error(message, self._place(at), hint)

    def warn(self, message: str, at: At, hint: str | None = None) -> None:
        """Note a warning at the nearest place known."""
        self.faults.warning(message, self._place(at), hint)

    def get(self, at: At) -> Any:
        """Return the value at `at`: a scalar, a dict, a list, or None."""
        return self.values.get(at)

    def items(self, at: At, *, required: bool = False) -> list[tuple[str, At]]:
        """Return the keys of the mapping at `at`, each with its own path."""
        value = self.get(at)
        if value is None and not required:
            return []
        if not isinstance(value, dict):
            self.error(f"{at[-1]!r} must be a mapping", at)
            return []
        return [(key, (*at, key)) for key in value]

    def text(self, at: At, default: str | None = None) -> str:
        """Return the text at `at`; an error where it is missing and has no default."""
        value = self.get(at)
        if value is None:
            if default is None:
                self.error(f"{at[-1]!r} is missing", at)
            return default or ""
        if isinstance(value, (dict, list)):
            self.error(f"{at[-1]!r} must be text", at)
            return ""
        return str(value).strip()

    def choice(self, at: At, known: tuple[Word, ...]) -> Word:
        """Return the text at `at`, one of `known`; the first of them where it is missing."""
        value = self.text(at, known[0])
        for word in known:
            if word == value:
                return word
        self.error(f"{value!r} is no {at[-1]}", at, f"known: {', '.join(known)}")
        return known[0]

    def number(self, at: At, default: float | None = None) -> float:
        """Return the number at `at`; YAML 1.1 reads `1e-11` as text, which is accepted."""
        value = self.get(at)
        if value is None and default is not None:
            return float(default)
        number = as_number(value)
        if number is None or (not math.isfinite(number) and number != default):
            kind = "number" if number is None else "finite number"
            self.error(f"{at[-1]!r} must be a {kind}, not {value!r}", at)
            return 0.0
        return number

    def whole(self, at: At, default: int) -> int:
        """Return the whole number at `at`, 0 or more."""
        number = self.number(at, default)
        if number < 0 or not number.is_integer():
            self.error(f"{at[-1]!r} must be a whole number, 0 or more", at)
            return default
        return int(number)

    def numbers(self, at: At, default: tuple[float, ...] = ()) -> tuple[float, ...]:
        """Return the list of numbers at `at`."""
        value = self.get(at)
        if value is None:
            return default
        items = value if isinstance(value, list) else [None]
        numbers = [number for item in items if (number := as_number(item)) is not None]
        if len(numbers) < len(items) or not all(map(math.isfinite, numbers)):
            kind = "numbers" if len(numbers) < len(items) else "finite numbers"
            self.error(f"{at[-1]!r} must be a list of {kind}", at)
            return default
        return tuple(numbers)

    def known_keys(self, at: At, known: Iterable[str]) -> None:
        """Warn of every key of the mapping at `at` that OMV does not look at."""
        names = tuple(known)
        for key, where in self.items(at):
            if key not in names:
                self.warn(f"{key!r} has no meaning here", where, did_you_mean(key, names))

    def _place(self, at: At) -> Place:
        while at and at not in self.places:
            at = at[:-1]
        return self.places.get(at, Place(str(self.path), 1, 1))

    def _at(self, mark: yaml.Mark) -> Place:
        return Place(str(self.path), mark.line + 1, mark.column + 1)

    def _broken(self, message: str, mark: yaml.Mark | None = None) -> ModelError:
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        faults = Faults()
        faults.error(f"the file {message}", Place(str(self.path), line, column))
        return ModelError(faults.found)

    def _walk(self, node: yaml.Node, at: At, construct: _Scalars) -> Any:
        """Note the value and the place of everything below `node`; return its value."""
        self.places[at] = self._at(node.start_mark)
        if len(self.values) > MAX_VALUES or len(at) > MAX_DEPTH:
            raise ValueError("it expands too far")
        value: Any
        if isinstance(node, yaml.MappingNode):
            value = {}
            for key_node, value_node in node.value:
                key = str(construct.scalar(key_node)).strip()
                if key in value:
                    self.warn(f"{key!r} stands here twice; the last one counts", at)
                value[key] = self._walk(value_node, (*at, key), construct)
                if not isinstance(value_node, yaml.ScalarNode):
                    # A block begins a line below the name that a reader looks for.
                    self.places[*at, key] = self._at(key_node.start_mark)
        elif isinstance(node, yaml.SequenceNode):
            value = [
                self._walk(item, (*at, str(index)), construct)
                for index, item in enumerate(node.value)
            ]
        else:
            value = construct.scalar(node)
        self.values[at] = value
        return value


class _Scalars:
    """Turns a scalar node into its value by YAML 1.1's rules, without any tags of its own."""

    def __init__(self) -> None:
        self._loader = yaml.SafeLoader("")

    def scalar(self, node: yaml.Node) -> Any:
        """Return the value of `node`, which must be a scalar."""
        if not isinstance(node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(
                problem="a key must be a scalar", problem_mark=node.start_mark
            )
        return self._loader.construct_object(node)


def _mapping(root: yaml.Node | None) -> yaml.MappingNode:
    if isinstance(root, yaml.MappingNode):
        return root
    raise yaml.YAMLError("it must be a mapping of names to values")


def as_number(value: object) -> float | None:
    """Return `value` as a number, or None; a truth value is none, text may be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
