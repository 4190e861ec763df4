"""What models can run on here."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec

#: C++ compilers looked for, in order; `CXX` goes first.
COMPILERS = ("g++", "clang++", "c++")


@dataclass(frozen=True, slots=True)
class Device:
    """One backend, whether it works here, and with what, or what it lacks."""

    backend: str
    usable: bool
    about: str


def devices() -> tuple[Device, ...]:
    """Return what each backend would run on here."""
    compiler = _compiler()
    lacking = "no C++ compiler; pip install 'lemsmith[compiler]' brings one"
    usable = compiler is not None
    return (
        Device("numpy", True, f"{os.cpu_count()} processors, needs no compiler"),
        Device("cpp", usable, f"{os.cpu_count()} processors, {compiler}" if usable else lacking),
        _cuda(),
        Device("cuda-on-host", usable, f"CUDA text run by {compiler}" if usable else lacking),
    )


def describe() -> str:
    """Return the devices as text for people."""
    return "\n".join(
        f"{device.backend:<13} {'yes' if device.usable else 'no ':<4} {device.about}"
        for device in devices()
    )


def _compiler() -> str | None:
    named = os.environ.get("CXX")
    for name in (named, *COMPILERS) if named else COMPILERS:
        found = shutil.which(name.split()[0])
        if found:
            return found
    return "ziglang's c++" if find_spec("ziglang") else None


def _cuda() -> Device:
    try:
        from pycuda import driver  # noqa: PLC0415 - optional

        driver.init()
        count = driver.Device.count()
        names = [driver.Device(number).name() for number in range(count)]
    except ImportError:
        return Device("cuda", False, "pycuda is not installed: pip install 'lemsmith[cuda]'")
    except Exception as error:  # noqa: BLE001 - a driver may fail in any way
        return Device("cuda", False, f"the CUDA driver says: {error}")
    if not names:
        return Device("cuda", False, "no NVIDIA GPU was found")
    return Device("cuda", True, ", ".join(names))
