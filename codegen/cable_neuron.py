"""The method "neuron": the steps that NEURON makes of a model that jNeuroML exported to it.

One step from t_n to t_n + dt, with row n recorded at its start:

1. Conditions are tested at t_n (thresholds, resets); their events are sent; what is due within
   half a step of t_n is delivered.
2. Currents at the potentials of t_n and the time t_n + dt / 2. Generators switch by that time.
3. Potentials by backward Euler, with the slope of those currents. A gated conductance has no
   slope of its own here: it is the value of step 6, one step older than its gate.
4. Concentrations by forward Euler, filled by the currents of 2.
5. All other states by forward Euler at the new potentials (kinetic schemes: backward Euler).
6. Along with 5 and from the same old states: what the exporter computes in its rate procedure,
   the `fcond` of gates and the current `i` of synapses with states, held until the next step.

A rate procedure computes what is inside a component before the component's own variables, so
that a child that requires one of these (a time course that reads its gate's alpha) sees that of
the step before; at the start, that of the initial potential.

At the start every `fcond` and held current is zero. Cells without a morphology advance v by
backward Euler too, linearised, and their other states as in 5. One that has other states holds
its own current as in 6: at the start that of -65 mV and all other states 0 (none in a regime),
after a reset outside of regimes none. Single-precision geometry and
6-digit parameters of the export are not copied, nor are its slips: see docs/conformance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..converter.expressions import ONE, ZERO, Binary, Expression, Name, Number, names, substitute
from ..converter.network import (
    Assign,
    Collect,
    Derivative,
    Network,
    Population,
    Statement,
    Variable,
    When,
)
from ..converter.simplify import simplify
from .cable_spikes import sent
from .lower_cable import MIDDLE, CableLowering, is_pool, rated, trees_of
from .lower_phases import _Work
from .methods.updates import DT, Groups, Update, slope
from .program import Phase, Program

END = simplify(Binary("+", Name("t"), DT))

#: The potential [V] at which NEURON starts a cell that has not assigned its own yet.
UNSET = -0.065


def lower_neuron(network: Network) -> Program:
    """Return the program that advances `network` as NEURON advances its export."""
    return NeuronLowering(network).program()


class NeuronLowering(CableLowering):
    """Every population takes part in the one order of a step."""

    def __init__(self, network: Network) -> None:
        self.lagging: dict[str, dict[str, Expression]] = {}
        self.before: dict[str, tuple[str, ...]] = {}
        self.opening: list[Phase] = []
        self.rows: dict[tuple[str, str], str] = {}
        self.tied = below_cables(network)
        network = with_clamp_slopes(with_own_currents(network))
        super().__init__(self.with_rows(self.with_lags(network)), "neuron")

    def members(self) -> frozenset[str]:
        """Return all populations."""
        return frozenset(p.name for p in self.network.populations)

    # --- what is held from one step to the next ----------------------------------------------

    def with_lags(self, network: Network) -> Network:
        """Return `network` with what the rate procedures compute turned into held values."""
        records = list(network.records)
        populations = []
        for given in network.populations:
            population, late = with_late_requirements(given)
            self.before[population.name] = tuple(late)
            names = held_variables(population)
            # Assignments are sorted: what one held value takes of another is that of now.
            values: dict[str, Expression] = {}
            for a in population.assignments:
                if isinstance(a, Assign) and a.variable in names:
                    values[a.variable] = substitute(a.value, values)
            made = with_held(population, set(values))
            for number, record in enumerate(records):
                variable = record.variable
                if record.population != population.name or variable in values:
                    continue
                if not computed_with_states(population, variable):
                    continue
                row = f"{variable}__row"
                records[number] = replace(record, variable=row)
                if row not in values:
                    made = with_row(made, variable, row)
                    tree = next(
                        a.value
                        for a in population.assignments
                        if isinstance(a, Assign) and a.variable == variable
                    )
                    values[row] = substitute(tree, values)
            values.update(late)
            self.lagging[population.name] = values
            populations.append(made)
        return replace(network, populations=tuple(populations), records=tuple(records))

    def with_rows(self, network: Network) -> Network:
        """Return `network` with recorded currents read as they were when they were used."""
        populations = {p.name: p for p in network.populations}
        records = []
        for record in network.records:
            population = populations[record.population]
            if not is_current(population, record.variable, self.tied):
                records.append(record)
                continue
            key = (record.population, record.variable)
            self.rows[key] = f"{record.variable}__row"
            records.append(replace(record, variable=self.rows[key]))
        for (name, variable), row in self.rows.items():
            population = with_row(populations[name], variable, row)
            if self.lagging[name]:
                # Row 0 is of the current evaluation at the start, with every gate held at 0.
                at_first = replace(population.variables[row], initial=0.0)
                population = replace(population, variables={**population.variables, row: at_first})
            populations[name] = population
        return replace(network, records=tuple(records), populations=tuple(populations.values()))

    def keep_rows(self) -> list[Phase]:
        """Return the kernels that keep what is recorded of the present currents."""
        phases: list[Phase] = []
        for name in dict.fromkeys(name for name, _ in self.rows):
            work = self.works[name]
            body = self.body(work)
            body.published = frozenset(self.fresh.get(name, ()))
            body.clock = MIDDLE
            for (of, variable), row in self.rows.items():
                if of == name:
                    body.statements.append(Assign(row, body.value(variable)))
            phases.append(Phase("kernel", self.finish(f"keep {name}", work, body, "kernel")))
        return phases

    # --- the order of a step ------------------------------------------------------------------

    def program(self) -> Program:
        """Return the program, with tests and deliveries before the advance."""
        made = super().program()
        at = next(n for n, phase in enumerate(made.phases) if phase.kind == "tick")
        tick, deliver, *tested, send, record = made.phases[at:]
        tick = replace(tick, name="added")
        phases = (*tested, send, deliver, *made.phases[:at], tick, record)
        return replace(made, phases=phases, start=tuple(self.opening))

    def start_phases(self) -> list[Phase]:
        """Return what is settled at first; the first tests are those of the first step."""
        settled = {name: self.first_values(work) for name, work in self.works.items()}
        wanted: set[tuple[str, str]] = set()
        for name, groups in settled.items():
            wanted |= self.needed(self.works[name], trees_of(self.works[name], groups))
        self.opening = self.publish_fresh(wanted, None)
        for name, groups in settled.items():
            self.opening.extend(self.advance_at(self.works[name], groups, Name("t"), flowing=False))
        return []

    def first_values(self, work: _Work) -> Groups:
        """Return what sets late requirements, and a cell's own current, before the first step.

        NEURON's initialisation computes that current before it assigns the cell's states and
        enters a regime. Conductances of channels are 0 then, so currents through them are, too.
        """
        population = work.population
        late = tuple(
            Update(n, self.lagging[population.name][n]) for n in self.before[population.name]
        )
        v = potential_of(population)
        rate = next((d for d in population.derivatives if d.state == v), None)
        channels = any(path.rpartition("/")[2] == "fopen" for path in population.exposures)
        holds = v is not None and own_current(v) in population.variables and not channels
        if v is None or rate is None or rate.guard or not holds:
            return (late,) if late else ()
        states = {d.state: f"{d.state}__first" for d in population.derivatives}
        variables = dict(population.variables)
        for state, kept in states.items():
            variables[kept] = replace(variables[state], name=kept, initial=0.0)
        work.population = replace(population, variables=variables)
        _, (held,) = self.split(work, rate)
        return (
            late,
            tuple(Update(kept, Name(state)) for state, kept in states.items()),
            tuple(Update(s, Number(UNSET) if s == v else ZERO) for s in states),
            (held,),
            tuple(Update(state, Name(kept)) for state, kept in states.items()),
        )

    def condition_phases(self, settled: Sequence[str] = ()) -> list[Phase]:  # noqa: ARG002 - none here
        """Return the tests at the start of a step: of all but generators."""
        return self.test_phases(
            [w for w in self.works.values() if w.population.conditions and not generates(w)]
        )

    def family_phases(self) -> list[Phase]:
        """Return the phases of a step between the deliveries and the tick."""
        works = list(self.works.values())
        phases = self.switch([w for w in works if generates(w)])
        moving = [w for w in works if rated(w) or self.lagging[w.population.name]]
        groups = {w.population.name: self.groups(w) for w in moving}
        wanted = self.currents()
        for work in moving:
            if is_pool(work.population) or potential_of(work.population) is not None:
                wanted |= self.needed(work, trees_of(work, groups[work.population.name]))
        for name, variable in self.rows:
            wanted |= self.needed(self.works[name], [Name(variable)])
        phases.extend(self.publish_fresh(wanted, MIDDLE))
        phases.extend(self.keep_rows())
        cells = [w for w in moving if potential_of(w.population) is not None]
        for work in cells:
            first, *rest = groups[work.population.name]
            phases.extend(self.advance_at(work, (first,), MIDDLE))
            groups[work.population.name] = tuple(rest)
        phases.extend(self.solve(second=False))
        pools = [w for w in moving if is_pool(w.population)]
        for work in pools:
            phases.extend(self.advance_at(work, groups[work.population.name], END))
        others = [w for w in moving if w not in pools]
        later: set[tuple[str, str]] = set()
        for work in others:
            later |= self.needed(work, trees_of(work, groups[work.population.name]))
        phases.extend(self.publish_fresh(later, END))
        for work in others:
            phases.extend(self.advance_at(work, groups[work.population.name], END))
        return phases

    def groups(self, work: _Work) -> Groups:
        """Return the updates of a population: the potential first, then the rest at once."""
        population = work.population
        v = potential_of(population)
        first: list[Update] = []
        others: list[Update] = []
        for rate in population.derivatives:
            if rate.state != v:
                ahead = Binary("+", Name(rate.state), Binary("*", DT, rate.value))
                others.append(Update(rate.state, ahead, rate.guard))
                continue
            value, extra = self.split(work, rate)
            others.extend(extra)
            found = slope(work.population, value, v, work.slopes) or ZERO
            below = simplify(Binary("-", ONE, Binary("*", DT, found)))
            step = simplify(Binary("/", Binary("*", DT, value), below))
            first.append(Update(v, Binary("+", Name(v), step), rate.guard))
        others.extend(
            Update(symbol, value) for symbol, value in self.lagging[population.name].items()
        )
        return (tuple(first), tuple(others)) if v is not None else (tuple(others),)

    def split(self, work: _Work, rate: Derivative) -> tuple[Expression, list[Update]]:
        """Return a potential's rate as a step sees it, and what is to be held for the next.

        The export of a cell with other states computes its own current along with them and
        holds it; what is attached to the cell acts at once.
        """
        population = work.population
        if not any(d.state != rate.state for d in population.derivatives):
            return rate.value, []
        attached: Expression = ZERO
        for assignment in population.assignments:
            if isinstance(assignment, Collect):
                found = slope(population, rate.value, assignment.variable, {})
                if found is not None:
                    part = Binary("*", found, Name(assignment.variable))
                    attached = simplify(Binary("+", attached, part))
        held = own_current(rate.state)
        own = simplify(Binary("-", rate.value, attached))
        return simplify(Binary("+", Name(held), attached)), [Update(held, own, rate.guard)]

    def switch(self, works: list[_Work]) -> list[Phase]:
        """Return the tests of generators at the middle of the step."""
        phases: list[Phase] = []
        for work in works:
            body = self.body(work)
            body.clock = MIDDLE
            for condition in work.population.conditions:
                guard = None
                if condition.guard is not None:
                    guard = body.masked(condition.guard, None)
                body.run((When(condition.test, condition.body),), guard)
            body.store()
            name = f"switch {work.population.name}"
            phases.append(Phase("kernel", self.finish(name, work, body, "kernel")))
        return phases

    def advance_at(
        self, work: _Work, groups: Groups, clock: Expression, *, flowing: bool = True
    ) -> list[Phase]:
        """Return the kernel that advances one population, `t` in it being `clock`."""
        v = potential_of(work.population)
        last = flowing and not any(u.state == v for g in groups for u in g)
        flows = work.population.flows if last else ()
        if not any(groups) and not flows:
            return []
        body = self.body(work)
        body.published = frozenset(self.fresh.get(work.population.name, ()))
        body.clock = clock
        for flow in flows:
            body.flow(replace(flow, implicit=True))
        for group in groups:
            body.update([(u.state, u.value, u.guard) for u in group])
        body.store()
        name = f"move {len(self.functions)} {work.population.name}"
        return [Phase("kernel", self.finish(name, work, body, "kernel"))]


def with_own_currents(network: Network) -> Network:
    """Return `network` with a held current in every cell that has states besides its potential.

    What assigns the potential, a reset, sets that current to 0, but not inside a regime.
    """
    populations = []
    for population in network.populations:
        v = potential_of(population)
        if v is None or all(d.state == v for d in population.derivatives):
            populations.append(population)
            continue
        held = own_current(v)
        populations.append(
            replace(
                population,
                variables={**population.variables, held: Variable(held, "state", None, held)},
                conditions=tuple(
                    c if c.guard else replace(c, body=tuple(_without_current(c.body, v, held)))
                    for c in population.conditions
                ),
            )
        )
    return replace(network, populations=tuple(populations))


def with_clamp_slopes(network: Network) -> Network:
    """Return `network` with the slope of a current that a condition assigns from a potential.

    NEURON sees how the current of a voltage clamp changes with the potential while it solves.
    """
    populations = []
    for population in network.populations:
        states = {name: read.variable for name, read in population.reads.items()}
        variables = dict(population.variables)
        conditions = []
        for condition in population.conditions:
            body: list[Statement] = []
            for statement in condition.body:
                body.append(statement)
                if not isinstance(statement, Assign) or population.exposures.get("i") != (
                    statement.variable
                ):
                    continue
                for read, state in states.items():
                    symbol = f"{statement.variable}__by__{state}"
                    found = slope(population, statement.value, read, {}) or ZERO
                    if found != ZERO or symbol in variables:
                        variables[symbol] = Variable(symbol, "state", None, symbol)
                        body.append(Assign(symbol, found))
            conditions.append(replace(condition, body=tuple(body)))
        populations.append(
            replace(population, variables=variables, conditions=tuple(conditions))
            if len(variables) > len(population.variables)
            else population
        )
    return replace(network, populations=tuple(populations))


def _without_current(body: Sequence[Statement], v: str, held: str) -> Iterator[Statement]:
    for statement in body:
        if isinstance(statement, When):
            inner = tuple(_without_current(statement.body, v, held))
            yield replace(statement, body=inner)
            continue
        yield statement
        if isinstance(statement, Assign) and statement.variable == v:
            yield Assign(held, ZERO)


def own_current(v: str) -> str:
    """Return the name of a cell's own held current."""
    return f"{v}__own"


