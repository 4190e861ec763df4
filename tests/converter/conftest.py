"""Small LEMS models as text, what they flatten to, and what they record."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import lemsmith
import numpy as np
import pytest
from lemsmith.converter.flatten import flatten
from lemsmith.converter.model import Model
from lemsmith.converter.network import Network
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve
from lemsmith.converter.simulation import simulation_of
from lemsmith.errors import Faults, ModelError
from numpy.typing import NDArray

DIMENSIONS = """
<Dimension name="time" t="1"/> <Dimension name="per_time" t="-1"/>
<Dimension name="voltage" m="1" l="2" t="-3" i="-1"/> <Dimension name="current" i="1"/>
<Dimension name="conductance" m="-1" l="-2" t="3" i="2"/>
<Unit symbol="s" dimension="time"/> <Unit symbol="ms" dimension="time" power="-3"/>
<Unit symbol="per_s" dimension="per_time"/> <Unit symbol="mV" dimension="voltage" power="-3"/>
<Unit symbol="nA" dimension="current" power="-9"/>
<Constant name="SEC" dimension="time" value="1s"/>
"""

SIMULATION = """
<ComponentType name="Simulation">
  <Parameter name="length" dimension="time"/> <Parameter name="step" dimension="time"/>
  <ComponentReference name="target" type="Component"/> <Text name="seed"/>
  <Children name="outputs" type="OutputFile"/> <Children name="events" type="EventOutputFile"/>
  <Dynamics><StateVariable name="t" dimension="time"/></Dynamics>
  <Simulation><Run component="target" variable="t" increment="step" total="length"/></Simulation>
</ComponentType>
<ComponentType name="OutputFile">
  <Text name="path"/> <Text name="fileName"/> <Children name="columns" type="OutputColumn"/>
  <Simulation><DataWriter path="path" fileName="fileName"/></Simulation>
</ComponentType>
<ComponentType name="OutputColumn">
  <Path name="quantity"/> <Simulation><Record quantity="quantity"/></Simulation>
</ComponentType>
<ComponentType name="EventOutputFile">
  <Text name="path"/> <Text name="fileName"/> <Text name="format"/>
  <Children name="selections" type="EventSelection"/>
  <Simulation><EventWriter path="path" fileName="fileName" format="format"/></Simulation>
</ComponentType>
<ComponentType name="EventSelection">
  <Path name="select"/> <Text name="eventPort"/>
  <Simulation><EventRecord quantity="select" eventPort="eventPort"/></Simulation>
</ComponentType>
"""

#: A network of populations, and connections between instances named by paths.
NETWORK = """
<ComponentType name="net">
  <Children name="populations" type="pop"/> <Children name="connections" type="connects"/>
</ComponentType>
<ComponentType name="pop">
  <Parameter name="size" dimension="none"/> <ComponentReference name="component" type="Component"/>
  <Structure><MultiInstantiate component="component" number="size"/></Structure>
</ComponentType>
<ComponentType name="connects"/>
<ComponentType name="con" extends="connects">
  <Path name="from"/> <Path name="to"/> <Text name="port"/>
  <Parameter name="delay" dimension="time"/> <Fixed parameter="delay" value="0s"/>
  <Structure>
    <With instance="from" as="a"/> <With instance="to" as="b"/>
    <EventConnection from="a" to="b" targetPort="port" delay="delay"/>
  </Structure>
</ComponentType>
<ComponentType name="tick">
  <EventPort name="out" direction="out"/> <Exposure name="k" dimension="none"/>
  <Dynamics>
    <StateVariable name="k" dimension="none" exposure="k"/>
    <OnCondition test="k .geq. 0">
      <StateAssignment variable="k" value="k + 1"/> <EventOut port="out"/>
    </OnCondition>
  </Dynamics>
