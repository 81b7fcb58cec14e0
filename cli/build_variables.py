"""Checks the settings of an environment before it is built, and prints the variables of its build.

Imports nothing but the standard library: `make build` runs it before anything is installed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from cli.settings import SAMCONFIG, Environment, InvalidSettings, environments

MAX_STACK_NAME = 47
"""Lambda's names of functions have 64 characters; the longest here adds `-tool-read_object`."""

DEFAULTS = {"Architecture": "arm64", "Runtime": "python3.13"}
"""The template's. A build depends on these parameters."""


class NoBuild(Exception):
    """The settings are wrong. The message says what to do."""


def main(name: str) -> int:
    """Print the variables of an environment's build. Exits with 1 for settings that are wrong."""
    try:
        print(*(f"{variable}={value}" for variable, value in build_variables(name).items()))  # noqa: T201
    except (InvalidSettings, NoBuild) as error:
        print(f"samconfig.toml: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def build_variables(name: str, path: Path = SAMCONFIG) -> dict[str, str]:
    """ARCHITECTURE and RUNTIME of an environment, and TARGET_PYTHON if there is an interpreter of it.

    Raises InvalidSettings and NoBuild.
    """
    found = environments(path)
    if name not in found:
        raise NoBuild(f"there is no environment {name}, only {', '.join(found)}")
    check(found[name])
    chosen = {**DEFAULTS, **found[name].parameters}
    variables = {parameter.upper(): chosen[parameter] for parameter in DEFAULTS}
    if interpreter := find_interpreter(chosen["Runtime"]):
        return {**variables, "TARGET_PYTHON": interpreter}
    print(  # noqa: T201
        f"There is no {chosen['Runtime']}, so the build has no bytecode, and each cold start takes longer.",
        file=sys.stderr,
    )
    return variables


def check(environment: Environment) -> None:
    """Raise NoBuild for settings that would deploy something else than the file seems to say."""
    if len(environment.sections) > 1:
        first, second = environment.sections
        raise NoBuild(f"[{first}] and [{second}] both have parameter_overrides; move all into the first")
    if environment.ignored:
        raise NoBuild(f"SAM does not understand {environment.ignored[0]!r} in parameter_overrides")
    if len(environment.stack_name or "") > MAX_STACK_NAME:
        raise NoBuild(f"the stack's name {environment.stack_name} has more than {MAX_STACK_NAME} characters")


def find_interpreter(runtime: str) -> str | None:
    """An interpreter of a runtime: TARGET_PYTHON, this one, one on the path, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [
        os.environ.get("TARGET_PYTHON"),
        sys.executable,
        shutil.which(runtime),
        *map(str, sorted(pyenv.glob(f"versions/*/bin/{runtime}"), reverse=True)),
    ]
    return next((each for each in candidates if each and runtime_of(each) == runtime), None)


def runtime_of(interpreter: str) -> str | None:
    """The runtime that an interpreter is, or None if it does not run: pyenv's commands may lead nowhere."""
    program = "import sys; print('python%d.%d' % sys.version_info[:2])"
    try:
        run = subprocess.run(  # noqa: S603  # found by name, or given by the user
            [interpreter, "-c", program], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
