"""Lowering of networks with cells made of compartments.

A step of the potentials is implicit: kernels publish the current that enters each compartment
and its slope, then one solve per population of cells advances all potentials. What hangs on
compartments (gates, concentrations, synapses) is advanced around it:

- "default", "cn": half a step of gates, synapses and their like at the old potentials, then of
  concentrations, the currents at the middle of the step, Crank-Nicolson for the potentials, and
  the half steps in reverse order at the new ones. Every part is symmetric, so the whole is of
  second order (Strang 1968). Gates whose half steps meet take them as one (`cable_gates`).
- "exponential_euler", "euler": all from the values at the start; the potentials by backward
  Euler, the other states exponentially or by forward Euler.
- "neuron": see `cable_neuron`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..converter.expressions import ZERO, Binary, Expression, Name
from ..converter.network import Assign, Collect, Condition, Network, Population
from ..converter.simplify import simplify
from ..errors import UsageError
from .body import Body
from .cable_gates import Sources, Symbol, late_states, seen_by_rates
from .cable_spikes import AGO, TESTED, note_when, sent
from .lower_phases import _Lowering, _trees, _with_assignment, _Work
from .methods.euler import euler
from .methods.exponential import exponential_euler, exponential_step
from .methods.structured import HALF_DT, early_steps, group_of, late_steps, layers_of
from .methods.updates import DT, Groups, Update, slope
from .program import Layout, Phase, Program, slope_name

#: Methods that can advance a cable, and the one by which everything else then advances.
CABLE_METHODS = {
    "default": "default",
    "cn": "default",
    "exponential_euler": "exponential_euler",
    "euler": "euler",
}

#: Methods of second order, whose potentials advance by Crank-Nicolson.
SYMMETRIC = frozenset({"default", "cn"})

MIDDLE = simplify(Binary("+", Name("t"), HALF_DT))


def has_cables(network: Network) -> bool:
    """Tell whether any population of `network` is made of compartments."""
    return any(population.cable is not None for population in network.populations)


def lower_cable(network: Network, method: str) -> Program:
    """Return the program that advances a network with cables by `method`."""
    if method not in CABLE_METHODS:
        known = ", ".join(sorted((*CABLE_METHODS, "neuron")))
        raise UsageError(
            f"the method {method!r} cannot advance cells made of compartments; {known} can"
        )
    return CableLowering(network, method).program()


class CableLowering(_Lowering):
    """Advances cables and what hangs on them; everything else as `_Lowering` does."""

    def __init__(self, network: Network, method: str) -> None:
        super().__init__(network, CABLE_METHODS.get(method, "euler"))
        self.cable_method = method
        self.family = self.members()
        self.fresh: dict[str, set[str]] = {}
        self.sources = Sources({})

    def members(self) -> frozenset[str]:
        """Return the populations of compartments and everything attached below them."""
        found: set[str] = set()
        for population in self.network.populations:
            if population.cable is not None or population.parent in found:
                found.add(population.name)
        return frozenset(found)

    # --- what the rest of the lowering asks -----------------------------------------------------

    def add_slopes(self) -> None:
        """Add the slopes of collected currents by the potentials of compartments, too."""
        super().add_slopes()
        for work in self.cables():
            cable = work.population.cable
            assert cable is not None
            for assignment in work.population.assignments:
                if isinstance(assignment, Collect) and assignment.reduce == "add":
                    self.add_slope(work, assignment, cable.state)
            found = slope(work.population, Name(cable.current), cable.state, work.slopes)
            tree = ZERO if found is None else found
            work.population = _with_assignment(
                work.population, Assign(slope_name(cable.current), tree)
            )

    def find_published(self) -> None:
        """Find what others need; the family publishes as it goes."""
        for name in self.family:
            self.works[name].groups = ()
            self.works[name].located = False
        self.stagger_family()
        with_rates = self.without_rates()
        super().find_published()
        self.restore(with_rates)

    # --- states half a step behind ----------------------------------------------------------------

    def stagger(self, work: _Work) -> None:
        """Let states run half a step behind; those of the family are found together."""
        if work.population.name not in self.family:
            super().stagger(work)

    def stagger_family(self) -> None:
        """Find the states of the family that run half a step behind the potentials."""
        self.sources = Sources({name: work.population for name, work in self.works.items()})
        if self.cable_method not in SYMMETRIC or self.exact_events:
            return
        looked_at = self.looked_at()
        for name in self.family:
            work = self.works[name]
            if is_pool(work.population):
                continue
            late = late_states(work.population, work.slopes, self.sources, looked_at, is_pool)
            work.late = late_steps(work.population, work.slopes, late)
            work.early = early_steps(work.population, work.slopes, late)

    def looked_at(self) -> frozenset[Symbol]:
        """Return what conditions, handlers and rates see, but for pools and potentials."""
        found: set[Symbol] = set()
        for name, work in self.works.items():
            population = work.population
            trees = self.condition_trees(work)
            for body in population.handlers.values():
                trees.extend(_trees(body, population))
            found |= self.sources.of(name, trees)
            if not (name in self.family and is_pool(population)):
                found |= seen_by_rates(population, self.sources)
        return frozenset(found)

    def half_phases(self) -> list[Phase]:
        """Return the half steps back from the start of states that run half a step behind."""
        wanted: set[tuple[str, str]] = set()
        for name in self.family:
            wanted |= self.needed(self.works[name], list(self.works[name].early.values()))
        return [*self.publish_fresh(wanted, None), *super().half_phases()]

    def follows_gates(self, population: str, variable: str) -> bool:
        """Tell whether a value follows from its population's own states and potentials alone."""

        def near(symbol: Symbol) -> bool:
            name, of = symbol
            if name == "":
                return of == "dt"
            if name == population:
                return True
            cable = self.works[name].population.cable
            if cable is not None and of == cable.state:
                return True
            return of in self.works[name].population.parameters

        return all(map(near, self.sources.of_symbol((population, variable))))

    def without_rates(self) -> dict[str, Population]:
        """Hide the family's rates, and return its populations as they were."""
        kept = {name: self.works[name].population for name in self.family}
        for name, population in kept.items():
            self.works[name].population = replace(population, derivatives=(), flows=())
        return kept

    def restore(self, kept: dict[str, Population]) -> None:
        """Show the family's rates again."""
        for name, population in kept.items():
            self.works[name].population = population

    def body(self, work: _Work, *, scalar: bool = False) -> Body:
        """Return an empty body; of the family's published values only fresh ones are read."""
        made = super().body(work, scalar=scalar)
        if work.population.name in self.family:
            made.published = frozenset()
        return made

    def layout(self, work: _Work) -> Layout:
        """Return the layout of a population, with its cable."""
        made = super().layout(work)
        cable = work.population.cable
        if cable is None:
            return made
        return replace(made, checked=(cable.state, *made.checked), cable=cable)

    # --- conditions ------------------------------------------------------------------------------

    def before_condition(self, work: _Work, body: Body, condition: Condition) -> None:
        """Let a recorded event of a compartment know its time inside the step."""
        body.ago = ""
        name = work.population.name
        recorded = {r.port for r in self.network.event_records if r.population == name}
        v = self.potential_read(work.population)
        if self.cable_method not in SYMMETRIC or v is None:
            return
        if recorded.isdisjoint(sent(condition.body)) or not note_when(body, condition.test, v):
            return
        body.ago = AGO
        # Before the first test nothing has been crossed.
        work.extra.update({AGO: 0.0, v + TESTED: float("nan")})
        body.current.setdefault(v + TESTED, Name(v))

    def potential_read(self, population: Population) -> str | None:
        """Return the name by which a population reads the potential of a compartment."""
        states = {
            (w.population.name, w.population.cable.state)
            for w in self.cables()
            if w.population.cable is not None
        }
        found = (n for n, r in population.reads.items() if (r.population, r.variable) in states)
        return next(found, None)

    # --- the step --------------------------------------------------------------------------------

    def cables(self) -> list[_Work]:
        """Return the populations of compartments."""
        return [w for w in self.works.values() if w.population.cable is not None]

    def advance_phases(self) -> list[Phase]:
        """Return the phases that advance everything by a step."""
        with_rates = self.without_rates()
        phases = super().advance_phases()
        self.restore(with_rates)
        return [*phases, *self.family_phases()]

    def family_phases(self) -> list[Phase]:
        """Return the phases that advance cables and what hangs on them."""
        if self.cable_method not in SYMMETRIC:
            return self.plain_phases()
        moving = [self.works[name] for name in sorted(self.family) if rated(self.works[name])]
        pools = [work for work in moving if is_pool(work.population)]
        others = [work for work in moving if not is_pool(work.population)]
        before = {work.population.name: half_groups(work, forward=True) for work in others}
        after = {work.population.name: half_groups(work, forward=False) for work in others}
        filling = {work.population.name: half_groups(work, forward=True) for work in pools}
        wanted = self.wanted_by(filling)
        # What follows from a gate and the potential is worked out where the gate advances.
        along: dict[str, list[str]] = {name: [] for name in before}
        for name, variables in self.levels(wanted | self.currents()):
            if name in along:
                along[name] += [v for v in variables if self.follows_gates(name, v)]
        phases = self.publish_fresh(self.wanted_by(before), None)
        for work in others:
            name = work.population.name
            phases.extend(self.advance(work, before[name], fraction=0.5, along=along[name]))
        phases.extend(self.publish_fresh(wanted, None, along))
        for work in pools:
            phases.extend(self.advance(work, filling[work.population.name], fraction=0.5))
        phases.extend(self.publish_fresh(self.currents(), MIDDLE, along))
        phases.extend(self.solve(second=True))
        phases.extend(self.publish_fresh(wanted, None))
        for work in pools:
            groups = half_groups(work, forward=False)
            phases.extend(self.advance(work, groups, fraction=0.5, flows_last=False))
        phases.extend(self.publish_fresh(self.wanted_by(after), None))
        for work in others:
            groups = after[work.population.name]
            phases.extend(self.advance(work, groups, fraction=0.5, flows_last=False))
        return phases

    def wanted_by(self, groups: dict[str, Groups]) -> set[tuple[str, str]]:
        """Return what the updates of some populations need of others."""
        wanted: set[tuple[str, str]] = set()
        for name, of_work in groups.items():
            if of_work or self.works[name].population.flows:
                wanted |= self.needed(self.works[name], trees_of(self.works[name], of_work))
        return wanted

    def plain_phases(self) -> list[Phase]:
        """Return a step of first order: all from the same values."""
        method = euler if self.cable_method == "euler" else exponential_euler
        groups = {
            name: method(self.works[name].population, self.works[name].slopes)
            for name in sorted(self.family)
        }
        wanted = self.currents()
        for name, of_work in groups.items():
            wanted |= self.needed(self.works[name], trees_of(self.works[name], of_work))
        phases = self.publish_fresh(wanted, None)
        for name, of_work in groups.items():
            phases.extend(self.advance(self.works[name], of_work))
        phases.extend(self.solve(second=False))
        return phases

    def currents(self) -> set[tuple[str, str]]:
        """Return what the solves read: each cable's current and its slope."""
        found: set[tuple[str, str]] = set()
        for work in self.cables():
            cable = work.population.cable
            assert cable is not None
            found.add((work.population.name, cable.current))
            found.add((work.population.name, slope_name(cable.current)))
        return found

    def solve(self, *, second: bool) -> list[Phase]:
        """Return the solves."""
        kind = "cable_half" if second else "cable"
        return [Phase(kind, work.population.name) for work in self.cables()]

    def publish_fresh(
        self,
        wanted: set[tuple[str, str]],
        clock: Expression | None,
        done: dict[str, list[str]] | None = None,
    ) -> list[Phase]:
        """Return kernels that publish `wanted` and what it needs from the present states.

        What is `done` was published before and still holds.
        """
        self.fresh = {name: set(variables) for name, variables in (done or {}).items()}
        phases: list[Phase] = []
        for population, level in self.levels(wanted):
            variables = [v for v in level if v not in self.fresh.get(population, ())]
            if not variables:
                continue
            work = self.works[population]
            work.published.update(variables)
            body = self.body(work)
            known = self.fresh.setdefault(population, set())
            body.published = frozenset(known)
            if clock is not None:
                body.clock = clock
            for variable in variables:
                body.statements.append(Assign(variable, body.value(variable)))
            known.update(variables)
            name = f"publish {len(self.functions)}"
            phases.append(Phase("kernel", self.finish(name, work, body, "kernel")))
        return phases

    def advance(
        self,
        work: _Work,
        groups: Groups,
        *,
        fraction: float = 1.0,
        flows_last: bool = True,
        implicit: bool = False,
        along: Sequence[str] = (),
    ) -> list[Phase]:
        """Return the kernel that advances one population by groups of updates.

        It publishes the variables `along`, too, as they are afterwards.
        """
        if not any(groups) and not work.population.flows and not along:
            return []
        body = self.body(work)
        body.published = frozenset(self.fresh.get(work.population.name, ()))
        flows = [
            replace(flow, fraction=fraction, implicit=implicit) for flow in work.population.flows
        ]
        for flow in () if flows_last else flows:
            body.flow(flow)
        for group in groups:
            body.update([(u.state, u.value, u.guard) for u in group])
        for flow in flows if flows_last else ():
            body.flow(flow)
        body.store()
        work.published.update(along)
        for variable in along:
            body.statements.append(Assign(variable, body.value(variable)))
        name = f"move {len(self.functions)} {work.population.name}"
        return [Phase("kernel", self.finish(name, work, body, "kernel"))]