def with_late_requirements(population: Population) -> tuple[Population, dict[str, Expression]]:
    """Return `population` with what children require of a component above them as held values.

    Along with it: each held value and what it takes on in a step. Channels and synapses have a
    rate procedure each, so that what a channel reads of its density is that of now.
    """
    labels = {
        a.variable: population.variables[a.variable].label
        for a in population.assignments
        if isinstance(a, Assign) and a.variable in population.variables
    }
    root = "" if "iDensity" not in population.exposures else None
    held: dict[str, Expression] = {}
    assignments = list(population.assignments)
    for number, a in enumerate(assignments):
        if isinstance(a, Assign) and a.variable in labels:
            node = labels[a.variable].rpartition("/")[0]
            late = {
                name: Name(f"{name}__before")
                for name in names(a.value) & labels.keys()
                if above(labels[name].rpartition("/")[0], node, root)
            }
            if late:
                held.update({f"{name}__before": Name(name) for name in late})
                assignments[number] = replace(a, value=substitute(a.value, dict(late)))
    if not held or not population.derivatives:
        return population, {}
    variables = dict(population.variables)
    for late_name, value in held.items():
        assert isinstance(value, Name)
        kept = population.variables[value.name]
        variables[late_name] = replace(kept, name=late_name, kind="state", initial=0.0)
    return replace(population, variables=variables, assignments=tuple(assignments)), held


