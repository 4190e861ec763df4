"""When, inside a step, the spike of a compartment happened.

Conditions of cells of compartments are tested at the ends of steps, after the solve. What they
send is delivered on the grid of steps; where it is recorded, its time is that at which the
potential met the condition, taken as straight from one end of the step to the other. That is
as good as the potentials are under a method of second order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..converter.expressions import ZERO, Binary, Choose, Expression, Name, names, substitute
from ..converter.network import Assign, Emit, Statement, When
from ..converter.simplify import simplify
from .body import Body
from .located import gap

#: Suffix of a potential as it was when conditions were last tested, and the name of the time
#: that has passed since a spike.
TESTED, AGO = "__tested", "spike__ago"


def note_when(body: Body, test: Expression, v: str) -> bool:
    """Let `body` note how long ago `test`, which holds now, came to hold through `v`.

    Returns whether it is a matter of `v`.
    """
    moving = [part for part in conjuncts(test) if v in names(part)]
    if not moving:
        return False
    whole = moving[0]
    for part in moving[1:]:
        whole = Binary("and", whole, part)
    now = body.bound(gap(whole))
    before = simplify(substitute(now, {v: Name(v + TESTED)}))
    share = Binary("/", now, Binary("-", now, before))
    crossed = Binary("and", Binary("<", before, ZERO), Binary(">", now, ZERO))
    ago = Choose(crossed, Binary("*", Name("dt"), share), ZERO)
    body.statements.append(Assign(AGO, simplify(ago)))
    return True


def conjuncts(test: Expression) -> Iterator[Expression]:
    """Yield the parts of a test that must all hold.

    >>> from ..converter.expressions import parse, show
    >>> [show(part) for part in conjuncts(parse("v .gt. thresh .and. spiking .lt. 0.5"))]
    ['v > thresh', 'spiking < 0.5']
    """
    if isinstance(test, Binary) and test.operator == "and":
        yield from conjuncts(test.left)
        yield from conjuncts(test.right)
    else:
        yield test


def sent(statements: Sequence[Statement]) -> Iterator[str]:
    """Yield the ports on which statements send events."""
    for statement in statements:
        if isinstance(statement, Emit):
            yield statement.port
        elif isinstance(statement, When):
            yield from sent(statement.body)
