"""What models can run on here."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from ..errors import MissingTool
from .build import find_compiler


@dataclass(frozen=True, slots=True)
class Device:
    """One backend, whether it works here, and with what, or what it lacks."""

    backend: str
    usable: bool
    about: str


def devices() -> tuple[Device, ...]:
    """Return what each backend would run on here."""
    try:
        compiler, usable = " ".join(find_compiler().command), True
    except MissingTool as error:
        compiler, usable = str(error), False
    about = f"{os.cpu_count()} processors"
    return (
        Device("numpy", True, f"{about}, needs no compiler"),
        Device("cpp", usable, f"{about}, {compiler}" if usable else compiler),
        _cuda(),
        Device("cuda-on-host", usable, f"CUDA text run by {compiler}" if usable else compiler),
    )


def describe() -> str:
    """Return the devices as text for people."""
    return "\n".join(
        f"{device.backend:<13} {'yes' if device.usable else 'no ':<4} {device.about}"
        for device in devices()
    )


def _cuda() -> Device:
    try:
        from pycuda import driver  # noqa: PLC0415 - optional

        driver.init()
        count = driver.Device.count()
        names = [driver.Device(number).name() for number in range(count)]
    except ModuleNotFoundError:
        return Device("cuda", False, "pycuda is not installed: pip install 'lemsmith[cuda]'")
    except ImportError as error:
        return Device("cuda", False, f"pycuda cannot be loaded ({error}): is the driver installed?")
    except Exception as error:  # noqa: BLE001 - a driver may fail in any way
        return Device("cuda", False, f"the CUDA driver says: {error}")
    if not names:
        return Device("cuda", False, "no NVIDIA GPU was found")
    about = ", ".join(names)
    if shutil.which("nvcc") is None:
        return Device("cuda", False, f"{about}, but nvcc is not on the PATH: install the toolkit")
    return Device("cuda", True, about)
