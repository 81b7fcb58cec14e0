"""The description of the API says what the routes are, and what they may answer."""

import json
from typing import Any

import pytest
from openapi_spec_validator import validate
from support.sample_events import Invoke, sample

from local.config import ROOT
from local.template import Template


@pytest.fixture
def described(invoke: Invoke) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(invoke("DescribeApiFunction", sample("describe_api"))["body"])
    return found


def test_it_is_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1.")
    validate(described)


def test_it_has_the_routes_of_the_template_and_no_others(described: dict[str, Any]) -> None:
    routes = {(route.method, route.path) for route in Template(ROOT).routes()}
    told = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}

    assert told == routes - {("GET", "/openapi.json")}


def test_every_error_is_a_problem_document(described: dict[str, Any]) -> None:
    for methods in described["paths"].values():
        for operation in methods.values():
            assert {"400", "500"} <= set(operation["responses"])
            for status, response in operation["responses"].items():
                (kind,) = response["content"]
                assert kind == ("application/json" if status < "400" else "application/problem+json")


def test_the_copy_in_the_documentation_is_the_same(described: dict[str, Any]) -> None:
    kept = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))

    assert kept == described, "make openapi"


def test_health_is_open_to_all_and_says_ok(invoke: Invoke) -> None:
    event = sample("describe_api", rawPath="/health")
    event["requestContext"]["http"]["path"] = "/health"
    resources = Template(ROOT).source["Resources"]["DescribeApiFunction"]["Properties"]["Events"]

    assert json.loads(invoke("DescribeApiFunction", event)["body"]) == {"status": "ok"}
    assert resources["Health"]["Properties"]["Auth"] == {"Authorizer": "NONE"}
    assert "Auth" not in resources["DescribeApi"]["Properties"]
