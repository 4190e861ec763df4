"""Reads the community's validation tests: OMV's `.omt` and `.mep` files.

A `.mep` (model emergent property) file says what a model should give, whoever simulates
it. An `.omt` (test) file says where one engine's run of one model leaves those figures
and how far off they may be. Both are YAML. Reading one is checking it: whatever is wrong
is collected with its line and column and raised together as one `ModelError`.

    .omt + .mep  ->  OmvTest
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from ...errors import ModelError, UsageError, did_you_mean
from .yaml_file import At, YamlFile, as_number

#: OMV's tolerance where a test gives none.
DEFAULT_TOLERANCE = 0.1

#: Folders that hold no tests of a model's own.
SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", ".tox", ".venv", "node_modules", "venv"})

#: Engines that only validate the files named, and run nothing.
VALIDATORS = frozenset({"jneuroml_validate", "jneuroml_validatev1"})

SpikeFormat = Literal["ID_TIME", "TIME_ID", "ID_TIME_NEST_DAT"]
SpikeMethod = Literal["threshold", "derivative"]
RateMethod = Literal["isi based", "duration based"]


@dataclass(frozen=True, slots=True)
class DataFile:
    """Columns of a text file, time first; `scaling` turns each into the target's unit."""

    path: str
    columns: tuple[int, ...] = (0, 1)
    header: int = 0
    scaling: tuple[float, ...] = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class SpikeFile:
    """A file of events, a source's id and a time per line; `ids` picks one id, or all: `*`."""

    path: str
    format: SpikeFormat = "ID_TIME"
    ids: float | Literal["*"] = 0
    scaling: float = 1.0


@dataclass(frozen=True, slots=True)
class Detection:
    """How spikes are found in a trace; `threshold` is in the scaled trace's unit."""

    method: SpikeMethod = "threshold"
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class SpikeTimes:
    """The times at which a trace spikes, or that an event file holds.

    A data file without `detection` holds spike times in its only column.
    """

    kind: ClassVar[str] = "spike times"
    file: DataFile | SpikeFile
    detection: Detection | None = None
    tolerance: float = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True)
class SpikeRate:
    """Spikes per unit of time, within `start` and `end`; the mean over all ids picked."""

    kind: ClassVar[str] = "spike rate"
    file: DataFile | SpikeFile
    detection: Detection | None = None
    method: RateMethod = "isi based"
    start: float = 0.0
    end: float = float("inf")
    tolerance: float = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True)
