"""Lowering to phases: kernels over whole populations, then events, then records.

One step from t to t + dt: what populations publish for one another is evaluated, every
population advances, the time ticks, events that are due are delivered, conditions are tested
on the new state, events that they send are exchanged, and a row is recorded. A population
whose states others read after it has advanced writes into a second copy until all have read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ..converter.expressions import (
    ZERO,
    Binary,
    Call,
    Choose,
    Expression,
    Name,
    Number,
    calls,
    names,
)
from ..converter.network import (
    Assign,
    Collect,
    Condition,
    Network,
    Population,
    Statement,
    Variable,
    When,
)
from ..converter.passes.renaming import written_by
from ..converter.simplify import simplify
from ..errors import UsageError
from .body import Body
from .folding import with_step
from .held_draws import held_draws
from .located import (
    act_function,
    advance,
    can_locate,
    changing,
    located_kernel,
    step_function,
    tests_function,
    touched_by_handlers,
    with_switches,
)
from .lower_steps import attached_order, delivery_of, layout_of, step_count
from .methods.euler import euler
from .methods.exact import exact
from .methods.exponential import exponential_euler
from .methods.runge_kutta import TABLEAUS, Tableau
from .methods.structured import early_steps, is_linear, late_steps, layers_of, staggered, structured
from .methods.updates import Group, Groups, Slopes, closure, slope
from .program import (
    NEXT,
    CollectList,
    Delivery,
    Function,
    Layout,
    Move,
    Phase,
    Program,
    RecordedColumn,
    RecordedPort,
    Watch,
)

Method = Callable[[Population, Slopes], Groups]

ONE_STAGE: dict[str, Method] = {
    "euler": euler,
    "exponential_euler": exponential_euler,
    "default": structured,
    "exact": structured,
}

#: Methods that locate conditions inside the step.
LOCATED = frozenset({"default", "exact"})

#: How far explicit methods reach on the negative axis: |step times slope| of a stable step.
STABLE = {"euler": 2.0, "rk2": 2.0, "rk4": 2.785}

#: Under exact events: suffix of a state as it was when an instance was last carried to an event
#: or began its step, the time of that, and how often its future was revised.
OLD, CLOCK, VERSION = "__old", "event__clock", "event__version"

#: Suffix under which a state that runs half a step behind is recorded.
NOW = "__now"


def lower_phases(network: Network, method: str, events: str = "grid") -> Program:
    """Return the program that advances `network` by `method`."""
    if events == "exact" and method not in LOCATED:
        raise UsageError(
            f"the method {method!r} acts on the grid of steps: --events exact needs the methods "
            "default or exact"
        )
    lowering = _Lowering(network, method)
    lowering.exact_events = events == "exact"
    return lowering.program()


@dataclass(slots=True)
class _Work:
    """One population on its way."""

    population: Population
    groups: Groups = ()
    #: How a part of a step goes, where that is not by `groups`.
    partial: tuple[Group, ...] = ()
    slopes: dict[tuple[str, str], str] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)
    deferred: bool = False
    located: bool = False
    extra: dict[str, float] = field(default_factory=dict)
    #: States kept half a step behind, how they get to the step's end, and there from the start.
    late: dict[str, Expression] = field(default_factory=dict)
    early: dict[str, Expression] = field(default_factory=dict)


class _Lowering:
    def __init__(self, network: Network, method: str) -> None:
        self.network = network = without_idle(network)
        self.method = method
        self.works = {p.name: _Work(p) for p in network.populations}
        self.collect_lists: list[CollectList] = []
        self.listed: dict[tuple[str, str], str] = {}
        self.functions: list[Function] = []
        #: Whether events are delivered at their exact times, not at the ends of steps.
        self.exact_events = False
        heard = {(p.source, p.port) for p in network.projections}
        heard |= {(r.population, r.port) for r in network.event_records}
        self.heard = {
            name: frozenset(port for owner, port in heard if owner == name) for name in self.works
        }

    # --- the whole -----------------------------------------------------------------------

    def program(self) -> Program:
        tableau = TABLEAUS.get(self.method)
        if tableau is None:
            self.add_slopes()
            for work in self.works.values():
                if self.method in LOCATED:
                    cut = with_switches(work.population)
                    if can_locate(cut):
                        work.population = cut
                work.groups = ONE_STAGE[self.method](work.population, work.slopes)
                solved = self.method in LOCATED and self.solve_exactly(work)
                if self.method in LOCATED and not solved and not self.exact_events:
                    self.stagger(work)
                work.located = self.method in LOCATED and can_locate(work.population)
        self.find_published()
        phases = self.draw_phases()
        phases += self.stages(tableau) if tableau is not None else self.advance_phases()
        phases.append(Phase("tick"))
        reached = self.reached()
        if self.exact_events:
            kept = [Phase("keep", name) for name in reached]
            phases = [*kept, *phases, Phase("exchange"), *self.condition_phases()]
            phases.append(Phase("exchange"))
        else:
            phases.append(Phase("deliver"))
            phases.extend(self.condition_phases())
            phases.append(Phase("send"))
        phases.append(Phase("record"))
        start = [*self.start_phases(), *self.half_phases()]
        for work in self.works.values():
            self.handlers(work)
        columns = self.columns()
        settings = self.network.settings
        return Program(
            schedule="phases",
            layouts=tuple(self.layout(work) for work in self.works.values()),
            functions=tuple(self.functions),
            advance_lists=(),
            collect_lists=tuple(self.collect_lists),
            deliveries=tuple(self.deliveries()),
            columns=columns,
            ports=tuple(
                RecordedPort(r.name, r.path, r.population, r.port, r.instance)
                for r in self.network.event_records
            ),
            step=settings.step,
            steps=step_count(settings.length, settings.step),
            seed=settings.seed,
            root=self.network.populations[0].name,
            phases=tuple(phases),
            start=(
                *start,
                *(Phase("keep", name) for name in reached),
                Phase("exchange" if self.exact_events else "send"),
            ),
            exact_events=self.exact_events,
            watches=tuple(self.watches()),
        )

    def watches(self) -> Iterator[Watch]:
        """Yield how fast states change by themselves, where a method bears only so much."""
        bound = STABLE.get(self.method)
        if bound is None:
            return
        for name, work in self.works.items():
            for rate in work.population.derivatives:
                found = slope(work.population, rate.value, rate.state, work.slopes)
                if found is None or found == ZERO or not work.population.size:
                    continue
                body = self.body(work)
                tree = body.bound(found)
                yield Watch(name, rate.state, tuple(body.statements), tree, bound)

    def reached(self) -> list[str]:
        """Return the populations that exact events reach while they move."""
        if not self.exact_events:
            return []
        targets = {p.target for p in self.network.projections}
        found = [name for name in self.works if name in targets and self.moving(name)]
        for name in found:
            work = self.works[name]
            states = changing(work.population, work.groups)
            if work.population.conditions and not work.located:
                raise UsageError(
                    f"--events exact cannot be: conditions of {name!r} look at other components "
                    "or at random numbers"
                )
            if not work.located:
                self.locate(work, states)
            for state in states:
                work.extra[state + OLD] = 0.0
            work.extra[CLOCK] = 0.0
            work.extra[VERSION] = 0.0
        return found

    def layout(self, work: _Work) -> Layout:
        base = layout_of(work.population)
        kept = {
            name: values
            for name, values in base.variables.items()
            if name in work.published
            or work.population.variables[name].kind in ("state", "regime", "constant")
        }
        for name, value in work.extra.items():
            kept[name] = np.full(work.population.size, value)
        if work.deferred:
            changed = changing(work.population, work.groups)
            for state in changed if work.located else sorted(_advanced(work)):
                kept[state + NEXT] = base.variables[state].copy()
        return replace(
            base,
            variables=kept,
            published=frozenset(work.published),
            draws=_draws(work.population),
            checked=tuple(d for d in dict.fromkeys(r.state for r in work.population.derivatives)),
        )

    def deliveries(self) -> list[Delivery]:
        found: list[Delivery] = []
        settings = self.network.settings
        last = step_count(settings.length, settings.step)
        for number, projection in enumerate(self.network.projections):
            made = by_target(delivery_of(self.network, projection, f"d{number}"))
            assert made.delays is not None
            rounded = np.floor(made.delays / settings.step + 0.5)
            # What is due after the run needs no room on the way.
            steps = np.minimum(rounded, last + 1).astype(np.int64)
            kept = made.delays if self.exact_events else None
            found.append(replace(made, delay_steps=steps, delays=kept))
        return found

    # --- noise -----------------------------------------------------------------------------

    def draw_phases(self) -> list[Phase]:
        """Return the kernels that draw what is held during the step."""
        phases: list[Phase] = []
        for name, work in self.works.items():
            held = held_draws(work.population)
            if not held:
                continue
            body = self.body(work)
            for variable in held:
                drawn = body.local("draw")
                body.statements.append(Assign(drawn, Call("draw", ())))
                body.statements.append(Assign(variable, Name(drawn)))
            phases.append(Phase("kernel", self.finish(f"draw {name}", work, body, "kernel")))
        return phases

    # --- linear systems ---------------------------------------------------------------------------

    def solve_exactly(self, work: _Work) -> bool:
        """Let a population that is linear go exactly; tell whether it is."""
        whole = self.method == "default"
        step = self.network.settings.step
        made = exact(work.population, work.slopes, step, whole=whole)
        if made is None:
            return False
        work.population, work.groups, work.partial = made.population, made.groups, made.partial
        return True

    # --- states half a step apart -----------------------------------------------------------------

    def stagger(self, work: _Work) -> None:
        """Let states of the outermost layer of a splitting run half a step behind the others.

        Their half step at the end of one step and the one at the beginning of the next then
        are one. Only states that nobody but the population's own equations looks at qualify.
        """
        population = work.population
        layers = layers_of(population, work.slopes)
        if len(layers) < 2:
            return
        written: set[str] = set()
        for body in population.handlers.values():
            written |= written_by(body)
        for condition in population.conditions:
            written |= written_by(condition.body)
        looked_at: set[str] = set()
        trees = self.condition_trees(work)
        for body in population.handlers.values():
            trees.extend(_trees(body, population))
        for tree in trees:
            looked_at |= closure(population, tree)
        for other in self.works.values():
            for read in other.population.reads.values():
                if read.population == population.name:
                    looked_at |= closure(population, Name(read.variable))
            for assignment in other.population.assignments:
                if isinstance(assignment, Collect):
                    for part, variable in assignment.parts:
                        if part == population.name:
                            looked_at |= closure(population, Name(variable))
        late = tuple(
            state
            for state in layers[0]
            if state not in written | looked_at and is_linear(population, work.slopes, state)
        )
        if not late:
            return
        rest = tuple(state for state in layers[0] if state not in late)
        layers = (late, *((rest,) if rest else ()), *layers[1:])
        work.groups = staggered(population, work.slopes, layers)
        work.late = late_steps(population, work.slopes, late)
        work.early = early_steps(population, work.slopes, late)

    def half_phases(self) -> list[Phase]:
        """Return the half steps back from the start of states that run half a step behind."""
        phases: list[Phase] = []
        for name, work in self.works.items():
            if not work.late:
                continue
            body = self.body(work)
            body.late = {}
            body.update([(state, tree, None) for state, tree in work.early.items()])
            body.store()
            phases.append(Phase("kernel", self.finish(f"open {name}", work, body, "kernel")))
        return phases

    # --- slopes of attached currents -------------------------------------------------------

    def add_slopes(self) -> None:
        """Let attached populations publish the slope of what they add to their parent.

        A synapse's current depends on the potential that it is attached to; an exponential
        or implicit step needs that slope, summed like the current itself.
        """
        for work in self.works.values():
            states = [d.state for d in work.population.derivatives]
            for assignment in work.population.assignments:
                if not isinstance(assignment, Collect) or assignment.reduce != "add":
                    continue
                for state in dict.fromkeys(states):
                    self.add_slope(work, assignment, state)

    def add_slope(self, work: _Work, collect: Collect, state: str) -> None:
        parts: list[tuple[str, str]] = []
        for population, variable in collect.parts:
            part = self.works[population]
            reads = [
                name
                for name, read in part.population.reads.items()
                if read.population == work.population.name
                and read.variable == state
                and read.index == "parent"
            ]
            for read in reads:
                symbol = f"{variable}__by__{state}"
                if symbol not in part.population.variables:
                    tree = slope(part.population, Name(variable), read, {})
                    if tree is None or tree == ZERO:
                        continue
                    part.population = _with_assignment(part.population, Assign(symbol, tree))
                parts.append((population, symbol))
        if parts:
            symbol = f"{collect.variable}__by__{state}"
            work.population = _with_assignment(
                work.population, Collect(symbol, tuple(parts), "add"), first=True
            )
            work.slopes[(collect.variable, state)] = symbol

    # --- what populations publish ----------------------------------------------------------

    def needed(self, work: _Work, trees: list[Expression]) -> set[tuple[str, str]]:
        """Return the derived variables of other populations that `trees` depend on."""
        population = work.population
        assignments = {a.variable: a for a in population.assignments}
        found: set[tuple[str, str]] = set()
        seen: set[str] = set()
        stack = [name for tree in trees for name in names(tree)]
        while stack:
            name = stack.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in population.reads:
                read = population.reads[name]
                if self.derived(read.population, read.variable):
                    found.add((read.population, read.variable))
            elif name in assignments:
                assignment = assignments[name]
                if isinstance(assignment, Collect):
                    found.update(part for part in assignment.parts if self.derived(*part))
                else:
                    stack.extend(names(assignment.value))
        return found

    def derived(self, population: str, variable: str) -> bool:
        of = self.works[population].population
        return any(a.variable == variable for a in of.assignments)

    def advance_trees(self, work: _Work) -> list[Expression]:
        trees = [u.value for group in work.groups for u in group]
        trees += [u.guard for group in work.groups for u in group if u.guard is not None]
        trees += [d.value for d in work.population.derivatives]
        trees += [d.guard for d in work.population.derivatives if d.guard is not None]
        for flow in work.population.flows:
            trees += [Name(rate) for _, _, f, r in flow.edges for rate in (f, r)]
        return trees

    def condition_trees(self, work: _Work) -> list[Expression]:
        trees: list[Expression] = []
        for condition in work.population.conditions:
            trees.append(condition.test)
            if condition.guard is not None:
                trees.append(condition.guard)
            trees.extend(_trees(condition.body, work.population))
        return trees

    def find_published(self) -> None:
        pending: set[tuple[str, str]] = set()
        for work in self.works.values():
            pending |= self.needed(work, self.advance_trees(work))
            pending |= self.needed(work, self.condition_trees(work))
        while pending:
            population, variable = pending.pop()
            work = self.works[population]
            if variable in work.published:
                continue
            work.published.add(variable)
            pending |= self.needed(work, [Name(variable)])

    def levels(self, wanted: set[tuple[str, str]]) -> list[tuple[str, list[str]]]:
        """Return (population, variables) to publish, each after what it needs."""
        level: dict[tuple[str, str], int] = {}

        def of(item: tuple[str, str], depth: int = 0) -> int:
            if item not in level:
                if depth > 50:
                    return 0
                level[item] = 0
                below = self.needed(self.works[item[0]], [Name(item[1])])
                level[item] = 1 + max((of(other, depth + 1) for other in sorted(below)), default=-1)
            return level[item]

        everything: set[tuple[str, str]] = set()
        pending = set(wanted)
        while pending:
            item = pending.pop()
            if item in everything:
                continue
            everything.add(item)
            pending |= self.needed(self.works[item[0]], [Name(item[1])])
        ordered = sorted(everything, key=lambda item: (of(item), item))
        found: list[tuple[str, list[str]]] = []
        last: tuple[int, str] | None = None
        for item in ordered:
            key = (of(item), item[0])
            if key != last:
                found.append((item[0], []))
                last = key
            found[-1][1].append(item[1])
        return found

    # --- bodies ------------------------------------------------------------------------------

    def body(self, work: _Work, *, scalar: bool = False) -> Body:
        population = work.population
        lists: dict[str, str] = {}
        for assignment in population.assignments:
            if isinstance(assignment, Collect):
                lists[assignment.variable] = self.collect_list(population, assignment)
        return Body(
            population,
            published=frozenset(work.published),
            collect_lists=lists,
            heard=self.heard[population.name],
            scalar=scalar,
            late=work.late if scalar else None,
        )

    def collect_list(self, population: Population, collect: Collect) -> str:
        key = (population.name, collect.variable)
        if key not in self.listed:
            parts = [self.works[name].population for name, _ in collect.parts]
            # What is spread over compartments has no order of attachment.
            spread = population.cable is not None
            starts, which, entries = attached_order(population, parts, by_part=spread)
            name = f"c{len(self.collect_lists)}"
            self.listed[key] = name
            self.collect_lists.append(
                CollectList(
                    name,
                    population.name,
                    collect.parts,
                    starts,
                    which if len(parts) > 1 else None,
                    entries,
                )
            )
        return self.listed[key]

    def finish(self, name: str, work: _Work, body: Body, kind: str, result: str = "") -> str:
        statements = tuple(body.statements)
        if kind == "kernel":
            # A kernel's step is always the same: what depends on it alone is a number.
            statements = with_step(statements, self.network.settings.step)
        self.functions.append(
            Function(
                name,
                work.population.name,
                statements,
                tuple(body.locals),
                (),
                kind,
                result,
            )
        )
        return name

    # --- advancing in one stage ---------------------------------------------------------------

    def advance_phases(self) -> list[Phase]:
        order, deferred = self.advance_order()
        for name in deferred:
            self.works[name].deferred = True
        wanted: set[tuple[str, str]] = set()
        for work in self.works.values():
            wanted |= self.needed(work, self.advance_trees(work))
        position = {name: number for number, name in enumerate(order)}
        fused: dict[str, list[str]] = {}
        phases: list[Phase] = []
        for population, variables in self.levels(wanted):
            if self.can_fuse(population, position, wanted) and population not in fused:
                fused[population] = variables
                continue
            phases.append(self.publish(population, variables, f"publish {len(self.functions)}"))
        moves: list[Phase] = []
        for name in order:
            work = self.works[name]
            body = self.body(work)
            if name in fused:
                body.published = frozenset(work.published - set(fused[name]))
                for variable in fused[name]:
                    body.statements.append(Assign(variable, body.value(variable)))
            suffix = NEXT if work.deferred else ""
            states = changing(work.population, work.groups)
            if work.located:
                located_kernel(body, work.groups, states, suffix)
            else:
                states = tuple(s for s in states if s in _advanced(work))
                if self.method in LOCATED:
                    advance(body, work.groups, watched=False)
                else:
                    for group in work.groups:
                        body.step(group)
                    for flow in work.population.flows:
                        body.flow(flow)
                body.store(suffix)
            phases.append(Phase("kernel", self.finish(f"advance {name}", work, body, "kernel")))
            if work.located:
                phases.append(self.locate(work, states))
            if work.deferred:
                moves.append(Phase("move", move=Move(name, tuple((s, s + NEXT) for s in states))))
        return [*phases, *moves]

    def locate(self, work: _Work, states: tuple[str, ...]) -> Phase:
        """Make the scalar functions that carry a flagged instance through its step."""
        groups = work.partial or work.groups
        body = self.body(work)
        # Inside a step, what was published at its beginning holds no longer.
        body.published = frozenset()
        self.functions.append(step_function(body, groups, states))
        self.functions.append(tests_function(self.body(work), states))
        self.functions.append(act_function(self.body(work), states))
        return Phase("locate", work.population.name)

    def publish(self, population: str, variables: list[str], name: str) -> Phase:
        work = self.works[population]
        body = self.body(work)
        body.published = frozenset(work.published - set(variables))
        for variable in variables:
            body.statements.append(Assign(variable, body.value(variable)))
        return Phase("kernel", self.finish(name, work, body, "kernel"))

    def moving(self, name: str) -> bool:
        work = self.works[name]
        return bool(work.groups or work.population.flows or work.located)

    def advance_order(self) -> tuple[list[str], set[str]]:
        """Return populations so that readers of a state advance before its writer.

        Those that cannot (mutual readers, readers of themselves) are returned to be given
        a second copy of their states.
        """
        changed = {
            name: set(changing(work.population, work.groups)) if work.located else _advanced(work)
            for name, work in self.works.items()
        }
        readers: dict[str, set[str]] = {name: set() for name in self.works}
        deferred: set[str] = set()
        for name, work in self.works.items():
            for read in work.population.reads.values():
                if read.variable in changed[read.population]:
                    if read.population == name:
                        deferred.add(name)
                    elif self.moving(name):
                        readers[read.population].add(name)
            for assignment in work.population.assignments:
                if isinstance(assignment, Collect):
                    for part, variable in assignment.parts:
                        if variable in changed[part] and self.moving(name):
                            readers[part].add(name)
        order: list[str] = []
        remaining = [name for name in self.works if self.moving(name)]
        while remaining:
            free = [
                name
                for name in remaining
                if name in deferred or not (readers[name] & (set(remaining) - {name}))
            ]
            if not free:
                # A circle: give one a second copy, the one that most wait for.
                waiting = max(remaining, key=lambda name: len(readers[name]))
                deferred.add(waiting)
                continue
            order.append(free[0])
            remaining.remove(free[0])
        return order, deferred

    def can_fuse(
        self, population: str, position: dict[str, int], wanted: set[tuple[str, str]]
    ) -> bool:
        """Tell whether a population may publish in the kernel that advances it."""
        if population not in position or self.works[population].deferred:
            return False
        levels = [variables for p, variables in self.levels(wanted) if p == population]
        if len(levels) > 1:
            return False
        own = {variable for variables in levels for variable in variables}
        for name, work in self.works.items():
            used = {v for p, v in self.needed(work, self.advance_trees(work)) if p == population}
            if used & own and (name not in position or position[name] <= position[population]):
                return False
            for item in sorted(work.published):
                if name != population and any(
                    p == population and v in own for p, v in self.needed(work, [Name(item)])
                ):
                    return False
        return True

    # --- Runge-Kutta over the whole network ------------------------------------------------------

    def stages(self, tableau: Tableau) -> list[Phase]:
        phases: list[Phase] = []
        wanted: set[tuple[str, str]] = set()
        for work in self.works.values():
            wanted |= self.needed(work, self.advance_trees(work))
        moving = [name for name, work in self.works.items() if work.population.derivatives]
        for name in moving:
            work = self.works[name]
            for state in dict.fromkeys(d.state for d in work.population.derivatives):
                work.extra[f"{state}__start"] = 0.0
                for stage in range(len(tableau.weights)):
                    work.extra[f"{state}__k{stage}"] = 0.0
        for stage, offset in enumerate(tableau.offsets):
            for population, variables in self.levels(wanted):
                phases.append(self.publish(population, variables, f"publish {len(self.functions)}"))
            for name in moving:
                work = self.works[name]
                body = self.body(work)
                body.clock = simplify(
                    Binary("+", Name("t"), Binary("*", Number(offset), Name("dt")))
                )
                rates: dict[str, Expression] = {}
                for d in work.population.derivatives:
                    tree = body.bound(d.value)
                    if d.guard is not None:
                        tree = Choose(body.bound(d.guard), tree, rates.get(d.state, ZERO))
                    rates[d.state] = tree
                for state, tree in rates.items():
                    if stage == 0:
                        body.statements.append(Assign(f"{state}__start", Name(state)))
                    body.statements.append(Assign(f"{state}__k{stage}", tree))
                phases.append(
                    Phase("kernel", self.finish(f"rates {stage} {name}", work, body, "kernel"))
                )
            last = stage == len(tableau.offsets) - 1
            row = tableau.weights if last else tableau.rows[stage + 1]
            for name in moving:
                work = self.works[name]
                body = self.body(work)
                for state in dict.fromkeys(d.state for d in work.population.derivatives):
                    total: Expression = ZERO
                    for k, weight in enumerate(row):
                        total = Binary(
                            "+", total, Binary("*", Number(weight), Name(f"{state}__k{k}"))
                        )
                    tree = Binary("+", Name(f"{state}__start"), Binary("*", Name("dt"), total))
                    body.statements.append(Assign(state, simplify(tree)))
                phases.append(
                    Phase("kernel", self.finish(f"stage {stage} {name}", work, body, "kernel"))
                )
        for name, work in self.works.items():
            if work.population.flows:
                body = self.body(work)
                for flow in work.population.flows:
                    body.flow(flow)
                body.store()
                phases.append(Phase("kernel", self.finish(f"flow {name}", work, body, "kernel")))
        return phases

    # --- conditions, handlers, records ------------------------------------------------------------

    def tested(self, work: _Work) -> bool:
        """Tell whether conditions are tested after deliveries, at the end of a step.

        Located conditions are only where an event can make them true on the spot.
        """
        if not work.population.conditions:
            return False
        if not work.located:
            return True
        if self.exact_events:
            return False
        targets = {p.handler for p in self.network.projections if p.target == work.population.name}
        return touched_by_handlers(work.population, targets)

    def start_phases(self) -> list[Phase]:
        """Return the testing of every condition on the initial state."""
        return self.test_phases([w for w in self.works.values() if w.population.conditions])

    def condition_phases(self) -> list[Phase]:
        """Return the testing of conditions at the end of a step."""
        return self.test_phases([w for w in self.works.values() if self.tested(w)])

    def test_phases(self, works: list[_Work]) -> list[Phase]:
        phases: list[Phase] = []
        wanted: set[tuple[str, str]] = set()
        for work in works:
            if work.population.conditions:
                wanted |= self.needed(work, self.condition_trees(work))
        for population, variables in self.levels(wanted):
            phases.append(self.publish(population, variables, f"publish {len(self.functions)}"))
        for work in works:
            name = work.population.name
            if any(f.name == f"test {name}" for f in self.functions):
                phases.append(Phase("kernel", f"test {name}"))
                continue
            body = self.body(work)
            guards: dict[Expression, Expression] = {}
            for condition in work.population.conditions:
                if condition.guard is not None and condition.guard not in guards:
                    guards[condition.guard] = body.masked(condition.guard, None)
            for condition in work.population.conditions:
                guard = guards[condition.guard] if condition.guard is not None else None
                self.before_condition(work, body, condition)
                body.run((When(condition.test, condition.body),), guard)
            body.store()
            phases.append(Phase("kernel", self.finish(f"test {name}", work, body, "kernel")))
        return phases

    def before_condition(self, work: _Work, body: Body, condition: Condition) -> None:
        """Prepare `body` for a condition that is tested at the end of a step."""

    def handlers(self, work: _Work) -> None:
        targets = {p.handler for p in self.network.projections if p.target == work.population.name}
        for handler in sorted(targets):
            values = {
                key
                for p in self.network.projections
                if (p.target, p.handler) == (work.population.name, handler)
                for key in p.values
            }
            body = self.body(work, scalar=True)
            body.used |= values
            body.run(work.population.handlers[handler])
            body.store()
            name = f"handle {work.population.name} {handler}"
            self.finish(name, work, body, "handler")
            self.functions[-1] = replace(self.functions[-1], arguments=tuple(sorted(values)))

    def columns(self) -> tuple[RecordedColumn, ...]:
        found = [
            RecordedColumn(
                record.name,
                record.path,
                record.population,
                self.recorded(record.population, record.variable),
                record.instance,
                record.dimension,
            )
            for record in self.network.records
        ]
        self.value_functions(
            {(r.population, self.recorded(r.population, r.variable)) for r in self.network.records}
        )
        return tuple(found)

    def recorded(self, population: str, variable: str) -> str:
        """Return the name under which a variable is recorded at the step's end."""
        late = self.works[population].late
        return f"{variable}{NOW}" if variable in late else variable

    def value_functions(self, wanted: set[tuple[str, str]]) -> None:
        """Make scalar functions for derived variables that are read one by one."""
        for work in self.works.values():
            for handler in self.functions:
                if handler.population == work.population.name and handler.kind == "handler":
                    wanted |= self.needed(work, _function_trees(handler, work.population))
        done: set[tuple[str, str]] = set()
        pending = sorted(wanted)
        while pending:
            population, variable = pending.pop()
            if (population, variable) in done or not (
                self.derived(population, variable) or variable.endswith(NOW)
            ):
                continue
            done.add((population, variable))
            work = self.works[population]
            body = self.body(work, scalar=True)
            value = body.value(variable.removesuffix(NOW))
            if not isinstance(value, Name):
                value = body.stored(variable, value)
            assert isinstance(value, Name)
            self.finish(f"value {population} {variable}", work, body, "value", value.name)
            # To bring a state to the step's end may take values of other populations.
            plain = Name(variable.removesuffix(NOW))
            seen = closure(work.population, plain)
            late = [tree for state, tree in work.late.items() if state in seen]
            pending.extend(sorted(self.needed(work, [plain, *late])))


