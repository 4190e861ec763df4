"""Templates of generated text: loops over finished lines, no decisions."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import jinja2


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - C, not HTML, and every line is our printers'
    )


def render(template: str, **values: object) -> str:
    """Return the text of `template` with `values`; an unknown name is an error."""
    return _environment().get_template(template).render(**values)