class Resting:
    """The mean of a trace's last `last` samples."""

    kind: ClassVar[str] = "resting"
    file: DataFile
    last: int = 1
    tolerance: float = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Every value of every column, time included."""

    kind: ClassVar[str] = "timeseries"
    file: DataFile
    tolerance: float = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True)
class ActivationVariables:
    """Columns that must stay within 0 and 1."""

    kind: ClassVar[str] = "activation variables"
    file: DataFile
    tolerance: float = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True)
class InputResistance:
    """The change of voltage over the change of current, between two windows of time."""

    kind: ClassVar[str] = "input resistance"
    voltage: DataFile
    current: DataFile
    holding_window: tuple[float, float] = (0.0, 0.0)
    command_window: tuple[float, float] = (0.0, 0.0)
    tolerance: float = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True)
class Morphology:
    """The total membrane area, asked of the engine."""

    kind: ClassVar[str] = "morphology"
    base_section: str = "cell[0]"
    scaling: float = 1.0
    tolerance: float = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True)
class Temperature:
    """The temperature of the simulation, asked of the engine."""

    kind: ClassVar[str] = "temperature"
    tolerance: float = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True)
class DryRun:
    """The model runs to its end; nothing is compared."""

    kind: ClassVar[str] = "dry"


Observable = (
    SpikeTimes
    | SpikeRate
    | Resting
    | TimeSeries
    | ActivationVariables
    | InputResistance
    | Morphology
    | Temperature
    | DryRun
)

#: What a `.mep` may expect: a figure, a list, rows of a table, the same observable of a
#: file that lies beside the `.mep`, or nothing.
Expected = float | tuple[float, ...] | tuple[tuple[float, ...], ...] | Observable | None


@dataclass(frozen=True, slots=True)
class Check:
    """An observable and what it should be."""

    observable: Observable
    expected: Expected


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named set of checks on one run."""

    name: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Expectations:
    """A `.mep` file: per experiment, per kind of observable, what a model should give."""

    path: Path
    system: str
    experiments: Mapping[str, Mapping[str, Expected]]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OmvTest:
    """An `.omt` file with the `.mep` it names."""

    path: Path
    engine: str
    targets: tuple[str, ...]
    mep: Path | None
    system: str
    experiments: tuple[Experiment, ...]
    warnings: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder that every path in the test is relative to."""
        return self.path.parent

    @property
    def validates(self) -> bool:
        """Whether the test only asks if its targets are valid documents."""
        return self.engine.lower() in VALIDATORS

    @property
    def target(self) -> Path:
        """The model that is run."""
        return self.folder / self.targets[0]


def find(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the `.omt` files that `paths` name or contain, sorted, each once.

    Tests are dot files by custom (`.test.ex5.jnml.omt`). A `.mep` stands for the tests in its
    folder that name it. Raises `UsageError` for a path that does not exist, for a `.mep` that
    no test names and for a file that is neither.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            inside = (file for file in path.rglob("*.omt") if file.is_file())
            found.update(
                file
                for file in inside
                if not SKIPPED_FOLDERS.intersection(file.relative_to(path).parts)
            )
        elif not path.exists():
            raise UsageError(f"{path} does not exist")
        elif path.suffix == ".mep":
            named = [test for test in path.parent.glob("*.omt") if _names(test, path)]
            if not named:
                raise UsageError(
                    f"{path} says what to expect, and not of which run, and no OMV test (.omt) "
                    "beside it names it; give the test that does, or its folder"
                )
            found.update(named)
        elif path.suffix != ".omt":
            raise UsageError(
                f"{path} is no OMV test (.omt); give one, or a folder that holds some, or "
                "--against to compare the model with another simulator or a file of results"
            )
        elif not path.is_file():
            raise UsageError(f"{path} is no file")
        else:
            found.add(path)
    return tuple(sorted(found))


def _names(test: Path, mep: Path) -> bool:
    """Return whether the `.omt` file `test` is held against `mep`; not if it cannot be read."""
    if not test.is_file():
        return False
    try:
        name = YamlFile(test).get(("mep",))
    except ModelError:
        return False
    return isinstance(name, str) and (test.parent / name).resolve() == mep.resolve()


def read_expectations(path: Path) -> Expectations:
    """Return the `.mep` file at `path`; raise `ModelError` naming every fault in it."""
    reader = YamlFile(path)
    experiments: dict[str, dict[str, Expected]] = {}
    for name, at in reader.items(("experiments",)):
        expected: dict[str, Expected] = {}
        for key, where in reader.items((*at, "expected"), required=True):
            kind = _ALIASES.get(key, key)
            if kind in _READERS:
                expected[kind] = _expected(reader, kind, where)
            else:
                reader.warn(f"no observable is called {key!r}", where, did_you_mean(key, _READERS))
        experiments[name] = expected
    system = reader.text(("system",), "")
    reader.faults.raise_errors()
    return Expectations(path, system, experiments, reader.warnings)


def read_test(path: Path) -> OmvTest:
    """Return the `.omt` file at `path` with what its `.mep` expects.

    A test that names no `.mep` is a dry run. Raises `ModelError` naming every fault: YAML
    that cannot be read, an unknown observable, an experiment the `.mep` does not know.
    """
    reader = YamlFile(path)
    engine = reader.text(("engine",))
    targets = tuple(reader.text(("target",)).split())
    if not targets and reader.places.get(("target",)):
        reader.error("the target is empty", ("target",))
    if reader.get(("mep",)) is None:
        reader.faults.raise_errors()
        dry = Experiment("Dry run", (Check(DryRun(), None),))
        return OmvTest(path, engine, targets, None, "", (dry,), reader.warnings)
    mep = path.parent / reader.text(("mep",))
    if not mep.is_file():
        reader.error(f"there is no file {mep}", ("mep",))
        reader.faults.raise_errors()
    expectations = read_expectations(mep)
    experiments = tuple(
        _experiment(reader, name, at, expectations)
        for name, at in reader.items(("experiments",), required=True)
    )
    reader.faults.raise_errors()
    warnings = reader.warnings + expectations.warnings
    return OmvTest(path, engine, targets, mep, expectations.system, experiments, warnings)


_SPIKE_FORMATS: tuple[SpikeFormat, ...] = ("ID_TIME", "TIME_ID", "ID_TIME_NEST_DAT")
_SPIKE_METHODS: tuple[SpikeMethod, ...] = ("threshold", "derivative")
_RATE_METHODS: tuple[RateMethod, ...] = ("isi based", "duration based")
_ALIASES = {"time series": "timeseries", "temporal series": "timeseries", "dry run": "dry"}


def _experiment(reader: YamlFile, name: str, at: At, expectations: Expectations) -> Experiment:
    """Return the experiment at `at`; without observables it is a dry run."""
    expected = expectations.experiments.get(name)
    if expected is None:
        hint = did_you_mean(name, expectations.experiments)
        reader.error(f"{expectations.path.name} has no experiment {name!r}", at, hint)
        expected = {}
    checks = []
    for key, where in reader.items((*at, "observables")):
        kind = _ALIASES.get(key, key)
        read = _READERS.get(kind)
        if read is None:
            reader.error(f"no observable is called {key!r}", where, did_you_mean(key, _READERS))
        elif kind not in expected and kind not in _NEEDS_NOTHING:
            reader.error(f"{expectations.path.name} expects no {kind!r} of {name!r}", where)
        else:
            checks.append(Check(read(reader, where), expected.get(kind)))
    return Experiment(name, tuple(checks) or (Check(DryRun(), None),))


def _expected(reader: YamlFile, kind: str, at: At) -> Expected:
    """Return what a `.mep` expects of an observable of `kind`."""
    if kind in _NEEDS_NOTHING:
        return None
    value = reader.get(at)
    if kind == Morphology.kind:
        return reader.number((*at, "total area"))
    if isinstance(value, dict):
        return _READERS[kind](reader, at)
    if kind == SpikeTimes.kind:
        return reader.numbers(at)
    if kind == TimeSeries.kind:
        rows = range(len(value)) if isinstance(value, list) else range(0)
        return tuple(reader.numbers((*at, str(row))) for row in rows)
    return reader.number(at)


def _tolerance(reader: YamlFile, at: At) -> float:
    tolerance = reader.number((*at, "tolerance"), DEFAULT_TOLERANCE)
    if not tolerance >= 0:
        reader.error("a tolerance must be 0 or more", (*at, "tolerance"))
    return tolerance


def _data_file(reader: YamlFile, at: At) -> DataFile:
    reader.known_keys(at, ("path", "columns", "header", "scaling"))
    columns = reader.numbers((*at, "columns"), (0.0, 1.0))
    if not columns or any(column < 0 or not column.is_integer() for column in columns):
        reader.error("'columns' must be whole numbers, 0 or more", (*at, "columns"))
    if as_number(reader.get((*at, "scaling"))) is not None:
        scaling = (reader.number((*at, "scaling")),) * len(columns)
    else:
        scaling = reader.numbers((*at, "scaling"), (1.0,) * len(columns))
    if len(scaling) != len(columns):
        reader.error(
            f"'scaling' has {len(scaling)} factors for {len(columns)} columns", (*at, "scaling")
        )
    path = reader.text((*at, "path"))
    header = reader.whole((*at, "header"), 0)
    return DataFile(path, tuple(int(column) for column in columns), header, scaling)


def _spike_file(reader: YamlFile, at: At) -> SpikeFile:
    reader.known_keys(at, ("path", "format", "ids", "scaling"))
    ids = reader.get((*at, "ids"))
    return SpikeFile(
        reader.text((*at, "path")),
        reader.choice((*at, "format"), _SPIKE_FORMATS),
        "*" if ids == "*" else reader.number((*at, "ids"), 0),
        reader.number((*at, "scaling"), 1.0),
    )


def _either_file(reader: YamlFile, at: At) -> DataFile | SpikeFile:
    if reader.get((*at, "spiketimes file")) is not None:
        return _spike_file(reader, (*at, "spiketimes file"))
    return _data_file(reader, (*at, "file"))


def _detection(reader: YamlFile, at: At) -> Detection | None:
    where = (*at, "spike detection")
    if where not in reader.places:
        return None
    reader.known_keys(where, ("method", "threshold"))
    method = reader.choice((*where, "method"), _SPIKE_METHODS)
    return Detection(method, reader.number((*where, "threshold"), 0.0))


def _spike_times(reader: YamlFile, at: At) -> SpikeTimes:
    reader.known_keys(at, ("file", "spiketimes file", "spike detection", "tolerance"))
    return SpikeTimes(_either_file(reader, at), _detection(reader, at), _tolerance(reader, at))


def _spike_rate(reader: YamlFile, at: At) -> SpikeRate:
    keys = ("file", "spiketimes file", "spike detection", "tolerance")
    reader.known_keys(at, (*keys, "method", "start_time", "end_time"))
    return SpikeRate(
        _either_file(reader, at),
        _detection(reader, at),
        reader.choice((*at, "method"), _RATE_METHODS),
        reader.number((*at, "start_time"), 0.0),
        reader.number((*at, "end_time"), float("inf")),
        _tolerance(reader, at),
    )


def _resting(reader: YamlFile, at: At) -> Resting:
    reader.known_keys(at, ("file", "average last", "tolerance"))
    last = max(1, reader.whole((*at, "average last"), 1))
    return Resting(_data_file(reader, (*at, "file")), last, _tolerance(reader, at))


def _time_series(reader: YamlFile, at: At) -> TimeSeries:
    reader.known_keys(at, ("file", "tolerance"))
    return TimeSeries(_data_file(reader, (*at, "file")), _tolerance(reader, at))


def _activation(reader: YamlFile, at: At) -> ActivationVariables:
    reader.known_keys(at, ("file", "tolerance"))
    return ActivationVariables(_data_file(reader, (*at, "file")), _tolerance(reader, at))


def _input_resistance(reader: YamlFile, at: At) -> InputResistance:
    windows = ("holding window", "command window")
    voltages = ("holding voltage", "command voltage")
    reader.known_keys(at, ("file_Vm", "file_VC_i", "tolerance", *windows, *voltages))
    holding, command = (_window(reader, (*at, name)) for name in windows)
    return InputResistance(
        _data_file(reader, (*at, "file_Vm")),
        _data_file(reader, (*at, "file_VC_i")),
        holding,
        command,
        _tolerance(reader, at),
    )


def _window(reader: YamlFile, at: At) -> tuple[float, float]:
    window = reader.numbers(at, (0.0, 0.0))
    if len(window) != 2:
        reader.error(f"{at[-1]!r} must be a start and an end", at)
        return (0.0, 0.0)
    return (window[0], window[1])


def _morphology(reader: YamlFile, at: At) -> Morphology:
    reader.known_keys(at, ("base section", "scaling", "tolerance"))
    base = reader.text((*at, "base section"), "cell[0]")
    return Morphology(base, reader.number((*at, "scaling"), 1.0), _tolerance(reader, at))


def _temperature(reader: YamlFile, at: At) -> Temperature:
    return Temperature(_tolerance(reader, at))


def _dry_run(_reader: YamlFile, _at: At) -> DryRun:
    return DryRun()


_READERS: dict[str, Callable[[YamlFile, At], Observable]] = {
    SpikeTimes.kind: _spike_times,
    SpikeRate.kind: _spike_rate,
    DryRun.kind: _dry_run,
    Resting.kind: _resting,
    Morphology.kind: _morphology,
    Temperature.kind: _temperature,
    ActivationVariables.kind: _activation,
    InputResistance.kind: _input_resistance,
    TimeSeries.kind: _time_series,
}
_NEEDS_NOTHING = frozenset({DryRun.kind, ActivationVariables.kind})