def without_idle(network: Network) -> Network:
    """Return `network` without connections to handlers that do nothing."""
    handlers = {population.name: population.handlers for population in network.populations}
    kept = tuple(p for p in network.projections if handlers[p.target].get(p.handler) != ())
    return network if len(kept) == len(network.projections) else replace(network, projections=kept)


def by_target(delivery: Delivery) -> Delivery:
    """Return a delivery with every source's connections in the order of their targets.

    Those with the same target stay as they are: what a target adds up is the same. In this order
    memory is walked one way, and a thread's own targets lie in one piece.
    """
    sources = np.repeat(np.arange(len(delivery.starts) - 1), np.diff(delivery.starts))
    key = sources * (int(delivery.targets.max(initial=0)) + 1) + delivery.targets
    if bool((key[1:] >= key[:-1]).all()):
        return delivery
    order = np.argsort(key, kind="stable")
    return replace(
        delivery,
        targets=delivery.targets[order],
        delays=None if delivery.delays is None else delivery.delays[order],
        values={key: values[order] for key, values in delivery.values.items()},
    )


def _advanced(work: _Work) -> set[str]:
    """Return the states that a step changes, conditions apart."""
    return {u.state for group in work.groups for u in group} | {
        s for flow in work.population.flows for s in flow.states
    }


