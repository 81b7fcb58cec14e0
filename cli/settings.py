"""The settings of stacks in `samconfig.toml`, as `sam deploy` reads them.

Imports nothing but the standard library, so that it can be used before anything is installed.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMCONFIG = Path(__file__).parents[1] / "samconfig.toml"

DEFAULT_ENVIRONMENT = "default"
"""The environment of `sam` without `--config-env`."""

COMMANDS = ("global", "deploy")
"""The sections that `sam deploy` reads. A value of the second replaces the same of the first."""

_VALUE = r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|[^ "\\])+)"""
_NAME = r"""([A-Za-z0-9"']+)"""
_FORMS = (
    re.compile(f"ParameterKey={_NAME},ParameterValue={_VALUE}"),
    re.compile(f"(?<= ){_NAME}={_VALUE}"),
)
"""The forms of a parameter, as in the SAM CLI (`CfnParameterOverridesType`). A text has one of them."""


class InvalidSettings(Exception):
    """The file cannot be read. The message says why."""


@dataclass(frozen=True)
class Environment:
    """An environment of `samconfig.toml`.

    `parameters` are those of the template that the file sets. `sections` are the sections that hold
    `parameter_overrides`; there should be one at most. `ignored` is text of them that SAM does not
    understand.
    """

    name: str
    stack_name: str | None
    region: str | None
    parameters: Mapping[str, str]
    sections: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def deploy_command(self) -> str:
        """The command that deploys it."""
        return "sam deploy" if self.name == DEFAULT_ENVIRONMENT else f"sam deploy --config-env {self.name}"


def environments(path: Path = SAMCONFIG) -> dict[str, Environment]:
    """All environments by name; none if there is no file. Raises InvalidSettings."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # ValueError: it is not TOML, or not UTF-8
        raise InvalidSettings(f"{path.name} cannot be read: {error}") from None
    return {name: _parse(name, section) for name, section in content.items() if isinstance(section, dict)}


def settings_of_stack(
    stack_name: str, region: str | None = None, path: Path = SAMCONFIG
) -> list[Environment]:
    """The environments with a stack of that name, which should be one.

    Those with another region are left out. Raises InvalidSettings.
    """
    return [
        each
        for each in environments(path).values()
        if each.stack_name == stack_name and (not region or each.region in (None, region))
    ]


def _parse(name: str, commands: Mapping[str, Any]) -> Environment:
    sections = {
        f"{name}.{command}.parameters": _table(_table(commands.get(command)).get("parameters"))
        for command in COMMANDS
    }
    merged = {key: value for section in sections.values() for key, value in section.items()}
    parameters, ignored = _parse_overrides(merged.get("parameter_overrides"))
    return Environment(
        name=name,
        stack_name=merged.get("stack_name"),
        region=merged.get("region"),
        parameters=parameters,
        sections=tuple(key for key, section in sections.items() if "parameter_overrides" in section),
        ignored=tuple(ignored),
    )


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _parse_overrides(overrides: object) -> tuple[dict[str, str], list[str]]:
    """The parameters in a string, a table, or a list of them, and the text that SAM does not understand."""
    found: dict[str, str] = {}
    ignored: list[str] = []
    for each in _flatten(overrides):
        if isinstance(each, dict):
            found |= {name: _join(value) for name, value in each.items()}
            continue
        text = f" {str(each).strip()}"
        form = next((form for form in _FORMS if form.search(text)), _FORMS[-1])
        found |= {_unquote(name): _unquote(value) for name, value in form.findall(text)}
        ignored += filter(None, [form.sub("", text).strip()])
    return found, ignored


def _flatten(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for each in value:
            yield from _flatten(each)
    elif value is not None and value != "":
        yield value


def _join(value: object) -> str:
    return ",".join(str(each).strip() for each in value) if isinstance(value, list) else str(value)


def _unquote(text: str) -> str:
    if text and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return text.replace("\\ ", " ").replace('\\"', '"').replace("\\'", "'")
