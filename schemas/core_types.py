"""The packaged LEMS definitions of the NeuroML 2 component types.

`Include` attribute -> path of our file, or None
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "neuroml2"

#: The official file names, each after the files that it includes.
CORE_TYPE_FILES: Final = (
    "NeuroMLCoreDimensions.xml",
    "NeuroMLCoreCompTypes.xml",
    "Inputs.xml",
    "Channels.xml",
    "Synapses.xml",
    "Cells.xml",
    "Networks.xml",
    "PyNN.xml",
    "Simulation.xml",
    "NeuroML2CoreTypes.xml",
)

#: The folder that holds the official files wherever they are unpacked.
OFFICIAL_FOLDER: Final = "NeuroML2CoreTypes"


def core_type_file(name: str) -> Path | None:
    """Return our file for an `Include` of a core type file, else None.

    A bare name counts, with or without `./` in front, and so does any path or address
    whose last folder is `NeuroML2CoreTypes`. A file of the same name in another folder is
    the model's own. Letter case counts, as it does for the reference interpreter.

    >>> core_type_file("./NeuroML2CoreTypes/Cells.xml").name
    'Cells.xml'
    >>> core_type_file("mine/Cells.xml") is None
    True
    """
    *folders, file = name.strip().replace("\\", "/").split("/")
    while folders and folders[0] == ".":
        folders = folders[1:]
    if file not in CORE_TYPE_FILES or (folders and folders[-1] != OFFICIAL_FOLDER):
        return None
    return FOLDER / file
