"""Functions in SAM local's containers have the environment that they have on the local stack."""

import json

import pytest
from support.templates import FUNCTIONS, TEMPLATE, environment_of

from local.config import ROOT
from local.sam.samples import AWS_PORT, OPENAI_PORT, PAGES_PORT
from local.stack import LocalStack

VARIABLES: dict[str, str] = json.loads((ROOT / "events" / "env.json").read_text("utf-8"))["Parameters"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_container_has_the_environment_of_the_local_stack(function: str, local_stack: LocalStack) -> None:
    environment = local_stack.deployed.functions[function].environment
    for name, value in {**environment_of(function), "AWS_ENDPOINT_URL": {}}.items():
        expected = _in_container(environment[name], local_stack)
        if name in VARIABLES:
            assert VARIABLES[name] == expected, name
        else:
            assert "host.docker.internal" not in expected, f"events/env.json lacks {name}: {expected}"
            known_to_sam = not isinstance(value, dict) or value.get("Ref") in TEMPLATE.source["Parameters"]
            assert known_to_sam, f"events/env.json lacks {name}: {expected}"


def _in_container(value: str, local_stack: LocalStack) -> str:
    """A value with the addresses at which a container reaches the local stack of `upcall local --sam`."""
    endpoints = local_stack.endpoints
    for url, port in (
        (endpoints.aws, AWS_PORT),
        (endpoints.openai, OPENAI_PORT),
        (endpoints.pages, PAGES_PORT),
    ):
        host = url.removeprefix("http://").partition("/")[0]
        value = value.replace(host, f"host.docker.internal:{port}")
    return value
