"""What the files of the console may not contain, whatever a page shows."""

import re

import pytest

from local.config import ROOT

FILES = sorted(path for path in (ROOT / "console").rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
MARKUP_SINKS = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML"
)
CODE_SINKS = r"\beval\b|new Function|setTimeout\([\"'`]|import\((?!.\./)"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_parses_markup_or_code(path: object) -> None:
    assert not re.search(f"{MARKUP_SINKS}|{CODE_SINKS}", path.read_text("utf-8"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.suffix != ".svg"], ids=lambda path: path.name
)
def test_no_file_names_another_host(path: object) -> None:
    assert not re.search(r"https?://\w|//\w+\.\w+/", path.read_text("utf-8"))  # type: ignore[attr-defined]


def test_the_page_has_no_inline_script_or_style() -> None:
    html = (ROOT / "console" / "index.html").read_text("utf-8")

    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*src=)", html)


def test_the_page_preloads_modules_that_exist() -> None:
    html = (ROOT / "console" / "index.html").read_text("utf-8")
    named = re.findall(r'(?:href|src)="([\w/-]+\.\w+)"', html)

    assert "main.js" in named
    assert [name for name in named if not (ROOT / "console" / name).is_file()] == []


def test_modules_are_short() -> None:
    assert [path.name for path in SCRIPTS if len(path.read_text("utf-8").splitlines()) > 210] == []
