"""Imports run one way: handlers → tools → upcall, and cli → local → src. Nothing looks back."""

import ast
from pathlib import Path

import pytest

from local.config import ROOT

ALLOWED = {
    "src/upcall": {"upcall"},
    "src/tools": {"tools", "upcall"},
    "src/handlers": {"handlers", "tools", "upcall"},
    "local": {"handlers", "local", "upcall"},
    "cli": {"cli", "local", "tools", "upcall"},
}
OURS = {"upcall", "tools", "handlers", "local", "cli"}
FILES = [(folder, path) for folder in ALLOWED for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative path"
            found.add(str(node.module).partition(".")[0])
    return found


@pytest.mark.parametrize(("folder", "path"), FILES, ids=[str(path.relative_to(ROOT)) for _, path in FILES])
def test_a_file_imports_only_what_stands_below_it(folder: str, path: Path) -> None:
    assert imported(path) & OURS <= ALLOWED[folder]


@pytest.mark.parametrize("path", sorted((ROOT / "src" / "handlers").glob("*.py")), ids=lambda path: path.stem)
def test_a_handler_is_thin_and_knows_no_vendor(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 45
    assert not imported(path) & {"boto3", "botocore", "openai", "httpx", "httpx2"}


@pytest.mark.parametrize("path", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.stem)
def test_each_outside_thing_has_one_owner(path: Path) -> None:
    owners = {
        "openai": {"openai_client.py"},
        "httpx2": {"openai_client.py"},
        "boto3": {"bucket.py", "bus.py", "queues.py", "table.py", "workflow.py"},
        "botocore": {"bucket.py", "workflow.py"},
        "httpcore": {"connection.py", "download.py"},
        "httpx": {"connection.py", "download.py", "urls.py", "webhooks.py"},
        "trafilatura": {"html.py"},
        "lxml": {"html.py", "streaming.py"},
        "pypdf": {"pdf.py"},
        "os": {"settings.py"},
    }
    for package, files in owners.items():
        if package in imported(path):
            assert path.name in files