def above(upper: str, lower: str, root: str | None) -> bool:
    """Tell whether a component is above another; `root` is the topmost one's path, if it counts.

    >>> above("na/m", "na/m/timeCourse", None), above("", "na", None), above("", "block", "")
    (True, False, True)
    """
    if upper == "":
        return root == "" and lower != ""
    return lower.startswith(f"{upper}/")


def potential_of(population: Population) -> str | None:
    """Return the potential that a cell without a morphology advances itself.

    The cell is the instance itself, or below it where the population lists its instances.
    """
    if population.cable is not None:
        return None
    advanced = {d.state for d in population.derivatives}
    found = (v for path, v in population.exposures.items() if path.rpartition("/")[2] == "v")
    return next((v for v in found if v in advanced), None)


def generates(work: _Work) -> bool:
    """Tell whether a population only switches by time and state: no rates, no events."""
    population = work.population
    if rated(work) or not population.conditions or "i" not in population.exposures:
        return False
    return not any(True for condition in population.conditions for _ in sent(condition.body))


def held_variables(population: Population) -> set[str]:
    """Return what the export computes with the states and holds: `fcond` of gates, `i`."""
    found: set[str] = set()
    if not population.derivatives:
        return found
    if "i" in population.exposures and "iDensity" not in population.exposures:
        found.add(population.exposures["i"])
    flowing = {population.variables[s].label for flow in population.flows for s in flow.states}
    for path, symbol in population.exposures.items():
        gate, _, name = path.rpartition("/")
        if name == "fcond" and not any(label.startswith(f"{gate}/") for label in flowing):
            found.add(symbol)
    return found


