"""Checks the settings of an environment before it is built, and prints the variables of its build.

Imports nothing but the standard library: `make deploy` runs it before anything is installed.
"""

import sys

from cli.settings import InvalidSettings, environments

MAX_STACK_NAME = 47
"""Lambda's names of functions have 64 characters; the longest here adds `-tool-read_object` to the stack's."""

VARIABLES = {"Architecture": "ARCHITECTURE", "PythonVersion": "PYTHON_VERSION"}
"""The parameters that a build depends on, and the variables of the layers' Makefiles."""


def main(name: str) -> int:
    """Print `VARIABLE=value` for each parameter that the environment sets; exit with 1 for settings that are wrong."""
    try:
        found = environments()
    except InvalidSettings as error:
        return fail(str(error))
    if name not in found:
        return fail(f"there is no environment {name}, only {', '.join(found)}")
    environment = found[name]
    if len(environment.sections) > 1:
        places = " and ".join(f"[{each}]" for each in environment.sections)
        return fail(f"{places} both have parameter_overrides; move all settings into the first")
    if len(environment.stack_name or "") > MAX_STACK_NAME:
        return fail(f"the stack's name {environment.stack_name} has more than {MAX_STACK_NAME} characters")
    print(  # noqa: T201
        *(f"{VARIABLES[each]}={value}" for each, value in environment.parameters.items() if each in VARIABLES)
    )
    return 0


def fail(reason: str) -> int:
    """Print why there can be no build."""
    print(f"samconfig.toml: {reason}", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
