"""Plain and Markdown tables of text, and the figures in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return `rows` below `header`, columns two spaces apart.

    >>> print(text_table(["name", "n"], [["a", "12"]]))
    name  n
    ----  --
    a     12
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    padded = (
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    )
    return "\n".join("  ".join(line).rstrip() for line in padded)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return `rows` below `header` as a Markdown table."""
    lines = [list(header), ["---"] * len(header), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def figure(value: float | None, unit: str = "") -> str:
    """Return `value` with four digits and its unit; a dash for None.

    >>> figure(0.000123456), figure(None), figure(0.0), figure(2.0, "s")
    ('0.0001235', '-', '0', '2 s')
    """
    return "-" if value is None else f"{value:.4g} {unit}".strip()
