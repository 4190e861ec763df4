"""The operations of a step on a device, and the barriers between them.

An operation is a loop that all threads share. Between two of them stands a barrier of the
whole grid only where one thread may touch what another wrote, or write what another read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .device_events import Keys

SYNC = "ls_grid_sync(&run->barrier);"

#: What a loop over a population's own instances looks like.
OWN = "for (int64_t i = s.first; i < {size}; i += s.stride)"


@dataclass(slots=True)
class Operation:
    """Lines that all threads run, and what they touch: own instances, or any."""

    lines: list[str]
    reads: Keys = frozenset()
    writes: Keys = frozenset()
    any_reads: Keys = frozenset()
    any_writes: Keys = frozenset()

    def after(self, pending: Pending) -> bool:
        """Tell whether a barrier must stand before this operation."""
        touched = self.any_reads | self.any_writes
        return bool(
            touched & (pending.writes | pending.any_writes)
            or self.reads & pending.any_writes
            or self.writes & (pending.any_reads | pending.any_writes)
            or self.any_writes & (pending.reads | pending.any_reads)
        )


@dataclass(slots=True)
class Pending:
    """What was touched since the last barrier."""

    reads: set[tuple[str, str]] = field(default_factory=set)
    writes: set[tuple[str, str]] = field(default_factory=set)
    any_reads: set[tuple[str, str]] = field(default_factory=set)
    any_writes: set[tuple[str, str]] = field(default_factory=set)

    def add(self, operation: Operation) -> None:
        """Count what an operation touches."""
        self.reads |= operation.reads
        self.writes |= operation.writes
        self.any_reads |= operation.any_reads
        self.any_writes |= operation.any_writes


def in_order(operations: Sequence[Operation], *, again: bool, always: bool) -> list[str]:
    """Return the lines of operations with barriers where one needs another's work.

    With `again` the row is repeated: what is left over at its end counts for its start, and
    with `always` there is one barrier at least in every round.
    """
    lines: list[str] = []
    pending = Pending()
    synced = False
    for operation in operations:
        if operation.after(pending):
            lines.append(SYNC)
            pending = Pending()
            synced = True
        lines.extend(operation.lines)
        pending.add(operation)
    if not again:
        return lines
    for operation in operations:
        if operation.after(pending) or (always and not synced):
            return [*lines, SYNC]
        pending.add(operation)
    return lines
