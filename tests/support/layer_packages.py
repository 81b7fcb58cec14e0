"""A folder with the packages of the layers and no others, as a function of the stack has them.

The packages are those of this environment, linked: their versions are checked, not installed.
"""

import json
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from local.config import ROOT

LAYERS = ("runtime", "extraction")
"""Of the functions that read documents."""

REQUIREMENTS = f"requirements-python3.{min(max(sys.version_info.minor, 13), 14)}.txt"
"""Of this Python. An older one needs the packages of the oldest runtime."""

NAMESPACES = {"backports"}
"""Folders that several packages share."""


def pinned_versions() -> dict[str, str]:
    """The version of each package in the layers that this Python needs."""
    versions = {}
    for layer in LAYERS:
        for line in (ROOT / "layers" / layer / REQUIREMENTS).read_text("utf-8").splitlines():
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            versions[requirement.name] = specifier.version
    return versions


def link_layer_packages(folder: Path) -> None:
    """Link the packages of the layers into a folder."""
    for name in pinned_versions():
        found = distribution(name)
        for entry in _top_level(found):
            target = folder / entry
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.symlink_to(Path(str(found.locate_file(entry))).resolve())


def run_with_layer_packages(folder: Path, program: str, *arguments: str) -> Any:
    """The JSON that a program prints, in a Python that has the standard library, `src` and a folder only."""
    paths = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    dynamic = [path for path in sys.path if path.endswith("lib-dynload")]
    search_path = [*dict.fromkeys([*paths, *dynamic]), str(folder), str(ROOT / "src")]
    start = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1));"
    process = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{start}\n{program}", json.dumps(search_path), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def _top_level(found: Distribution) -> set[str]:
    """The files and folders that a package consists of, relative to where it is installed."""
    entries = set()
    for file in found.files or ():
        first, *rest = file.parts
        if first not in ("..", "__pycache__"):
            entries.add(f"{first}/{rest[0]}" if first in NAMESPACES and rest else first)
    return entries
