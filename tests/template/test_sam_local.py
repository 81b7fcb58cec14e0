"""What SAM local is configured with fits the template and the local stack. No Docker is needed here."""

import json
import tomllib
from copy import deepcopy
from typing import Any

import pytest
from support.template_blocks import routes_of
from support.templates import FUNCTIONS, HANDLERS, TEMPLATE, environment_of, function_id

from local.config import AWS_ENVIRONMENT, ROOT
from local.sam.adapt_template import adapt_template
from local.sam.expected_results import EXPECTED

VARIABLES: dict[str, str] = json.loads((ROOT / "events" / "env.json").read_text("utf-8"))["Parameters"]
CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))["default"]


def test_a_built_template_is_adapted_to_the_machine() -> None:
    template: dict[str, Any] = deepcopy(TEMPLATE.source)
    adapt_template(template, "x86_64")

    assert template["Parameters"]["Architecture"].pop("Default") == "x86_64"
    assert template["Globals"]["Function"]["Environment"]["Variables"].pop("AWS_ENDPOINT_URL") == ""
    expected = deepcopy(TEMPLATE.source)
    assert expected["Parameters"]["Architecture"].pop("Default") == "arm64"
    assert template == expected


def test_only_variables_of_functions_are_set() -> None:
    """SAM ignores variables that the template does not have, without a message."""
    in_template = {name for function in FUNCTIONS for name in environment_of(function)}

    assert set(VARIABLES) <= {*in_template, "AWS_ENDPOINT_URL"}


def test_every_handler_without_a_route_has_an_expected_answer() -> None:
    without_route = {function_id(handler) for handler in HANDLERS if not list(routes_of(handler))}

    assert without_route <= set(EXPECTED) <= set(FUNCTIONS)


@pytest.mark.parametrize("command", ["local_invoke", "local_start_api"])
def test_sam_local_uses_the_build_and_the_variables_of_the_local_stack(command: str) -> None:
    options = CONFIG[command]["parameters"]

    assert options["env_vars"] == "events/env.json"
    assert options["add_host"] == ["host.docker.internal:host-gateway"]
    assert options["region"] == AWS_ENVIRONMENT["AWS_REGION"]
    folder = options["template_file"].rpartition("/")[0]
    assert f"--build-dir {folder} " in (ROOT / "Makefile").read_text("utf-8")
