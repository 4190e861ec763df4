"""Imports point one way, and no file names the place where it was written."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: The parts of the package, each of which may import only those before it.
LAYERS = ("errors", "schemas", "converter", "codegen", "runner", "commands", "command_line")

MODULES = sorted(
    path
    for part in LAYERS
    for path in ((ROOT / part).rglob("*.py") if (ROOT / part).is_dir() else [ROOT / f"{part}.py"])
)

#: What a file of ours has no business to name: folders and addresses of one computer.
PLACES = re.compile(r"/home/\w+|/root/|/Users/\w+|/work/|\b\d{1,3}(?:\.\d{1,3}){3}\b")


def committed():
    """Return the files that git knows; skips outside a clone."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("this is no git clone")
    return [ROOT / name for name in done.stdout.split("\0") if name]


def imported(path):
    """Yield the modules that a file imports from the package, as paths below the root."""
    package = list(path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            full = [*above, *(node.module or "").split(".")] if node.module else above
            if node.level == 0 and full[:1] == ["lemsmith"]:
                full = full[1:]
            elif node.level == 0:
                continue
            yield from ([*full, name.name] for name in node.names) if not node.module else [full]
        elif isinstance(node, ast.Import):
            yield from (n.name.split(".")[1:] for n in node.names if n.name.startswith("lemsmith."))


def layer(parts):
    return LAYERS.index(parts[0])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_stands_before_it(path):
    here = layer([path.relative_to(ROOT).parts[0].removesuffix(".py")])
    later = [
        ".".join(parts)
        for parts in imported(path)
        if parts and parts[0] in LAYERS and layer(parts) > here
    ]
    assert later == []


def top_level_imports(path):
    """Yield the modules that a file imports when it is imported itself."""
    source = ast.parse(path.read_text(encoding="utf-8"))
    source.body = [
        node
        for node in source.body
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]
    package = list(path.relative_to(ROOT).parts[:-1])
    for node in source.body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1]]
            base += node.module.split(".") if node.module else []
            for name in node.names:
                for parts in ([*base, name.name], base):
                    found = ROOT.joinpath(*parts).with_suffix(".py")
                    if found.is_file():
                        yield found
                        break


def test_no_modules_import_each_other_in_a_circle():
    graph = {path: set(top_level_imports(path)) for path in MODULES}
    left = dict(graph)
    while left:
        free = [path for path, needs in left.items() if not needs & left.keys()]
        if not free:
            break
        for path in free:
            del left[path]
    assert [str(path.relative_to(ROOT)) for path in left] == []


def test_no_committed_file_names_a_place_of_its_writing():
    found = []
    for path in committed():
        if not path.is_file() or path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {match[0]}"
            for number, line in enumerate(text.splitlines(), 1)
            for match in PLACES.finditer(line)
        ]
    assert found == []