def _trees(statements: tuple[Statement, ...], population: Population) -> list[Expression]:
    found: list[Expression] = []
    for statement in statements:
        if isinstance(statement, Assign):
            found.append(statement.value)
        elif isinstance(statement, When):
            found.append(statement.condition)
            found.extend(_trees(statement.body, population))
    return found


def _function_trees(function: Function, population: Population) -> list[Expression]:
    found = [s.value for s in function.body if isinstance(s, Assign)]
    collects = [a.variable for a in population.assignments if isinstance(a, Collect)]
    found.extend(Name(name) for name in collects)
    return found


def _with_assignment(
    population: Population, assignment: Assign | Collect, *, first: bool = False
) -> Population:
    old = population.assignments
    variables = dict(population.variables)
    variables[assignment.variable] = Variable(
        assignment.variable, "derived", None, assignment.variable
    )
    return replace(
        population,
        assignments=(assignment, *old) if first else (*old, assignment),
        variables=variables,
    )


def _draws(population: Population) -> bool:
    if held_draws(population):
        return True
    trees: list[Expression] = []
    for condition in population.conditions:
        trees.append(condition.test)
        trees.extend(_trees(condition.body, population))
    for body in population.handlers.values():
        trees.extend(_trees(body, population))
    return any(calls(tree, "random") for tree in trees)
