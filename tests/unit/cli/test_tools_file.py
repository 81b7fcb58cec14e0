"""The tools in a Python file of the user."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.errors import CommandError
from cli.tools_file import load_tools_file


@pytest.fixture(autouse=True)
def _restore_path() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


def write(folder: Path, text: str, name: str = "my_tools.py") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_the_public_functions_of_the_file_are_tools(tmp_path: Path) -> None:
    write(tmp_path, "def other() -> int:\n    'Not of the file.'\n    return 1\n", "beside.py")
    path = write(
        tmp_path,
        """
from dataclasses import dataclass
from json import dumps

from beside import other
from upcall.tool import tool

@dataclass
class Thing:
    size: int

def stock(article: str) -> int:
    "How many."
    return other()

def _private(anything):
    return stock

def send(text: str) -> str:
    "Send."
    return text

handler = tool(send, effect="once")
""",
    )

    assert {each.name for each in load_tools_file(path).definitions} == {"stock", "send"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "has no public function"),
        ("from json import dumps\n", "has no public function"),
        ("def f(:\n    pass\n", r"my_tools\.py:1: invalid syntax"),
        (
            "x = 1\nimport nothing_of_that_name\n",
            r"my_tools\.py:2 raised ModuleNotFoundError: No module named",
        ),
        ("raise SystemExit\n", r"my_tools\.py:1 raised SystemExit$"),
        ("def f(x: int) -> int:\n    return x\n", r"my_tools\.py: f has no docstring; the model needs it"),
        ("def f(x) -> int:\n    'D.'\n    return x\n", r"my_tools\.py: f: parameter x has no type"),
        ("def f(x: dict) -> int:\n    'D.'\n    return x\n", r"my_tools\.py: f: a parameter is a dict"),
        ("def f(x: 'X') -> int:\n    'D.'\n    return x\n", r"my_tools\.py: f: name 'X' is not defined"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(CommandError, match=error):
        load_tools_file(write(tmp_path, text))


def test_what_is_no_python_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"absent\.py is not a file$"):
        load_tools_file(tmp_path / "absent.py")
    with pytest.raises(CommandError, match="is not a file$"):
        load_tools_file(tmp_path)
    with pytest.raises(CommandError, match=r"its name must end with \.py"):
        load_tools_file(write(tmp_path, "", "tools.txt"))