</ComponentType>
<ComponentType name="counter">
  <EventPort name="in" direction="in"/> <EventPort name="two" direction="in"/>
  <Property name="by" dimension="none" defaultValue="1"/>
  <Exposure name="n" dimension="none"/> <Exposure name="m" dimension="none"/>
  <Dynamics>
    <StateVariable name="n" dimension="none" exposure="n"/>
    <StateVariable name="m" dimension="none" exposure="m"/>
    <OnEvent port="in"><StateAssignment variable="n" value="n + by"/></OnEvent>
    <OnEvent port="two"><StateAssignment variable="m" value="m + 1"/></OnEvent>
  </Dynamics>
</ComponentType>
<tick id="tk"/> <counter id="cn"/>
"""


def lems(
    body: str,
    quantities: Sequence[str] = (),
    target: str = "u",
    steps: int = 4,
    step: str = "1s",
    seed: str = "",
    events: Sequence[tuple[str, str]] = (),
) -> str:
    """Return a document that simulates `target` of `body` and records `quantities`."""
    columns = "".join(
        f'<OutputColumn id="c{n}" quantity="{path}"/>' for n, path in enumerate(quantities)
    )
    selections = "".join(
        f'<EventSelection id="{n}" select="{path}" eventPort="{port}"/>'
        for n, (path, port) in enumerate(events)
    )
    seeded = f'seed="{seed}"' if seed else ""
    length = f"{steps * float(step.removesuffix('s')):g}s"
    return (
        f'<Lems><Target component="sim"/>{DIMENSIONS}{SIMULATION}{body}'
        f'<Simulation id="sim" length="{length}" step="{step}" target="{target}" {seeded}>'
        f'<OutputFile id="of" fileName="o.dat">{columns}</OutputFile>'
        f'<EventOutputFile id="ef" fileName="e.dat" format="TIME_ID">{selections}'
        "</EventOutputFile></Simulation></Lems>"
    )


def flat(text: str, schedule: str) -> Network:
    """Return the network that a document's text flattens to."""
    model = resolve(read(text))
    faults = Faults()
    simulation = simulation_of(model, faults)
    faults.raise_errors()
    assert simulation is not None
    return flatten(model, simulation, schedule=schedule, draw=random.Random(1).random)


@pytest.fixture
def network_types() -> str:
    """Types of a small network, a source of events and a counter of them."""
    return NETWORK


@pytest.fixture
def resolved() -> Callable[[str], Model]:
    """Return a function from the body of a document to its model."""
    return lambda body: resolve(read(f"<Lems>{DIMENSIONS}{body}</Lems>"))


@pytest.fixture
def faults_of() -> Callable[[str], tuple[str, ...]]:
    """Return a function from the body of a document to the messages of its faults."""

    def collected(body: str, **options: object) -> tuple[str, ...]:
        try:
            flat(lems(body, **options), "jlems")  # type: ignore[arg-type]
        except ModelError as error:
            return tuple(map(str, error.faults))
        return ()

    return collected


@pytest.fixture
def warnings_of() -> Callable[[str], tuple[str, ...]]:
    """Return a function from the body of a document to the messages of its warnings."""

    def collected(body: str) -> tuple[str, ...]:
        faults = Faults()
        resolve(read(f"<Lems>{DIMENSIONS}{body}</Lems>"), faults)
        return tuple(str(fault) for fault in faults.found if fault.severity == "warning")

    return collected


@pytest.fixture
def flattened() -> Callable[..., Network]:
    """Return a function from the body of a document to its network."""

    def made(body: str, schedule: str = "equations", **options: object) -> Network:
        return flat(lems(body, **options), schedule)  # type: ignore[arg-type]

    return made


@pytest.fixture
def traces() -> Callable[..., dict[str, NDArray[np.float64]]]:
    """Return a function that runs a document and returns what it records, by path."""

    def run(
        body: str, *quantities: str, method: str = "jlems", **options: object
    ) -> dict[str, NDArray[np.float64]]:
        text = lems(body, quantities, **options)  # type: ignore[arg-type]
        backend = "numpy" if method == "jlems" else "cpp"  # no compiler where none is needed
        recording = lemsmith.run(text, method=method, backend=backend)
        found = {name: np.asarray(recording[name]) for name in quantities}
        found.update({event.path: np.asarray(event.times) for event in recording.events})
        return found

    return run
