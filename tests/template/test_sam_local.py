"""What SAM local is told agrees with the template and with the laptop cloud. No Docker is needed for that."""

import json
import tomllib
from typing import Any

import pytest

from local.config import AWS_ENVIRONMENT, ROOT
from local.sam.expected_answers import ANSWERS
from local.sam.samples import AWS_PORT, OPENAI_PORT, PAGES_PORT
from local.stack import LocalStack
from local.template import Template

SOURCE = Template(ROOT).source
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in SOURCE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
SAID: dict[str, str] = json.loads((ROOT / "events" / "env.json").read_text("utf-8"))["Parameters"]
CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))["default"]


def variables(function: str) -> dict[str, Any]:
    shared: dict[str, Any] = SOURCE["Globals"]["Function"]["Environment"]["Variables"]
    return {**shared, **FUNCTIONS[function].get("Environment", {}).get("Variables", {})}


def for_containers(value: str, laptop: LocalStack) -> str:
    """A value on the laptop, with the addresses at which a container finds the same on a cloud of --sam."""
    at = laptop.addresses
    for address, port in ((at.aws, AWS_PORT), (at.openai, OPENAI_PORT), (at.pages, PAGES_PORT)):
        host = address.removeprefix("http://").partition("/")[0]
        value = value.replace(host, f"host.docker.internal:{port}")
    return value


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_container_is_told_what_the_function_sees_on_the_laptop(function: str, laptop: LocalStack) -> None:
    on_the_laptop = laptop.stack.functions[function].environment
    for name, value in variables(function).items():
        wanted = for_containers(on_the_laptop[name], laptop)
        if name in SAID:
            assert SAID[name] == wanted, name
        else:
            assert "host.docker.internal" not in wanted, f"events/env.json lacks {name}: {wanted}"
            of_a_parameter = not isinstance(value, dict) or value.get("Ref") in SOURCE["Parameters"]
            assert of_a_parameter, f"events/env.json lacks {name}: {wanted}"


def test_nothing_is_told_that_no_function_asks_for() -> None:
    """SAM leaves out, in silence, what the template does not name."""
    assert set(SAID) <= {name for function in FUNCTIONS for name in variables(function)}


def test_the_answer_of_every_handler_is_judged() -> None:
    handlers = {name for name, each in FUNCTIONS.items() if each["Handler"].startswith("handlers.")}

    assert handlers <= set(ANSWERS) <= set(FUNCTIONS)


@pytest.mark.parametrize("command", ["local_invoke", "local_start_api"])
def test_sam_itself_knows_the_laptop(command: str) -> None:
    told = CONFIG[command]["parameters"]

    assert told["env_vars"] == "events/env.json"
    assert told["add_host"] == ["host.docker.internal:host-gateway"]
    assert told["region"] == AWS_ENVIRONMENT["AWS_REGION"]
    assert f"--build-dir {told['template_file'].rpartition('/')[0]} " in (ROOT / "Makefile").read_text(
        "utf-8"
    )