def rated(work: _Work) -> bool:
    """Tell whether a population has states that move by themselves."""
    return bool(work.population.derivatives or work.population.flows)


def is_pool(population: Population) -> bool:
    """Tell whether a population is a species: what other mechanisms read, filled by currents."""
    return {"concentration", "extConcentration"} <= population.exposures.keys()


def half_groups(work: _Work, *, forward: bool) -> Groups:
    """Return half a step of each state in layers, first to last or last to first.

    States that run half a step behind take a whole one, first of all, and none in reverse.
    """
    population = work.population
    late = group_of(population, tuple(work.late), work.slopes, DT)
    others = tuple(d for d in population.derivatives if d.state not in work.late)
    layers = layers_of(replace(population, derivatives=others), work.slopes)
    halves = tuple(
        tuple(
            Update(d.state, exponential_step(population, d, work.slopes, HALF_DT), d.guard)
            for d in population.derivatives
            if d.state in layer
        )
        for layer in (layers if forward else layers[::-1])
    )
    return (late, *halves) if forward and late else halves


def trees_of(work: _Work, groups: Groups) -> list[Expression]:
    """Return the expressions that an update of a population evaluates."""
    trees = [u.value for group in groups for u in group]
    trees += [u.guard for group in groups for u in group if u.guard is not None]
    for flow in work.population.flows:
        trees += [Name(rate) for _, _, f, r in flow.edges for rate in (f, r)]
    return trees
