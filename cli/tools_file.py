"""The tools in a Python file of the user: its public functions."""

import inspect
import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from cli.errors import CommandError
from upcall.client.functions import CallerFunctions, Function
from upcall.tool.typed_function import TypedFunction

MODULE_NAME = "upcall_tools_file"
"""In place of the file's own name, which may be that of a module of ours."""


def load_tools_file(path: Path) -> CallerFunctions:
    """The public functions that a file defines, and the tools that `upcall.tool.tool` made in it.

    A name that begins with `_` is not public, and a function that the file imports is not its own. Raises
    CommandError for a file that cannot be loaded, has no function, or has one that cannot be a tool.
    """
    module = _load(path)
    members = [member for name, member in vars(module).items() if not name.startswith("_")]
    tools = [member for member in members if isinstance(member, TypedFunction)]
    wrapped = [tool.function for tool in tools]
    functions = [
        member
        for member in members
        if inspect.isfunction(member) and member.__module__ == MODULE_NAME and member not in wrapped
    ]
    found: list[Function] = list(dict.fromkeys([*tools, *functions]))
    if not found:
        raise CommandError(f"{path} has no public function")
    try:
        return CallerFunctions(found)
    except TypeError as error:
        raise CommandError(f"{path}: {error}") from error


def _load(path: Path) -> ModuleType:
    """The module in a file. Modules beside the file can be imported by it, unless ours have their names."""
    if not path.is_file():
        raise CommandError(f"{path} is not a file")
    spec = spec_from_file_location(MODULE_NAME, path)
    if spec is None or spec.loader is None:
        raise CommandError(f"{path} is not a Python file: its name must end with .py")
    module = module_from_spec(spec)
    sys.modules[MODULE_NAME] = module  # dataclasses look their module up
    sys.path.append(str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise CommandError(f"{error.filename or path}:{error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        raise CommandError(f"{path}:{_line(error, path)} raised {text}") from error
    return module


def _line(error: BaseException, path: Path) -> int | None:
    """The last line of the file that an exception has passed."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path.resolve()]
    return lines[-1] if lines else None