def computed_with_states(population: Population, symbol: str) -> bool:
    """Tell whether a recorded variable is one of a synapse or of a gate with states."""
    if not population.derivatives or potential_of(population) is not None:
        return False
    if not any(isinstance(a, Assign) and a.variable == symbol for a in population.assignments):
        return False
    if "i" in population.exposures and "iDensity" not in population.exposures:
        return True
    label = population.variables[symbol].label
    gates = {path.rpartition("/")[0] for path in population.exposures if path.endswith("/fcond")}
    return any(label.startswith(f"{gate}/") for gate in gates)


def below_cables(network: Network) -> frozenset[str]:
    """Return the populations of compartments and everything attached below them."""
    found: set[str] = set()
    for population in network.populations:
        if population.cable is not None or population.parent in found:
            found.add(population.name)
    return frozenset(found)


def is_current(population: Population, symbol: str, tied: frozenset[str]) -> bool:
    """Tell whether a variable is computed with the currents, before the potentials advance."""
    if population.name not in tied or is_pool(population):
        return False
    return any(a.variable == symbol for a in population.assignments) and (
        population.exposures.get("caConc") != symbol
    )


def with_row(population: Population, variable: str, row: str) -> Population:
    """Return `population` with a variable that keeps what another one was."""
    kept = replace(population.variables[variable], name=row, kind="state")
    return replace(population, variables={**population.variables, row: kept})


def with_held(population: Population, names: set[str]) -> Population:
    """Return `population` with some derived variables as values that are only assigned."""
    variables = {
        name: replace(v, kind="state", initial=0.0) if name in names else v
        for name, v in population.variables.items()
    }
    return replace(
        population,
        variables=variables,
        assignments=tuple(a for a in population.assignments if a.variable not in names),
    )
